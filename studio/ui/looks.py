"""The only file that loads the methods behind the page's back (they need torch), and says how each looks."""

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from studio.store import write_text
from studio.ui.late import IMPORTS

BASE_COLOUR = "#858E91"
KEPT_IN = ".looks.json"  # in outputs: what the last start found, until this one has loaded the methods


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
    """What can be trained; before the methods are loaded it is what an ``outputs`` folder remembers of them."""

    def __init__(self, outputs: Path | None = None) -> None:
        self.ready = threading.Event()
        self.error = ""
        self._kept = outputs / KEPT_IN if outputs else None
        self._known = self._remembered()
        self._begun = threading.Lock()

    def begin(self) -> None:
        """Start loading, once; returns at once."""
        if self._begun.acquire(blocking=False):
            threading.Thread(target=self._load, name="looks", daemon=True).start()

    def of(self, kind: str) -> Look:
        """The look of a method, plain when it is not (yet) known."""
        return self._known.get(kind) or Look(kind, kind.replace("-", " ").capitalize())

    def _remembered(self) -> dict[str, Look]:
        try:
            kept = json.loads(self._kept.read_text(encoding="utf-8")) if self._kept else []
            return {one["kind"]: Look(**one) for one in kept}
        except (OSError, ValueError, TypeError, KeyError):  # there is none, or it is of another version
            return {}

    def _load(self) -> None:
        try:
            with IMPORTS:
                from studio.engine.machine import this_hardware
                from studio.methods import registry

                this_hardware()  # it takes seconds, and the page asks for it first thing
                found = registry()
            self._known = {
                kind: Look(kind, cls.title, cls.colour, cls.sentence, cls.usage, cls.ring, cls.readers)
                for kind, cls in found.items()
            }
            if self._kept and self._kept.parent.is_dir() and self._known != self._remembered():
                write_text(self._kept, json.dumps([asdict(look) for look in self._known.values()], ensure_ascii=False))
        except Exception as error:  # the page must stand, and say it, even where the engine cannot be loaded
            why = f"{type(error).__name__}: {error}"
            self.error = f"The engine cannot be loaded ({why}); start once with `--reinstall`."
        finally:
            self.ready.set()
