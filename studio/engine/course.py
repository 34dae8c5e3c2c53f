"""The only file that knows the course of one sitting: prepare, train, sample, save, export, and say so."""

import contextlib
import copy
import math
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.engine import checkpoint, optim
from studio.engine.bench import Bench
from studio.engine.estimate import foretold
from studio.engine.export import export_all
from studio.engine.ladder import is_out_of_memory
from studio.engine.learner import Learner
from studio.engine.machine import this_hardware
from studio.engine.piecewise import OneByOne, stand_ins, way
from studio.engine.preflight import steady_prompts
from studio.engine.spill import Pace
from studio.engine.state import State, best_of
from studio.engine.stepping import Stepping
from studio.engine.wishes import heard
from studio.engine.worker import Resident
from studio.errors import CrucibleError, NonFiniteError
from studio.events import Decided, Event, Finished, Measured, Note, Progress, Started, Stopped, Validated
from studio.hardware import memory_free, reset_memory_peak
from studio.methods import method
from studio.methods.base import Method
from studio.objective import PLAIN


class Run(Stepping):
    """One run, from where it stands to its end."""

    benches: type[Bench] = Bench
    learners: type[Learner] = Learner

    def sitting(self) -> Iterator[Event]:
        """From the last checkpoint to the end, or until the device is full."""
        self.pace = Pace()
        folder = self.machine.on_main(self.last_checkpoint)  # rank 0 has mended the folder, so it knows
        if folder:
            self.place = checkpoint.place_of(folder)
        spec, plan = self.spec, self.machine.plan
        self.way = way(spec, plan, self.machine.world)
        yield Started(step=self.place.step, total=spec.schedule.steps)
        for choice in (*plan.choices, *self.way.choices):
            yield Decided(what=choice.what, choice=choice.choice, reason=choice.reason)
        for rung in self.reached:
            yield Decided(what="memory", choice=rung.name, reason=rung.reason)
        if self.machine.main:
            self.store.write_plan({"hardware": vars(this_hardware()), "plan": plan.as_dict()})
        yield from self._outlook()
        yield Progress(stage="loading", done=0, total=1)
        models = self.resident.models_for(spec, plan)
        yield Progress(stage="loading", done=1, total=1)
        self.bench = self.benches(spec, models, self.machine, self.resident.cache)
        yield from self.bench.fill()
        reset_memory_peak(plan.device)
        method_ = method(spec.method.kind)(models, spec.method, spec.data, spec.seed)
        method_.learns_in, method_.spends = self.way.weights, self.machine.sharded
        with self.resident.lent(method_.spends), method_.attached() as groups:
            try:
                yield from self._train(method_, self.machine.shard(method_, groups), folder)
            except RuntimeError as error:
                self.look_up(error)
            if self.climbs:
                yield from self.keep_good()

    def _outlook(self) -> Iterator[Event]:
        """What the run will need, in seconds, before anything is loaded; a processor has its system's swap."""
        plan = self.machine.plan
        if self.machine.sharded:
            count = self.machine.world
            yield Note(text=f"What learns is split over {count} processes: weights, gradients, the optimizer's memory.")
        elif plan.device != "cpu":
            yield Note(text=foretold(self.spec, plan, memory_free(plan.device)[0]))

    def exports(self, folder: Path) -> Iterator[Event]:
        """Only the files, from the checkpoint in ``folder``, the run's last."""
        spec = self.spec
        self.bench = Bench(spec, self.resident.models_for(spec, self.machine.plan), self.machine, self.resident.cache)
        yield from self.bench.fill()
        self.method = method(spec.method.kind)(self.bench.models, spec.method, spec.data, spec.seed)
        with self.method.attached():
            yield from self._export(folder)

    def _export(self, folder: Path | None) -> Iterator[Event]:
        """Write the files from the checkpoint in ``folder``, or from the best one where the spec says so."""
        if self.machine.main and folder:
            chosen = best_of(self.store, folder) if self.spec.save.best else folder
            with self._exporting() as (learnt, bench):
                learnt.restore(checkpoint.weights_of(chosen))
                yield from export_all(self.store, learnt, bench, checkpoint.place_of(chosen))
        self.machine.wait()

    @contextlib.contextmanager
    def _exporting(self) -> Iterator[tuple[Method, Bench]]:
        """What the files are made of; where the model is split over ranks, another one in the computer's memory."""
        if not self.machine.sharded:
            yield self.method, self.bench
            return
        spec, bench = self.spec, copy.copy(self.bench)
        there = replace(self.machine.plan, device="cpu", attention="sdpa")
        bench.models = Resident(self.resident.cache).models_for(spec, there)
        learnt = method(spec.method.kind)(bench.models, spec.method, spec.data, spec.seed)
        learnt.spends = True
        with learnt.attached():
            yield learnt, bench

    def _train(self, learning: Method, groups: Any, folder: Path | None) -> Iterator[Event]:
        spec = self.spec
        self.method = learning
        self.eased = False  # a small card's guests are away before anything was asked of them
        self.text_learns = any(group.part != "unet" for group in groups)
        if self.text_learns:  # on a small card they may still rest, and what moves them lies where they do
            self.bench.models.wake(*self.bench.models.text_encoders)
        seen, stands = stand_ins(groups)
        self.optimizer = optim.create(self.machine.plan.optimizer, seen, spec.optim)
        self.hand = OneByOne(self.optimizer, learning.live, stands, spec.seed)
        self.learner = self.learners(self.bench.models, spec.objective, self.text_learns)
        self.judge = Learner(self.bench.models, PLAIN, self.text_learns)
        self.machine.join(learning.live.values())
        yield Measured(values={"parameters": sum(parameter.numel() for parameter in learning.live.values())})
        self.state = State(spec, learning, self.optimizer, self.machine.scaler)
        if folder:
            for text in self.state.restore(folder):
                yield Note(text=text, level="warning")
        else:
            learning.begin()
            for text in learning.remarks():
                yield Note(text=text)
            self._ease()  # as in the steps to come
            self.try_hardest()
            yield from self._judge(0, sampled=True)
            yield from self._look(0)
        self._ease()
        moving = self.hand.fused() if self.way.fused else contextlib.nullcontext()
        with contextlib.closing(self.bench), moving:
            try:
                yield from self._loop()
            except NonFiniteError as error:
                yield from self._roll_back(error)

    def _ease(self) -> None:
        """Let text encoders and VAE leave the device, as far as the steps can do without them."""
        models = self.bench.models
        if not self.machine.plan.offload or (self.eased and models.at_rest):
            return
        self.eased = True
        prompts = [] if self.text_learns else steady_prompts(self.bench, self.spec, self.method)
        if not self.learner.knows(prompts):
            apart = models.alone(*models.text_encoders) if models.one_at_a_time else contextlib.nullcontext()
            with apart, self.machine.autocast():
                for prompt in prompts:
                    self.learner.conditioning([prompt])
        models.rest(text=bool(prompts))

    def let_go(self) -> None:
        """The model stays: its worker keeps it."""
        del self.bench, self.method, self.state, self.optimizer, self.hand, self.learner, self.judge

    def _loop(self) -> Iterator[Event]:
        spec = self.spec
        total = spec.schedule.steps
        while self.place.step < total and not self.state.over():
            done = self.step()
            yield done
            slow = self.pace.warning(done.seconds, *memory_free(self.machine.plan.device))
            if slow:
                yield Note(text=slow, level="warning")
            step = self.place.step
            closing = self.resident.closing
            wishes = yield from heard(self.store, self.machine, step, self._look, self.save_here, closing)
            if "discard" in wishes:
                yield Stopped(step=step)
                return
            looks = "sample" in wishes or _is_due(step, spec.sample.every) or step == total
            better = yield from self._judge(step, looks)
            last = step == total or self.state.over()
            if looks or last:
                yield from self._look(step)
            self._ease()
            if wishes & {"stop", "save"} or _is_due(step, spec.save.every) or better or last:
                yield from self.save_here()
            if "stop" in wishes and not last:
                yield Stopped(step=step)
                return
        yield from self._export(self.last_checkpoint())
        yield Finished(step=self.place.step, seconds=self.place.seconds)

    def _roll_back(self, error: NonFiniteError) -> Iterator[Event]:
        """Back to the last checkpoint, of which the files are made; raises the error where there is none."""
        self.doing = ""
        folder = self.machine.on_main(self.last_checkpoint)
        if folder is None:
            raise error
        self.place = checkpoint.place_of(folder)
        yield Note(text=f"{error} The run went back to step {self.place.step}, its last good state.", level="warning")
        try:
            yield from self._export(folder)
        except CrucibleError as unfit:  # finite, but already too large for any file
            raise error from unfit
        yield Stopped(step=self.place.step, code=error.exit_code)

    def _judge(self, step: int, sampled: bool) -> Generator[Event, None, bool]:
        """The held-out loss where it is due; returns whether this state is the best so far and shall be kept."""
        spec = self.spec
        if not spec.validation.due(step, sampled) and step != spec.schedule.steps:
            return False
        loss: float | None = None
        if self.machine.main or self.machine.sharded:
            with self.state.shown():
                judging = self.bench.validate(step, self.judge, self.method.prompt)
                said = list(self._if_it_fits("held-out loss", judging))
            loss = next((event.loss for event in said if isinstance(event, Validated)), None)
            if loss is None or math.isfinite(loss):
                yield from said
        loss = self.machine.agree(loss)
        if loss is None:
            return False
        if not math.isfinite(loss):
            raise NonFiniteError(self.diverged(step, "held-out loss"))
        better = self.state.watch.told(step, loss)
        if self.state.over() and step < spec.schedule.steps:
            yield Note(text=self.state.why_over())
        return better and spec.save.best

    def _look(self, step: int) -> Iterator[Event]:
        """Samples; running out of memory here never ends the training."""
        if self.machine.main:
            with self.state.shown():
                yield from self._if_it_fits("preview", self.bench.samples(self.store, step, self.method))
        elif self.machine.sharded:
            with self.state.shown():
                self.bench.models.wake()
                self.bench.accompany(self.store, self.method)
        self.machine.wait()

    def _if_it_fits(self, what: str, events: Iterator[Event]) -> Iterator[Event]:
        try:
            if not self.bench.models.one_at_a_time:
                self.bench.models.wake()
            yield from events
        except RuntimeError as error:
            if self.machine.sharded or not is_out_of_memory(error):  # the others would wait for this rank's share
                raise
            reset_memory_peak(self.machine.plan.device)
            yield Note(text=f"The {what} was skipped: no memory for it; training goes on.", level="warning")


def _is_due(step: int, every: int) -> bool:
    return bool(every) and step % every == 0
