"""The only file that keeps which experiments wait for the worker, also over a restart."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

from studio.store import write_text

KEPT_IN = ".queue.json"  # in outputs; hidden, so no experiment can have the name


class Queue:
    """The names of the experiments that were given to the worker and are not at their end, in their order."""

    def __init__(self, outputs: Path) -> None:
        self.path = outputs / KEPT_IN
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Every one, the first to be worked on first."""
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            return [name for name in kept if isinstance(name, str)]
        except (OSError, ValueError):
            return []

    def add(self, name: str) -> None:
        """Put one last, unless it is there."""
        self._change(lambda names: names if name in names else [*names, name])

    def drop(self, name: str) -> None:
        """Take one out."""
        self._change(lambda names: [other for other in names if other != name])

    def _change(self, change: Callable[[list[str]], list[str]]) -> None:
        with self._lock:
            before = self.names()
            after = change(before)
            if after != before:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                write_text(self.path, json.dumps(after, ensure_ascii=False))
