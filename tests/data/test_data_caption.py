from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from studio.data.caption import TEMPLATES, caption, parts, templates, trigger_pattern, varies, with_trigger
from studio.data.scan import Example
from studio.data.setting import DataSpec
from studio.engine.draw import caption_rng
from studio.errors import DataError

SPEC = DataSpec(folder="x", trigger="sks", class_word="dog")
TEXT = some.text(some.sampled_from("ab, sk{|}\n"), max_size=20)
SETTINGS = some.fixed_dictionaries(
    {
        "shuffle": some.booleans(),
        "caption_dropout": some.floats(0, 1),
        "tag_dropout": some.floats(0, 1),
        "keep_tokens": some.integers(0, 4),
        "wildcards": some.booleans(),
        "template": some.sampled_from(["off", "subject", "style"]),
        "template_for": some.sampled_from(["all", "uncaptioned"]),
        "separator": some.sampled_from([",", ".", ";"]),
    }
)


def show(text: str | None, spec: DataSpec, rng: random.Random) -> str:
    return caption(Example(Path("a.png"), text), spec, rng)


def shown(text: str | None, steps: int = 60, **over: object) -> list[str]:
    """What a picture is shown with at each of ``steps`` steps."""
    return [show(text, SPEC.model_copy(update=over), caption_rng(1, step, 0)) for step in range(steps)]


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        (None, "a photo of sks dog"),
        ("", "a photo of sks dog"),
        ("a sks dog in snow", "a sks dog in snow"),
        ("a Sks dog in snow", "a Sks dog in snow"),
        ("in snow", "sks dog, in snow"),
        ("dogs with masks", "sks dog, dogs with masks"),
        ("desksets", "sks dog, desksets"),
        ("sks, red", "sks, red"),
        ("in snow\n\n at night", "sks dog, in snow at night"),
        ("{a|b}", "sks dog, {a|b}"),
    ],
)
def test_the_trigger_is_put_in_where_it_is_missing_as_a_word(text: str | None, prompt: str) -> None:
    assert with_trigger(text, SPEC) == prompt


@given(TEXT | some.none(), SETTINGS, some.integers(0, 2**32), some.integers(1, 99))
@settings(max_examples=80, deadline=None)
def test_a_caption_is_a_function_of_seed_step_and_example(
    text: str | None, over: dict[str, object], seed: int, step: int
) -> None:
    spec = SPEC.model_copy(update=over)
    one, two = caption_rng(seed, step, 3), caption_rng(seed, step, 3)
    prompt = show(text, spec, one)
    assert prompt == show(text, spec, two)
    assert "\n" not in prompt and "[name]" not in prompt and "[filewords]" not in prompt
    assert not prompt or trigger_pattern("sks").search(prompt)  # whatever is left out, the trigger is not
    plain = caption_rng(seed, step, 3)
    show(None, SPEC, plain)
    assert plain.random() == one.random()  # no setting moves another one's chances
    if not varies(spec) and not spec.caption_dropout:
        assert prompt == with_trigger(text, spec)


def test_dropout_and_shuffle() -> None:
    found = shown("sks dog, a, b, c, d", 400, caption_dropout=0.3, shuffle=True)
    assert 0.2 < found.count("") / 400 < 0.4
    told = [text.split(", ") for text in found if text]
    assert all(first == "sks dog" and sorted(rest) == ["a", "b", "c", "d"] for first, *rest in told)
    assert len({tuple(rest) for _, *rest in told}) > 12


def test_shuffled_captions_are_those_of_earlier_versions() -> None:
    """A run that was begun before the grammar grew goes on as it began."""
    assert shown("sks, a, b, c, d", 4, shuffle=True) == [
        _as_before("sks, a, b, c, d", caption_rng(1, step, 0)) for step in range(4)
    ]


def _as_before(text: str, rng: random.Random) -> str:
    rng.random()
    order = rng.random()
    first, *rest = text.split(", ")
    random.Random(order).shuffle(rest)
    return ", ".join([first, *rest])


@pytest.mark.parametrize("also", [{"caption_dropout": 0.5}, {"tag_dropout": 0.5}])
def test_what_is_kept_stays_the_same_when_dropout_is_switched_on(also: dict[str, float]) -> None:
    plain, dropped = shown("sks, a, b, c", shuffle=True), shown("sks, a, b, c", shuffle=True, **also)
    for whole, left in zip(plain, dropped, strict=True):
        stays = parts(left)
        assert [part for part in parts(whole) if part in stays] == stays
    assert plain != dropped


def test_the_first_tags_stay_and_some_of_the_others_are_dropped() -> None:
    found = [parts(text) for text in shown("best, sks, a, b, c, d, e", 300, keep_tokens=3, tag_dropout=0.25)]
    assert all(
        tags[:3] == ["best", "sks", "a"] and tags == sorted(tags, key=["best", "sks", "a", "b", "c", "d", "e"].index)
        for tags in found
    )
    counts = [sum(tag in tags for tags in found) / 300 for tag in "bcde"]
    assert all(0.65 < share < 0.85 for share in counts)
    assert len({tuple(tags) for tags in found}) == 16  # each by its own chance


def test_a_put_in_trigger_counts_as_the_first_tag() -> None:
    assert all(text.startswith("sks dog, ") for text in shown("a, b, c", shuffle=True))
    assert {text.split(", ")[1] for text in shown("a, b, c", shuffle=True, keep_tokens=2)} == {"a"}
    assert any(not text.startswith("sks") for text in shown("sks, b, c", shuffle=True, keep_tokens=0))
    assert set(shown("b, sks", keep_tokens=0, tag_dropout=1.0)) == {"sks"}


def test_sentences_are_parts_too() -> None:
    found = set(shown("A sks dog. It runs. It is red.", shuffle=True, separator=".", keep_tokens=0))
    assert "It runs. A sks dog. It is red" in found and len(found) == 6
    assert with_trigger("It runs.", SPEC.model_copy(update={"separator": "."})) == "sks dog. It runs."


def test_choices_and_lines() -> None:
    assert set(shown("a {red|blue} sks{| on {grass|sand}}, {x}", wildcards=True)) == {
        f"a {colour} sks{place}, {{x}}" for colour in ("red", "blue") for place in ("", " on grass", " on sand")
    }
    assert set(shown("sks runs\n\nsks, {a|b}\n", wildcards=True)) == {"sks runs", "sks, a", "sks, b"}
    assert set(shown("sks {a|b}\nc")) == {"sks {a|b} c"}
    assert with_trigger("{a|sks} one\ntwo", SPEC.model_copy(update={"wildcards": True})) == "sks dog, a one"


def test_templates_are_put_around_captions() -> None:
    assert {text.rpartition(", ")[2] for text in shown("in snow", template="subject")} == {"in snow"}
    lines = {text.replace("sks dog", "[name]") for text in shown(None, 900, template="style")}
    assert lines == {line.removesuffix(", [filewords]") for line in TEMPLATES["style"]}
    mixed = shown("sks dog, a, b, c", template="style", shuffle=True, tag_dropout=0.3, keep_tokens=0)
    assert all(text.count("sks") == 1 and re.match(r"(a|the) .*sks dog(, [abc])*$", text) for text in mixed)
    only = {"template": "subject", "template_for": "uncaptioned"}
    assert set(shown("in snow", **only)) == {"sks dog, in snow"}
    assert len(set(shown("", **only))) > 12


def test_a_template_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("\ufeffa sketch of [name]\n\n  [filewords], inked \n", encoding="utf-8")
    assert set(shown("red", template=str(file))) == {"a sketch of sks dog", "sks dog, red, inked"}
    assert set(shown(None, template=str(file))) == {"a sketch of sks dog", "sks dog, inked"}
    file.write_text("another [name]", encoding="utf-8")
    assert set(shown("red", template=str(file))) == {"another sks dog"}


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), (b"\xff\xfe\x00", "cannot"), (b"\n", "no line")]
)
def test_a_template_that_is_none_is_said(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "mine.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match=f"mine.txt.*{said}"):
        templates(SPEC.model_copy(update={"template": str(file)}))
    with pytest.raises(DataError, match="cannot be read"):
        templates(SPEC.model_copy(update={"template": str(tmp_path)}))


@given(TEXT.filter(lambda text: text.strip(", \n") != ""))
@settings(max_examples=50, deadline=None)
def test_odd_triggers_and_captions_do_not_break_it(trigger: str) -> None:
    spec = DataSpec(folder="x", trigger=trigger, shuffle=True, wildcards=True)
    for text in (None, "", ",", " , ,", "{", "{|}", "}{|", "\n", trigger):
        show(text, spec, random.Random(1))
        assert show(text, spec.model_copy(update={"wildcards": False}), random.Random(1))
