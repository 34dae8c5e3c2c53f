"""The only file that holds the page's errand to a model hub: one at a time, the same for all visitors."""

import threading
from dataclasses import dataclass, replace
from typing import Any

from studio.errors import ModelError
from studio.hub.errand import Errand


@dataclass(frozen=True)
class Doing:
    """How the errand stands. ``state``: idle, looking, found, starting, running, done, failed or cancelled."""

    state: str = "idle"
    model: str = ""
    found: dict[str, Any] | None = None
    done: int = 0
    total: int = 0
    error: str = ""

    @property
    def busy(self) -> bool:
        """True while a process is at it."""
        return self.state in ("looking", "starting", "running")


class Fetch:
    """Starts an errand and remembers what it said."""

    def __init__(self) -> None:
        self.doing = Doing()
        self._errand: Errand | None = None
        self._lock = threading.Lock()

    def start(self, model: str, variant: str, mirror: str, look: bool) -> None:
        """Look a model up, or bring it; raises ModelError while another errand runs, and for what is no id."""
        if not model.strip():
            raise ModelError("No model is named; choose one, or write its id as OWNER/NAME.")
        with self._lock:
            if self.doing.busy:
                raise ModelError(f"'{self.doing.model}' is being downloaded; wait for it, or cancel it.")
            self._errand = Errand(model, variant, mirror, look)
            self.doing = Doing("looking" if look else "starting", self._errand.model)
            threading.Thread(target=self._follow, args=(self._errand,), name="fetch", daemon=True).start()

    def cancel(self) -> None:
        """End the errand; what has arrived stays."""
        errand = self._errand
        if errand and self.doing.busy:
            errand.cancel()

    def forget(self) -> None:
        """Say no more of an errand that has ended."""
        with self._lock:
            if not self.doing.busy:
                self.doing = Doing()

    def _follow(self, errand: Errand) -> None:
        for line in errand:
            self.doing = _after(self.doing, line, errand.cancelled)


def _after(doing: Doing, line: dict[str, Any], cancelled: bool) -> Doing:
    kind = line["kind"]
    if kind == "found":
        state = "found" if doing.state == "looking" else "running"
        return replace(doing, state=state, found=line, total=line["size"], done=line["size"] - line["missing"])
    if kind == "progress":
        return replace(doing, state="running", done=line["done"], total=line["total"])
    if kind == "done":
        return replace(doing, state="done", done=doing.total)
    return replace(doing, state="cancelled" if cancelled else "failed", error=line["text"])
