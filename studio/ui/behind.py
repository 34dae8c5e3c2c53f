"""The only file that finds out, behind the page's back, what each of several runs that are set up is like."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from studio.ui.late import libraries

Found = TypeVar("Found")
MOST = 64  # runs that wait to be looked at


class Behind(Generic[Found]):
    """Looks at one run after the other, those asked for last before all others, and remembers what it found."""

    def __init__(self, name: str, key: Callable[[Any], str], look: Callable[[Any, Found | None], Found]) -> None:
        """``key`` names all of a run that decides what is found; ``look`` finds it, given what was found before.

        ``look`` raises nothing. ``name`` is the thread's.
        """
        self._name, self._key, self._look = name, key, look
        self._lock = threading.Lock()
        self._known: dict[str, Found] = {}
        self._wanted: list[Any] = []
        self._working = False
        self._at = ""
        self._count = 0

    @property
    def count(self) -> int:
        """How often something new was found by now."""
        return self._count

    def of(self, specs: Sequence[Any], stale: Callable[[Found], bool] = lambda _: False) -> list[Found | None]:
        """What is known of each, None while it is worked out; what is ``stale`` is looked at again. Returns at once.

        What others asked for waits behind the newest.
        """
        keys = [self._key(spec) for spec in specs]
        with self._lock:
            known = [self._known.get(key) for key in keys]
            asked = {
                key: spec
                for key, spec, was in zip(keys, specs, known, strict=True)
                if key != self._at and (was is None or stale(was))
            }
            self._wanted = [*asked.values(), *(one for one in self._wanted if self._key(one) not in asked)][:MOST]
            if self._wanted and not self._working:
                self._working = True
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
            return known

    def _work(self) -> None:
        try:
            libraries()
        except BaseException:  # whoever asks next tries again
            with self._lock:
                self._working = False
            raise
        while True:
            with self._lock:
                if not self._wanted:
                    self._working = False
                    return
                spec = self._wanted.pop(0)
                self._at = key = self._key(spec)
                known = self._known.get(key)
            found = self._look(spec, known)
            with self._lock:
                self._count += found != known
                self._known[key] = found
                self._at = ""
