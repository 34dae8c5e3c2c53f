from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from studio.data.caption import caption, with_trigger
from studio.data.scan import DataSpec, Example
from studio.engine.draw import caption_rng

SPEC = DataSpec(folder="x", trigger="sks", class_word="dog")
TEXT = some.text(some.sampled_from("ab, sk"), max_size=20)


def show(text: str | None, spec: DataSpec, rng: random.Random) -> str:
    return caption(Example(Path("a.png"), text), spec, rng)


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
    ],
)
def test_the_trigger_is_put_in_where_it_is_missing_as_a_word(text: str | None, prompt: str) -> None:
    assert with_trigger(text, SPEC) == prompt


@given(TEXT | some.none(), some.booleans(), some.floats(0, 1), some.integers(0, 2**32), some.integers(1, 99))
def test_a_caption_is_a_function_of_seed_step_and_example(
    text: str | None, shuffle: bool, dropout: float, seed: int, step: int
) -> None:
    spec = SPEC.model_copy(update={"shuffle": shuffle, "caption_dropout": dropout})
    one, two = caption_rng(seed, step, 3), caption_rng(seed, step, 3)
    assert show(text, spec, one) == show(text, spec, two)
    assert one.random() == two.random()
    plain = caption_rng(seed, step, 3)
    show(None, SPEC, plain)
    after = caption_rng(seed, step, 3)
    show(text, spec, after)
    assert plain.random() == after.random()  # no setting moves another one's chances


def test_dropout_and_shuffle() -> None:
    spec = SPEC.model_copy(update={"caption_dropout": 0.3, "shuffle": True})
    shown = [show("sks dog, a, b, c, d", spec, caption_rng(1, step, 0)) for step in range(400)]
    assert 0.2 < shown.count("") / 400 < 0.4
    told = [text.split(", ") for text in shown if text]
    assert all(first == "sks dog" and sorted(rest) == ["a", "b", "c", "d"] for first, *rest in told)
    assert len({tuple(rest) for _, *rest in told}) > 12


def test_the_kept_captions_stay_the_same_when_dropout_is_switched_on() -> None:
    both = [
        (
            show(
                "sks, a, b, c",
                SPEC.model_copy(update={"shuffle": True, "caption_dropout": rate}),
                caption_rng(1, step, 0),
            )
        )
        for rate in (0.0, 0.5)
        for step in range(50)
    ]
    assert all(dropped in ("", whole) for whole, dropped in zip(both[:50], both[50:], strict=True))


@given(TEXT.filter(lambda text: text.strip(", ") != ""))
def test_odd_triggers_and_captions_do_not_break_it(trigger: str) -> None:
    spec = DataSpec(folder="x", trigger=trigger, shuffle=True)
    for text in (None, "", ",", " , ,", trigger):
        assert show(text, spec, random.Random(1))
