"""The example sets are what the script draws, captioned, and unknown to the base."""

import numpy as np
import pytest
from PIL import Image

from studio import starter
from studio.starter import corgi, riso, world

FOLDERS = [
    (starter.CORGI, corgi.TRAIN),
    (starter.CORGI_HELD_OUT, corgi.HELD_OUT),
]


@pytest.mark.parametrize(("folder", "scenes"), FOLDERS, ids=["train", "held out"])
def test_committed_corgis_are_the_scripts_own(folder, scenes):
    assert len(list(folder.glob("*.png"))) == len(scenes)
    for index, scene in enumerate(scenes):
        drawn = np.asarray(corgi.draw(scene, index), dtype=int)
        with Image.open(folder / f"{index + 1:02d}.png") as image:
            assert np.abs(np.asarray(image, dtype=int) - drawn).mean() < 0.5  # resampling may round differently
        assert (folder / f"{index + 1:02d}.txt").read_text(encoding="utf-8").strip() == scene.caption


def test_drawing_is_deterministic():
    scene = corgi.TRAIN[0]
    assert corgi.draw(scene, 0).tobytes() == corgi.draw(scene, 0).tobytes()


def test_corgis_vary_and_say_so():
    assert len(corgi.TRAIN) >= 8 and len(corgi.HELD_OUT) >= 4
    assert len({scene.pose for scene in corgi.TRAIN}) == len(corgi.POSES)
    assert len({scene.place for scene in corgi.TRAIN}) >= 8
    assert not {scene.caption for scene in corgi.TRAIN} & {scene.caption for scene in corgi.HELD_OUT}
    assert all(scene.caption.startswith("a photo of sks dog") for scene in corgi.TRAIN)


@pytest.mark.parametrize(("folder", "names"), [(starter.STYLE, riso.TRAIN), (starter.STYLE_HELD_OUT, riso.HELD_OUT)])
def test_the_style_set_is_whole(folder, names):
    texts = [path.read_text(encoding="utf-8").strip() for path in sorted(folder.glob("*.txt"))]
    assert texts == [riso.caption(name) for name in names]
    assert len(list(folder.glob("*.png"))) == len(names)
    assert set(names) <= set(world.NAMES)


def test_the_world_has_no_corgi():
    assert "corgi" not in " ".join(world.NAMES)
