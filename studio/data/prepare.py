"""The only file that writes copies of a dataset as training sees it: upright, cropped, to size, in a new folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from studio.data.cache import refusal
from studio.data.image import Unreadable, cropped, cropped_mask, facts, open_mask, open_picture
from studio.data.judge import Asked, fit_of
from studio.data.listing import MASK
from studio.data.names import key, listed, relative
from studio.data.scan import Dataset, Example, dataset, held_folder, resolve_folder
from studio.data.setting import DataSpec
from studio.disk import published
from studio.errors import DataError, StoreError
from studio.events import Progress


@dataclass(frozen=True)
class Prepared:
    """The new ``folder`` with so many ``pictures``, and the settings under which it trains as the old one did."""

    folder: str
    pictures: int
    spec: DataSpec


def prepare(folder: str, out: Path, spec: DataSpec, asked: Asked) -> Iterator[Progress | Prepared]:
    """Write every used picture of ``folder`` as PNG at the size of its bucket, with caption and mask, into ``out``.

    ``out`` must be new or empty and lie apart from ``folder``, in which nothing changes; until all is written it is
    not there. Folders that repeat their pictures keep their names. Yields how far it is, and at last what was made.
    Raises DataError for a folder that cannot be taken, and for pictures that cannot be read and are not left out,
    StoreError where ``out`` cannot be written.
    """
    spec, out = spec.model_copy(update={"folder": folder}), out.expanduser()
    place = resolve_folder(folder)
    _apart(place, out)
    found = dataset(spec)
    used = _inside(found, place)
    broken = [*found.unusable, *(relative(one.path, place) for one in used if not _readable(one))]
    if broken:
        raise DataError(refusal(listed(broken), len(broken)))
    names = _names(used, place)
    yield Progress(stage="preparing", done=0, total=len(used))
    try:
        with published(out) as draft:
            for done, one in enumerate(used, 1):
                _write(one, draft / names[one.path], spec, asked)
                yield Progress(stage="preparing", done=done, total=len(used))
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error}; free some space or choose another folder.") from error
    held_out = set(found.held_out)
    inside = held_out & set(used)
    held = tuple(names[one.path].as_posix() for one in used if one in inside)
    judge = "" if held and inside == held_out else _judge(spec)  # elsewhere it stays as it is
    made = {"folder": str(out), "hold_back": held, "held_out": judge, "leave_out": ()}
    yield Prepared(str(out), len(used), spec.model_copy(update=made))


def _judge(spec: DataSpec) -> str:
    """The folder of pictures to judge by, by a name that means the same for any data.folder."""
    return spec.held_out or (f"{spec.folder}-held-out" if held_folder(spec) else "")


def _apart(place: Path, out: Path) -> None:
    old, new = place.resolve(), out.resolve()
    if new.is_relative_to(old) or old.is_relative_to(new):
        raise DataError(
            f"'{out}' lies in the folder of the originals, or around it; choose a new folder apart from it."
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"'{out}' is there already; choose a new folder, nothing is ever written over.")


def _inside(found: Dataset, place: Path) -> list[Example]:
    """The pictures of the folder itself, those held back among them."""
    return [one for one in (*found.train, *found.held_out) if one.path.is_relative_to(place)]


def _readable(one: Example) -> bool:
    try:
        open_picture(one.path)
    except Unreadable:
        return False
    return True


def _names(used: list[Example], place: Path) -> dict[Path, PurePosixPath]:
    """A name for each copy; pictures that differ in nothing but their endings get numbers."""
    taken: set[str] = set()
    names = {}
    for one in used:
        old = PurePosixPath(relative(one.path, place))
        new, number = old.with_suffix(".png"), 2
        while key(str(new)).casefold() in taken:
            new, number = old.with_name(f"{old.stem}-{number}.png"), number + 1
        taken.add(key(str(new)).casefold())
        names[one.path] = new
    return names


def _write(one: Example, path: Path, spec: DataSpec, asked: Asked) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wide, high, alpha = facts(one.path)
    fitting = fit_of(wide, high, spec, asked, one.focus)
    picture = cropped(open_picture(one.path, background=spec.background), fitting.size, one.focus)
    own = one.path if spec.masks == "alpha" and alpha else one.mask if spec.masks != "alpha" else None
    if own:
        mask = cropped_mask(open_mask(own, alpha=spec.masks == "alpha"), (wide, high), fitting.box, fitting.size)
        if spec.masks == "alpha":
            picture.putalpha(mask)
        else:
            mask.save(path.with_name(f"{path.stem}{MASK}.png"))
    picture.save(path)
    if one.caption is not None:
        path.with_suffix(".txt").write_text(one.caption + "\n", encoding="utf-8", newline="\n")
