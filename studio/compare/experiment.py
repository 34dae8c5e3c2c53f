"""The only file that knows how an experiment is carried out."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from studio.compare import clock, guests, meter, report
from studio.compare.evidence import Seen
from studio.compare.eye import Eye, open_eye
from studio.compare.layout import add, create, reorder
from studio.compare.measure import measure
from studio.compare.members import BASE, Member, member, members, open_experiment
from studio.errors import ModelError, UserError
from studio.events import Event, Failed, Measured, Note, Progress
from studio.spec import RunSpec
from studio.store import ExperimentStore

if TYPE_CHECKING:
    from studio.engine.worker import Resident

__all__ = ["add", "conclude", "create", "left", "reorder", "run"]


def run(
    store: ExperimentStore,
    resident: "Resident",
    resume_stopped: bool = False,
    eye: Eye | None = None,
    only: Collection[str] = (),
) -> Iterator[tuple[str, Event]]:
    """Carry out what is left of an experiment, and yield each event with the name of its run.

    What is finished is not done again, so this may be killed and called anew at any moment. A run that fails does
    not stop the others, and is tried again at the next call. A run that the user stopped rests until
    ``resume_stopped``. ``eye`` is what judges the pictures; without one it is the experiment's own. ``only`` names the
    runs that are meant, where not all are.
    """
    experiment = open_experiment(store)
    minutes = experiment.terms.minutes if experiment.terms.budget == "minutes" else 0.0
    if experiment.runs:
        yield from _draw_base(store, member(store.run(experiment.runs[0])).spec, resident)
    yield from guests.draw(store, resident)
    tried: set[str] = set()
    while name := next((name for name in open_experiment(store).runs if _is_next(name, tried, only)), None):
        tried.add(name)  # read anew each time: runs may be added, and their order changed, meanwhile
        yield from _train(member(store.run(name)), resident, resume_stopped, minutes)
    yield from conclude(store, eye)


def _is_next(name: str, tried: Collection[str], only: Collection[str]) -> bool:
    return name not in tried and (not only or name in only)


def left(store: ExperimentStore) -> list[str]:
    """The runs that a next call of `run` would take up, in their order; one that the user stopped is not among them."""
    return [one.name for one in members(store) if not (_is_done(one) or one.view.state == "stopped")]


def conclude(store: ExperimentStore, eye: Eye | None = None) -> Iterator[tuple[str, Event]]:
    """Measure what is not yet measured, then write table, sheet and report."""
    base = store.run(BASE)
    trained = [(one.store, one.spec) for one in members(store) if one.trained]
    trained += [(one.store, one.spec) for one in guests.visitors(store) if not one.state]
    if base.view().state == "finished" and trained:
        trained.insert(0, (base, trained[0][1]))
    if trained and eye is None:
        try:
            eye = open_eye(open_experiment(store).terms.eye)
        except ModelError as missing:
            yield BASE, Note(text=str(missing), level="warning")
    seen: Seen = {}
    for done, (one, spec) in enumerate(trained):
        yield one.path.name, Progress(stage="measuring", done=done, total=len(trained))
        values = measure(one, base, spec, eye, seen)
        yield one.path.name, Measured(values={n: v.value for n, v in values.items() if v.value is not None})
    report.write(store)
    yield BASE, Progress(stage="measuring", done=len(trained), total=len(trained))


def _draw_base(store: ExperimentStore, spec: RunSpec, resident: "Resident") -> Iterator[tuple[str, Event]]:
    base = store.run(BASE)
    if base.view().state != "finished":
        for event in _engine().baseline(base, spec, resident):
            yield BASE, event


def _is_done(one: Member) -> bool:
    return one.view.state == "finished" and one.view.total >= one.spec.schedule.steps  # early stop is an end too


def _train(one: Member, resident: "Resident", resume_stopped: bool, minutes: float) -> Iterator[tuple[str, Event]]:
    ended = minutes and clock.is_over(one.store, minutes)  # the clock stopped it, and its files are still to be made
    if _is_done(one) or (one.view.state == "stopped" and not (resume_stopped or ended)):
        return
    engine = _engine()
    try:
        going = clock.train(one.store, minutes, resident, engine) if minutes else engine.train(one.store, resident)
        for event in meter.metered(one.store, going):
            yield one.name, event
    except UserError as error:
        failed = Failed(step=one.view.step, text=str(error))
        if not one.store.holder():  # else another process is at work on it, and its log is not ours to write
            one.store.append(failed)
        yield one.name, failed


def _engine() -> Any:
    """The engine, imported only when there is work for it."""
    from studio.engine import run

    return run
