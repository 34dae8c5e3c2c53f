"""The only file that walks through a dataset's folder and tells pictures, masks, captions and tables apart."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from studio.data.names import natural
from studio.data.sidecar import CAPTION_ENDINGS, TABLES
from studio.errors import DataError

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"})
FOREIGN: Final = frozenset(
    {".heic", ".heif", ".jxl", ".jp2", ".psd", ".svg", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2"}
)  # pictures, but of kinds that are not read here
MASK: Final = "-mask"
NOT_READ: Final = "It is a kind of picture that is not read here; save it as PNG or JPEG."
NO_FILE: Final = "It is a pipe, a device or a link that leads nowhere; replace it by the picture itself."
CLOSED: Final = "This folder cannot be opened; give yourself the right to read it."
JUNK: Final = frozenset({"__MACOSX", "$RECYCLE.BIN", "System Volume Information"})


@dataclass
class Listing:
    """What lies in a folder. ``left`` names what looks like pictures and cannot be any, each with the reason."""

    pictures: list[Path] = field(default_factory=list)
    """In the order a person counts."""
    masks: dict[Path, Path] = field(default_factory=dict)
    """name-mask.png, by its picture."""
    captions: dict[Path, Path] = field(default_factory=dict)
    """name.txt or name.caption, by its picture."""
    tables: list[Path] = field(default_factory=list)
    left: dict[Path, str] = field(default_factory=dict)


def listing(folder: Path) -> Listing:
    """Look through ``folder`` and every folder in it, hidden ones left out; no file is opened.

    A link to a folder is followed, to each folder once. Raises DataError when ``folder`` itself cannot be opened.
    """
    found = Listing()
    for place, entries in walk(folder, found):
        _sort(place, entries, found)
    found.pictures.sort(key=lambda path: natural(str(path)))
    return found


def walk(folder: Path, found: Listing) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """Each folder once with what in it is no folder, hidden names left out; what cannot be opened is in ``found``."""
    seen: set[tuple[int, int]] = set()
    plain, linked = [folder], list[Path]()  # what is really there comes first: links are names for the rest
    while plain or linked:
        place = plain.pop() if plain else linked.pop(0)
        try:
            state = os.stat(place)
            if (state.st_dev, state.st_ino) in seen:
                continue
            seen.add((state.st_dev, state.st_ino))
            with os.scandir(place) as entries:
                shown = [
                    entry
                    for entry in sorted(entries, key=_name)
                    if not entry.name.startswith(".") and entry.name not in JUNK
                ]
        except OSError as error:
            if place == folder:
                raise DataError(f"'{folder}' cannot be opened ({error.strerror}); choose another folder.") from error
            found.left[place] = CLOSED
            continue
        files = []
        for entry in shown:
            if _is_folder(entry):
                (linked if entry.is_symlink() else plain).append(place / entry.name)
            else:
                files.append(entry)
        yield place, files


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link into itself
        return False


def is_file(entry: os.DirEntry[str]) -> bool:
    """Whether there is content to read: no pipe, no device, no link that leads nowhere."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _sort(place: Path, entries: list[os.DirEntry[str]], found: Listing) -> None:
    """Put the files of one folder where they belong."""
    files: list[tuple[str, str, str]] = []
    for entry in entries:
        stem, ending = os.path.splitext(entry.name)
        if is_file(entry):
            files.append((stem, ending.lower(), entry.name))
        elif ending.lower() in ENDINGS:
            found.left[place / entry.name] = NO_FILE
    found.tables += [place / name for _, _, name in files if name in TABLES]
    stems = {stem for stem, ending, _ in files if ending in ENDINGS}
    masks = {stem[: -len(MASK)]: name for stem, ending, name in files if is_mask_of(stem, ending, stems)}
    beside = {(stem, ending): name for stem, ending, name in files if ending in CAPTION_ENDINGS}
    for stem, ending, name in files:
        if ending in FOREIGN and stem not in stems:
            found.left[place / name] = NOT_READ
        if ending not in ENDINGS or is_mask_of(stem, ending, stems):
            continue
        picture = place / name
        found.pictures.append(picture)
        if stem in masks:
            found.masks[picture] = place / masks[stem]
        if caption := next((beside[stem, end] for end in CAPTION_ENDINGS if (stem, end) in beside), None):
            found.captions[picture] = place / caption


def is_mask_of(stem: str, ending: str, stems: set[str]) -> bool:
    """Whether a file is name-mask.png beside a picture whose stem is in ``stems``."""
    return ending == ".png" and stem.lower().endswith(MASK) and stem[: -len(MASK)] in stems
