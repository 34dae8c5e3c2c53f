from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from studio.data import edits
from studio.data.edits import Change, difference, written
from studio.data.journal import Journal
from studio.data.setting import DataSpec
from studio.errors import DataError

A, B, C = Path("a.png"), Path("b.png"), Path("c.png")
CAPTIONS = {A: "sks dog, Red collar,  grass", B: "a cat. It sleeps.", C: None}
DATA = DataSpec(trigger="sks", class_word="dog")


def after(captions: edits.Captions, changes: tuple[Change, ...]) -> dict[Path, str | None]:
    """The captions once the changes are made; each change must be one, of what is there."""
    assert all(change.old == captions[change.picture] and change.new != change.old for change in changes)
    return {**captions, **written(changes)[0]}


@pytest.mark.parametrize(
    ("edit", "a", "b", "c"),
    [
        (lambda held: edits.replace(held, "a", "A"), "sks dog, Red collAr,  grAss", "A cAt. It sleeps.", None),
        (lambda held: edits.replace(held, "IT.", "\\1", case=False), CAPTIONS[A], CAPTIONS[B], None),
        (lambda held: edits.replace(held, "it ", "\\1 ", case=False), CAPTIONS[A], "a cat. \\1 sleeps.", None),
        (lambda held: edits.replace(held, r"(\w+) (dog|collar)", r"\2 \1", pattern=True),
         "dog sks, collar Red,  grass", CAPTIONS[B], None),
        (lambda held: edits.replace(held, "^.*$", "", pattern=True), "", "", None),
        (lambda held: edits.prefix(held, "photo,"), "photo, sks dog, Red collar,  grass", "photo, a cat. It sleeps.",
         "photo,"),
        (lambda held: edits.prefix(held, "sks"), CAPTIONS[A], "sks a cat. It sleeps.", "sks"),
        (lambda held: edits.suffix(held, ", 4k"), "sks dog, Red collar,  grass, 4k", "a cat. It sleeps., 4k", "4k"),
        (lambda held: edits.suffix(held, "grass"), CAPTIONS[A], "a cat. It sleeps. grass", "grass"),
        (lambda held: edits.trigger(held, DATA), CAPTIONS[A], "sks dog, a cat. It sleeps.", "a photo of sks dog"),
        (lambda held: edits.add_tag(held, "red collar"), CAPTIONS[A], "a cat. It sleeps., red collar", "red collar"),
        (lambda held: edits.add_tag(held, "x, y", first=True), "x, y, sks dog, Red collar, grass",
         "x, y, a cat. It sleeps.", "x, y"),
        (lambda held: edits.add_tag(held, "It sleeps", separator="."), "sks dog, Red collar,  grass. It sleeps",
         CAPTIONS[B], "It sleeps"),
        (lambda held: edits.remove_tag(held, "RED COLLAR, dog"), "sks dog, grass", CAPTIONS[B], None),
        (lambda held: edits.rename_tag(held, "red collar", "Grass"), "sks dog, Grass", CAPTIONS[B], None),
        (lambda held: edits.rename_tag(held, "grass", "lawn"), "sks dog, Red collar, lawn", CAPTIONS[B], None),
        (lambda held: edits.sort_tags(held), "grass, Red collar, sks dog", CAPTIONS[B], None),
        (lambda held: edits.sort_tags(held, keep=1), "sks dog, grass, Red collar", CAPTIONS[B], None),
        (lambda held: edits.copy(held, A, [B, C]), CAPTIONS[A], CAPTIONS[A], CAPTIONS[A]),
        (lambda held: edits.copy(held, C, [A]), None, CAPTIONS[B], None),
        (lambda held: edits.merge(held, {A: "new", C: "new"}, "keep"), CAPTIONS[A], CAPTIONS[B], "new"),
        (lambda held: edits.merge(held, {A: "Grass, tree", C: "new"}, "append"), "sks dog, Red collar,  grass, tree",
         CAPTIONS[B], "new"),
        (lambda held: edits.merge(held, {A: "new", B: CAPTIONS[B]}, "overwrite"), "new", CAPTIONS[B], None),
    ],
)  # fmt: skip
def test_edits(
    edit: Callable[[edits.Captions], tuple[Change, ...]], a: str | None, b: str | None, c: str | None
) -> None:
    made = after(CAPTIONS, edit(CAPTIONS))
    assert made == {A: a, B: b, C: c}
    if "copy" not in str(edit.__code__.co_names) and "replace" not in str(edit.__code__.co_names):
        assert after(made, edit(made)) == made  # once is enough


def test_tags_are_made_single_and_sorted_by_how_common_they_are() -> None:
    held = {A: "b, A, a, c, B", B: "c, a", C: "c"}
    assert after(held, edits.unique_tags(held))[A] == "b, A, c"
    assert after(held, edits.sort_tags(held, "count")) == {A: "c, A, a, b, B", B: "c, a", C: "c"}


def test_lines_are_edited_each_by_itself() -> None:
    held = {A: "one, x\ntwo, x, y"}
    assert after(held, edits.remove_tag(held, "x")) == {A: "one\ntwo, y"}
    assert after(held, edits.add_tag(held, "y")) == {A: "one, x, y\ntwo, x, y"}
    assert after(held, edits.trigger(held, DATA)) == {A: "sks dog, one, x\nsks dog, two, x, y"}
    assert after(held, edits.remove_tag(held, "one, x")) == {A: "two, y"}


@pytest.mark.parametrize("text", ["🐕‍🦺, 红色", "כלב, אדום", "a\u2028b", "é́", "\\d, {x}, $1"])
def test_every_script_survives(text: str) -> None:
    held = {A: text, B: "x"}
    assert after(held, edits.add_tag(held, text)) == {A: text, B: f"x, {text}"}
    assert after(held, edits.replace(held, "x", text)) == {A: text.replace("x", text), B: text}
    assert after(held, edits.replace(held, "X", text, case=False))[B] == text


@pytest.mark.parametrize("pattern", ["(", "[", "(?P<a", "*", r"\1", "(?z)", "a{3,1}"])
def test_a_wrong_pattern_is_one_sentence(pattern: str) -> None:
    with pytest.raises(DataError, match=r"The pattern '.*' or what replaces it is wrong \(.*\); correct it\."):
        edits.replace(CAPTIONS, pattern, "x", pattern=True)


@pytest.mark.parametrize("by", [r"\2", r"\g<x>", "\\"])
def test_a_wrong_replacement_is_one_sentence(by: str) -> None:
    with pytest.raises(DataError, match="or what replaces it is wrong"):
        edits.replace(CAPTIONS, "(d)", by, pattern=True)


def test_a_pattern_that_would_search_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits, "PATIENCE", 0.2)
    held = {Path(f"{number}.png"): "a" * 60 + "!" for number in range(50)}
    began = time.monotonic()
    with pytest.raises(DataError, match="takes too long to search"):
        edits.replace(held, r"^(a|a|aa)+$", "x", pattern=True)
    assert time.monotonic() - began < 5


def test_a_caption_does_not_grow_without_limit() -> None:
    held = {A: "x" * 1000}
    with pytest.raises(DataError, match="100000 letters"):
        edits.replace(held, "x", "y" * 100)


@pytest.mark.parametrize(
    "edit",
    [
        lambda: edits.replace(CAPTIONS, "", "x"),
        lambda: edits.add_tag(CAPTIONS, " , "),
        lambda: edits.remove_tag(CAPTIONS, ""),
        lambda: edits.rename_tag(CAPTIONS, "a", " "),
        lambda: edits.prefix(CAPTIONS, "\n"),
        lambda: edits.suffix(CAPTIONS, ""),
        lambda: edits.trigger(CAPTIONS, DataSpec(trigger="")),
    ],
)
def test_nothing_to_do_is_said(edit: Callable[[], object]) -> None:
    with pytest.raises(DataError, match=r"There is no(thing| trigger)"):
        edit()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("a red dog", "a blue dog", [("same", "a "), ("removed", "red"), ("added", "blue"), ("same", " dog")]),
        (None, "new", [("added", "new")]),
        ("old", "", [("removed", "old")]),
        ("红色的狗", "蓝色的狗", [("removed", "红"), ("added", "蓝"), ("same", "色的狗")]),
        ("👩‍🚒 x", "👩‍🚑 x", [("removed", "👩‍🚒"), ("added", "👩‍🚑"), ("same", " x")]),
        ("", None, []),
    ],
)
def test_the_difference_is_told_in_whole_words(old: str | None, new: str | None, told: list[tuple[str, str]]) -> None:
    assert list(difference(old, new)) == told


@given(some.text(max_size=40), some.text(max_size=40))
def test_the_difference_holds_both_captions_whole(old: str, new: str) -> None:
    found = difference(old, new)
    assert "".join(text for what, text in found if what != "added") == old
    assert "".join(text for what, text in found if what != "removed") == new


def test_long_captions_are_told_apart_at_once() -> None:
    assert difference("a b " * 2000, "c d " * 2000) == (("removed", "a b " * 2000), ("added", "c d " * 2000))


def test_an_edit_is_written_only_where_the_caption_is_still_what_was_shown(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(b"x")
        (tmp_path / f"{name}.txt").write_text("red dog")
    held = {tmp_path / f"{name}.png": "red dog" for name in "ab"}
    (tmp_path / "b.txt").write_text("red cat")
    new, old = written(edits.replace(held, "red", "blue"))
    done = Journal(tmp_path).write(new, "replace", was=old)
    assert (done.count, done.left) == (1, ("b.png",))
    assert [(tmp_path / f"{name}.txt").read_text() for name in "ab"] == ["blue dog", "red cat"]
