"""The only file that knows the course of a run: prepare, train step by step, sample, save, export, and say each of it."""

import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from studio.engine import checkpoint, optim
from studio.engine.bench import Bench
from studio.engine.checkpoint import Place
from studio.engine.draw import reseed
from studio.engine.export import export_all
from studio.engine.learner import Learner
from studio.engine.machine import Machine, this_hardware
from studio.engine.schedule import factor
from studio.engine.worker import Resident
from studio.errors import CrucibleError, NonFiniteError, OutOfMemoryError, SpecError, StoreError, TrainingError
from studio.events import (
    Decided,
    Event,
    Exported,
    Failed,
    Finished,
    Measured,
    Note,
    Progress,
    Saved,
    Started,
    Step,
    Stopped,
)
from studio.hardware import decide, memory_peak, reset_memory_peak
from studio.methods import method
from studio.methods.base import Method
from studio.spec import Experiment, RunSpec, spec_from_toml
from studio.store import SIGN_OF_LIFE, ExperimentStore, RunStore


def train(store: RunStore, resident: Resident) -> Iterator[Event]:
    """Carry out the run in ``store`` from its last checkpoint to its end; every event is kept there and yielded.

    Raises a UserError before any work. Later failures end in a ``Failed`` event; the last checkpoint stands.
    """
    spec = spec_from_toml(store.spec_text())
    problems = spec.problems()
    if problems:
        raise SpecError(" ".join(problems))
    machine = Machine(decide(this_hardware(), spec.machine, spec.optim.name))
    yield from _recorded(store, machine, Run(store, spec, machine, resident).events())


def begin(spec: RunSpec, folder: Path | None, outputs: Path) -> RunStore:
    """A new run's folder: ``folder``, or the next free one under ``outputs``; raises SpecError before anything is made."""
    problems = spec.problems()
    if problems:
        raise SpecError(" ".join(problems))
    if folder is None:
        experiment = ExperimentStore.create(outputs, f"{Path(spec.data.folder).name}-{spec.name}", Experiment(
            name=spec.name, created=time.time(), seed=spec.seed, base=spec.base, data=spec.data, sample=spec.sample,
            runs=(spec.name,),
        ).to_toml())
        folder = experiment.run(spec.name).path
    return RunStore.create(folder, spec.to_toml())


def extend(store: RunStore, steps: int | None) -> None:
    """Let a run go on to ``steps`` in all; raises SpecError when it has already gone further."""
    spec = spec_from_toml(store.spec_text())
    if steps is None or steps == spec.schedule.steps:
        return
    kept = store.checkpoints()
    if kept and steps < kept[-1][0]:
        raise SpecError(f"The run already stands at step {kept[-1][0]}; --steps must be at least that.")
    schedule = spec.schedule.model_copy(update={"steps": steps})
    store.replace_spec(spec.model_copy(update={"schedule": schedule}).to_toml())


def export_again(store: RunStore, resident: Resident, formats: tuple[str, ...]) -> Iterator[Event]:
    """Write the files of a run's last checkpoint; raises StoreError when there is none."""
    spec = spec_from_toml(store.spec_text())
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


def baseline(store: RunStore, spec: RunSpec, resident: Resident) -> Iterator[Event]:
    """What the untrained base draws and loses on the same prompts, seeds and held-out pictures."""
    machine = Machine(decide(this_hardware(), spec.machine, spec.optim.name))
    yield from _recorded(store, machine, _baseline(store, spec, machine, resident))


def _baseline(store: RunStore, spec: RunSpec, machine: Machine, resident: Resident) -> Iterator[Event]:
    yield Started(step=0, total=0)
    bench = Bench(spec, resident.models_for(spec, machine.plan), machine, resident.cache)
    yield from bench.fill()
    yield from bench.samples(store, 0, None)
    yield from bench.validate(0, Learner(bench.models, spec.objective, text_learns=False), None)
    yield Finished(step=0, seconds=0.0)


def _recorded(store: RunStore, machine: Machine, events: Iterator[Event]) -> Iterator[Event]:
    """Keep every event in the store (on rank 0), with signs of life, and turn what is raised into a Failed event."""
    if not machine.main:
        yield from events
        return
    store.path.mkdir(parents=True, exist_ok=True)
    with store.writing():
        beaten = time.monotonic()
        step = 0
        try:
            for event in events:
                step = getattr(event, "step", step)
                store.append(event)
                if time.monotonic() - beaten > SIGN_OF_LIFE:
                    store.beat()
                    beaten = time.monotonic()
                yield event
        except Exception as error:  # the outer wall of a run: whatever happens is said, and the folder stays whole
            failed = Failed(step=step, text=_explain(error), detail=traceback.format_exc())
            store.append(failed)
            yield failed


def _explain(error: Exception) -> str:
    if isinstance(error, CrucibleError):
        return str(error)
    text = str(error)
    if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text or "out of memory" in text:
        return (
            "The device has no room for this step; switch on machine.gradient_checkpointing, take optim.name = adamw8bit, "
            "or lower schedule.batch_size, then resume."
        )
    return f"The run ended by an error of ours ({type(error).__name__}: {text[:200]}); the last checkpoint stands."


class Run:
    """One sitting of one run."""

    def __init__(self, store: RunStore, spec: RunSpec, machine: Machine, resident: Resident) -> None:
        self.store = store
        self.spec = spec
        self.machine = machine
        self.resident = resident
        self.place = Place()

    def events(self) -> Iterator[Event]:
        """The whole course."""
        kept = self.store.checkpoints()
        folder = kept[-1][1] if kept else None
        if folder:
            self.place = checkpoint.place_of(folder)
        spec, plan = self.spec, self.machine.plan
        yield Started(step=self.place.step, total=spec.schedule.steps)
        for choice in plan.choices:
            yield Decided(what=choice.what, choice=choice.choice, reason=choice.reason)
        if self.machine.main:
            self.store.write_plan({"hardware": vars(this_hardware()), "plan": plan.as_dict()})
        yield Progress(stage="loading", done=0, total=1)
        models = self.resident.models_for(spec, plan)
        yield Progress(stage="loading", done=1, total=1)
        self.bench = Bench(spec, models, self.machine, self.resident.cache)
        yield from self.bench.fill()
        reset_memory_peak(plan.device)
        method_ = method(spec.method.kind)(models, spec.method, spec.data, spec.seed)
        with method_.attached() as groups:
            yield from self._train(method_, groups, folder)

    def exports(self, folder: Path) -> Iterator[Event]:
        """Only the files, from the checkpoint in ``folder``."""
        spec = self.spec
        self.bench = Bench(spec, self.resident.models_for(spec, self.machine.plan), self.machine, self.resident.cache)
        yield from self.bench.fill()
        self.method = method(spec.method.kind)(self.bench.models, spec.method, spec.data, spec.seed)
        with self.method.attached():
            self.method.restore(checkpoint.weights_of(folder))
            yield from export_all(self.store, self.method, self.bench, checkpoint.place_of(folder))

    def _train(self, learning: Method, groups: Any, folder: Path | None) -> Iterator[Event]:
        spec = self.spec
        self.method = learning
        self.optimizer = optim.create(self.machine.plan.optimizer, groups, spec.optim)
        self.learner = Learner(self.bench.models, spec.objective, any(group.part != "unet" for group in groups))
        self.wrapped = self.machine.wrap(self.learner)
        yield Measured(values={"parameters": sum(parameter.numel() for parameter in learning.live.values())})
        if folder:
            learning.restore(checkpoint.weights_of(folder))
            checkpoint.restore_machinery(folder, self._machinery())
        else:
            yield from self._look(0)
        yield from self._loop()

    def _machinery(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer, "scaler": self.machine.scaler}

    def _loop(self) -> Iterator[Event]:
        spec = self.spec
        total = spec.schedule.steps
        while self.place.step < total:
            yield self._step()
            step = self.place.step
            wish = self.machine.agree(self.store.take_wish() if self.machine.main else None)
            if wish == "discard":
                yield Stopped(step=step)
                return
            last = step == total
            if wish == "sample" or (spec.sample.every and step % spec.sample.every == 0) or last:
                yield from self._look(step)
            if wish in ("stop", "save") or (spec.save.every and step % spec.save.every == 0) or last:
                yield from self._save()
            if wish == "stop" and not last:
                yield Stopped(step=step)
                return
        if self.machine.main:
            yield from export_all(self.store, self.method, self.bench, self.place)
        self.machine.wait()
        yield Finished(step=self.place.step, seconds=self.place.seconds)

    def _step(self) -> Step:
        """One optimizer update; raises NonFiniteError before a bad gradient can touch a weight."""
        spec, machine = self.spec, self.machine
        began = time.perf_counter()
        step = self.place.step + 1
        rounds = spec.schedule.accumulation
        slots = rounds * machine.world
        reseed(spec.seed, step, machine.rank)
        lr = optim.set_rates(self.optimizer, factor(step, spec.schedule))
        total = 0.0
        for turn in range(rounds):
            batch, chance = self.bench.batch(step, turn * machine.world + machine.rank, slots, self.method)
            with machine.unsynchronised(self.wrapped, turn == rounds - 1):
                with machine.autocast():
                    loss = self.wrapped(batch, chance).mean() / rounds
                machine.scaler.scale(loss).backward()
            total += float(loss.detach())
        total = machine.mean(total)
        if not torch.isfinite(torch.tensor(total)):
            raise NonFiniteError(self._diverged(step))
        norm = self._update()
        seconds = time.perf_counter() - began
        self.place = Place(step, self.place.seconds + seconds)
        memory = memory_peak(machine.plan.device)
        return Step(step=step, loss=total, lr=lr, grad_norm=norm, seconds=seconds, memory=memory)

    def _update(self) -> float:
        scaler = self.machine.scaler
        scaler.unscale_(self.optimizer)
        limit = self.spec.optim.clip or float("inf")
        norm = float(nn.utils.clip_grad_norm_(list(self.method.live.values()), limit))
        scaler.step(self.optimizer)
        scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return norm if norm == norm and norm != float("inf") else 0.0

    def _diverged(self, step: int) -> str:
        advice = [f"lower optim.lr (now {self.spec.optim.lr:g})"]
        if self.machine.plan.compute == "fp16":
            advice.append("set machine.precision to bf16 or fp32")
        kept = self.store.checkpoints()
        since = f"resume goes on from step {kept[-1][0]}" if kept else "nothing was saved yet"
        return f"The loss became infinite at step {step}; {' or '.join(advice)}; {since}."

    def _look(self, step: int) -> Iterator[Event]:
        """Samples and held-out loss; running out of memory here never ends the training."""
        if self.machine.main:
            try:
                yield from self.bench.samples(self.store, step, self.method)
            except RuntimeError as error:
                if not isinstance(_kind(error), OutOfMemoryError):
                    raise
                reset_memory_peak(self.machine.plan.device)
                yield Note(text="The preview was skipped: no memory for it; training goes on.", level="warning")
            yield from self.bench.validate(step, self.learner, self.method)
        self.machine.wait()

    def _save(self) -> Iterator[Event]:
        if self.machine.main:
            folder = checkpoint.save(self.store, self.place, self.method.state(), self._machinery())
            checkpoint.prune(self.store, self.spec.save.keep)
            yield Saved(step=self.place.step, path=folder.relative_to(self.store.path).as_posix())
        self.machine.wait()


def _kind(error: RuntimeError) -> TrainingError | None:
    text = str(error)
    full = isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text or "out of memory" in text
    return OutOfMemoryError(text) if full else None
