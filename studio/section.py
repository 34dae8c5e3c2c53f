"""The only file that knows how a group of settings behaves: frozen, strict, documented, addressable by dotted key."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from studio.errors import SpecError

SHARED = ("seed", "base.", "data.", "sample.")
"""How the dotted keys begin of what a comparison holds equal for all its runs."""


class Section(BaseModel):
    """Frozen base of everything a user may set; a field's docstring is its help text everywhere."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


Group = TypeVar("Group", bound=Section)


def leaves(section: Section, prefix: str = "") -> Iterator[tuple[str, FieldInfo, Any]]:
    """Yield ``(dotted key, field, value)`` for every setting, depth first, in the order of declaration."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field, value


def nest(flat: dict[str, Any]) -> dict[str, Any]:
    """Turn ``{"optim.lr": 1}`` into ``{"optim": {"lr": 1}}``; a key that is value and table raises SpecError."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise SpecError(f"'{key}' cannot be set: '{part}' is a single value, not a group of settings.")
        node[last] = value
    return tree


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` laid on it, tables merged key by key; neither argument is changed."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def sentence(error: ValidationError) -> str:
    """Say a pydantic failure as one sentence that names the setting, what is wrong and what was given."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "the settings"
    others = f" ({error.error_count() - 1} more like this)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"'{key}' is not a known setting; remove it or correct its spelling{others}."
    if first["type"] == "missing":
        return f"'{key}' is missing; give it a value{others}."
    return f"'{key}' cannot be {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}{others}."


def valid(kind: type[Group], given: Mapping[str, Any]) -> Group:
    """A group of settings; raises SpecError with one sentence for what it does not take."""
    try:
        return kind(**given)
    except ValidationError as error:
        raise SpecError(sentence(error)) from error
