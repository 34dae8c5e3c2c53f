"""The only file that remembers things by visit: a page in a browser, until it is loaded again."""

import threading
from collections import OrderedDict
from typing import Final, Generic, TypeVar

import gradio as gr

from studio.ui.speak import request_in

MOST: Final = 1000  # visits that are remembered
Kept = TypeVar("Kept")


class Visits(Generic[Kept]):
    """One thing of each visit; what was kept longest ago goes first.

    Gradio reads a ``gr.State`` before it begins a handler, which may be a while before: what a visitor looks at is
    read here, while it is being drawn.
    """

    def __init__(self, default: Kept) -> None:
        self.default = default
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Kept] = OrderedDict()

    def of(self, visit: str) -> Kept:
        """What was kept last, else the default."""
        with self._lock:
            return self._known.get(visit, self.default)

    def keep(self, visit: str, thing: Kept) -> None:
        """Remember it in the place of what was."""
        with self._lock:
            self._known[visit] = thing
            self._known.move_to_end(visit)
            while len(self._known) > MOST:
                self._known.popitem(last=False)


def visit_of(request: gr.Request | None) -> str:
    """The name of the visit that a request is of."""
    return str(getattr(request, "session_hash", None) or "")


def visit_in(args: tuple[object, ...], kwargs: dict[str, object]) -> str:
    """The same, from what Gradio hands to a handler."""
    return visit_of(request_in(args, kwargs))
