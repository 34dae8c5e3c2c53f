"""The only file that knows which pictures of a folder are trained on, with what, and which are held back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from studio import starter
from studio.data.buckets import CENTRE, Focus
from studio.data.crop import focuses
from studio.data.listing import ENDINGS, Listing, listing
from studio.data.names import key, listed, relative, repeats_of
from studio.data.setting import DataSpec
from studio.data.sidecar import CAPTION_ENDINGS, read_caption, read_table, read_words
from studio.errors import DataError

__all__ = [
    "CAPTION_ENDINGS", "ENDINGS", "DataSpec", "Dataset", "Example", "dataset", "read_caption", "resolve_folder", "scan",
]  # fmt: skip
HOLD_BACK = 6  # of an own folder, one picture in six is kept back to judge by ...
HOLD_FROM = 5  # ... when it holds at least this many


@dataclass(frozen=True)
class Example:
    """One picture with its caption and its mask (None where there is none).

    An epoch shows it ``repeats`` times; its crop lies around ``focus``, (across, down) in 0..1 of the upright picture.
    """

    path: Path
    caption: str | None
    mask: Path | None = None
    repeats: int = 1
    focus: Focus = CENTRE


@dataclass(frozen=True)
class Dataset:
    """The pictures to train on and those held back to judge by; ``unusable`` names what cannot be either."""

    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    unusable: tuple[str, ...] = ()


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


def none_in(folder: str) -> DataError:
    """What is said of a folder without pictures."""
    return DataError(f"'{folder}' holds no pictures; add PNG, JPEG or WebP files to it.")


def scan(folder: Path) -> tuple[Example, ...]:
    """Every picture under ``folder`` with its caption, in the natural order of names; hidden files are left out.

    A mask beside a picture is its mask and no picture. Raises DataError for a caption that is no text.
    """
    return examples(folder, listing(folder))


def examples(folder: Path, found: Listing) -> tuple[Example, ...]:
    """The pictures of a `listing` of ``folder``, with what is known of each."""
    tables = table_captions(found)
    focus = focuses(folder)
    made = []
    for path in found.pictures:
        beside = found.captions.get(path)
        caption = read_words(beside).text if beside else tables.get(path)
        name = relative(path, folder)
        times = repeats_of(name.split("/")[:-1])
        made.append(Example(path, caption, found.masks.get(path), times, focus.get(key(name), CENTRE)))
    return tuple(made)


def table_captions(found: Listing) -> dict[Path, str]:
    """What metadata.jsonl and metadata.csv say of the pictures; a caption beside a picture comes before."""
    said: dict[Path, str] = {}
    for path in found.tables:
        captions = read_table(path).captions
        for picture in found.pictures if captions else ():
            name = key(relative(picture, path.parent))
            if name in captions:
                said[picture] = captions[name]
    return said


def dataset(spec: DataSpec) -> Dataset:
    """The pictures of ``spec``, split; raises DataError when there is nothing to train on."""
    folder = resolve_folder(spec.folder)
    looked = listing(folder)
    out = {key(name) for name in spec.leave_out}
    if out:  # before any caption is read: one that is no text may be why its picture is left out
        looked.pictures = [path for path in looked.pictures if key(relative(path, folder)) not in out]
    found = examples(folder, looked)
    found = found if spec.repeats else tuple(replace(one, repeats=1) for one in found)
    unusable = tuple(name for name in (relative(path, folder) for path in looked.left) if key(name) not in out)
    if not found:
        others = f" that can be used ({listed(unusable)} cannot)" if unusable else ""
        raise DataError(f"'{spec.folder}' holds no pictures{others}; add PNG, JPEG or WebP files to it.")
    if spec.masks == "file" and not any(example.mask for example in found):
        raise DataError(f"'{spec.folder}' holds no mask; put name-mask.png beside name, or set data.masks to off.")
    names = {relative(one.path, folder): one for one in found}
    held = tuple(names[name] for name in held_names(list(names), spec))
    place = held_folder(spec)
    if place:
        held = (*held, *(one for one in scan(place) if key(relative(one.path, folder)) not in out))
    judged = {one.path.resolve() if place else one.path for one in held}
    train = tuple(one for one in found if (one.path.resolve() if place else one.path) not in judged)
    if not train:
        raise DataError(f"Every picture of '{spec.folder}' is held out; leave some to train on.")
    return Dataset(train, held, unusable)


def held_names(names: Sequence[str], spec: DataSpec) -> tuple[str, ...]:
    """Which of the pictures ``names`` of the folder are held back: those of data.hold_back, else one in six.

    With a folder of pictures to judge by, nothing else is. Raises DataError for a name that is not there.
    """
    wanted = {key(name): name for name in spec.hold_back}
    if wanted:
        held = tuple(name for name in names if wanted.pop(key(name), None) is not None)
        if wanted:
            raise DataError(f"data.hold_back names {listed(wanted.values())}, which is not used from '{spec.folder}'.")
        return held
    if held_folder(spec) or len(names) < HOLD_FROM:
        return ()
    return tuple(names[HOLD_BACK - 1 :: HOLD_BACK] or names[-1:])


def held_folder(spec: DataSpec) -> Path | None:
    """The folder of pictures to judge by, where there is one; raises DataError when it is not there."""
    return resolve_folder(spec.held_out) if spec.held_out else starter.HELD_OUT.get(spec.folder)
