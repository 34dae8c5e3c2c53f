"""The only file that knows what is asked to be trained - methods, how long, how often - and reads it from a draft."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.errors import SpecError
from studio.ui.draft import Draft


@dataclass(frozen=True)
class Order:
    """What **Compare them** asks for."""

    name: str
    kinds: tuple[str, ...]
    folder: str
    trigger: str
    class_word: str
    steps: int | None = None
    """Optimizer updates of every run; None with ``minutes`` None as each preset has it."""
    base: str = "starter"
    presets: Mapping[str, str] = field(default_factory=dict)
    """The preset of a method where it is not the one that is offered."""
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What each method's run has otherwise than its preset, by dotted key."""
    minutes: float | None = None
    """Minutes of training of every run."""
    repeats: int = 1
    """Runs of each method, each with the next seed."""

    def terms(self) -> Any:
        """The same as an experiment's terms."""
        from studio.spec import Terms

        if self.minutes:
            return Terms(budget="minutes", minutes=self.minutes)
        return Terms(budget="steps", steps=self.steps) if self.steps else Terms()


def whole_number(text: str | None) -> int:
    """The number of steps that was written; raises SpecError."""
    written = (text or "").strip()
    if not (written.isascii() and written.isdigit() and 0 < int(written) <= 10_000_000):
        raise SpecError(f"'{written}' is not a number of steps; write a whole number such as 1000.")
    return int(written)


def number_of_minutes(text: str | None) -> float:
    """The minutes that were written; raises SpecError."""
    written = (text or "").strip().replace(",", ".")
    try:
        found = float(written)
    except ValueError:
        found = 0.0
    if not 0 < found <= 100_000:
        raise SpecError(f"'{written}' is not a number of minutes; write one such as 10.")
    return found


def budget_of(draft: Draft) -> tuple[int | None, float | None]:
    """Steps or minutes of every run, or neither; raises SpecError for what is no number."""
    if draft.budget == "steps":
        return whole_number(draft.steps), None
    return None, number_of_minutes(draft.minutes) if draft.budget == "minutes" else None


def order(draft: Draft, kinds: tuple[str, ...]) -> Order:
    """What the draft asks for; raises SpecError for a budget that is no number."""
    steps, minutes = budget_of(draft)
    return Order(
        draft.name, kinds, draft.folder, draft.trigger, draft.class_word, steps, draft.base, dict(draft.presets),
        {kind: draft.changed(kind) for kind in kinds}, minutes, draft.repeats,
    )  # fmt: skip
