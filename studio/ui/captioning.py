"""The only file that has captions found for the open folder: proposed in the background, kept until they are judged."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from studio.data.journal import Action
from studio.errors import DataError
from studio.ui import failing
from studio.ui.desk import Desk
from studio.ui.late import libraries

LABEL: Final = ":caption"  # no experiment can be called so


@dataclass
class Round:
    """One batch. ``state``: waiting, working, done, cancelled or failed; ``found`` are proposals that change something.

    ``off`` are pictures whose proposal shall not be written.
    """

    root: Path
    captioner: str = ""
    state: str = "waiting"
    done: int = 0
    total: int = 0
    found: list[Any] = field(default_factory=list)
    unread: list[Any] = field(default_factory=list)
    ended: Any = None
    error: str = ""
    off: set[Path] = field(default_factory=set)
    worded: int = 0
    """How often a proposal was put in other words."""
    batch: Any = None
    wish: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def busy(self) -> bool:
        """While it is at it."""
        return self.state in ("waiting", "working")

    @property
    def chosen(self) -> list[Any]:
        """What would be written."""
        return [one for one in self.found if one.path not in self.off]


@dataclass
class Fetching:
    """A captioner's files on their way. ``state``: running, done, failed or cancelled; bytes."""

    name: str
    state: str = "running"
    done: int = 0
    total: int = 0
    licence: str = ""
    error: str = ""
    errand: Any = None


class Captioning:
    """Starts rounds and downloads, one of each at a time, and remembers how they stand."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._rounds: dict[Path, Round] = {}
        self.fetching: Fetching | None = None

    def round(self, root: Path) -> Round | None:
        """The newest round in a folder, or what an earlier start of the program left proposed."""
        with self._lock:
            if root in self._rounds:
                return self._rounds[root]
        if not (root / ".crucible" / "proposed.jsonl").is_file():
            return None
        from studio.engine.captioning import proposals

        found = [one for one in proposals(root) if one.changes]
        if not found:
            return None
        with self._lock:
            return self._rounds.setdefault(root, Round(root, state="done", found=found, total=len(found)))

    def key(self, root: Path) -> tuple[Any, ...]:
        """Changes whenever there is something new to draw."""
        with self._lock:
            now = self._rounds.get(root)
        fetching = self.fetching
        told = (id(now), now.state, now.done, len(now.found), len(now.unread), len(now.off), now.worded) if now else ()
        return (*told, *((fetching.state, fetching.done) if fetching else ()))

    def start(self, root: Path, wish: Any, options: Mapping[str, Any]) -> Round:
        """Begin, or go on with, a round of ``wish`` (a CaptionSpec). Raises DataError while one is at it."""
        with self._lock:
            if any(one.busy for one in self._rounds.values()):
                raise DataError("Captions are being found already; wait for them, or cancel it.")
            now = self._rounds[root] = Round(root, wish.captioner, wish=wish, options=dict(options))
        from studio.captioners import captioner

        if captioner(wish.captioner).source is None:  # light, and on the processor: no training is disturbed
            threading.Thread(target=_drained, args=(now, wish, options), name="caption", daemon=True).start()
        else:
            self._desk.worker.submit(LABEL, lambda _: _worked(now, wish, options))
        return now

    def cancel(self, root: Path) -> None:
        """End the round after the pictures in hand; what was found stays."""
        now = self._rounds.get(root)
        if now:
            now.cancelled.set()
            if now.batch:
                now.batch.cancelled.set()
            if now.state == "waiting":
                now.state = "cancelled"

    def accept(self, root: Path, what: str) -> Action | None:
        """Write what was proposed and not put aside, as one action."""
        from studio.engine.captioning import accept

        now = self.round(root)
        if now is None or now.busy or not now.chosen:
            return None
        action = accept(root, now.chosen, what=what)
        self._forget(root)
        return action

    def reword(self, root: Path, path: Path, text: str) -> None:
        """Propose ``text`` for a picture in place of what was found; kept as that is. Raises StoreError."""
        from studio.engine.proposals import Draft

        now = self.round(root)
        at = next((number for number, one in enumerate(now.found) if one.path == path), None) if now else None
        if now is None or at is None or not text.strip() or text.strip() == now.found[at].new:
            return
        now.found[at] = replace(now.found[at], new=text.strip())
        now.worded += 1
        if (root / ".crucible" / "proposed.jsonl").is_file():  # of what cannot be written nothing is kept
            Draft(root).add([now.found[at]])

    def drop(self, root: Path) -> None:
        """Forget what was proposed."""
        from studio.engine.captioning import drop

        self.cancel(root)
        drop(root)
        self._forget(root)

    def _forget(self, root: Path) -> None:
        with self._lock:
            self._rounds.pop(root, None)

    # -- downloads -----------------------------------------------------------------------------------------------------

    def fetch(self, name: str) -> None:
        """Bring a captioner's files; raises CrucibleError while others come."""
        from studio.engine.captioning import fetch

        with self._lock:
            if self.fetching and self.fetching.state == "running":
                raise DataError("A captioner is being downloaded already; wait for it, or cancel it.")
            errand = fetch(name)
            if errand is None:
                return
            now = self.fetching = Fetching(name, errand=errand)
        threading.Thread(target=_fetched, args=(now,), name="fetch captioner", daemon=True).start()

    def fetch_cancel(self) -> None:
        """End the download; what has arrived stays."""
        if self.fetching and self.fetching.state == "running":
            self.fetching.errand.cancel()


def _fetched(now: Fetching) -> None:
    for line in now.errand:
        if line["kind"] == "found":
            now.total, now.done, now.licence = line["size"], line["size"] - line["missing"], line["licence"]
        elif line["kind"] == "progress":
            now.total, now.done = line["total"], line["done"]
        elif line["kind"] == "done":
            now.state = "done"
        else:
            now.error, now.state = line["text"], "cancelled" if now.errand.cancelled else "failed"


def _drained(now: Round, wish: Any, options: Mapping[str, Any]) -> None:
    for _ in _worked(now, wish, options):
        pass


def _worked(now: Round, wish: Any, options: Mapping[str, Any]) -> Iterator[object]:
    """Find captions, and keep how far it is."""
    if now.cancelled.is_set():
        return
    now.state = "working"
    try:
        libraries()
        yield from _proposed(now, wish, options)
        now.state = "cancelled" if now.cancelled.is_set() else "done"
    except Exception as error:  # the page must stand, and say it
        now.state, now.error = "failed", failing.sentence(error)
    finally:
        if now.state == "working":
            now.state = "cancelled"


def _proposed(now: Round, wish: Any, options: Mapping[str, Any]) -> Iterator[object]:
    from studio.engine.captioning import Batch, Ended, Looked, Unread, ready

    now.batch = Batch(now.root, wish, ready(wish.captioner, options))
    yield now
    if now.cancelled.is_set():
        return
    for told in now.batch.propose():
        if isinstance(told, Looked):
            now.done, now.total = told.done, told.total
        elif isinstance(told, Ended):
            now.ended = told
        elif isinstance(told, Unread):
            now.unread.append(told)
        elif told.changes:
            now.found.append(told)
        yield now
