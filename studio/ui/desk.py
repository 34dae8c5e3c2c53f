"""The only file that acts for the page: what every tab shares, and what the buttons do to experiments and runs."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio import starter
from studio.errors import SpecError, StoreError
from studio.store import ExperimentStore
from studio.ui.checks import Checks
from studio.ui.draft import Drafts
from studio.ui.fetch import Fetch
from studio.ui.forecast import Forecasts
from studio.ui.joining import Joining
from studio.ui.late import Hand
from studio.ui.looks import Looks
from studio.ui.media import Shelf
from studio.ui.offers import Offer, offers
from studio.ui.order import Order
from studio.ui.queue import Queue
from studio.ui.touched import Touched
from studio.ui.trash import RunTrash
from studio.ui.watch import Seen, Watch

MODELS = "models"  # folder under outputs for base models of one's own
CHECKPOINTS = (".safetensors", ".ckpt")
TWICE = 2.0  # seconds within which the same order given again is taken for a double click


@dataclass(frozen=True)
class Now:
    """An experiment and its runs; ``waiting`` where the worker will come to all of it by itself.

    ``asked`` are runs that were told to go on for themselves, and for which the worker has not come yet; ``alone``
    those that a restart left behind where not all of the experiment was asked for.
    """

    experiment: ExperimentStore | None
    runs: tuple[Seen, ...] = ()
    waiting: bool = False
    trouble: str = ""
    asked: frozenset[str] = frozenset()
    alone: tuple[str, ...] = ()

    @property
    def active(self) -> Seen | None:
        """The run that an engine is at."""
        return next((run for run in self.runs if run.view.busy), None)

    @property
    def open_runs(self) -> tuple[Seen, ...]:
        """Runs that are not at their end."""
        return tuple(run for run in self.runs if not run.is_base and run.view.state != "finished")

    @property
    def comes(self) -> bool:
        """Whether the worker will come to any of it."""
        return self.waiting or bool(self.asked)

    def comes_to(self, run: Seen) -> bool:
        """Whether ``run`` is still to begin, or to go on, and will without anybody's doing."""
        return not run.view.busy and (run.name in self.asked or (self.waiting and run.view.state == "new"))


class Desk:
    """The outputs folder, the worker, and what was read of the runs; one for all visitors."""

    def __init__(self, outputs: Path, worker: Hand) -> None:
        self.outputs = outputs.resolve()
        self.worker = worker
        self.watch = Watch(self.outputs)
        self.looks = Looks(self.outputs)
        self.shelf = Shelf()
        self.fetch = Fetch()
        self.checks = Checks(worker)
        self.drafts = Drafts(self.outputs)
        self.joining = Joining(self.drafts)
        self.queue = Queue(self.outputs)
        self.forecasts = Forecasts(self.watch)
        self.touched = Touched()
        self.trash = RunTrash(self.outputs)
        self._last: tuple[Order | None, float] = (None, 0.0)
        self._guard = threading.Lock()
        self._alone: list[tuple[str, str]] = []
        """Experiment and run of the jobs, in hand or to come, that are of one run."""

    def now(self) -> Now:
        """The truth on disk, as every visitor sees it."""
        current = self.worker.current
        experiment = self.watch.shown(current)
        if experiment is None:
            return Now(None, trouble=self.worker.last_error)
        return self._seen(experiment)

    def _seen(self, experiment: ExperimentStore) -> Now:
        name = experiment.path.name
        asked = frozenset(run for of, run in self._alone if of == name)
        runs = tuple(self.watch.runs(experiment))
        return Now(experiment, runs, self._comes(name), self.worker.last_error, asked)

    def _comes(self, name: str) -> bool:
        """Whether the worker is at the experiment as a whole, or will be."""
        given = [self.worker.current, *self.worker.waiting()].count(name)
        return given > sum(of == name for of, _ in self._alone)

    def compare(self, order: Order) -> ExperimentStore | None:
        """Create the experiment and queue it; None for a double click. Raises UserError before anything is made."""
        with self._guard:
            if order == self._last[0] and time.monotonic() - self._last[1] < TWICE:
                return None
            from studio.compare import experiment

            joined = self.joining.store()
            asked = self.joining.fitted(order) if joined else order
            specs = self._specs(asked)
            problems = [problem for spec in specs for problem in spec.problems()]
            if problems:
                raise SpecError(problems[0])
            name = order.name.strip() or Path(order.folder).name or "experiment"
            if joined:
                store = joined
                experiment.add(store, specs, order.repeats)
                self.joining.end()
            else:
                store = experiment.create(self.outputs, name, specs, order.repeats, terms=order.terms())
            self._last = (order, time.monotonic())
        if not joined or not self._comes(store.path.name):
            self._submit(store, resume_stopped=False)  # else the worker finds the new runs by itself
        return store

    def bases(self) -> list[str]:
        """Base models that can be named: embedded, downloaded, in outputs/models, and used before, each once."""
        from studio.hub.files import downloaded

        used = [str(self.watch.about(store).get("base", {}).get("model", "")) for store in self.watch.experiments()]
        still = [name for name in used if name and Path(name).expanduser().exists()]
        named = [*starter.BASES, *(kept.model for kept in downloaded()), *self.own_bases(), *still]
        return list(dict.fromkeys(named))

    def own_bases(self) -> list[str]:
        """Files and folders in outputs/models."""
        found = sorted((self.outputs / MODELS).glob("*"))
        return [str(path) for path in found if path.suffix in CHECKPOINTS or _is_pipeline(path)]

    def about(self, base: str) -> Any:
        """What a base is; raises ModelError that names what it is instead."""
        from studio.families.about import about

        return about(base.strip())

    def offers(self, about: Any) -> list[Offer]:
        """Every method for a base on this machine; waits until the methods are loaded."""
        from studio.engine.machine import this_hardware

        self.looks.begin()
        self.looks.ready.wait()
        return offers(self.looks, about, this_hardware().memory)

    def _specs(self, order: Order) -> Sequence[Any]:
        from studio.data.scan import dataset
        from studio.own_presets import any_preset
        from studio.section import merge, nest

        if not order.kinds:
            raise SpecError("No method is picked; pick at least one.")
        about = self.about(order.base)
        offered = {offer.look.kind: offer for offer in self.offers(about)}
        for kind in order.kinds:
            if kind not in offered or offered[kind].reason:
                title = self.looks.of(kind).title
                raise SpecError(f"{title} cannot train {about.title} models; choose another method or base.")
        over: dict[str, Any] = {
            "base": {"model": about.model},
            "data": {"folder": order.folder, "trigger": order.trigger.strip(), "class_word": order.class_word.strip()},
        }
        last = {"schedule.steps": order.steps} if order.steps else {}
        specs = []
        for kind in order.kinds:
            chosen = any_preset(order.presets.get(kind) or offered[kind].preset, self.outputs)
            specs.append(chosen.spec(**merge(over, nest({**order.changes.get(kind, {}), **last}))))
        dataset(specs[0].data)
        return specs

    def resume(self, name: str, alone: str = "") -> None:
        """Go on with everything in the experiment that is not at its end, or with one run ``alone``.

        A run that is paused goes on where it is.
        """
        store = ExperimentStore(self.outputs / name)
        if not store.exists:
            raise StoreError(f"There is no experiment '{name}'.")
        paused = [run for run in self.watch.runs(store) if run.view.state == "paused"]
        if paused:
            for run in paused:
                run.store.wish("resume")
            return
        with self._guard:
            if self._comes(name) if not alone else (name, alone) in self._alone:
                return
            self._submit(store, resume_stopped=True, alone=alone)

    def wish(self, what: str) -> bool:
        """Tell the run in hand to stop, pause, sample or save; False when none is at work."""
        active = self.now().active
        if active is None:
            return False
        active.store.wish(what)
        return True

    def waiting(self) -> list[Now]:
        """The experiments in the queue; to what a restart left behind the worker does not come."""
        stores = [ExperimentStore(self.outputs / name) for name in self.queue.names()]
        seen = {store.path.name: self._seen(store) for store in stores if store.exists}
        return [now if now.comes else replace(now, alone=self.queue.alone(name)) for name, now in seen.items()]

    def go_on(self) -> None:
        """Give the worker again what a restart left in the queue: whole experiments, or the runs asked for."""
        for left in self.waiting():
            if left.experiment is not None and not left.comes:
                for run in left.alone or ("",):
                    self.resume(left.experiment.path.name, run)

    def withdraw(self, name: str) -> None:
        """Take an experiment out of the queue; it stays, and can be resumed."""
        with self._guard:
            while self.worker.withdraw(name):
                pass
            self._alone = [(of, run) for of, run in self._alone if of != name]
        self.queue.drop(name)

    def move(self, name: str, run: str, by: int) -> None:
        """Let a waiting run of an experiment change places with its neighbour; raises UserError."""
        from studio.compare import experiment

        store = ExperimentStore(self.outputs / name)
        order = [seen.name for seen in self.watch.runs(store) if not seen.is_base]
        at = order.index(run) if run in order else -1
        if at < 0 or not 0 <= at + by < len(order):
            raise StoreError("The run has moved already; look again.")
        order[at], order[at + by] = order[at + by], order[at]
        experiment.reorder(store, order)

    def _submit(self, store: ExperimentStore, resume_stopped: bool, alone: str = "") -> None:
        name, only = store.path.name, (alone,) if alone else ()

        def job(resident: Any) -> Iterator[object]:
            from studio.compare import experiment

            try:
                yield from experiment.run(store, resident, resume_stopped=resume_stopped, only=only)
            except Exception:
                self._over(name, alone)
                raise
            self._over(name, alone)  # not where the program ends in the middle: the next start offers it again

        if alone:
            self._alone.append((name, alone))
        self.queue.add(name, alone)
        self.worker.submit(name, job)

    def _over(self, name: str, alone: str) -> None:
        """A job is at its end, and what it was given for out of the queue unless that is to come once more."""
        with self._guard:
            self._alone = [one for one in self._alone if one != (name, alone)]
            alone_ones = sum(of == name for of, _ in self._alone)
            if alone or self.worker.waiting().count(name) <= alone_ones:
                self.queue.drop(name, alone)


def _is_pipeline(path: Path) -> bool:
    return (path / "model_index.json").is_file()
