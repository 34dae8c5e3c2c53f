"""The only file that keeps the engine's worker and libraries out of the start: they come with the first job."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

IMPORTS = threading.Lock()
"""Held by whoever brings in torch and what stands on it: of two threads amid the same import one finds half a module,
and what failed so fails again until the program ends."""


def libraries() -> None:
    """Bring in diffusers and transformers, which load themselves by parts; whoever works beside the worker calls it."""
    with IMPORTS:
        import transformers
        from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline  # noqa: F401

        transformers.CLIPTokenizer  # noqa: B018  # asking is loading


class Hand(Protocol):
    """What the page needs of a worker."""

    current: str
    last_error: str

    def submit(self, label: str, job: Callable[[Any], Iterator[object]]) -> None:
        """Queue a job."""

    def waiting(self) -> list[str]:
        """Labels of the jobs that have not begun."""

    def withdraw(self, label: str) -> bool:
        """Take a job out that has not begun."""

    def shutdown(self) -> None:
        """End after the step in hand."""


class LateWorker:
    """A worker that is made when it is first needed, with the same words as the real one."""

    def __init__(self) -> None:
        self._real: Hand | None = None
        self._lock = threading.Lock()

    def submit(self, label: str, job: Callable[[Any], Iterator[object]]) -> None:
        """Queue a job; the first one brings in the engine."""
        with self._lock:
            if self._real is None:
                from studio.engine.worker import Worker

                self._real = Worker()
            self._real.submit(label, lambda resident: _equipped(job, resident))

    def waiting(self) -> list[str]:
        """Labels of the jobs that have not begun."""
        return self._real.waiting() if self._real else []

    def withdraw(self, label: str) -> bool:
        """Take a job out that has not begun; False when there is none of that label."""
        return self._real.withdraw(label) if self._real else False

    @property
    def current(self) -> str:
        """Label of the job in hand, or nothing."""
        return self._real.current if self._real else ""

    @property
    def last_error(self) -> str:
        """Why the last job ended early, or nothing."""
        return self._real.last_error if self._real else ""

    def shutdown(self) -> None:
        """End after the step in hand; what was running can be resumed."""
        if self._real:
            self._real.shutdown()


def _equipped(job: Callable[[Any], Iterator[object]], resident: Any) -> Iterator[object]:
    libraries()
    yield from job(resident)
