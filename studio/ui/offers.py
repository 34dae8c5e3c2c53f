"""The only file that matches methods to a base: the preset with which each trains it here, or why it cannot."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.ui.looks import Look, Looks

KNOWN = ("textual-inversion", "hypernetwork", "lora", "locon", "loha", "lokr", "ia3", "dreambooth")
"""The methods that people ask for, in the order of their cards; the rarer ones come behind them."""
USUAL = ("textual-inversion", "hypernetwork", "lora", "loha", "dreambooth")
"""What is picked until the visitor chooses: the article's five, with LoHa for LyCORIS."""


@dataclass(frozen=True)
class Offer:
    """A method for one base: its ``preset`` and ``steps``, ``short`` of memory by its tier, or the key of a reason."""

    look: Look
    preset: str = ""
    steps: int = 0
    needs: float = 0.0
    short: bool = False
    reason: str = ""


def offers(looks: Looks, about: Any, memory: int) -> list[Offer]:
    """Every method for the base of ``about`` on a machine with ``memory`` bytes; those that can train it first."""
    from studio.methods import registry

    made = [_offer(looks.of(kind), cls.families, about, memory) for kind, cls in registry().items()]
    return sorted(made, key=lambda offer: (bool(offer.reason), _order(offer.look.kind)))


def usual(found: Sequence[Offer]) -> list[str]:
    """The methods that are picked on a fresh page."""
    return [offer.look.kind for offer in found if not offer.reason and offer.look.kind in USUAL]


def _offer(look: Look, families: frozenset[str], about: Any, memory: int) -> Offer:
    if about.family not in families:
        return Offer(look, reason="offer_family")
    mine = [preset for preset in _presets() if preset[1:3] == (look.kind, about.presets)]
    if not mine:
        return Offer(look, reason="offer_preset")
    fitting = [preset for preset in mine if preset[3] * 1e9 <= memory]
    name, _, _, tier, steps = max(fitting, key=lambda one: one[3]) if fitting else min(mine, key=lambda one: one[3])
    return Offer(look, name, steps, tier, short=not fitting)


@functools.cache
def _presets() -> list[tuple[str, str, str, float, int]]:
    """Name, method, family, memory in GB and steps of every preset."""
    from studio.spec import ScheduleSpec, presets

    steps = ScheduleSpec().steps
    return [
        (
            one.name, str(one.settings.get("method", {}).get("kind", "")), one.family, one.memory_gb,
            int(one.settings.get("schedule", {}).get("steps", steps)),
        )
        for one in presets()
        if one.name.startswith(str(one.settings.get("method", {}).get("kind", "")))  # a fine-tune is none of a subject
    ]  # fmt: skip


def _order(kind: str) -> int:
    return KNOWN.index(kind) if kind in KNOWN else len(KNOWN)
