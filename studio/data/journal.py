"""The only file that writes captions beside pictures, in actions that can be taken back, also after a restart."""

import contextlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from studio.data.deeds import Content, Deeds, Log, Record
from studio.data.hidden import HIDDEN, embedded
from studio.data.names import listed, shown
from studio.data.sidecar import CAPTION_ENDINGS, LONGEST, TABLES, read_words, tidied
from studio.disk import DRAFT, flush_folder
from studio.environment import try_lock
from studio.errors import DataError, StoreError

NAME: Final = "captions.jsonl"
OURS: Final = re.compile(rf"{re.escape(DRAFT)}\d+-\d+")  # a draft of a caption
PATIENCE: Final = 30.0  # seconds to wait while another window or program changes captions


@dataclass(frozen=True)
class Action:
    """A change of captions: ``what`` it was, ``when`` (seconds since the epoch), of ``count`` pictures.

    ``number`` is 0 where nothing had to change. ``left`` names what something else had changed meanwhile, and which
    was therefore left as it is.
    """

    number: int
    what: str
    when: float
    count: int
    undone: bool = False
    left: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """One sentence about what was left as it is; nothing where all was done."""
        if not self.left:
            return ""
        return f"{listed(self.left)} changed meanwhile and stayed as found; look there and change them by hand."


class Journal:
    """The captions of one folder: changed in actions, each of which can be taken back. Windows may share a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(os.path.abspath(folder))
        self._place = self._folder / HIDDEN
        self._deeds = Deeds(self._place / NAME)
        if self._deeds.log().begun:  # somebody was killed, or is at work just now
            with contextlib.suppress(OSError, StoreError), self._locked(patience=0):
                pass

    def actions(self) -> tuple[Action, ...]:
        """What can be taken back, and after it what was taken back and can be done again (``undone``); newest last."""
        log = self._deeds.log()
        return (*(_told(r) for r in log.done), *(_told(r, undone=True) for r in reversed(log.undone)))

    def write(
        self,
        changes: Mapping[Path, str | None],
        what: str,
        *,
        was: Mapping[Path, str | None] | None = None,
        group: str = "",
    ) -> Action:
        """Give pictures new captions, None taking theirs away, as one action called ``what``.

        A caption goes into the file beside the picture, which keeps its ending and its line ends; one from
        metadata.jsonl or metadata.csv gets a file, which counts before those. ``was`` is what the captions were when
        the change was thought of: a picture that has another one by now is left alone. Writes with the same ``group``
        that follow one another are one action. Raises DataError for what cannot be a caption or is no picture of this
        folder, StoreError when a file cannot be written; then no caption has changed.
        """
        with self._locked() as log:
            files, count, left = self._planned(changes, was or {})
            record = Record(log.last + 1, what, time.time(), count, group, files)
            if not files:
                return replace(_told(record, left=left), number=0)
            self._deeds.begin(record)
            left += self._carried(record, forward=True)
            self._deeds.shorten()
        return _told(record, left=left)

    def undo(self) -> Action | None:
        """Take the newest action back; None where there is none. A file that changed since stays: see Action.left."""
        with self._locked() as log:
            if not log.done:
                return None
            record = log.done[-1]
            self._deeds.say("undo", record)
            return _told(record, undone=True, left=self._carried(record, forward=False))

    def redo(self) -> Action | None:
        """Do again what was taken back last; None where there is nothing."""
        with self._locked() as log:
            if not log.undone:
                return None
            record = log.undone[-1]
            self._deeds.say("redo", record)
            return _told(record, left=self._carried(record, forward=True))

    # -- what will be in which file -----------------------------------------------------------------------------------

    def _planned(
        self, changes: Mapping[Path, str | None], was: Mapping[Path, str | None]
    ) -> tuple[dict[str, tuple[Content, Content]], int, tuple[str, ...]]:
        files: dict[str, tuple[Content, Content]] = {}
        owner: dict[str, Path] = {}
        left = []
        for picture, text in changes.items():
            path = self._within(picture)
            if not os.path.isfile(path) or (picture in was and not self._says(path, was[picture])):
                left.append(path.name)
                continue
            for sidecar, after in _targets(path, text, self._folder):
                name = sidecar.relative_to(self._folder).as_posix()
                if name in files and files[name][1] != after:
                    both = listed((owner[name].name, path.name))
                    raise DataError(f"{both} share a caption file, '{shown(sidecar.name)}'; rename one of them.")
                before = _content(sidecar)
                if before != after:
                    files[name], owner[name] = (before, after), path
        return files, len(set(owner.values())), tuple(left)

    def _says(self, picture: Path, caption: str | None) -> bool:
        """Whether the caption of ``picture`` is still ``caption``, which may be a table's where no file lies beside."""
        beside = _beside(picture)
        if not beside:
            return not caption or _tabled(picture, self._folder)
        return read_words(beside[0]).text == tidied(caption or "")

    def _within(self, picture: Path) -> Path:
        path = Path(os.path.abspath(picture))
        if not path.is_relative_to(self._folder):
            path = Path(os.path.realpath(picture))
            below = os.path.realpath(self._folder)
            if not path.is_relative_to(below):
                raise DataError(
                    f"'{shown(path.name)}' does not lie in '{self._folder.name}'; choose the folder that it is in."
                )
            path = self._folder / path.relative_to(below)
        return path

    # -- doing it -----------------------------------------------------------------------------------------------------

    def _carried(self, record: Record, forward: bool, torn: bool = False) -> tuple[str, ...]:
        """Bring the files from one state to the other, and note the end; returns the names of those found in neither.

        ``torn``: the machine may have died, and a file have lost its content.
        """
        left, moved = [], []
        try:
            for name, pair in record.files.items():
                source, target = pair if forward else pair[::-1]
                path = self._folder / name
                now = _content(path)
                if now == target:
                    continue
                if now != source and not (torn and now is not None and not now.strip(b"\0")):
                    left.append(path.name)
                    continue
                _put(path, target)
                moved.append((path, now))
            _flush([path for path, _ in moved])
        except OSError as error:
            for path, before in reversed(moved):
                _put(path, before)  # raising here leaves the action to the next opening
            self._deeds.say("failed", record)
            raise StoreError(
                f"'{self._folder}' could not be written ({error.strerror}); no caption was changed; try again."
            ) from error
        self._deeds.say("end", record)
        return tuple(left)

    @contextlib.contextmanager
    def _locked(self, patience: float = PATIENCE) -> Iterator[Log]:
        """One at a time, and with what a killed one began brought to its end."""
        if embedded(self._folder):
            raise DataError("The example's captions stay as they are; copy its folder to change them.")
        try:
            self._place.mkdir(exist_ok=True)
            with open(self._place / "lock", "a+b") as file:
                self._wait(file.fileno(), patience)
                log = self._deeds.log()
                if log.begun:
                    kind, record = log.begun
                    _sweep({(self._folder / name).parent for name in record.files})
                    self._carried(record, forward=kind != "undo", torn=True)
                    log = self._deeds.log()
                yield log
        except OSError as error:
            raise StoreError(
                f"'{self._folder}' cannot be written ({error.strerror}); give yourself the right to, or copy it."
            ) from error

    def _wait(self, handle: int, patience: float) -> None:
        end = time.monotonic() + patience
        while not try_lock(handle):
            if time.monotonic() < end:
                time.sleep(0.01)
                continue
            with tempfile.TemporaryFile(dir=self._place) as probe:
                if not try_lock(probe.fileno()):
                    return  # a file system that knows no locks
            raise StoreError(
                f"The captions of '{self._folder.name}' are being changed elsewhere; try again afterwards."
            )


def _told(record: Record, undone: bool = False, left: tuple[str, ...] = ()) -> Action:
    return Action(record.number, record.what, record.when, record.count, undone, left)


def _targets(picture: Path, text: str | None, folder: Path) -> list[tuple[Path, Content]]:
    """The caption files of ``picture`` that change, with their new content."""
    beside = _beside(picture)
    first = beside[0] if beside else picture.with_suffix(CAPTION_ENDINGS[0])
    if text is None:  # an empty file hides the table's caption
        return [(first, b"")] if _tabled(picture, folder) else [(path, None) for path in beside]
    old = _content(first) or b""
    end = "\r\n" if b"\r\n" in old else "\n"
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + ("\n" if old.endswith(b"\n") else "")
    try:
        content = lines.replace("\n", end).encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"The caption of '{shown(picture.name)}' holds half a character; type it anew.") from error
    if len(content) > LONGEST:
        raise DataError(f"The caption of '{shown(picture.name)}' is too long ({len(content)} bytes); shorten it.")
    return [(first, content)]


def _beside(picture: Path) -> list[Path]:
    """The caption files of a picture, the one that counts first; os.path knows that a name may be too long."""
    names = [ending for low in CAPTION_ENDINGS for ending in (low, low.upper())]
    return [path for path in map(picture.with_suffix, names) if os.path.isfile(path)]


def _tabled(picture: Path, folder: Path) -> bool:
    """Whether a table of captions lies where it can speak of ``picture``."""
    above = [place for place in picture.parents if place.is_relative_to(folder)]
    return any((place / name).is_file() for place in above for name in TABLES)


def _content(path: Path) -> Content:
    return path.read_bytes() if os.path.isfile(path) else None


def _put(path: Path, content: Content) -> None:
    """Replace or remove a file; a crash leaves the old or the new content. Not flushed yet."""
    if content is None:
        path.unlink(missing_ok=True)
        return
    draft = path.with_name(f"{DRAFT}{os.getpid()}-{threading.get_ident()}")  # as long a name as the picture's may be
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _flush(paths: list[Path]) -> None:
    """Make files and their names last through a power cut."""
    for path in paths:
        if path.is_file():
            with open(path, "rb+") as file:
                os.fsync(file.fileno())
    for folder in {path.parent for path in paths}:
        flush_folder(folder)


def _sweep(folders: set[Path]) -> None:
    """Remove drafts that somebody who was killed left behind."""
    for folder in folders:
        for draft in folder.glob(f"{DRAFT}*"):
            if OURS.fullmatch(draft.name):
                draft.unlink(missing_ok=True)
