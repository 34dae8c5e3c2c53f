"""The only file that remembers what is known of files, so that an unchanged one is not read again."""

import contextlib
import hashlib
import json
import os
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from studio.data.image import MOST_BYTES, Unreadable, facts
from studio.data.names import shown
from studio.disk import write_text

SETTLED = 2.0  # seconds: a file that was younger when it was noted may since have changed within one tick of its clock


@dataclass(frozen=True)
class Facts:
    """A picture: the hash of its ``content``, ``width`` and ``height`` in pixels upright, whether it has ``alpha``."""

    content: str
    width: int
    height: int
    alpha: bool


@dataclass(frozen=True)
class _Noted:
    bytes: int
    changed: int  # nanoseconds since the epoch
    noted: float  # seconds
    content: str
    width: int
    height: int
    alpha: bool


class Ledger:
    """One JSON file per folder of pictures, under ``place``; whatever is wrong with it costs time alone."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._folders: dict[Path, dict[str, _Noted]] = {}
        self._changed: set[Path] = set()

    def facts(self, path: Path) -> Facts:
        """What a picture is: without reading it where its size and its time of change are as noted.

        Raises DataError when it is no picture; nothing but its header is decoded.
        """
        path = path.absolute()
        known = self._folder(path.parent)
        try:
            state = path.stat()
        except OSError as error:
            raise Unreadable(
                f"'{shown(path.name)}' cannot be read ({error.strerror}); replace or remove it."
            ) from error
        noted = known.get(path.name)
        settled = noted and noted.noted - noted.changed / 1e9 > SETTLED
        if noted is None or not settled or (noted.bytes, noted.changed) != (state.st_size, state.st_mtime_ns):
            now = time.time()
            content = _read(path, state.st_size)
            found = facts(content, path.name)
            digest = hashlib.sha256(content).hexdigest()
            noted = known[path.name] = _Noted(state.st_size, state.st_mtime_ns, now, digest, *found)
            self._changed.add(path.parent)
        return Facts(noted.content, noted.width, noted.height, noted.alpha)

    def keep(self) -> None:
        """Write down what is new, without files that are gone."""
        for folder in self._changed:
            there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
            notes = {name: astuple(noted) for name, noted in self._folders[folder].items() if name in there}
            write_text(self._file(folder), json.dumps(notes, separators=(",", ":")), durable=False)
        self._changed.clear()

    def _folder(self, folder: Path) -> dict[str, _Noted]:
        if folder not in self._folders:
            self._folders[folder] = {}
            with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
                said = json.loads(self._file(folder).read_text(encoding="utf-8"))
                self._folders[folder] = {name: _Noted(*noted) for name, noted in said.items()}
        return self._folders[folder]

    def _file(self, folder: Path) -> Path:
        return self._place / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:40]}.json"


def _read(path: Path, size: int) -> bytes:
    """All of a file that is not too large to be a picture; raises DataError."""
    if size > MOST_BYTES:
        raise Unreadable(f"'{shown(path.name)}' is larger than {MOST_BYTES // 2**20} MB; make it smaller or remove it.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"'{shown(path.name)}' cannot be read ({error.strerror}); replace or remove it.") from error
