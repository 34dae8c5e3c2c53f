"""The only file that lets a run train for so many minutes instead of so many steps."""

import json
import shutil
import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from studio.disk import write_text
from studio.events import Event, Note, Progress, Started, Step
from studio.schedule import ScheduleSpec
from studio.spec import RunSpec, spec_from_toml
from studio.store import RunStore

if TYPE_CHECKING:
    from studio.engine.worker import Resident

PROVISIONAL = 1000  # steps that stand in the spec until the pace is known
TRIED, WARM = 20, 3  # steps of the trial, and how many of them do not count
SHARE = 0.05  # the trial takes at most this share of the budget, but for its first steps
AHEAD = 10.0  # a constant rate cares not for its end: far more steps are planned, and only the clock ends the run
PACE, TRIAL = "pace.json", ".pace"


def train(run: RunStore, minutes: float, resident: "Resident", engine: Any) -> Iterator[Event]:
    """Train ``run`` for ``minutes`` of steps: then samples, a checkpoint and the files, as at any end.

    First a trial of some steps, of which nothing stays, tells the pace, and so over how many steps the learning rate
    shall fall. The clock counts the seconds of steps alone, over all sittings. What is drawn at a step hangs on its
    number alone, as ever.
    """
    spec = spec_from_toml(run.spec_text())
    if not is_over(run, minutes):
        if not run.checkpoints():
            yield from _plan(run, spec, minutes, resident, engine)
        yield from _clocked(run, minutes, resident, engine)
    if is_over(run, minutes) and run.view().state != "finished":
        engine.extend(run, run.checkpoints()[-1][0])
        yield from engine.train(run, resident)


def is_over(run: RunStore, minutes: float) -> bool:
    """True when the last checkpoint has trained for ``minutes``."""
    return _spent(run, None) >= 60 * minutes


def planned(pace: float, minutes: float, schedule: ScheduleSpec) -> int:
    """How many steps the learning rate is laid out for, at ``pace`` seconds a step.

    A rate that warms up or falls needs to know its end: should the machine become quicker than in the trial, such a run
    ends by as much before its minutes are over, and its time in the table says so.
    """
    steady = schedule.rates or (schedule.kind == "constant" and not schedule.warmup)
    ahead = AHEAD if steady else 1.0
    return max(1, round(60 * minutes / pace * ahead))


def _clocked(run: RunStore, minutes: float, resident: "Resident", engine: Any) -> Iterator[Event]:
    spent, asked = 0.0, False
    for event in engine.train(run, resident):
        if isinstance(event, Started):
            spent = _spent(run, event.step)
        yield event
        if isinstance(event, Step):
            spent += event.seconds
            if spent >= 60 * minutes and not asked:  # the engine hears it before the next step
                run.wish("sample")
                run.wish("stop")
                asked = True


def _plan(run: RunStore, spec: RunSpec, minutes: float, resident: "Resident", engine: Any) -> Iterator[Event]:
    """Measure the pace, once, and put the number of steps into the spec."""
    kept = run.path / PACE
    try:
        pace = float(json.loads(kept.read_text(encoding="utf-8"))["seconds_per_step"])
    except (OSError, ValueError, KeyError, TypeError):
        pace = yield from _pace(run, spec, minutes, resident, engine)
        if not pace:
            return  # the trial failed; so will the run, and it is the run that shall say why
        write_text(kept, json.dumps({"seconds_per_step": pace}))
    steps = planned(pace, minutes, spec.schedule)
    with run.writing():
        changed = spec.schedule.model_copy(update={"steps": steps})
        run.replace_spec(spec.model_copy(update={"schedule": changed}).to_toml())
    yield Note(text=f"At {pace:.3g} s a step, {minutes:g} minutes are about {round(60 * minutes / pace)} steps.")


def _pace(run: RunStore, spec: RunSpec, minutes: float, resident: "Resident", engine: Any) -> Any:
    """Median seconds of a step, from a trial in a folder of its own; 0 when it failed. A generator of its progress."""
    folder = run.path.parent / TRIAL / run.path.name
    shutil.rmtree(folder, ignore_errors=True)
    quiet = spec.sample.model_copy(update={"prompts": (), "every": 0})
    trial = RunStore.create(folder, spec.model_copy(update={"sample": quiet}).to_toml())
    seconds: list[float] = []
    for event in engine.train(trial, resident):
        if isinstance(event, Progress):
            yield event
        if isinstance(event, Step):
            seconds.append(event.seconds)
            enough = len(seconds) > WARM and sum(seconds) > SHARE * 60 * minutes
            if enough or len(seconds) == TRIED:
                trial.wish("discard")
    shutil.rmtree(folder.parent, ignore_errors=True)
    return statistics.median(seconds[WARM:] or seconds) if seconds else 0.0


def _spent(run: RunStore, step: int | None) -> float:
    """Seconds trained up to the checkpoint of ``step``, or up to the last one."""
    from studio.engine.checkpoint import place_of

    kept = [folder for number, folder in run.checkpoints() if step in (None, number)]
    return float(place_of(kept[-1]).seconds) if kept else 0.0
