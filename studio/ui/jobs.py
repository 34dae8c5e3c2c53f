"""The only file that does long work on pictures behind the page's back: bringing them in, copying, finding backgrounds.

It goes on when the page is loaded again; one at a time, the same for all visitors.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from studio.errors import DataError
from studio.events import Progress
from studio.ui import failing


@dataclass
class Job:
    """``kind``: import, prepare or background. ``state``: running, done, failed (``error``) or cancelled."""

    kind: str
    state: str = "running"
    done: int = 0
    total: int = 0
    error: str = ""
    result: Any = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


class Jobs:
    """Starts a job, and remembers how the newest one stands."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now: Job | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """Changes whenever there is something new to draw."""
        job = self.now
        return () if job is None else (id(job), job.state, job.done, job.total)

    def start(self, kind: str, work: Callable[[], Iterator[Any]], after: Callable[[Any], None] | None = None) -> Job:
        """Begin ``work``, which yields Progress and at last its result; ``after`` is given that, or
        None of work that was cut off when a part of it was done. Raises DataError while another job runs.
        """
        with self._lock:
            if self.now and self.now.state == "running":
                raise DataError("Other pictures are being worked on; wait for that, or cancel it.")
            job = self.now = Job(kind)
        threading.Thread(target=_follow, args=(job, work, after), name=kind, daemon=True).start()
        return job

    def cancel(self) -> None:
        """End the newest job after the picture in hand."""
        if self.now:
            self.now.cancelled.set()

    def forget(self) -> None:
        """Say no more of a job that is over."""
        if self.now and self.now.state != "running":
            self.now = None


def _follow(job: Job, work: Callable[[], Iterator[Any]], after: Callable[[Any], None] | None) -> None:
    state = _safely(job, lambda: _worked(job, work))
    if after and (state == "done" or job.done):  # of what was cut off, a part is there
        state = _safely(job, lambda: after(job.result) or state)
    job.state = state
    job.over.set()


def _worked(job: Job, work: Callable[[], Iterator[Any]]) -> str:
    working = work()
    for told in working:
        if isinstance(told, Progress):
            job.done, job.total = told.done, told.total
        else:
            job.result = told
        if job.cancelled.is_set() and job.result is None:
            getattr(working, "close", lambda: None)()
            return "cancelled"
    return "done"


def _safely(job: Job, call: Callable[[], str]) -> str:
    """The state that ``call`` ends in, or `failed`, with the reason in the job."""
    try:
        return call()
    except Exception as error:  # the page must stand, and say it
        job.error = failing.sentence(error)
    return "failed"
