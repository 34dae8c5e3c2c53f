"""The only file that carries settings from one program's names to ours, and gathers what finds no place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

NOT_HERE = "There is no such setting here."
ELSEWHERE = "It is chosen on the page: dataset, base model, names and folders."
EPOCHS = "How many steps an epoch has hangs on the pictures; set schedule.steps."
FINER = "Only one value for all layers can be set here."


class NoPlace(Exception):
    """Raised by a conversion: this value has no correspondence, and the text says why."""


@dataclass
class Foreign:
    """Another program's settings: ``settings`` by our dotted keys, ``left`` as (its key, why it was not taken over)."""

    program: str
    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    left: list[tuple[str, str]] = field(default_factory=list)


Convert = Callable[[Any], Any]
Place = tuple[str, Convert]


def carry(into: Foreign, found: Mapping[str, Any], places: Mapping[str, Place], reasons: Mapping[str, str]) -> None:
    """Put every setting of ``found`` that has a place where it belongs; an empty one is none and is passed over."""
    for key, value in found.items():
        if value in (None, "", [], {}) or (key not in places and value in (0, False, "0", "None", "none")):
            continue
        if key not in places:
            into.left.append((key, reasons.get(key, NOT_HERE)))
            continue
        ours, convert = places[key]
        try:
            into.settings[ours] = convert(value)
        except NoPlace as why:
            into.left.append((key, str(why)))
        except (TypeError, ValueError):
            into.left.append((key, f"'{value}' is not understood."))


def fit(found: Foreign) -> None:
    """Leave out what the method has no setting for."""
    from studio.methods import method

    known = {f"method.{name}" for name in method(found.kind).Options.model_fields}
    for key in [key for key in found.settings if key.startswith("method.") and key not in known]:
        del found.settings[key]
        found.left.append((key.removeprefix("method."), f"{method(found.kind).title} has no such setting."))


def one_of(names: Mapping[str, Any]) -> Convert:
    """A conversion by a table of names, whatever their case."""
    low = {name.lower(): ours for name, ours in names.items()}

    def convert(value: Any) -> Any:
        if str(value).lower() not in low:
            raise NoPlace(f"'{value}' is not known here.")
        return low[str(value).lower()]

    return convert


def number(value: Any) -> float:
    """A number, also where it is written as text."""
    return float(value)


def whole(value: Any) -> int:
    """A whole number, also where it is written as text."""
    return int(float(value))


def truth(value: Any) -> bool:
    """Yes or no, also where it is written as text."""
    return str(value).lower() in ("true", "1", "yes", "on")


def either(yes: str, no: str) -> Convert:
    """A conversion of `truth` to one of two names."""
    return lambda value: yes if truth(value) else no


def side(value: Any) -> int:
    """A resolution: 512, "512", "512,512" or "512x512"; sides that differ have the same area as a square."""
    sides = [int(part) for part in str(value).replace("x", ",").split(",") if part.strip()]
    area = sides[0] * sides[-1]
    return round(area**0.5 / 8) * 8
