from __future__ import annotations

import json
import shlex
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFilter

from studio import starter
from studio.cli import main
from studio.data import check as module
from studio.data.check import check
from studio.data.hidden import HIDDEN
from studio.data.image import open_picture
from studio.data.judge import Asked, Report
from studio.data.leak import leaks, told
from studio.data.measure import measure, sharpness
from studio.data.scan import dataset
from studio.data.setting import DataSpec
from studio.data.similar import near_duplicates
from studio.data.tokens import LIMIT
from studio.data.verdict import BLURRED, Verdict
from studio.engine.ground import Ground, ground
from studio.events import Progress
from studio.spec import parse_value
from tests.data.nasty import png

PICTURES = sorted((starter.ROOT / "data").glob("*/*.png"))


@pytest.fixture(scope="module")
def base() -> Ground:
    return ground("starter")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures of the embedded example, old enough to be believed unchanged."""
    place = tmp_path / "dogs"
    place.mkdir()
    for path in sorted(starter.CORGI.glob("0[1-4].*")):
        shutil.copy2(path, place)
        module.os.utime(place / path.name, (time.time() - 60,) * 2)
    return place


def report(folder: Path, asked: Asked | None = None, **settings: Any) -> Report:
    spec = DataSpec(folder=str(folder), **{"class_word": "dog", **settings})
    *_, last = check(spec, asked or Asked(64, 16))
    assert isinstance(last, Report)
    return last


def verdict(found: Report, name: str) -> Verdict:
    return next(one for one in found.verdicts if one.name == name)


def test_what_is_good_is_ok(folder: Path, base: Ground) -> None:
    found = report(folder, Asked(base.resolution, base.step, base.meter))
    assert found.counts() == {"ok": 4} and not found.unused
    assert [(one.size, one.pictures) for one in found.buckets] == [((64, 64), 4)]
    assert all(one.tokens and 5 < one.tokens < LIMIT for one in found.verdicts)
    assert (base.resolution, base.step) == (64, 16)


def test_a_picture_is_judged_by_the_part_that_is_trained(folder: Path) -> None:
    photo = open_picture(folder / "01.png")
    photo.resize((40, 40)).save(folder / "small.png")
    photo.resize((20, 20)).save(folder / "tiny.png")
    photo.resize((900, 100)).save(folder / "wide.png")
    photo.filter(ImageFilter.GaussianBlur(4)).save(folder / "soft.png")
    found = report(folder)
    said = {one.name: (one.severity, one.kinds) for one in found.verdicts}
    assert said["small.png"][0] == "warns" and "small" in said["small.png"][1]
    assert said["tiny.png"][0] == "loses" and "small" in said["tiny.png"][1]
    assert said["wide.png"][0] == "loses" and "aspect" in said["wide.png"][1]
    assert "blurred" in said["soft.png"][1]
    wide = verdict(found, "wide.png")
    assert wide.fit and wide.fit.size == (96, 32) and "67% of it is cut away" in wide.findings[0].reason


def test_the_threshold_of_blur_parts_the_embedded_pictures_from_blurred_copies() -> None:
    for path in PICTURES:
        picture = open_picture(path)
        assert sharpness(picture) > BLURRED + 0.1
        assert sharpness(picture.filter(ImageFilter.GaussianBlur(3))) < BLURRED
    assert sharpness(Image.new("RGB", (64, 64), "white")) == -1  # nothing to judge by


def test_near_duplicates_are_found_and_the_embedded_pictures_are_none(folder: Path) -> None:
    measured = [measure(path) for path in PICTURES]
    assert not near_duplicates([one.look for one in measured], [one.colours for one in measured])
    open_picture(folder / "02.png").resize((200, 200)).save(folder / "5.jpg", quality=60)
    found = verdict(report(folder, hold_back=("01.png",)), "5.jpg").findings[0]
    assert (found.kind, found.other) == ("duplicate", "02.png")
    leak = verdict(report(folder, hold_back=("02.png",)), "5.jpg").findings[0]
    assert (leak.kind, leak.severity, leak.other) == ("leak", "loses", "02.png")


def test_what_is_learnt_and_lies_in_the_folder_to_judge_by_as_well_is_told(folder: Path, tmp_path: Path) -> None:
    apart = tmp_path / "apart"
    (apart / "more").mkdir(parents=True)
    open_picture(folder / "02.png").resize((200, 200)).save(apart / "more" / "5.jpg", quality=60)
    Image.new("RGB", (64, 64), "red").save(apart / "red.png")
    found = report(folder, held_out=str(apart))
    assert {one.name for one in found.verdicts if "leak" in one.kinds} == {"02.png"}
    assert verdict(found, "02.png").findings[0].other == "apart/more/5.jpg"
    spec = DataSpec(folder=str(folder), held_out=str(apart))
    split = dataset(spec)
    pairs = leaks(split, spec)
    assert pairs == {apart / "more" / "5.jpg": folder / "02.png"}
    shutil.rmtree(folder / ".crucible")
    assert leaks(split, spec) == pairs  # decoded, as nothing is noted any more
    assert told(pairs, split.held_out).startswith("1 of 2 pictures to judge by look nearly the same")


def test_plain_areas_are_like_each_other_only_in_one_colour(tmp_path: Path) -> None:
    for index, colour in enumerate(["red", "blue", "red"]):
        Image.new("RGB", (64, 64), colour).save(tmp_path / f"{index}.png")
    pairs = {one.name: one.findings[0].other for one in report(tmp_path).verdicts if one.kinds[0] == "duplicate"}
    assert pairs == {"2.png": "0.png"}


def test_near_duplicates_among_ten_thousand(tmp_path: Path) -> None:
    looks = [f"{(index * 0x9E3779B97F4A7C15) % 2**64:016x}" for index in range(9000)] + ["0" * 16] * 1000
    colours = ["80" * 48] * 9000 + [f"{index % 7 * 36:02x}" * 48 for index in range(1000)]
    began = time.monotonic()
    found = near_duplicates(looks, colours)
    assert time.monotonic() - began < 10
    assert sum(1 for index in found if index >= 9000) == 1000 - 7 + sum(1 for n in range(9000, 9007) if n in found)


def test_captions(folder: Path, base: Ground) -> None:
    (folder / "01.txt").unlink()
    (folder / "02.txt").write_text("sks dog, " + ", ".join(f"a red ball {n}" for n in range(30)), "utf-8")
    (folder / "03.txt").write_bytes("在雪地里的狗".encode("gbk"))
    (folder / "04.txt").write_bytes(b"\xff\xfe\x00")
    found = report(folder, Asked(64, 16, base.meter))
    none, long, chinese, broken = (verdict(found, f"0{n}.png").findings for n in (1, 2, 3, 4))
    assert none[0].kind == "no_caption" and "'a photo of sks dog'" in none[0].reason
    assert long[0].kind == "long_caption" and long[0].severity == "loses"
    caption = (folder / "02.txt").read_text("utf-8")
    assert caption.endswith(long[0].lost) and "29" in long[0].lost
    assert base.meter([caption.removesuffix(long[0].lost).rstrip(" ,")])[0].tokens <= LIMIT
    assert [one.kind for one in chinese] == ["no_trigger", "encoding"]
    assert "GBK" in chinese[1].reason and "在雪地里的狗" in chinese[1].reason
    assert broken[0].kind == "caption_unreadable" and found.unused == ("04.png",)


def test_what_is_chosen_at_each_step_counts_with_its_longest(folder: Path, base: Ground) -> None:
    (folder / "01.txt").write_text("sks dog\nsks dog, {red|a very large and bright red} ball", "utf-8")
    (folder / "02.txt").unlink()
    asked = Asked(64, 16, base.meter)
    found = {name: verdict(report(folder, asked, wildcards=True, **more), "01.png").tokens
             for name, more in (("off", {}), ("subject", {"template": "subject"}))}  # fmt: skip
    said = "sks dog, a very large and bright red ball"
    framed = f"a close-up photo of the sks dog, {said.removeprefix('sks dog, ')}"
    assert found == {"off": base.meter([said])[0].tokens, "subject": base.meter([framed])[0].tokens}
    none = verdict(report(folder, asked, template="subject"), "02.png").findings[0]
    assert none.kind == "no_caption" and "'a close-up photo of the sks dog'" in none.reason


def test_masks_that_are_asked_for_are_looked_at(folder: Path) -> None:
    (folder / "01-mask.png").write_bytes(b"no mask")
    Image.new("L", (64, 64)).save(folder / "02-mask.png")
    dot = Image.new("L", (64, 64))
    dot.putpixel((1, 1), 255)
    dot.save(folder / "03-mask.png")
    assert report(folder).counts() == {"ok": 4}
    found = report(folder, masks="file")
    assert found.unused == ("01.png", "02.png") and len(found.of("train")) == 2
    reasons = [verdict(found, f"0{number}.png").findings[0].reason for number in (1, 2)]
    assert "'01-mask.png' cannot be read" in reasons[0] and "The mask of '02.png' hides all of it" in reasons[1]
    assert report(folder, masks="file", leave_out=("01.png", "02.png")).counts() == {"left_out": 2, "ok": 2}


def test_tables_of_captions(folder: Path) -> None:
    for path in folder.glob("*.txt"):
        path.unlink()
    (folder / "01.txt").write_text("sks, beside", "utf-8")
    rows = [{"file_name": "01.png", "text": "sks, row"}, {"file_name": "./02.png", "caption": "sks, two"}, {"no": 1}]
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n{", "utf-8")
    (folder / "metadata.csv").write_bytes('\ufefffile_name,text\r\n03.png,"sks, ""three"""\r\n'.encode())
    found = report(folder)
    assert [one.caption for one in found.verdicts] == ["sks, beside", "sks, two", 'sks, "three"', None]
    assert len(found.problems) == 2 and "Line 3 of 'metadata.jsonl'" in found.problems[0]


def test_half_a_character_in_a_table_is_done_without(folder: Path, base: Ground) -> None:
    (folder / "01.txt").unlink()
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": "01.png", "text": "sks \ud83d dog"}), "utf-8")
    found = report(folder, Asked(64, 16, base.meter))
    assert verdict(found, "01.png").caption == "sks dog" and found.counts() == {"ok": 4}


def test_a_folder_to_judge_by_may_hold_links(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "judge").mkdir()
    (tmp_path / "judge" / "x.png").symlink_to(folder / "01.png")
    assert [one.name for one in report(folder, held_out=str(tmp_path / "judge")).of("held_out")] == ["01.png"]
    (folder / "judge").mkdir()
    (folder / "judge" / "x.png").symlink_to(starter.CORGI / "05.png")
    spec = DataSpec(folder=str(folder), held_out=str(folder / "judge"))
    found = report(folder, held_out=spec.held_out)
    assert [one.name for one in found.of("held_out")] == ["judge/x.png"]
    assert [one.name for one in found.of("train")] == [one.path.name for one in dataset(spec).train]


def test_a_second_check_decodes_nothing_and_what_changed_is_looked_at_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(module, "measure", lambda path, fast=False: seen.append(path.name) or measure(path, fast))
    first = report(folder)
    assert len(seen) == 4 and (folder / HIDDEN / "check.json").is_file()
    assert report(folder) == first and len(seen) == 4
    (folder / "02.png").write_bytes(png())
    assert report(folder) != first and seen[4:] == ["02.png"]
    (folder / HIDDEN / "check.json").write_text("{broken", "utf-8")
    report(folder)
    assert len(seen) == 9


def test_a_check_can_be_cancelled_and_goes_on_where_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    seen: list[str] = []
    monkeypatch.setattr(module, "measure", lambda path, fast=False: seen.append(path.name) or measure(path, fast))
    going = check(DataSpec(folder=str(folder)), Asked(64, 16))
    events = [next(going), next(going), next(going)]
    assert [event.done for event in events if isinstance(event, Progress)] == [0, 1, 2]
    going.close()  # type: ignore[attr-defined]
    assert seen == ["01.png", "02.png"]
    report(folder)
    assert seen == ["01.png", "02.png", "03.png", "04.png"]


def test_a_fast_check_reads_headers_and_a_whole_one_after_it_all(folder: Path) -> None:
    content = (folder / "02.png").read_bytes()
    (folder / "02.png").write_bytes(content[: len(content) // 2])
    module.os.utime(folder / "02.png", (time.time() - 60,) * 2)
    assert report(folder, Asked(64, 16, fast=True)).unused == ()
    assert report(folder).unused == ("02.png",)
    assert report(folder, Asked(64, 16, fast=True)).unused == ("02.png",)  # known by now


def test_steps_of_an_epoch_are_real(folder: Path) -> None:
    (folder / "3_more").mkdir()
    shutil.move(folder / "04.png", folder / "3_more" / "04.png")
    found = report(folder)
    assert [(one.pictures, one.shown) for one in found.buckets] == [(4, 6)]
    assert found.steps_per_epoch(1) == 6 and found.steps_per_epoch(4) == 2 and found.steps_per_epoch(1, 3) == 2
    assert report(folder, repeats=False).steps_per_epoch(1) == 4


def test_the_embedded_example_gets_nothing_written_into_it() -> None:
    *_, found = check(DataSpec(folder="corgi"), Asked(64, 16))
    assert isinstance(found, Report) and found.counts() == {"ok": 10}
    assert not (starter.CORGI / HIDDEN).exists()


def test_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    for word in ("check", "caption"):
        assert main([word, str(tmp_path / "none")]) == 2
        assert "none' holds no pictures; add PNG, JPEG or WebP files to it." in capsys.readouterr().err
    (folder / "bad\n.jpg").write_bytes(b"<html>")
    assert main(["check", str(folder), "--class-word", "dog"]) == 2
    said = capsys.readouterr().out
    assert "bad\\n.jpg" in said and "1 picture will not be used" in said and "bucket 64 x 64: 4" in said
    assert main(["check", str(folder), "--leave-out", "bad\n.jpg", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"ok": 4, "left_out": 1} and told["unused"] == []
    assert main(["prepare", str(folder), "--out", str(tmp_path / "new")]) == 2
    assert "name them in data.leave_out" in capsys.readouterr().err
    assert main(["prepare", str(folder), "--out", str(tmp_path / "new"), "--leave-out", "bad\n.jpg"]) == 0
    assert sorted(path.name for path in (tmp_path / "new").glob("*.png")) == ["01.png", "02.png", "03.png", "04.png"]
    capsys.readouterr()
    new = tmp_path / "in two"
    words = [
        "prepare",
        str(folder),
        "--out",
        str(new),
        "--leave-out",
        "bad\n.jpg",
        "--set",
        'data.hold_back=["02.png"]',
    ]
    assert main(words) == 0
    *_, data, _, given = shlex.split(capsys.readouterr().out)
    spec = DataSpec(folder=data, hold_back=parse_value(given.removeprefix("data.hold_back=")))
    assert [one.path for one in dataset(spec).held_out] == [new / "02.png"]
    assert main(["check", str(folder), "--set", "data.resolution=3"]) == 2
