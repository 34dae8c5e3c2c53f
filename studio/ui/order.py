"""The only file that reads what a draft asks to be trained: its methods, and for how long and how often."""

from studio.errors import SpecError
from studio.ui.desk import Order
from studio.ui.draft import Draft


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
