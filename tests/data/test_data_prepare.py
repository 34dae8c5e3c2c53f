from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from studio import starter
from studio.data.cache import Cache, encode
from studio.data.check import check
from studio.data.crop import focuses, move_crop
from studio.data.image import open_picture
from studio.data.judge import Asked, Report, fit_of
from studio.data.mask import load_mask, mask_path, removal_lacks, remove_background, save_mask
from studio.data.pixels import pixels
from studio.data.prepare import Prepared, prepare
from studio.data.scan import dataset, scan
from studio.data.setting import DataSpec
from studio.errors import DataError, StoreError
from tests.data.nasty import PHOTO, turned
from tests.data.test_data_cache import Averager

ASKED = Asked(32, 8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    (place / "2_more").mkdir(parents=True)
    PHOTO.resize((96, 40)).save(place / "a.png")
    PHOTO.save(place / "a.jpg")
    (place / "2_more" / "b.jpg").write_bytes(turned("JPEG", 6))
    (place / "a.txt").write_text("sks, one", "utf-8")
    save_mask(place / "a.png", np.eye(40, 96) > 0)
    return place


def made(folder: Path, out: Path, **settings: Any) -> Prepared:
    *_, last = prepare(str(folder), out, DataSpec(folder=str(folder), **settings), ASKED)
    assert isinstance(last, Prepared)
    return last


def test_copies_are_what_training_sees_and_originals_stay(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    move_crop(folder, folder / "a.png", (0.0, 0.5))
    result = made(folder, tmp_path / "new", hold_back=("a.jpg",))
    assert all(path.read_bytes() == content for path, content in before.items())
    assert result.pictures == 3 and len(result.spec.hold_back) == 1
    old, new = dataset(DataSpec(folder=str(folder), hold_back=("a.jpg",))), dataset(result.spec)
    assert [one.repeats for one in new.train] == [one.repeats for one in old.train] == [2, 1]
    for before_, after in zip((*old.train, *old.held_out), (*new.train, *new.held_out), strict=True):
        picture = open_picture(before_.path)
        fit = fit_of(*picture.size, result.spec, ASKED, before_.focus)
        copy = open_picture(after.path)
        assert fit_of(*copy.size, result.spec, ASKED).size == copy.size == fit.size
        assert torch.equal(pixels(copy, fit.size), pixels(picture, fit.size, focus=before_.focus))
        assert after.caption == before_.caption and (after.mask is None) == (before_.mask is None)


def test_what_is_judged_by_is_not_trained_on_in_the_copies(folder: Path, tmp_path: Path) -> None:
    (folder / "judge").mkdir()
    PHOTO.save(folder / "judge" / "c.png")
    result = made(folder, tmp_path / "new", held_out=str(folder / "judge"))
    split = dataset(result.spec)
    assert [one.path.name for one in split.held_out] == ["c.png"] and split.held_out[0].path.parent.parent.name == "new"
    assert sorted(one.path.name for one in split.train) == ["a-2.png", "a.png", "b.png"]
    apart = made(folder, tmp_path / "more", held_out=str(starter.CORGI_HELD_OUT), hold_back=("a.jpg",))
    assert len(dataset(apart.spec).train) == 3 and len(dataset(apart.spec).held_out) == 5
    *_, example = prepare("corgi", tmp_path / "corgi", DataSpec(folder="corgi"), ASKED)
    assert isinstance(example, Prepared)
    assert len(dataset(example.spec).train) == 10 and len(dataset(example.spec).held_out) == 4


def test_copies_that_cannot_be_written_are_said(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made(folder, Path("~/new"))
    assert (tmp_path / "home" / "new" / "a.png").is_file()
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="choose another folder"):
        made(folder, tmp_path / "file" / "new")


def test_copies_take_no_folder_that_is_there(folder: Path, tmp_path: Path) -> None:
    for out, said in ((folder / "in", "apart"), (tmp_path, "apart"), (folder, "apart"), (tmp_path / "full", "already")):
        (tmp_path / "full").mkdir(exist_ok=True)
        (tmp_path / "full" / "x").touch()
        with pytest.raises(DataError, match=said):
            made(folder, out)
    (folder / "bad.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"'bad\.png'"):
        made(folder, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert made(folder, tmp_path / "new", leave_out=("bad.png",)).pictures == 3


def test_every_bucket_is_its_own() -> None:
    """A copy at the size of its bucket is trained at that size again."""
    for resolution, step in ((64, 16), (512, 64), (768, 64), (1024, 32)):
        asked, spec = Asked(resolution, step), DataSpec()
        for width in range(30, 900, 7):
            size = fit_of(width, 300, spec, asked).size
            again = fit_of(*size, spec, asked)
            assert again.size == size and again.box == (0, 0, *size)


def test_a_moved_crop_is_shown_trained_and_kept(folder: Path) -> None:
    name, spec = folder / "a.png", DataSpec(folder=str(folder), buckets=False)

    def box() -> Any:
        *_, found = check(spec, ASKED)
        assert isinstance(found, Report)
        return next(one.fit.box for one in found.verdicts if one.name == "a.png" and one.fit)

    def view() -> torch.Tensor:
        (one,) = (one for one in scan(folder) if one.path == name)
        return next(iter(encode([one], spec, Averager(), Cache(folder.parent / "cache")))).view()

    assert box() == (28, 0, 68, 40)
    middle = view()
    move_crop(folder, name, (0.1, 0.5))
    assert box() == (0, 0, 40, 40) and focuses(folder) == {"a.png": (0.1, 0.5)}
    left = view()
    picture = open_picture(name).crop((0, 0, 40, 40)).resize((32, 32), Image.Resampling.LANCZOS)
    expected = Averager().moments(pixels(picture, (32, 32)).unsqueeze(0))
    assert not torch.equal(left, middle) and torch.allclose(left, expected, atol=1e-3)
    move_crop(folder, name, None)
    assert torch.equal(view(), middle) and not focuses(folder)
    with pytest.raises(DataError, match="embedded example"):
        move_crop(starter.CORGI, starter.CORGI / "01.png", (0.0, 0.0))


def test_what_shows_through_is_chosen_and_part_of_the_latents(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    Image.new("RGBA", (32, 32), (0, 0, 0, 0)).save(tmp_path / "data" / "a.png")
    PHOTO.save(tmp_path / "data" / "b.png")
    encoder = Averager()
    for colour, value, asked in (("white", 1.0, 2), ("black", -1.0, 3), ("#ff0000", None, 4), ("black", -1.0, 4)):
        spec = DataSpec(folder=str(tmp_path / "data"), background=colour)
        views = [one.view() for one in encode(scan(tmp_path / "data"), spec, encoder, Cache(tmp_path / "cache"))]
        assert encoder.asked == asked  # what is opaque is not encoded again
        assert value is None or float(views[0][0, 0].mean()) == value
    with pytest.raises(ValueError, match="a colour"):
        DataSpec(background="nothing")


def test_masks_are_kept_whole_or_not_at_all(folder: Path) -> None:
    picture = folder / "a.jpg"
    for mask in (np.full((48, 64), 0.5), np.full((48, 64), 128, np.uint8)):
        save_mask(picture, mask)
        kept = load_mask(picture)
        assert kept is not None and kept.shape == (48, 64) and (kept == 128).all()
    assert all(not one.path.name.endswith("mask.png") for one in scan(folder))
    for bad, said in ((np.zeros((4, 4)), "hides all"), (np.zeros((4, 4, 3)), "one value per pixel")):
        with pytest.raises(DataError, match=said):
            save_mask(picture, bad)
    assert load_mask(folder / "2_more" / "b.jpg") is None
    with pytest.raises(DataError, match="embedded"):
        save_mask(starter.CORGI / "01.png", np.ones((4, 4)))
    assert not list(folder.glob(".partial*"))


def test_the_background_is_removed_where_rembg_is_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = folder / "2_more" / "b.jpg"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install rembg" in removal_lacks()
    with pytest.raises(DataError, match="pip install rembg"):
        remove_background(picture)
    stand_in = types.ModuleType("rembg")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: stand_in)
    monkeypatch.setitem(sys.modules, "rembg", stand_in)
    stand_in.remove = lambda image, only_mask: image.convert("L").point(lambda v: 255 if only_mask else v)  # type: ignore[attr-defined]
    assert remove_background(picture) == mask_path(picture)
    mask = load_mask(picture)
    assert mask is not None and mask.shape == (64, 48) and mask.min() == 255  # upright, as the picture
    stand_in.remove = lambda image, only_mask: 1 / 0  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="division by zero"):
        remove_background(picture)
