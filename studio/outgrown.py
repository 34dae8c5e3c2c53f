"""The only file that knows the settings of earlier versions: a stored spec that has them is read as today's."""

import tomllib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tomlkit


class Outgrown(NamedTuple):
    """A setting of earlier versions; ``now`` turns its value, with those around it, into today's, or None for gone."""

    section: str
    key: str
    now: Callable[[Any, Mapping[str, Any]], Any]
    text: str


def _share(steps: Any, schedule: Mapping[str, Any]) -> Any:
    total = schedule.get("steps", 1000)
    return min(steps, total - 1) / total if isinstance(steps, int) and steps >= 1 else steps


OUTGROWN = (
    Outgrown("schedule", "warmup", _share, "It was a number of steps; it is now their share of all, which is kept."),
)
"""Every setting that a run's own spec.toml may have from an earlier version; one that comes back must leave."""


def renewed(text: str) -> tuple[str, list[str]]:
    """A stored spec in today's settings, and a sentence for each that was not; what is no TOML stays as it is. Pure."""
    try:
        spec = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return text, []
    said = []
    for old in OUTGROWN:
        section = spec.get(old.section)
        if not isinstance(section, dict) or old.key not in section:
            continue
        value = section.pop(old.key)
        now = old.now(value, section)
        section |= {} if now is None else {old.key: now}
        if now != value:
            said.append(f"This run has {old.section}.{old.key} = {value} from an earlier version. {old.text}")
    return (tomlkit.dumps(spec), said) if said else (text, said)
