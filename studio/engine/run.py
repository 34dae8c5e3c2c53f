"""The only file that begins, carries out and extends runs, and keeps in the store what they say."""

import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from studio.engine.course import Run, is_out_of_memory
from studio.engine.generate import Used
from studio.engine.launch import asks_to_split, is_one_of_many, launch_problems
from studio.engine.machine import Machine, is_lost_rank, this_hardware
from studio.engine.visit import visit
from studio.engine.worker import Resident
from studio.errors import CrucibleError, SpecError, StoreError
from studio.events import Event, Exported, Failed, Note
from studio.formats.shelf import Shelf
from studio.hardware import decide
from studio.section import merge
from studio.spec import Experiment, RunSpec, make_spec, spec_from_toml
from studio.store import ExperimentStore, RunStore


def train(store: RunStore, resident: Resident) -> Iterator[Event]:
    """Carry out the run in ``store`` from its last checkpoint to its end; every event is kept there and yielded.

    Raises a UserError before any work. Later failures end in a ``Failed`` event; the last checkpoint stands.
    """
    spec = spec_from_toml(store.spec_text())
    problems = spec.problems(Shelf.of_run(store.path, spec.file_name), begins=not store.checkpoints())
    problems += launch_problems(spec)
    if problems:
        raise SpecError(" ".join(problems))
    machine = Machine(decide(this_hardware(), spec.machine, spec.optim.name))
    yield from _recorded(store, machine, _train(store, spec, machine, resident))


def _train(store: RunStore, spec: RunSpec, machine: Machine, resident: Resident) -> Iterator[Event]:
    """The run's events, and among them what is to be said of an earlier version's spec, which is renewed on disk."""
    events = Run(store, spec, machine, resident).events()
    yield next(events)
    outgrown = machine.on_main(store.outgrown)
    for text in outgrown:
        yield Note(text=text, level="warning")
    if outgrown:
        machine.on_main(lambda: store.replace_spec(spec.to_toml()))
    yield from events


def begin(spec: RunSpec, folder: Path | None, outputs: Path) -> RunStore:
    """A new run in ``folder``, or in the next free one under ``outputs``; raises SpecError before anything is made.

    Of several ranks the first makes the folder, and all get it.
    """
    problems = spec.problems(Shelf(outputs, own=spec.file_name)) + launch_problems(spec)
    if problems:
        raise SpecError(" ".join(problems))
    if is_one_of_many():
        machine = Machine(decide(this_hardware(), spec.machine, spec.optim.name))
        return RunStore(machine.on_main(lambda: _make(spec, folder, outputs).path))
    return _make(spec, folder, outputs)


def _make(spec: RunSpec, folder: Path | None, outputs: Path) -> RunStore:
    if folder is None:
        experiment = Experiment(
            name=spec.name,
            created=time.time(),
            seed=spec.seed,
            base=spec.base,
            data=spec.data,
            sample=spec.sample,
            runs=(spec.name,),
        )
        name = f"{Path(spec.data.folder).name}-{spec.name}"
        folder = ExperimentStore.create(outputs, name, experiment.to_toml()).run(spec.name).path
    return RunStore.create(folder, spec.to_toml())


def extend(store: RunStore, steps: int | None) -> None:
    """Let a run go on to ``steps`` in all; raises SpecError when it has already gone further.

    StoreError when an engine is at work on it. Of several ranks the first does it.
    """
    if steps is None:
        return
    spec = spec_from_toml(store.spec_text())  # before anything is made in a folder that is no run
    if is_one_of_many():
        machine = Machine(decide(this_hardware(), spec.machine, spec.optim.name))
        machine.on_main(lambda: _extend(store, steps))
    else:
        _extend(store, steps)


def _extend(store: RunStore, steps: int) -> None:
    with store.writing():
        spec = spec_from_toml(store.spec_text())
        if steps == spec.schedule.steps:
            return
        kept = store.checkpoints()
        if kept and steps < kept[-1][0]:
            raise SpecError(f"The run already stands at step {kept[-1][0]}; --steps must be at least that.")
        store.replace_spec(make_spec(merge(spec.model_dump(), {"schedule": {"steps": steps}})).to_toml())


def export_again(store: RunStore, resident: Resident, formats: tuple[str, ...], precision: str = "") -> Iterator[Event]:
    """Write the files of a run's last checkpoint, in the run's ``precision`` unless another is named.

    Raises StoreError when there is no checkpoint.
    """
    spec = spec_from_toml(store.spec_text())
    if precision:
        spec = make_spec(merge(spec.model_dump(), {"machine": {"save_precision": precision}}))
    spec = spec.model_copy(update={"save": spec.save.model_copy(update={"formats": formats})})
    kept = store.checkpoints()
    if not kept:
        raise StoreError(f"'{store.path}' has no checkpoint to export; train it first.")
    machine = Machine(decide(this_hardware(), spec.machine, spec.optim.name))
    run = Run(store, spec, machine, resident)
    with store.writing():
        for event in run.exports(kept[-1][1]):
            if isinstance(event, Exported):
                store.append(event)
            yield event


def baseline(store: RunStore, spec: RunSpec, resident: Resident, used: Used | None = None) -> Iterator[Event]:
    """What the untrained base, or ``used`` on it, draws and loses on the same prompts, seeds and held-out pictures."""
    machine = Machine(decide(this_hardware(), spec.machine, spec.optim.name))
    yield from _recorded(store, machine, visit(store, spec, machine, resident, used))


def _recorded(store: RunStore, machine: Machine, events: Iterator[Event]) -> Iterator[Event]:
    """Keep every event in the store, on rank 0, and turn what is raised into a Failed event, on any rank."""
    if not machine.main:
        yield from _ending(events, lambda failed: _tell(machine.rank, failed))
        return
    store.path.mkdir(parents=True, exist_ok=True)
    with store.writing():
        for event in _ending(events):
            store.append(event)
            yield event


def _ending(events: Iterator[Event], heard: Callable[[Failed], None] = lambda _: None) -> Iterator[Event]:
    """The events, and behind them what is raised: whatever happens is said, and the folder stays whole."""
    step = 0
    try:
        for event in events:
            step = getattr(event, "step", step)
            yield event
    except Exception as error:  # the outer wall of a run
        code = error.exit_code if isinstance(error, CrucibleError) else 1
        failed = Failed(step=step, text=_explain(error), detail=traceback.format_exc(), code=code)
        heard(failed)
        yield failed


def _tell(rank: int, failed: Failed) -> None:
    """Rank 0 keeps no word of what ends another rank, but that it is gone: so that one says it here."""
    print(f"{failed.detail}process {rank}: {failed.text}", file=sys.stderr, flush=True)


def _explain(error: Exception) -> str:
    if isinstance(error, CrucibleError):
        return str(error)
    if is_lost_rank(error):
        return (
            "Another process of this run has died or is out of reach, and none can go on without it; resume with the "
            "same command on all of them: it goes on from the last checkpoint."
        )
    if is_out_of_memory(error):
        if asks_to_split():
            return (
                "The device has no room for its share; switch on machine.gradient_checkpointing, "
                "take optim.name = lion or sgd, lower schedule.batch_size, or launch more processes, then resume."
            )
        return (
            "The device has no room for this step; switch on machine.gradient_checkpointing, "
            "take optim.name = adamw8bit, or lower schedule.batch_size, then resume."
        )
    return (
        f"The run ended by an error of ours ({type(error).__name__}: {str(error)[:200]}); the last checkpoint stands."
    )
