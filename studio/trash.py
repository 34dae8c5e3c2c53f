"""The only file that knows the trash of single files: what was thrown away waits there, until it is put back."""

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.disk import removed, write_text
from studio.errors import StoreError

KEPT_IN = ".trash-files"  # in outputs; hidden, so neither an experiment nor a file to call can have the name
NOTE = "was.json"
INSIDE = "what"


@dataclass(frozen=True)
class Thrown:
    """What waits in the trash: ``name`` calls it there, ``title`` is for people, ``places`` are where its files lay."""

    name: str
    title: str
    places: tuple[Path, ...]
    time: float
    size: int


class FileTrash:
    """The trash of one outputs folder for files; that for runs and experiments is `studio.ui.trash.RunTrash`."""

    def __init__(self, outputs: Path) -> None:
        self.path = outputs / KEPT_IN

    def put(self, paths: Sequence[Path], title: str) -> Thrown:
        """Throw away files and folders that belong together; raises StoreError when one of them cannot be moved."""
        found = [path.resolve() for path in paths if path.exists()]
        if not found:
            raise StoreError(f"There is nothing left of '{title}' to throw away.")
        name = f"{time.time_ns():x}"
        folder = self.path / name
        (folder / INSIDE).mkdir(parents=True)
        said = {"title": title, "places": [str(path) for path in found], "time": time.time()}
        write_text(folder / NOTE, json.dumps(said, ensure_ascii=False))
        moved: list[tuple[Path, Path]] = []
        try:
            for number, path in enumerate(found):
                _move(path, folder / INSIDE / str(number))
                moved.append((path, folder / INSIDE / str(number)))
        except OSError as error:
            for path, there in moved:
                os.replace(there, path)
            shutil.rmtree(folder, ignore_errors=True)
            raise StoreError(f"'{title}' cannot be thrown away: {error.strerror or error}.") from error
        return self._read(folder)

    def restore(self, name: str) -> Thrown:
        """Put something back where it was; raises StoreError when it is gone or its place is taken."""
        known = self._find(name)
        taken = next((place for place in known.places if place.exists()), None)
        if taken:
            raise StoreError(f"'{taken.name}' is there again already; rename or delete it, then restore this one.")
        for number, place in enumerate(known.places):
            there = self.path / name / INSIDE / str(number)
            if there.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                _move(there, place)
        removed(self.path / name)
        return known

    def found(self) -> list[Thrown]:
        """What waits here, the newest first."""
        folders = sorted(self.path.glob(f"*/{NOTE}"), reverse=True)
        return [self._read(note.parent) for note in folders]

    def empty(self) -> int:
        """Take everything away for good; returns the bytes that this frees."""
        found = self.found()
        for thrown in found:
            removed(self.path / thrown.name)
        return sum(thrown.size for thrown in found)

    def _find(self, name: str) -> Thrown:
        known = next((thrown for thrown in self.found() if thrown.name == name), None)
        if known is None:
            raise StoreError("It is no longer in the trash.")
        return known

    def _read(self, folder: Path) -> Thrown:
        try:
            said = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            said = {}
        size = sum(path.stat().st_size for path in (folder / INSIDE).rglob("*") if path.is_file())
        places = tuple(Path(place) for place in said.get("places", ()))
        return Thrown(folder.name, said.get("title", folder.name), places, said.get("time", 0.0), size)


def _move(path: Path, to: Path) -> None:
    """By name where both lie on one disk, else by a copy."""
    shutil.move(path, to)
