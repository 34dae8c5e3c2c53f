"""Stand-ins for what is behind the page."""

from collections.abc import Callable, Iterator
from typing import Any


class NoWorker:
    """A worker that remembers what it was given and does nothing."""

    def __init__(self) -> None:
        self.current = ""
        self.last_error = ""
        self.jobs: list[str] = []

    def submit(self, label: str, job: Callable[[Any], Iterator[object]]) -> None:
        self.jobs.append(label)

    def waiting(self) -> list[str]:
        return []

    def withdraw(self, label: str) -> bool:
        return False

    def shutdown(self) -> None:
        pass
