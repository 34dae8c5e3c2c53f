"""A folder captioned by a captioner of the test's own: proposed, cancelled, gone on with, accepted, undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from studio import captioners, cli, starter
from studio.captioners.base import Caption, Captioner, Local
from studio.data.journal import Journal
from studio.engine import captioning
from studio.engine.captioning import Batch, Ended, Looked, Unread, accept, drop, fetch, offers, proposals, ready
from studio.engine.proposals import CaptionSpec, Proposed, merged
from studio.errors import DataError, ModelError, OutOfMemoryError, SpecError
from studio.hardware import Hardware, Plan
from tests.captioners import tiny_captioners
from tests.hub.hub_double import serving

PICTURES = 8


class Namer(Captioner):
    """Says how red a picture is; notes what it was shown."""

    title, sentence, licence = "Namer", "For tests.", "none"

    class Options(Local):
        """Its options."""

        batch: int = 3
        """Pictures together."""

    def __init__(self, **options: Any) -> None:
        super().__init__(self.Options(**options))
        self.seen: list[list[int]] = []
        self.trouble: Callable[[list[int]], None] = lambda reds: None

    def load(self, plan: Plan) -> None:
        """Nothing."""

    def caption(self, pictures: Sequence[Image.Image]) -> list[Caption]:
        reds = [picture.getpixel((0, 0))[0] for picture in pictures]  # type: ignore[index]
        self.seen.append(reds)
        self.trouble(reds)
        return [Caption(f"red {red}") for red in reds]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight pictures, the first with a caption."""
    place = tmp_path / "set"
    (place / "more").mkdir(parents=True)
    for number in range(PICTURES):
        below = place / "more" if number == 7 else place
        Image.new("RGB", (32, 32), (number * 10, 0, 0)).save(below / f"{number}.png")
    (place / "0.txt").write_text("mine")
    return place


def batch(folder: Path, made: Namer | None = None, **spec: Any) -> Batch:
    return Batch(folder, CaptionSpec(**spec), made or Namer())


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.rglob("*.txt"))}


def test_it_is_proposed_then_accepted_as_one_and_undone_as_one(folder: Path) -> None:
    before = texts(folder)
    made = Namer()
    told = list(batch(folder, made).propose())
    assert [one.done for one in told if isinstance(one, Looked)] == [0, 3, 6, 7] and made.seen == [
        [10, 20, 30], [40, 50, 60], [70],
    ]  # fmt: skip
    found = [one for one in told if isinstance(one, Proposed)]
    assert [(one.path.name, one.old, one.new) for one in found][:2] == [
        ("1.png", None, "red 10"),
        ("2.png", None, "red 20"),
    ]
    assert told[-1] == Ended(proposed=7, same=0, kept=1, unread=0)
    assert texts(folder) == before  # nothing yet
    assert proposals(folder) == found  # as a page that was opened again reads them
    action = accept(folder, found, {found[0].path: "my own words"})
    assert action.count == 7 and proposals(folder) == []
    assert texts(folder) == {"0.txt": "mine", "1.txt": "my own words", "7.txt": "red 70"} | {
        f"{number}.txt": f"red {number}0" for number in range(2, 7)
    }
    Journal(folder).undo()
    assert texts(folder) == before


@pytest.mark.parametrize("end", ["cancel", "close", "kill"])
def test_a_batch_that_ends_early_goes_on_where_it_was(folder: Path, end: str) -> None:
    first = batch(folder)
    steps = first.propose()
    assert next(steps) == Looked(0, 7) and isinstance(
        next(steps), Proposed
    )  # the first of three that were looked at together
    if end == "cancel":
        first.cancelled.set()
        assert list(steps)[-1] == Ended(proposed=3, same=0, kept=1, unread=0, cancelled=True)
    steps.close()  # type: ignore[attr-defined]
    if end == "kill":  # in the middle of a line
        with (folder / ".crucible" / "proposed.jsonl").open("a") as file:
            file.write('{"path": "4.png", "old": nu')
    made = Namer()
    told = list(batch(folder, made).propose())
    assert made.seen == [[40, 50, 60], [70]]
    assert len([one for one in told if isinstance(one, Proposed)]) == 7 and told[-1].proposed == 7  # type: ignore[union-attr]
    assert len(proposals(folder)) == 7


def test_another_wish_or_another_caption_is_looked_at_anew(folder: Path) -> None:
    list(batch(folder).propose())
    (folder / "1.txt").write_text("by hand")
    made = Namer()
    assert list(batch(folder, made).propose())[-1] == Ended(proposed=6, same=0, kept=2, unread=0)
    assert made.seen == []
    list(batch(folder, made, trigger="sks").propose())
    assert [len(part) for part in made.seen] == [3, 3]
    drop(folder)
    assert proposals(folder) == []


def test_a_caption_that_changed_since_it_was_proposed_stays(folder: Path) -> None:
    list(batch(folder, mode="overwrite").propose())
    (folder / "0.txt").write_text("mine, and better")
    action = accept(folder, proposals(folder))
    assert action.left == ("0.png",) and action.count == 7 and texts(folder)["0.txt"] == "mine, and better"


def test_what_cannot_be_read_or_seen_does_not_end_it(folder: Path) -> None:
    (folder / "2.png").write_bytes(b"<html>")
    made = Namer()

    def trouble(reds: list[int]) -> None:
        if 50 in reds:
            raise ValueError("cannot\nsee it")
        if len(reds) > 2:
            raise torch.OutOfMemoryError("no room")

    made.trouble = trouble
    told = list(batch(folder, made).propose())
    lost = {one.path.name: one.text for one in told if isinstance(one, Unread)}
    assert "'2.png' cannot be read as a picture" in lost["2.png"]
    assert lost["5.png"] == "'5.png' gets no caption (ValueError: cannot see it); write it by hand."
    assert told[-1] == Ended(proposed=5, same=0, kept=1, unread=2)
    made.trouble = lambda reds: _raise(torch.OutOfMemoryError("no room"))
    with pytest.raises(OutOfMemoryError, match="no room for one picture"):
        list(batch(folder, made, mode="append").propose())


def _raise(error: Exception) -> None:
    raise error


def test_a_giant_is_made_smaller_before_it_waits_for_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (3000, 500), (99, 0, 0)).save(folder / "9.png")
    sizes = []
    made = Namer(batch=64)
    monkeypatch.setattr(made, "caption", lambda pictures: [Caption(str(sizes.append(one.size))) for one in pictures])
    list(batch(folder, made).propose())
    assert max(sizes) == (2048, 341)


MERGES = [
    (None, "a dog", {}, "a dog"),
    ("old", "a dog", {"mode": "overwrite"}, "a dog"),
    ("old", "a dog", {"mode": "append"}, "old, a dog"),
    ("old.", "a dog", {"mode": "append"}, "old. a dog"),
    ("a dog, old", "a dog", {"mode": "append"}, "a dog, old"),
    ("", "a dog", {"mode": "append"}, "a dog"),
    ("old", "", {"mode": "overwrite"}, "old"),
    (None, "", {}, ""),
    (None, "", {"trigger": "sks"}, "sks"),
    (None, "a dog", {"trigger": "sks"}, "sks, a dog"),
    (None, "a SKS dog", {"trigger": "sks"}, "a SKS dog"),
    (None, "sksy dog", {"trigger": "sks"}, "sks, sksy dog"),
    ("sks dog", "on grass", {"mode": "append", "trigger": "sks"}, "sks dog, on grass"),
    (None, "a dog", {"prefix": "a drawing of", "suffix": ", flat style"}, "a drawing of a dog, flat style"),
    (None, "", {"prefix": "a drawing,", "suffix": ""}, "a drawing"),
    (None, "a\n dog", {}, "a dog"),
    (None, "狗在草地上", {"trigger": "柯基"}, "柯基, 狗在草地上"),
]


@pytest.mark.parametrize(("old", "found", "spec", "new"), MERGES)
def test_old_and_found_become_new(old: str | None, found: str, spec: dict[str, str], new: str) -> None:
    wish = CaptionSpec(**spec)  # type: ignore[arg-type]
    assert merged(old, Caption(found), wish) == new
    assert wish.mode == "overwrite" or merged(new, Caption(found), wish.model_copy(update={"mode": "append"})) in (
        new, f"{new}, {wish.prefix} {found} {wish.suffix}".replace(" ,", ","),
    )  # fmt: skip


def test_tags_are_appended_once(folder: Path) -> None:
    found = Caption("1girl, long hair, solo", listed=True)
    assert merged("Solo, hat", found, CaptionSpec(mode="append")) == "Solo, hat, 1girl, long hair"
    assert merged("solo, 1girl, long hair", found, CaptionSpec(mode="append")) == "solo, 1girl, long hair"


def test_lines_stay_lines_and_nothing_found_overwrites_nothing(folder: Path) -> None:
    old, wish = "a dog\na red dog", CaptionSpec(mode="append", trigger="sks")
    assert merged(old, Caption("grass"), wish) == "sks, a dog, grass\nsks, a red dog, grass"
    wish = CaptionSpec(mode="overwrite", trigger="sks", prefix="photo,")
    assert merged(old, Caption("grass"), wish) == "sks, photo, grass"
    assert merged(old, Caption(""), wish) == "sks, a dog\nsks, a red dog"
    assert merged(None, Caption(""), wish) == "sks, photo"


def test_a_captioner_is_made_ready_or_says_what_to_do(tmp_path: Path) -> None:
    big = Hardware(memory=64_000_000_000)
    with pytest.raises(SpecError, match="'thing' cannot be 2"):
        ready("embedded", {"thing": 2}, big)
    with pytest.raises(SpecError, match="'colour' is not a known setting"):
        ready("embedded", {"colour": 2}, big)
    with pytest.raises(ModelError, match="needs a graphics card"):
        ready("joycaption", {}, big)
    folder = tiny_captioners.wd(tmp_path)
    assert ready("wd-swinv2", {"folder": str(folder)}, big).caption([Image.new("RGB", (9, 9), "blue")])[0].text
    listed = {one.name: one for one in offers(big)}
    assert list(listed) == list(captioners.registry())
    assert listed["embedded"].here and not listed["embedded"].size and fetch("embedded") is None
    assert "graphics card" in listed["joycaption"].missing and listed["blip-large"].missing == ""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, for the process by its environment and for this one by its constant."""
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    return tmp_path / "home" / "hub"


def test_a_tagger_is_downloaded_only_when_asked_and_then_used(
    tmp_path: Path, hub: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import dataclasses

    from tests.hub.hub_double import COMMIT

    cls = captioners.captioner("wd-swinv2")
    assert cls.source
    monkeypatch.setattr(cls, "source", dataclasses.replace(cls.source, commit=COMMIT))
    published = tiny_captioners.wd(tmp_path / "published")
    for needless in ("model.msgpack", "model.safetensors", "README.md", "config.json"):
        (published / needless).write_text("{}")
    with serving({cls.source.model: published}) as server:
        words = ["caption", str(folder), "--with", "wd-swinv2", "--mirror", server.url]
        assert cli.main(words) == 2
        assert "`caption --with wd-swinv2 --download` brings it" in capsys.readouterr().err and server.asked == []
        assert cli.main([*words, "--download", "--set", "general=0.1", "--json"]) == 0
        asked = len(server.asked)
        assert cli.main([*words, "--download"]) == 0 and len(server.asked) == asked  # it is here
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    kinds = [line["kind"] for line in lines]
    assert kinds[0] == "found" and "done" in kinds and kinds[-1] == "written" and lines[-1]["count"] == 5
    assert lines[0]["licence"] == "openrail" and lines[0]["commit"] == COMMIT
    names = {file["path"] for file in lines[0]["files"]}
    assert names == {"config.json", "model.onnx", "selected_tags.csv"}
    assert not (hub / "models--SmilingWolf--wd-swinv2-tagger-v3" / "refs").exists()  # other programs' name for it stays


def test_on_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wish = ["caption", str(folder), "--mode", "append", "--trigger", "sks", "--set", "subject=sks dog"]
    assert cli.main([*wish, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "0.png\n  - mine\n  + mine, a photo of sks dog" in said and "nothing is written" in said
    assert texts(folder) == {"0.txt": "mine"}
    assert cli.main(wish) == 0
    assert "8 proposed, 0 as before, 0 kept unlooked, 0 unreadable; 8 written." in capsys.readouterr().out
    assert texts(folder)["0.txt"].startswith("mine, a photo of sks dog") and len(texts(folder)) == PICTURES
    assert [action.what for action in Journal(folder).actions()] == ["caption with embedded"]
    assert cli.main(["caption", "--list", "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["name"] == "embedded" and first["here"] and set(first["options"]) == {"subject", "thing", "place"}


MISTAKES = [
    (["caption"], "Give a folder of pictures"),
    (["caption", "corgi"], "The example's captions stay as they are"),
    (["caption", "/nowhere"], "There is no folder '/nowhere'"),
    (["caption", "corgi", "--dry-run", "--with", "bilp"], "'bilp' is not a captioner"),
    (["caption", "corgi", "--dry-run", "--set", "thing"], "--set takes option=value"),
]


@pytest.mark.parametrize(("words", "text"), MISTAKES)
def test_a_mistake_is_one_sentence(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert text in said and said.count("\n") == 1


def test_the_example_is_looked_at_and_left_alone() -> None:
    told = list(batch(starter.CORGI, mode="overwrite").propose())
    assert told[-1] == Ended(proposed=10, same=0, kept=0, unread=0)
    assert not (starter.CORGI / ".crucible").exists()
    with pytest.raises(DataError, match="stay as they are"):
        accept(starter.CORGI, [one for one in told if isinstance(one, Proposed)])


def test_an_interrupted_command_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = Batch.propose

    def broken(self: Batch) -> Iterator[Any]:
        for number, told in enumerate(real(self)):
            if number == 2:
                raise KeyboardInterrupt
            yield told

    monkeypatch.setattr(captioning, "Batch", type("Broken", (Batch,), {"propose": broken}))
    assert cli.main(["caption", str(folder), "--set", "subject=a toy"]) == 130
    assert "goes on where it was" in capsys.readouterr().err and proposals(folder) and len(texts(folder)) == 1
