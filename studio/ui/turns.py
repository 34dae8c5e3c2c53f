"""The only file that keeps what the tick draws from covering what a visitor has done while it was being drawn."""

import functools
import threading
from collections.abc import Callable
from typing import Any

import gradio as gr

from studio.ui.visits import Visits, visit_in


class Turns:
    """How often something a visitor asked for was begun or ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moves = Visits(0)

    def moved(self, visitor: str) -> None:
        """Note that something was begun, or ended."""
        with self._lock:
            self._moves.keep(visitor, self._moves.of(visitor) + 1)

    def of(self, visitor: str) -> int:
        """The count by now."""
        return self._moves.of(visitor)


def in_turn(page: gr.Blocks) -> None:
    """Drop the drawing of a tick during which another handler of the same visitor was begun or ended.

    The tick reads where the visitor stands when it begins. What it draws of that would stand over what a click has
    drawn meanwhile, and nothing would draw it again. What one tick drops, the next one draws.
    """
    turns = Turns()
    handlers = [one for one in page.fns.values() if one.fn is not None]
    ticks = [one.fn for one in handlers if _on(one, "tick")]  # a fresh page has the first of them before its time
    for one in handlers:
        if one.fn in ticks:
            one.fn = _yielding(one.fn, turns)
        elif not _on(one, "load"):
            one.fn = _moving(one.fn, turns)


def _on(handler: Any, event: str) -> bool:
    return any(name == event for _, name in handler.targets)


def _moving(handler: Callable[..., Any], turns: Turns) -> Callable[..., Any]:
    @functools.wraps(handler)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        visitor = visit_in(args, kwargs)
        turns.moved(visitor)
        try:
            return handler(*args, **kwargs)
        finally:
            turns.moved(visitor)

    return wrapped


def _yielding(handler: Callable[..., Any], turns: Turns) -> Callable[..., Any]:
    @functools.wraps(handler)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        visitor = visit_in(args, kwargs)
        before = turns.of(visitor)
        drawn = handler(*args, **kwargs)
        return drawn if turns.of(visitor) == before else gr.skip()

    return wrapped
