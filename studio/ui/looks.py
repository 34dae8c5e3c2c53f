"""The only file that loads the methods behind the page's back (they need torch), and says how each looks."""

import threading
from dataclasses import dataclass
from typing import Any

BASE_COLOUR = "#858E91"


@dataclass(frozen=True)
class Look:
    """How a method is named and coloured on the page, and which preset trains it on the starter."""

    kind: str
    title: str
    colour: str = BASE_COLOUR
    sentence: str = ""
    usage: str = ""
    preset: str = ""
    steps: int = 0


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

    def trainable(self) -> list[Look]:
        """The methods that have a preset for the starter, gentle ones first."""
        return sorted((look for look in self._known.values() if look.preset), key=lambda look: _order(look.kind))

    def _load(self) -> None:
        try:
            from studio.methods import registry
            from studio.spec import presets

            made: dict[str, Any] = {}
            for preset in presets():
                if preset.family == "starter":
                    spec = preset.spec()
                    made.setdefault(spec.method.kind, (preset.name, spec.schedule.steps))
            for kind, cls in registry().items():
                name, steps = made.get(kind, ("", 0))
                self._known[kind] = Look(kind, cls.title, cls.colour, cls.sentence, cls.usage, name, steps)
        except Exception as error:  # the page must stand, and say it, even where the engine cannot be loaded
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self.ready.set()


def _order(kind: str) -> int:
    gentle = ("textual-inversion", "hypernetwork", "lora")
    return gentle.index(kind) if kind in gentle else len(gentle) + (kind in ("dreambooth", "full"))
