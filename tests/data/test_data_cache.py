from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from studio.data.cache import Encoded, draw_latents, encode
from studio.data.scan import DataSpec, scan
from studio.errors import DataError
from tests.tiny import drafts


class Averager:
    """Encodes a picture by averaging 8 x 8 pixels, and counts how often it is asked."""

    resolution = 32
    side_step = 16

    def __init__(self, name: str = "one") -> None:
        self.name = name
        self.asked = 0

    def fingerprint(self) -> str:
        return self.name

    def moments(self, pixels: Tensor) -> Tensor:
        self.asked += 1
        mean = torch.nn.functional.avg_pool2d(pixels, 8)
        return torch.cat([mean, torch.full_like(mean, 0.5)], 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for index, size in enumerate([(32, 32), (64, 32), (100, 90)]):
        picture = Image.new("RGB", size, (index * 80, 0, 0))
        picture.putpixel((0, 0), (255, 255, 255))
        picture.save(tmp_path / "data" / f"{index}.png")
    return tmp_path / "data"


def run(folder: Path, encoder: Averager, **settings: object) -> list[Encoded]:
    spec = DataSpec(folder=str(folder)).model_copy(update=settings)
    return list(encode(scan(folder), spec, encoder, folder.parent / "cache"))


def test_the_second_time_nobody_asks_the_encoder(folder: Path) -> None:
    encoder = Averager()
    first = run(folder, encoder)
    assert encoder.asked == 3
    again = run(folder, encoder)
    assert encoder.asked == 3
    assert all(torch.equal(a.views[0], b.views[0]) for a, b in zip(first, again, strict=True))
    assert [one.shape for one in first] == [(4, 4), (2, 6), (4, 4)]
    assert run(folder, Averager(), buckets=False)[1].shape == (4, 4)
    assert not drafts(folder.parent)


def test_what_changes_the_latents_is_encoded_anew(folder: Path) -> None:
    encoder = Averager()
    run(folder, encoder)
    for asked, settings in ((6, {"flip": True}), (9, {"resolution": 64})):  # of the mirror images only one half is new
        run(folder, encoder, **settings)
        assert encoder.asked == asked
    Image.new("RGB", (32, 32)).save(folder / "0.png")
    run(folder, encoder)
    assert encoder.asked == 10
    other = Averager("two")
    run(folder, other)
    assert other.asked == 3


def test_a_mirror_image_is_a_second_view(folder: Path) -> None:
    views = run(folder, Averager(), flip=True)[0].views
    assert len(views) == 2 and torch.equal(views[1][:, :3], views[0][:, :3].flip(-1))
    assert not torch.equal(*views)


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign"])
def test_a_damaged_entry_is_made_anew(folder: Path, damage: str) -> None:
    first = run(folder, Averager())
    for path in (folder.parent / "cache").iterdir():
        content = path.read_bytes()
        path.write_bytes({"cut": content[:-8], "empty": b"", "foreign": b"<html>"}[damage])
    encoder = Averager()
    again = run(folder, encoder)
    assert encoder.asked == 3
    assert all(torch.equal(a.views[0], b.views[0]) for a, b in zip(first, again, strict=True))
    run(folder, encoder)
    assert encoder.asked == 3


def test_a_broken_picture_is_named(folder: Path) -> None:
    (folder / "9 broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"9 broken\.png"):
        run(folder, Averager())


def test_latents_are_drawn_from_mean_and_deviation() -> None:
    moments = torch.cat([torch.full((1, 2, 1, 1), 3.0), torch.full((1, 2, 1, 1), 0.5)], 1)
    assert draw_latents(moments, torch.full((1, 2, 1, 1), -2.0)).flatten().tolist() == [2.0, 2.0]
