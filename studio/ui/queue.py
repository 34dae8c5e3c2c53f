"""The only file that keeps which experiments and runs wait for the worker, also over a restart."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

from studio.store import write_text

KEPT_IN = ".queue.json"  # in outputs; hidden, so no experiment can have the name


class Queue:
    """The experiments that were given to the worker, whole or single runs of them, in their order, until their end."""

    def __init__(self, outputs: Path) -> None:
        self.path = outputs / KEPT_IN
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """The experiments, each once, the first to be worked on first."""
        return list(dict.fromkeys(name for name, _ in self._read()))

    def alone(self, name: str) -> tuple[str, ...]:
        """The runs of an experiment that were asked for by themselves; none where it is to be trained whole."""
        runs = [run for other, run in self._read() if other == name]
        return () if "" in runs else tuple(runs)

    def add(self, name: str, run: str = "") -> None:
        """Put an experiment last, or one ``run`` of it, unless it is there."""
        self._change(lambda given: given if (name, run) in given else [*given, (name, run)])

    def drop(self, name: str, run: str | None = None) -> None:
        """Take what :meth:`add` put there out, without ``run`` all of the experiment."""
        self._change(lambda given: [one for one in given if one[0] != name or run not in (None, one[1])])

    def _read(self) -> list[tuple[str, str]]:
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            pairs = [(one, "") if isinstance(one, str) else tuple(one) for one in kept]
            return [(str(name), str(run)) for name, run in pairs]
        except (OSError, ValueError, TypeError):
            return []

    def _change(self, change: Callable[[list[tuple[str, str]]], list[tuple[str, str]]]) -> None:
        with self._lock:
            before = self._read()
            after = change(before)
            if after != before:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                write_text(
                    self.path, json.dumps([[name, run] if run else name for name, run in after], ensure_ascii=False)
                )
