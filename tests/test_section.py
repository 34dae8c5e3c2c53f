from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import Field, ValidationError

from studio.errors import SpecError
from studio.section import Section, leaves, merge, nest, sentence

WORDS = some.sampled_from(["a", "b", "c", "d"])
TREES = some.recursive(some.integers(), lambda inner: some.dictionaries(WORDS, inner, max_size=3), max_leaves=12)
TABLES = some.dictionaries(WORDS, TREES, max_size=3)


class Inner(Section):
    depth: int = Field(1, ge=1, le=9)
    """How deep."""


class Outer(Section):
    inner: Inner = Inner()
    name: str
    """What it is called."""


def test_a_section_is_frozen_and_refuses_what_it_does_not_know() -> None:
    made = Outer(name="x")
    with pytest.raises(ValidationError):
        made.name = "y"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Outer(name="x", nmae="y")  # type: ignore[call-arg]


def test_leaves_walk_in_the_order_of_declaration_with_the_docstring_as_description() -> None:
    found = [(key, field.description, value) for key, field, value in leaves(Outer(name="x"))]
    assert found == [("inner.depth", "How deep.", 1), ("name", "What it is called.", "x")]


@pytest.mark.parametrize(
    ("given_", "named", "said"),
    [
        ({"name": "x", "inner": {"depth": 99}}, "'inner.depth'", "99"),
        ({"name": "x", "inner": {"deepth": 2}}, "'inner.deepth'", "not a known setting"),
        ({}, "'name'", "missing"),
        ({"inner": {"depth": 0, "more": 1}}, "'inner.depth'", "2 more"),
    ],
)
def test_a_failure_is_one_sentence_that_names_the_setting(given_: dict[str, Any], named: str, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer(**given_)
    text = sentence(caught.value)
    assert named in text and said in text
    assert text.endswith(".") and "\n" not in text


@given(TABLES, TABLES)
def test_merge_changes_neither_side_and_the_upper_one_wins(below: dict[str, Any], above: dict[str, Any]) -> None:
    kept = (repr(below), repr(above))
    merged = merge(below, above)
    assert (repr(below), repr(above)) == kept
    assert merge(merged, above) == merged
    assert list(merged) == list(below) + [key for key in above if key not in below]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


@given(TABLES)
def test_nest_is_the_way_back_from_dotted_keys(tree: dict[str, Any]) -> None:
    flat = _flat(tree)
    assert _flat(nest(flat)) == flat


@pytest.mark.parametrize("flat", [{"a": 1, "a.b": 2}, {"a.b": 2, "a.b.c": 3}])
def test_a_key_cannot_be_a_value_and_a_group(flat: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="not a group of settings"):
        nest(flat)
