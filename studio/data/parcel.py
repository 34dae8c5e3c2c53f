"""The only file that opens what a user brings - a file, a folder or a zip - and names what is in it, safely."""

import contextlib
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Final

from studio.data.listing import JUNK, Listing, is_file, walk
from studio.data.names import repeats_of, shown
from studio.errors import DataError

MOST_FILES: Final = 200_000
FAULTS: Final = (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile, zlib.error)
"""What reading a file that was brought may raise."""
_OUT: Final = "Its name leads out of the folder."
_UTF8: Final = 0x800  # a zip entry's flag
_LOCKED: Final = 0x1


@dataclass(frozen=True, eq=False)
class Item:
    """A file that was brought: its ``name`` inside the parcel, its ``size`` in bytes unpacked, and how to open it."""

    name: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]


@dataclass(frozen=True)
class Sent:
    """A file that a browser sent: where it lies now, and its ``name`` in what was dropped, folders before it."""

    path: Path
    name: str


@dataclass
class Parcel:
    """The files of one source, and those that cannot be taken with the reason; ``loose`` is one file of several."""

    items: list[Item] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    loose: bool = False


@contextlib.contextmanager
def opened(source: Path | Sent) -> Iterator[Parcel]:
    """The parcel behind ``source``; its items can be opened until the end. Raises DataError for no such thing."""
    if isinstance(source, Sent):
        if source.path.suffix.lower() != ".zip":
            yield _of_sent(source)
            return
        source = source.path
    if source.is_dir():
        yield _of_folder(source)
    elif source.is_file() and source.suffix.lower() == ".zip":
        try:
            packed = zipfile.ZipFile(source)
        except FAULTS as error:
            raise DataError(f"'{shown(source.name)}' is no zip, or a damaged one; pack it again.") from error
        with packed:
            yield _of_zip(packed, source.name)
    elif source.is_file():
        item = Item(PurePosixPath(source.name), source.stat().st_size, _opener(source))
        yield Parcel([item], loose=True)
    else:
        raise DataError(f"'{shown(source.name)}' is no file and no folder; choose pictures, a folder or a zip.")


def _of_folder(folder: Path) -> Parcel:
    """A folder named N_name, as kohya's scripts have them, keeps its name; of any other only the inside comes."""
    within = folder.parent if repeats_of([folder.name]) > 1 else folder
    parcel, left = Parcel(), Listing()
    for place, entries in walk(folder, left):
        for entry in entries:
            path = place / entry.name
            name = PurePosixPath(path.relative_to(within).as_posix())
            if not is_file(entry):
                parcel.refused.append((name.as_posix(), "It is a pipe, a device or a link that leads nowhere."))
            else:
                parcel.items.append(Item(name, entry.stat().st_size, _opener(path)))
    parcel.refused += [(path.relative_to(within).as_posix(), why) for path, why in left.left.items()]
    return parcel


def _of_sent(source: Sent) -> Parcel:
    """Of a dropped folder only the inside comes, unless it is named N_name, as in `_of_folder`."""
    name = inside(source.name)
    if name is None:
        return Parcel(refused=[(source.name, _OUT)], loose=True)
    if any(part.startswith(".") or part in JUNK for part in name.parts):
        return Parcel(loose=True)
    parts = name.parts
    kept = parts if len(parts) < 2 or repeats_of([parts[0]]) > 1 else parts[1:]
    return Parcel([Item(PurePosixPath(*kept), source.path.stat().st_size, _opener(source.path))], loose=True)


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: open(path, "rb")


def _of_zip(packed: zipfile.ZipFile, called: str) -> Parcel:
    entries = [entry for entry in packed.infolist() if not entry.is_dir()]
    if len(entries) > MOST_FILES:
        raise DataError(f"'{shown(called)}' holds {len(entries)} files, more than {MOST_FILES}; pack less.")
    parcel = Parcel()
    for entry in entries:
        text = _spelt(entry)
        name = inside(text)
        if name is None:
            parcel.refused.append((text, _OUT))
        elif any(part.startswith(".") or part in JUNK for part in name.parts):
            continue  # hidden files are no part of any dataset
        elif stat.S_ISLNK(entry.external_attr >> 16):
            parcel.refused.append((text, "It is a link and no file."))
        elif entry.flag_bits & _LOCKED:
            parcel.refused.append((text, "It is locked by a password."))
        else:
            parcel.items.append(Item(name, entry.file_size, _unpacker(packed, entry)))
    return parcel


def _unpacker(packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: packed.open(entry)


def _spelt(entry: zipfile.ZipInfo) -> str:
    """A zip's name for a file: where it does not say UTF-8, programs in China mean GBK, and others UTF-8 as well."""
    if entry.flag_bits & _UTF8:
        return entry.filename
    raw = entry.filename.encode("cp437", "replace")
    for codec in ("utf-8", "gb18030"):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(codec)
    return entry.filename


def inside(text: str, windows: bool = os.name == "nt") -> PurePosixPath | None:
    """The name ``text`` means below a folder; None where it leads out of it. On ``windows`` it is made legal there."""
    parts = text.replace("\\", "/").split("/")
    if text.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", text) or "\0" in text:
        return None
    kept = [_legal(part) if windows else part for part in parts if part not in ("", ".")]
    return PurePosixPath(*kept) if kept and all(kept) else None


def _legal(part: str) -> str:
    part = re.sub(r'[<>:"|?*\x00-\x1f]', "_", part).rstrip(". ")
    return f"_{part}" if re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)", part) else part
