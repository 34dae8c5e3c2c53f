"""The only file that carries a run from one rung of the ladder to the next: its last good state, and the spec."""

import contextlib
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from studio.engine import checkpoint
from studio.engine.checkpoint import Place
from studio.engine.ladder import Full, Rung, is_out_of_memory, next_rung
from studio.engine.machine import Machine, this_hardware
from studio.engine.state import State, Taken
from studio.engine.worker import Resident
from studio.events import Event, Saved
from studio.hardware import decide, release_memory, reset_memory_peak
from studio.spec import RunSpec
from studio.store import RunStore

DOING = ("", "step", "update")  # in the order in which a step comes to them


class Climbing(ABC):
    """A run that goes on with less where the device is full: `sitting` is everything from the last checkpoint."""

    state: State

    def __init__(self, store: RunStore, spec: RunSpec, machine: Machine, resident: Resident) -> None:
        self.store = store
        self.spec = spec
        self.machine = machine
        self.resident = resident
        self.place = Place()
        self.doing = ""  # what a full device is found at: the step, or the optimizer's update within it
        self.reached: list[Rung] = []
        self.climbs = False

    @abstractmethod
    def sitting(self) -> Iterator[Event]:
        """From the last checkpoint to the end, or until the device is full and `climbs` is set."""

    @abstractmethod
    def let_go(self) -> None:
        """Drop everything that holds memory of the device."""

    def events(self) -> Iterator[Event]:
        """The whole course; where the device is too full for a step it goes on with less, rung by rung."""
        yield from self.sitting()
        while self.climbs:
            self._climb()
            yield from self.sitting()

    @contextlib.contextmanager
    def fitting(self, learning: bool = False) -> Iterator[None]:
        """What is done while open finds room on every rank, or every rank raises Full; it may not speak to the others.

        ``learning`` says that gradients come of it, which are then ready to be added up. Ranks that share a model speak
        while they ask it, so there the one that is full ends the run.
        """
        full = False
        try:
            yield
            if learning:
                self.machine.complete()
        except RuntimeError as error:
            if self.machine.world == 1 or self.machine.sharded or not is_out_of_memory(error):
                raise
            full = True
            traceback.clear_frames(error.__traceback__)  # what the step had made so far lives in them
        if full:
            release_memory(self.machine.plan.device)
        if not self.machine.sharded and self.machine.most(int(full)):
            self.doing = DOING[self.machine.most(DOING.index(self.doing))]  # who is done with it has been there too
            raise Full("The device was full here." if full else "The device of another process was full.")

    def look_up(self, error: RuntimeError) -> None:
        """Find the next rung for a device that was too full for a step; raises the error where there is none.

        Several ranks climb together, where all of them know of it; those that share a model cannot.
        """
        rung = None
        if self.doing and (isinstance(error, Full) or (self.machine.world == 1 and is_out_of_memory(error))):
            rung = next_rung(self.spec, self.machine.plan, this_hardware(), self.doing == "update")
            rung = self.machine.agree(rung)
        if rung is None:
            raise error
        self.climbs = True
        self.reached.append(rung)

    def keep_good(self) -> Iterator[Event]:
        """Save the last good state for the next rung; where an update broke off, that is the last checkpoint."""
        if self.doing == "update":  # some weights may have moved, others not
            folder = self.machine.on_main(self.last_checkpoint)
            self.place = checkpoint.place_of(folder) if folder else Place()
        elif self.place.step:
            yield from self.save_here()

    def _climb(self) -> None:
        """Take the next rung, for good: the spec on disk says so, and a later sitting begins there."""
        self.climbs, self.doing = False, ""
        self.spec = self.reached[-1].on(self.spec)
        self.machine.on_main(lambda: self.store.replace_spec(self.spec.to_toml()))
        plan = decide(this_hardware(), self.spec.machine, self.spec.optim.name)
        self.let_go()
        self.machine = Machine(plan)
        reset_memory_peak(plan.device)

    def last_checkpoint(self) -> Path | None:
        """The newest whole one."""
        kept = self.store.checkpoints()
        return kept[-1][1] if kept else None

    def save_here(self) -> Iterator[Event]:
        """Rank 0 publishes a checkpoint, and says so; the others wait for it."""
        taken = self.state.taken() if self.machine.main or self.machine.sharded else None
        saved = self.machine.on_main(lambda: self.saved(taken))
        if self.machine.main:
            yield saved
        self.machine.wait()

    def saved(self, taken: Taken | None) -> Saved:
        """Publish a checkpoint of where the run stands, and say so; raises NonFiniteError, and then saves nothing."""
        assert taken is not None  # the first rank has it
        folder = self.state.save(self.store, self.place, taken)
        return Saved(step=self.place.step, path=folder.relative_to(self.store.path).as_posix())
