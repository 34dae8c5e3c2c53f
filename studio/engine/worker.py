"""The only file that keeps a base model between runs, and the thread in which the page's runs happen."""

import contextlib
import inspect
import queue
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from studio.errors import CrucibleError, ModelError, SpecError
from studio.families.base import BaseSpec, Models
from studio.families.detect import detect
from studio.hardware import Plan
from studio.methods import method
from studio.objective import ObjectiveSpec
from studio.spec import RunSpec


class Resident:
    """The base model in memory; it is loaded again only when another one, or another plan, is asked for."""

    def __init__(self, cache: Path | None = None) -> None:
        self.cache = cache or Path(__file__).resolve().parents[2] / "outputs" / ".cache" / "latents"
        self._key: tuple[object, ...] = ()
        self._models: Models | None = None
        self.closing = threading.Event()
        """Set when the program ends: a run that waits for its user then waits no longer."""

    def models(self, base: BaseSpec, plan: Plan) -> Models:
        """The base as ``plan`` wants it; raises ModelError."""
        key = (base, *plan.loaded)
        if self._models is None or key != self._key:
            self._models = None  # give the old one's memory back before the new one comes
            self._models = detect(base.model).load(base, plan)
            self._key = key
        self._models.arrange(plan)
        return self._models

    @contextlib.contextmanager
    def lent(self, spends: bool) -> Iterator[None]:
        """While open, a run works on the base; one that ``spends`` it leaves none to keep."""
        try:
            yield
        finally:
            if spends:
                self._models, self._key = None, ()

    def models_for(self, spec: RunSpec, plan: Plan) -> Models:
        """The base of ``spec``; raises ModelError when the method cannot train its family."""
        models = self.models(spec.base, plan)
        kind = method(spec.method.kind)
        if models.family.name not in kind.families:
            raise ModelError(f"{kind.title} cannot train {models.family.title} models; choose another method or base.")
        return ending_in_noise(models) if spec.objective.zero_terminal_snr else models


def ending_in_noise(models: Models) -> Models:
    """The same modules under a schedule that ends in pure noise (Lin et al., 2023), to train, draw and export with.

    Raises SpecError for a base that predicts the noise.
    """
    from diffusers import DDIMScheduler

    problems = ObjectiveSpec(zero_terminal_snr=True).problems(models.prediction)
    if problems:
        raise SpecError(problems[0])
    over = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    config = models.scheduler.config
    known = "rescale_betas_zero_snr" in inspect.signature(type(models.scheduler)).parameters  # PNDM has no such option
    kind = type(models.scheduler) if known else DDIMScheduler
    scheduled = DDIMScheduler.from_config(config, **over).alphas_cumprod.float()  # Euler's keeps off zero, for sampling
    return replace(models, scheduler=kind.from_config(config, **over), alphas_cumprod=scheduled)


Job = Callable[[Resident], Iterator[object]]


class Worker:
    """One background thread that drains jobs one after the other, outside any page or request."""

    def __init__(self, resident: Resident | None = None) -> None:
        self._resident = resident or Resident()
        self._jobs: queue.Queue[tuple[str, Job] | None] = queue.Queue()
        self._waiting: list[str] = []
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self.current = ""
        self.last_error = ""
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    def submit(self, label: str, job: Job) -> None:
        """Queue ``job``; it starts when those before it are done."""
        with self._guard:
            self._waiting.append(label)
        self._jobs.put((label, job))

    def waiting(self) -> list[str]:
        """Labels of the jobs that have not begun, in their order."""
        with self._guard:
            return list(self._waiting)

    def withdraw(self, label: str) -> bool:
        """Take a job out that has not begun; False when there is none of that label."""
        with self._guard:
            if label not in self._waiting:
                return False
            self._waiting.remove(label)
            return True

    def shutdown(self, timeout: float = 10.0) -> None:
        """End after the step in hand; what was running is then interrupted and can be resumed."""
        self._closing.set()
        self._resident.closing.set()
        self._jobs.put(None)
        self._thread.join(timeout)
        if not self._thread.is_alive():
            self._resident.closing.clear()

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None and not self._closing.is_set():
            label, job = item
            with self._guard:
                if label not in self._waiting:  # it was withdrawn
                    continue
                self._waiting.remove(label)
                self.current, self.last_error = label, ""
            try:
                self._drain(job)
            except CrucibleError as error:
                self.last_error = str(error)
            except Exception as error:  # the outer wall of the thread: the page must go on and say what happened
                traceback.print_exc()
                self.last_error = f"{label} ended by an error of ours: {error}"
            finally:
                self.current = ""

    def _drain(self, job: Job) -> None:
        events = job(self._resident)
        for _ in events:
            if self._closing.is_set():
                close = getattr(events, "close", None)
                if close:
                    close()
                return
