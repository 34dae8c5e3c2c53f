"""The only file that reads the card's electricity meter while a run trains."""

from collections.abc import Iterator

from studio.events import Event, Measured, Saved, Step
from studio.hardware import energy_spent
from studio.store import RunStore

FIGURE = "energy"


def metered(run: RunStore, events: Iterator[Event]) -> Iterator[Event]:
    """Pass ``events`` on; after each checkpoint the joules of the steps so far are kept with the run.

    Only what the card spends from one step to the next is counted, so neither samples nor checkpoints are. A card that
    does not tell leaves no figure. Steps that were lost in a crash were paid for all the same, and stay counted.
    """
    total = run.view().metrics.get(FIGURE, 0.0)
    last: float | None = None
    for event in events:
        yield event
        if isinstance(event, Step):
            now = energy_spent()
            total += now - last if now is not None and last is not None else 0.0
            last = now
        else:
            last = None
        if isinstance(event, Saved) and total:
            said = Measured(values={FIGURE: total})
            run.append(said)
            yield said
