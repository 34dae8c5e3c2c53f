from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.data.tags import Tag, Wanted, chosen, kind, ordered, tags_of, tally

NAMES = [Path(f"{name}.png") for name in ("p1", "p2", "p10", "p11")]
CAPTIONS = dict(zip(NAMES, ("sks, Red, grass", "sks, red, red", "SKS, sea\nsand, sks", None), strict=True))


def test_tags_are_counted_once_a_caption_whatever_their_capitals() -> None:
    found = tally(CAPTIONS)
    assert found.tags == (Tag("sks", 3), Tag("Red", 2), Tag("grass", 1), Tag("sand", 1), Tag("sea", 1))
    assert (found.captions, found.everywhere, [tag.text for tag in found.once]) == (
        3,
        (Tag("sks", 3),),
        ["grass", "sand", "sea"],
    )
    assert found.counts["red"] == 2
    assert tally({}).tags == () and tally({NAMES[0]: "a"}).everywhere == ()
    assert tags_of("One. Two.\nThree", ".") == ["One", "Two", "Three"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [0, 1, 2, 3]),
        ({"having": ("red",)}, [0, 1]),
        ({"having": ("Sks", "red"), "lacking": ("Grass",)}, [1]),
        ({"missing": True}, [3]),
        ({"missing": False}, [0, 1, 2]),
        ({"words": "SAND"}, [2]),
        ({"words": "p1"}, [0, 2, 3]),
        ({"verdicts": frozenset({"blurred", "small"})}, [1, 3]),
        ({"verdicts": frozenset({"blurred"}), "missing": True}, []),
    ],
)
def test_pictures_are_found_by_tag_verdict_and_missing_caption(wanted: dict[str, Any], found: list[int]) -> None:
    verdicts = {NAMES[1]: {"blurred"}, NAMES[3]: ["small", "dark"]}
    assert chosen(CAPTIONS, Wanted(**wanted), verdicts) == tuple(NAMES[index] for index in found)


@pytest.mark.parametrize(
    ("by", "descending", "order"),
    [
        ("name", False, [0, 1, 2, 3]),
        ("name", True, [3, 2, 1, 0]),
        ("tags", False, [3, 0, 1, 2]),
        ("tags", True, [2, 0, 1, 3]),
        ("length", False, [3, 1, 0, 2]),
    ],
)
def test_pictures_are_sorted(by: Any, descending: bool, order: list[int]) -> None:
    given = [NAMES[index] for index in ((2, 0, 3, 1) if by == "name" else range(4))]
    assert ordered(given, CAPTIONS, by, descending) == tuple(NAMES[index] for index in order)


@pytest.mark.parametrize(
    ("captions", "said"),
    [
        (["1girl, solo, long_hair, smile"], "tags"),
        (["sks dog, red collar, grass", "sks, sea, sand, sky"], "tags"),
        (["long_hair"], "tags"),
        (["a photo of a dog that runs on the grass"], "sentences"),
        (["A dog sits on a red chair, and it looks at us.", None], "sentences"),
        (["a, b, c", "a dog is running along the long beach"], "mixed"),
        (["dog"], "none"),
        ([], "none"),
        ([None, ""], "none"),
    ],
)
def test_tags_and_sentences_are_told_apart(captions: list[str | None], said: str) -> None:
    assert kind({Path(f"{index}.png"): text for index, text in enumerate(captions)}) == said
