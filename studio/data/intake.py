"""The only file that brings files, folders and zips into a dataset's folder, where nothing is ever written over."""

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from studio.data.hidden import embedded
from studio.data.listing import ENDINGS, FOREIGN, MASK, NOT_READ
from studio.data.names import key, shown
from studio.data.parcel import FAULTS, Item, Parcel, Sent, opened
from studio.data.sidecar import CAPTION_ENDINGS, LARGEST, TABLES, parsed_table
from studio.disk import DRAFT, guarded
from studio.errors import DataError
from studio.events import Progress

LIMIT: Final = 32 * 2**30  # bytes that one import may bring, unpacked
FREE: Final = 2**30  # bytes that must stay free: training needs room, too
TAKEN_NAME: Final = "A file of its name is there already, and nothing is written over."


@dataclass(frozen=True)
class Refused:
    """A file that was not taken, and why, one sentence."""

    name: str
    reason: str


@dataclass
class Taken:
    """What an import did: new names in the folder, by the names they came with, and what was not taken.

    Where several files came under one name, all but the first have a number behind it.
    """

    folder: str
    taken: dict[str, str] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def pictures(self) -> int:
        """How many of what was taken are pictures."""
        return sum(1 for name in self.taken.values() if PurePosixPath(name).suffix.lower() in ENDINGS)


def take(sources: Sequence[Path | Sent], folder: Path, limit: int = LIMIT) -> Iterator[Progress | Taken]:
    """Copy ``sources`` - files, folders, zips - into ``folder``, which is made; yields how far it is, and the result.

    Of what a browser sent the names come with it. Nested names stay, a caption and a mask go with their picture, and
    what would take the place of something gets another name. What a metadata.jsonl or metadata.csv says is written
    beside the pictures. Raises DataError when the folder cannot be written or ``limit`` bytes would be exceeded, before
    anything is copied.
    """
    if embedded(folder):
        raise DataError("The embedded example stays as it is; choose or name a folder of your own.")
    result = Taken(str(folder))
    with contextlib.ExitStack() as stack:
        parcels = [stack.enter_context(opened(source)) for source in sources]
        loose = Parcel([item for parcel in parcels if parcel.loose for item in parcel.items])
        batches = [_Batch(parcel, result) for parcel in (loose, *(one for one in parcels if not one.loose))]
        result.refused += [Refused(shown(name), why) for parcel in parcels for name, why in parcel.refused]
        total = sum(batch.size for batch in batches)
        _room(folder, total, limit)
        files = sum(len(items) for batch in batches for _, items in batch.groups)
        done = 0
        yield Progress(stage="importing", done=0, total=files)
        with guarded(folder):
            shelf = _Shelf(folder)
            for batch in batches:
                for group in batch.groups:
                    _bring(group, batch, shelf, result)
                    done += len(group[1])
                    yield Progress(stage="importing", done=done, total=files)
    yield result


class _Batch:
    """The files of one source, sorted into groups: a picture, its caption and its mask."""

    def __init__(self, parcel: Parcel, result: Taken) -> None:
        self.tables: dict[str, str] = {}
        sorted_items: dict[tuple[str, str], list[Item]] = {}
        pictures = {(item.name.parent.as_posix(), item.name.stem) for item in parcel.items if _is_picture(item)}
        for item in parcel.items:
            ending = item.name.suffix.lower()
            if item.name.name in TABLES:
                self._read(item, result)
            elif ending in ENDINGS or ending in CAPTION_ENDINGS:
                place, stem = item.name.parent.as_posix(), item.name.stem
                of = stem[: -len(MASK)] if stem.lower().endswith(MASK) and ending == ".png" else stem
                sorted_items.setdefault((place, of if (place, of) in pictures else stem), []).append(item)
            else:
                reason = NOT_READ if ending in FOREIGN else "It is no picture, caption or mask."
                result.refused.append(Refused(shown(item.name.as_posix()), reason))
        self.groups = [
            (stem, part) for (_, stem), items in sorted_items.items() for part in _apart(stem, items, result)
        ]
        self.size = sum(item.size for _, items in self.groups for item in items)

    def _read(self, item: Item, result: Taken) -> None:
        try:
            if item.size > LARGEST:
                raise ValueError("it is too large")
            with item.open() as file:
                table = parsed_table(item.name.name, file.read())
        except FAULTS as error:
            result.refused.append(Refused(shown(item.name.as_posix()), f"It cannot be read ({error})."))
            return
        result.notes += table.problems
        for name, text in table.captions.items():
            self.tables[key((item.name.parent / name).as_posix())] = text
        result.notes.append(f"The captions of '{shown(item.name.as_posix())}' are written beside their pictures.")


def _apart(stem: str, items: list[Item], result: Taken) -> list[list[Item]]:
    """Files of one name, as uploads from several folders and some zips have them: the first of each, the second, ...

    Which of the pictures called ``stem`` a caption or a mask belongs to is known only where all of them have one.
    """
    often = Counter(item.name.name for item in items)
    pictures = max((often[item.name.name] for item in items if _is_picture(item) and item.name.stem == stem), default=0)
    parts: list[list[Item]] = [[] for _ in range(max(often.values()))]
    turn: Counter[str] = Counter()
    for item in items:
        name = item.name.name
        beside = item.name.stem != stem or item.name.suffix.lower() in CAPTION_ENDINGS
        if beside and pictures and often[name] != pictures:
            result.refused.append(Refused(shown(item.name.as_posix()), TAKEN_NAME))
            continue
        parts[turn[name]].append(item)
        turn[name] += 1
    return [part for part in parts if part]


class _Shelf:
    """What lies in the folder already, by place and stem: file systems may not tell capitals apart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stems: dict[Path, set[str]] = {}

    def stems(self, place: Path) -> set[str]:
        """The stems of a folder, comparable."""
        if place not in self._stems:
            there = os.listdir(place) if place.is_dir() else []
            self._stems[place] = {_alike(Path(name).stem) for name in there if not name.startswith(".")}
        return self._stems[place]

    def free(self, place: Path, stem: str) -> str:
        """``stem``, or the first of its numbers that nothing here has; it is then taken."""
        number, name = 2, stem
        while _alike(name) in self.stems(place):
            name, number = f"{stem}-{number}", number + 1
        self.stems(place).add(_alike(name))
        return name


def _bring(group: tuple[str, list[Item]], batch: _Batch, shelf: _Shelf, result: Taken) -> None:
    """Copy a picture with what belongs to it, or a caption to the picture that waits for it."""
    old, items = group
    place = shelf.folder / items[0].name.parent
    pictures = [item for item in items if _is_picture(item) and item.name.stem == old]
    if old.lower().endswith(MASK) and _alike(old[: -len(MASK)]) in shelf.stems(place):
        pictures = []  # a mask alone, for a picture that is there
    if pictures and all(_same(item, place / item.name.name) for item in pictures):
        result.refused += [Refused(shown(item.name.as_posix()), "It is there already.") for item in pictures]
        items = [item for item in items if item not in pictures]
        pictures = []
    if not pictures:
        for item in items:
            if why := _unwanted(item, place, shelf):
                result.refused.append(Refused(shown(item.name.as_posix()), why))
            else:
                _copy(item, place / item.name.name, result, shelf.folder)
        return
    new = shelf.free(place, old)
    for item in items:
        _copy(item, place / f"{new}{item.name.name[len(old) :]}", result, shelf.folder)
    said = batch.tables.get(key(pictures[0].name.as_posix()))
    if said and not any(item.name.suffix.lower() in CAPTION_ENDINGS for item in items):
        try:
            (place / f"{new}.txt").write_text(said + "\n", encoding="utf-8", newline="\n")
        except OSError as error:
            why = f"It cannot be copied ({error.strerror})."
            result.refused.append(Refused(shown(f"{pictures[0].name.with_suffix('.txt')}"), why))


def _unwanted(item: Item, place: Path, shelf: _Shelf) -> str:
    """Why a caption or mask that comes without its picture is not taken; nothing where that picture waits for it."""
    if (place / item.name.name).exists():
        return TAKEN_NAME
    stem = item.name.stem[: -len(MASK)] if _is_mask(item) else item.name.stem
    return "" if _alike(stem) in shelf.stems(place) else "Its picture is not there."


def _is_mask(item: Item) -> bool:
    return item.name.stem.lower().endswith(MASK) and item.name.suffix.lower() == ".png"


def _is_picture(item: Item) -> bool:
    return item.name.suffix.lower() in ENDINGS


def _alike(stem: str) -> str:
    return key(stem).casefold()


def _same(item: Item, path: Path) -> bool:
    """Whether the file ``path`` is there with the same content."""
    try:
        if not path.is_file() or path.stat().st_size != item.size:
            return False
        with item.open() as new, open(path, "rb") as old:
            while block := new.read(2**20):
                if block != old.read(len(block)):
                    return False
        return True
    except FAULTS:
        return False


def _room(folder: Path, total: int, limit: int) -> None:
    """Raises DataError where ``total`` bytes are more than may come, or than there is room for."""
    if total > limit:
        raise DataError(
            f"Unpacked this is {total / 2**30:.1f} GB, more than {limit / 2**30:.1f} GB; bring less at once."
        )
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    if total + FREE > free:
        raise DataError(f"This needs {total / 2**30:.1f} GB and {free / 2**30:.1f} GB are free; make room first.")


def _copy(item: Item, target: Path, result: Taken, folder: Path) -> None:
    """Whole or not at all; what fails is refused with the system's reason."""
    draft = target.with_name(f"{DRAFT}{os.getpid()}-import")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with item.open() as source, open(draft, "wb") as file:
            shutil.copyfileobj(source, file, 2**20)
        os.rename(draft, target)
    except FAULTS as error:
        draft.unlink(missing_ok=True)
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        result.refused.append(Refused(shown(item.name.as_posix()), f"It cannot be copied ({why})."))
        return
    name, number = item.name.as_posix(), 2
    while name in result.taken:
        name, number = f"{item.name.as_posix()} ({number})", number + 1
    result.taken[name] = target.relative_to(folder).as_posix()
