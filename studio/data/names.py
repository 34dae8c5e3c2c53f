"""The only file that knows how a picture is named: inside its folder, compared with another name, shown to people."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

SAID: Final = 5  # names that a sentence holds before it only counts
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def relative(path: Path, folder: Path) -> str:
    """The name of ``path`` inside ``folder``, with `/` between its parts; of what lies elsewhere, all of it."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def key(name: str) -> str:
    """What is equal for two spellings of one name: file systems differ in how they compose letters."""
    return unicodedata.normalize("NFC", name.replace("\\", "/"))


def shown(name: str) -> str:
    """``name`` on one line and in the order it is written: control characters as escapes, all of it valid Unicode."""
    return _UNSEEN.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode("ascii"), name)


def listed(names: Iterable[str]) -> str:
    """A few of ``names`` for a sentence, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - SAID} more" if len(found) > SAID else ""
    return ", ".join(f"'{shown(name)}'" for name in found[:SAID]) + more


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts names as a person counts: 2 before 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in re.split(r"(\d+)", name)]


def repeats_of(parents: Sequence[str]) -> int:
    """How often the nearest of the folders that is named N_name, N from 1 to 999, wants its pictures shown; else 1."""
    for folder in reversed(parents):
        if match := re.match(r"([1-9]\d{0,2})_", folder):
            return int(match[1])
    return 1
