"""What is said of pictures that are hard to read: a table, in which nothing may end the program."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest
from PIL import Image

from studio.data.check import check
from studio.data.image import Unreadable, facts, open_picture
from studio.data.judge import Asked, Report
from studio.data.measure import measure
from studio.data.scan import dataset, scan
from studio.data.setting import DataSpec
from tests.data import nasty

FILES = nasty.files()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nasty")
    for name, (content, _) in FILES.items():
        (path / name).write_bytes(content)
    return path


def report(folder: Path, **settings: object) -> Report:
    *_, last = check(DataSpec(folder=str(folder)).model_copy(update=settings), Asked(32, 8))
    assert isinstance(last, Report)
    return last


@pytest.mark.parametrize("name", FILES)
def test_each_gets_its_verdict(folder: Path, name: str) -> None:
    said = FILES[name][1]
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = measure(folder / name)
    if said.startswith("ok"):
        assert (found.error, f"ok {found.width} x {found.height}") == ("", said)
        picture = open_picture(folder / name)
        assert picture.mode == "RGB" and picture.size == (found.width, found.height) == facts(folder / name)[:2]
        assert len(found.look) == 16 and len(found.colours) == 96
    else:
        assert said in found.error and name in found.error
        with pytest.raises(Unreadable, match=said):
            open_picture(folder / name)
    assert time.monotonic() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # kB


def test_all_of_them_in_one_folder(folder: Path) -> None:
    found = report(folder)
    broken = {name for name, (_, said) in FILES.items() if not said.startswith("ok")}
    assert set(found.unused) == broken
    assert {one.name for one in found.verdicts} == set(FILES)
    assert {one.name for one in found.verdicts if "moving" in one.kinds} == {
        "moving.gif", "moving.webp", "moving.png", "pages.tif"
    }  # fmt: skip
    for verdict in found.verdicts:
        for finding in verdict.findings:
            assert finding.reason.endswith(".") and "\n" not in finding.reason
    assert not report(folder, leave_out=tuple(broken)).unused


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_photograph_is_turned_the_right_way_round_in_every_format(tmp_path: Path, kind: str) -> None:
    halves = Image.new("RGB", (64, 48), "red")
    halves.paste((0, 0, 255), (32, 0, 64, 48))
    exif = Image.Exif()
    exif[0x0112] = 6  # held so that it must be turned to the right
    halves.save(tmp_path / "a", kind, exif=exif)
    top, bottom = (open_picture(tmp_path / "a").getpixel((24, y)) for y in (4, 60))
    assert top[0] > 200 > 60 > top[2] and bottom[2] > 200 > 60 > bottom[0]  # type: ignore[index]


def test_odd_names_and_things_that_are_no_files(tmp_path: Path) -> None:
    for name in nasty.odd_names():
        (tmp_path / name).write_bytes(nasty.png())
    things = nasty.odd_things(tmp_path)
    (tmp_path / "phone.heic").write_bytes(b"ftyp")
    (tmp_path / "work.psd").write_bytes(b"8BPS")
    (tmp_path / "work.png").write_bytes(nasty.png(0))
    found = report(tmp_path)
    assert set(found.unused) == {*things, "phone.heic"}
    assert {one.name for one in found.verdicts} == {*nasty.odd_names(), *things, "phone.heic", "work.png"}
    assert len(scan(tmp_path)) == len(nasty.odd_names()) + 1
    assert set(dataset(DataSpec(folder=str(tmp_path))).unusable) == {*things, "phone.heic"}
    again = report(tmp_path, leave_out=(*things, "phone.heic", "two\nlines.png"))
    assert not again.unused and len(again.of("left_out")) == len(things) + 2
