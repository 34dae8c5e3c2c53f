"""The only file that knows one optimizer update: batches, gradients, what is refused of them, and the step itself."""

import contextlib
import math
import time
from typing import Any

from torch import Tensor

from studio.engine import optim
from studio.engine.bench import Bench
from studio.engine.checkpoint import Place
from studio.engine.climb import Climbing
from studio.engine.draw import reseed
from studio.engine.estimate import room
from studio.engine.ladder import cut
from studio.engine.learner import Batch, Learner
from studio.engine.piecewise import OneByOne, Way
from studio.engine.preflight import hardest
from studio.engine.state import likely_causes
from studio.errors import NonFiniteError
from studio.events import Step
from studio.hardware import memory_peak
from studio.methods.base import Method
from studio.methods.shards import own
from studio.objective import Draw
from studio.schedule import factor

IN_VAIN = 24
"""Steps that a loss scaler passes over in a row before the run ends: each halves the scale, which begins at 2 to the
16th, so that by then losses are made 256 times smaller, and it is not they that are too large."""


class Stepping(Climbing):
    """A run that can take a step, once its course has made what a step needs."""

    bench: Bench
    method: Method
    optimizer: Any
    hand: OneByOne
    way: Way
    learner: Learner
    passed_over: int = 0

    def try_hardest(self) -> None:
        """Forward and backward of the hardest batch, with room held for what the optimizer will remember; then forget.

        So a device that is too small says so now, and not an hour later. A processor is not tried: its system swaps
        before it refuses, and a step there costs the user seconds.
        """
        if self.machine.plan.device == "cpu":
            return
        self.doing = "step"
        slots = self.spec.schedule.accumulation * self.machine.world
        reseed(self.spec.seed, 0, self.machine.rank)
        with self.fitting(learning=True):
            held = room(self.machine.plan.optimizer, map(own, self.method.live.values()), self.machine.device)
            batch, chance = self.bench.batch(*hardest(self.bench, self.spec, slots), slots, self.method)
            with self.hand.dropping() if self.way.fused else contextlib.nullcontext():
                self._backward(batch, chance)
            del held
        self.optimizer.zero_grad(set_to_none=True)
        self.doing = ""

    def step(self) -> Step:
        """One optimizer update; raises NonFiniteError before a bad gradient can touch a weight."""
        spec, machine = self.spec, self.machine
        began = time.perf_counter()
        self.doing = "step"
        step = self.place.step + 1
        rounds = spec.schedule.accumulation
        slots = rounds * machine.world
        reseed(spec.seed, step, machine.rank)
        lr = optim.set_rates(self.optimizer, factor(step, spec.schedule, spec.optim.lr))
        self.hand.begin(step)
        total = 0.0
        with self.fitting(learning=True):
            for turn in range(rounds):
                batch, chance = self.bench.batch(step, turn * machine.world + machine.rank, slots, self.method)
                total += self._backward(batch, chance)
        total = machine.mean(total)
        if not math.isfinite(total):
            raise NonFiniteError(self.diverged(step, "loss"))
        machine.mean_gradients()
        with self.fitting():
            norm = self._update()
        seconds = time.perf_counter() - began
        self.place = Place(step, self.place.seconds + seconds)
        self.doing = ""
        memory = memory_peak(machine.plan.device)
        figures = self.method.figures()
        return Step(step=step, loss=total, lr=lr, grad_norm=norm, seconds=seconds, memory=memory, figures=figures)

    def _backward(self, batch: Batch, chance: Draw) -> float:
        """Add the gradient of one batch, of which a step has some, part by part; returns its share of the loss."""
        machine = self.machine
        total = 0.0
        for part in cut(batch, chance, machine.plan.split):
            with machine.autocast():
                loss = self.learner(*part).sum() / len(batch.prompts) / self.spec.schedule.accumulation
            self._backward_of(loss)
            total += float(loss.detach())
        return total

    def _backward_of(self, loss: Tensor) -> None:
        if not self.way.fused:
            self.machine.scaler.scale(loss).backward()
            return
        step = self.place.step + 1
        if not math.isfinite(float(loss.detach())):
            raise NonFiniteError(self.diverged(step, "loss"))
        self.doing = "update"  # from here on some weights have moved and others not
        try:
            loss.backward()
        except NonFiniteError as error:
            raise NonFiniteError(self.diverged(step, "gradient")) from error

    def _update(self) -> float:
        norm = self.hand.length() if self.way.fused else self._update_at_once()
        self.method.settle()
        self.state.updated()
        return norm if math.isfinite(norm) else 0.0

    def _update_at_once(self) -> float:
        scaler = self.machine.scaler
        scaler.unscale_(self.optimizer)
        limit = self.spec.optim.clip or float("inf")
        norm = self.machine.clip(self.method.live.values(), limit)
        self.passed_over = 0 if math.isfinite(norm) else self.passed_over + 1
        if self.passed_over and not scaler.is_enabled():  # a scaler passes over such a step by itself
            raise NonFiniteError(self.diverged(self.place.step + 1, "gradient"))
        if self.passed_over == IN_VAIN:
            raise NonFiniteError(self._in_vain())
        self.doing = "update"
        if self.way.usual:
            scaler.step(self.optimizer)
            scaler.update()
        else:
            self.hand.all()
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def _in_vain(self) -> str:
        text = f"float16's loss scaler passed over {IN_VAIN} steps in a row, and nothing was learnt in them"
        return f"{text}; {likely_causes(self.spec, self.machine.plan)}; {self._since()}."

    def diverged(self, step: int, what: str) -> str:
        """The sentence for a user whose ``what`` became infinite at ``step``."""
        causes = likely_causes(self.spec, self.machine.plan)
        return f"The {what} became infinite at step {step}; {causes}; {self._since()}."

    def _since(self) -> str:
        kept = self.store.checkpoints()
        return f"resume goes on from step {kept[-1][0]}" if kept else "nothing was saved yet"
