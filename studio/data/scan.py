"""The only file that knows how pictures and captions are found in a folder."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from studio import starter
from studio.data.setting import DataSpec
from studio.errors import DataError

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"})
CAPTION_ENDINGS = (".txt", ".caption")
HOLD_BACK = 6  # of an own folder, one picture in six is kept back to judge by ...
HOLD_FROM = 5  # ... when it holds at least this many


@dataclass(frozen=True)
class Example:
    """One picture with its caption and its mask (None where there is none)."""

    path: Path
    caption: str | None
    mask: Path | None = None


@dataclass(frozen=True)
class Dataset:
    """The pictures to train on and those held back to judge by."""

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]


def resolve_folder(folder: str) -> Path:
    """The folder behind a name or a path; raises DataError when there is none."""
    path = (
        starter.DATASETS.get(folder)
        or starter.HELD_OUT.get(folder.removesuffix("-held-out"))
        or Path(folder).expanduser()
    )
    if not folder.strip():
        raise DataError("No dataset is chosen; give a folder of pictures, or `corgi` for the example.")
    if not path.is_dir():
        raise DataError(f"There is no folder '{folder}'; give a folder of pictures, or `corgi` for the example.")
    return path


def scan(folder: Path) -> tuple[Example, ...]:
    """Every picture under ``folder`` with its caption, in the natural order of names; hidden files are left out."""
    files = (path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    shown = (p for p in files if not any(part.startswith(".") for part in p.relative_to(folder).parts) and p.is_file())
    return tuple(Example(path, read_caption(path)) for path in sorted(shown, key=_natural))


def read_caption(picture: Path) -> str | None:
    """The caption beside ``picture`` (name.txt or name.caption) on one line, or None."""
    for ending in CAPTION_ENDINGS:
        path = picture.with_suffix(ending)
        if path.is_file():
            data = path.read_bytes()
            for encoding in ("utf-8-sig", "gb18030"):
                try:
                    return " ".join(data.decode(encoding).split())
                except UnicodeDecodeError:
                    continue
            raise DataError(f"The caption '{path}' is not readable text; save it as UTF-8.")
    return None


def dataset(spec: DataSpec) -> Dataset:
    """The pictures of ``spec``, split; raises DataError when there is nothing to train on."""
    folder = resolve_folder(spec.folder)
    found = _pictures(folder, spec)
    if not found:
        raise DataError(f"'{spec.folder}' holds no pictures; add PNG, JPEG or WebP files to it.")
    if spec.masks == "file" and not any(example.mask for example in found):
        raise DataError(f"'{spec.folder}' holds no mask; put name-mask.png beside name, or set data.masks to off.")
    if spec.held_out or spec.folder in starter.HELD_OUT:
        held = _pictures(resolve_folder(spec.held_out) if spec.held_out else starter.HELD_OUT[spec.folder], spec)
        judged = {example.path.resolve() for example in held}
        train = tuple(example for example in found if example.path.resolve() not in judged)
        if not train:
            raise DataError(f"Every picture of '{spec.folder}' is held out; leave some to train on.")
        return Dataset(train, held)
    if len(found) < HOLD_FROM:
        return Dataset(found, ())
    held = found[HOLD_BACK - 1 :: HOLD_BACK] or found[-1:]
    return Dataset(tuple(example for example in found if example not in held), held)


def _pictures(folder: Path, spec: DataSpec) -> tuple[Example, ...]:
    """The pictures of a folder; where masks are files, each with its own, which is then no picture itself."""
    found = scan(folder)
    if spec.masks != "file":
        return found
    paths = {example.path for example in found}
    beside = {path: path.with_name(f"{path.stem}-mask.png") for path in paths}
    masks = paths & set(beside.values())
    return tuple(
        replace(example, mask=beside[example.path] if beside[example.path] in masks else None)
        for example in found
        if example.path not in masks
    )


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in re.split(r"(\d+)", str(path))]
