"""The only file that remembers where in a picture its crop was moved to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from studio.data.buckets import CENTRE, Focus
from studio.data.hidden import read_note, write_note
from studio.data.names import key, relative

CROPS: Final = "crops.json"


def focuses(folder: Path) -> dict[str, Focus]:
    """Where the crops of the pictures of ``folder`` were moved to, by the key of their names in it."""
    found: dict[str, Focus] = {}
    for name, point in read_note(folder, CROPS).items():
        if isinstance(point, list) and len(point) == 2 and all(_within(value) for value in point):
            found[key(name)] = (float(point[0]), float(point[1]))
    return found


def move_crop(folder: Path, picture: Path, focus: Focus | None) -> None:
    """Let the crop of ``picture`` lie around ``focus``, as far as its edges allow; None puts it back to the middle.

    ``focus`` is (across, down), each 0..1 of the upright picture. Training and every copy follow it. Raises DataError.
    """
    move_crops(folder, {relative(picture, folder): focus})


def move_crops(folder: Path, moved: Mapping[str, Focus | None]) -> None:
    """`move_crop` for many at once, by their names in ``folder``."""
    found = focuses(folder)
    for name, focus in moved.items():
        found.pop(key(name), None)
        if focus is not None and focus != CENTRE:
            across, down = (min(max(float(value), 0.0), 1.0) for value in focus)
            found[key(name)] = (round(across, 4), round(down, 4))
    write_note(folder, CROPS, {name: list(point) for name, point in sorted(found.items())})


def _within(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1
