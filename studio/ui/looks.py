"""The only file that loads the methods behind the page's back (they need torch), and says how each looks."""

import threading
from dataclasses import dataclass

from studio.ui.late import IMPORTS

BASE_COLOUR = "#858E91"


@dataclass(frozen=True)
class Look:
    """How a method is named and coloured on the page; ``ring`` marks one that shares its hue with its nearest kin."""

    kind: str
    title: str
    colour: str = BASE_COLOUR
    sentence: str = ""
    usage: str = ""
    ring: bool = False
    readers: str = ""


class Looks:
    """What can be trained; empty until the methods are loaded."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.error = ""
        self._known: dict[str, Look] = {}
        self._begun = threading.Lock()

    def begin(self) -> None:
        """Start loading, once; returns at once."""
        if self._begun.acquire(blocking=False):
            threading.Thread(target=self._load, name="looks", daemon=True).start()

    def of(self, kind: str) -> Look:
        """The look of a method, plain when it is not (yet) known."""
        return self._known.get(kind) or Look(kind, kind.replace("-", " ").capitalize())

    def _load(self) -> None:
        try:
            with IMPORTS:
                from studio.engine.machine import this_hardware
                from studio.methods import registry

                this_hardware()  # it takes seconds, and the page asks for it first thing
                found = registry()
            for kind, cls in found.items():
                self._known[kind] = Look(kind, cls.title, cls.colour, cls.sentence, cls.usage, cls.ring, cls.readers)
        except Exception as error:  # the page must stand, and say it, even where the engine cannot be loaded
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self.ready.set()
