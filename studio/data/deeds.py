"""The only file that knows how the journal of a folder's captions lies on disk.

JSON lines: what will be done (`do` with each file's content before and after, `undo`, `redo`), flushed before any
caption is touched, and afterwards `end`, or `failed` where all was put back.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from studio.data.sidecar import CAPTION_ENDINGS
from studio.disk import flush_folder, write_text

LIMIT: Final = 32 * 2**20  # bytes; beyond, the oldest actions can no longer be taken back

Content = bytes | None  # of a file; None is no file


@dataclass
class Record:
    """An action with what it does to files, by their names below the folder: content before, content after."""

    number: int
    what: str
    when: float
    count: int
    group: str
    files: dict[str, tuple[Content, Content]]


@dataclass
class Log:
    """What a journal's lines add up to: actions that stand, actions taken back, and what was begun but not ended."""

    done: list[Record] = field(default_factory=list)
    undone: list[Record] = field(default_factory=list)
    begun: tuple[str, Record] | None = None  # do, undo or redo, of what, whose end is not told
    last: int = 0

    def take(self, said: Mapping[str, Any]) -> None:
        """Add one line; raises KeyError, TypeError or ValueError for one that is none."""
        if "do" in said:
            record = _record(said)
            self.begun, self.last = ("do", record), max(self.last, record.number)
        elif "undo" in said and self.done and self.done[-1].number == said["undo"]:
            self.begun = ("undo", self.done[-1])
        elif "redo" in said and self.undone and self.undone[-1].number == said["redo"]:
            self.begun = ("redo", self.undone[-1])
        elif "end" in said or "failed" in said:
            if self.begun and "end" in said:
                self._settle(*self.begun)
            self.begun = None

    def _settle(self, kind: str, record: Record) -> None:
        if kind == "undo":
            self.undone.append(self.done.pop())
        elif kind == "redo":
            self.done.append(self.undone.pop())
        else:
            self.undone.clear()
            before = self.done[-1] if self.done else None
            if before and record.group and before.group == record.group:
                files = {name: (before.files.get(name, pair)[0], pair[1]) for name, pair in record.files.items()}
                self.done[-1] = replace(before, count=before.count + record.count, files={**before.files, **files})
            else:
                self.done.append(record)


class Deeds:
    """A journal's file. Reading needs no lock, writing does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, int], Log] | None = None

    def log(self) -> Log:
        """What it says by now; a torn last line says nothing."""
        try:
            state = self._path.stat()
            if self._read is None or self._read[0] != (state.st_size, state.st_mtime_ns):
                data = self._path.read_bytes()
                log = Log()
                for line in data[: data.rfind(b"\n") + 1].splitlines():
                    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):  # garbled
                        log.take(json.loads(line))
                self._read = ((len(data), state.st_mtime_ns), log)
            return self._read[1]
        except FileNotFoundError:
            return Log()

    def begin(self, record: Record) -> None:
        """Say what will be done."""
        self._append(_line(record))

    def say(self, word: str, record: Record) -> None:
        """Say `undo`, `redo`, `end` or `failed` of an action."""
        self._append({word: record.number})

    def _append(self, said: Mapping[str, Any]) -> None:
        new = not self._path.exists()
        with open(self._path, "a+b") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            torn = file.read(1) not in (b"", b"\n")
            file.write((b"\n" if torn else b"") + json.dumps(said).encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if new:
            flush_folder(self._path.parent)
        self._read = None

    def shorten(self) -> None:
        """Forget the oldest actions, and what was taken back, where the file has become too long."""
        if self._path.stat().st_size <= LIMIT:
            return
        kept: list[str] = []
        room = LIMIT // 2
        for record in reversed(self.log().done):
            lines = f"{json.dumps(_line(record))}\n{json.dumps({'end': record.number})}\n"
            room -= len(lines)
            if kept and room < 0:
                break
            kept.append(lines)
        write_text(self._path, "".join(reversed(kept)))
        self._read = None


def _line(record: Record) -> dict[str, Any]:
    files = {name: [_text(before), _text(after)] for name, (before, after) in record.files.items()}
    return {
        "do": record.number, "what": record.what, "when": record.when, "count": record.count, "group": record.group,
        "files": files,
    }  # fmt: skip


def _record(said: Mapping[str, Any]) -> Record:
    """Raises ValueError for names that no caption of the folder has: a journal may come with somebody's dataset."""
    for name in said["files"]:
        path = Path(name)
        if path.is_absolute() or ".." in path.parts or path.suffix.lower() not in CAPTION_ENDINGS:
            raise ValueError(name)
    files = {str(name): (_bytes(before), _bytes(after)) for name, (before, after) in said["files"].items()}
    number, count = int(said["do"]), int(said["count"])
    return Record(number, str(said["what"]), float(said["when"]), count, str(said.get("group", "")), files)


def _text(content: Content) -> str | None:
    return None if content is None else content.decode("utf-8", "surrogateescape")  # whatever bytes there are


def _bytes(text: str | None) -> Content:
    return None if text is None else text.encode("utf-8", "surrogateescape")
