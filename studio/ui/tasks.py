"""The only file that has the worker do a tab's smaller jobs behind what it is at, and keeps how each stands."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from studio.errors import SpecError
from studio.events import Progress
from studio.ui.failing import sentence
from studio.ui.late import Hand

TWICE = 2.0  # seconds within which the same task started again is taken for a double click
Work = Callable[[Any], Iterator[Any]]


class Cancelled(Exception):
    """Raised amid a task's work to end it."""


@dataclass
class Task:
    """``state``: waiting, working, done, failed (with ``error``) or cancelled; ``result`` is ``results`` its yields."""

    kind: str
    title: str
    about: str = ""
    """What it is for, such as the experiment's name: only there it is shown."""
    state: str = "waiting"
    done: int = 0
    total: int = 0
    error: str = ""
    results: list[Any] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    given: bool = False
    """Whether the worker has it, or had it."""
    begun: float = field(default_factory=time.monotonic)

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.state in ("waiting", "working")

    @property
    def label(self) -> str:
        """What the worker calls it; no experiment can be called so."""
        return f":{self.kind}"


class Tasks:
    """One task of each kind at a time, the same for all visitors."""

    def __init__(self, worker: Hand) -> None:
        self.worker = worker
        self._lock = threading.Lock()
        self._known: dict[str, Task] = {}

    def of(self, kind: str) -> Task | None:
        """The newest task of a kind."""
        task = self._known.get(kind)
        if task and task.given and task.state == "waiting" and not self._is_held(task) and task.state == "waiting":
            task.state, task.error = "failed", "It was cut off; start it again."  # the worker fell over before it
        return task

    def _is_held(self, task: Task) -> bool:
        """Whether the worker will come to it or is at it; asked in this order, for it goes from one to the other."""
        return task.label in self.worker.waiting() or task.label == self.worker.current

    def key(self, *kinds: str) -> tuple[Any, ...]:
        """Changes whenever there is something new to draw of these kinds."""
        found = [task for kind in kinds if (task := self.of(kind))]
        return tuple((id(task), task.state, task.done, task.total) for task in found)

    def start(self, kind: str, title: str, work: Work, about: str = "") -> Task:
        """Queue ``work``: its Progress is followed, its other yields are results. Raises SpecError if another runs."""
        with self._lock:
            known = self.of(kind)
            if known and known.open and known.title == title and time.monotonic() - known.begun < TWICE:
                return known
            if known and known.open:
                raise SpecError(f"'{known.title}' is still being worked on; wait for it, or cancel it.")
            task = self._known[kind] = Task(kind, title, about)
        self.worker.submit(task.label, lambda resident: _followed(task, work, resident))
        task.given = True
        return task

    def heard(self, kind: str, done: int, total: int) -> None:
        """Note how far a task's part in hand is; raises Cancelled where it is wanted no more."""
        task = self._known.get(kind)
        if task:
            task.done, task.total = done, total
            if task.cancelled.is_set():
                raise Cancelled

    def cancel(self, kind: str) -> None:
        """End a task: at once where it waits, else after the part in hand."""
        task = self._known.get(kind)
        if task and task.open:
            task.cancelled.set()
            if self.worker.withdraw(task.label):
                task.state = "cancelled"

    def forget(self, kind: str) -> None:
        """Say no more of a task that has ended."""
        task = self._known.get(kind)
        if task and not task.open:
            del self._known[kind]


def _followed(task: Task, work: Work, resident: Any) -> Iterator[object]:
    task.state = "working"
    try:
        going = work(resident)
        for told in going:
            if isinstance(told, Progress):
                task.done, task.total = told.done, told.total
            else:
                task.results.append(told)
            if task.cancelled.is_set():
                getattr(going, "close", lambda: None)()
                task.state = "cancelled"
                return
            yield told
        task.state = "done"
    except Cancelled:
        task.state = "cancelled"
    except Exception as error:  # the page must stand, and say it
        task.state, task.error = "failed", sentence(error)
    finally:
        if task.state == "working":
            task.state, task.error = "failed", "It was cut off; start it again."
