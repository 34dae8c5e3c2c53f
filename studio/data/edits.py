"""The only file that knows how captions are edited many at once: from captions to changes, nothing is written here.

Every edit takes the captions by picture (None is no caption) and gives the changes, old and new, of those pictures
alone that change. A caption of several lines is edited line by line. `written` is what Journal.write takes of them.
"""

import difflib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import regex  # unlike re it can be told to give up

from studio.data.caption import joined, parts, with_trigger
from studio.data.setting import DataSpec
from studio.data.tags import tally
from studio.errors import DataError

PATIENCE: Final = 2.0  # seconds that a pattern may search in all captions together
LONGEST: Final = 20_000  # characters of a caption that an edit makes; more is an accident
WORDS: Final = 3_000  # pieces that are compared one by one
CJK: Final = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
PIECE: Final = regex.compile(rf"\s+|{CJK}|(?:(?!{CJK})[\w\p{{M}}])+|\X")

Captions = Mapping[Path, str | None]
How = Literal["keep", "append", "overwrite"]
Said = Literal["same", "removed", "added"]


@dataclass(frozen=True)
class Change:
    """What an edit makes of one caption; None is no caption."""

    picture: Path
    old: str | None
    new: str | None


def written(changes: Iterable[Change]) -> tuple[dict[Path, str | None], dict[Path, str | None]]:
    """The new captions and those that they were thought of for: `journal.write(new, what, was=old)`."""
    found = tuple(changes)
    return {change.picture: change.new for change in found}, {change.picture: change.old for change in found}


def difference(old: str | None, new: str | None) -> tuple[tuple[Said, str], ...]:
    """Both captions as pieces in order, ``(same | removed | added, text)``; whole words, Chinese by characters."""
    before, after = (PIECE.findall(text or "") for text in (old, new))
    if len(before) + len(after) > WORDS:
        before, after = [old or ""], [new or ""]
    found: list[tuple[Said, str]] = []
    for what, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            found.append(("same", "".join(before[a:b])))
            continue
        if b > a:
            found.append(("removed", "".join(before[a:b])))
        if d > c:
            found.append(("added", "".join(after[c:d])))
    return tuple(found)


# -- words ------------------------------------------------------------------------------------------------------------


def replace(captions: Captions, find: str, by: str, *, pattern: bool = False, case: bool = True) -> tuple[Change, ...]:
    r"""Put ``by`` wherever ``find`` stands; a ``pattern`` is a regular expression, and ``by`` may say \1 or \g<name>.

    Raises DataError for an empty or wrong pattern, and for one that searches longer than PATIENCE.
    """
    if not find:
        raise DataError("There is nothing to search for; write the words that shall be replaced.")
    if not pattern and case:
        return _changes(captions, lambda text: text.replace(find, by))
    try:
        compiled = regex.compile(find if pattern else regex.escape(find), 0 if case else regex.IGNORECASE)
        end = time.monotonic() + PATIENCE
        put = by if pattern else by.replace("\\", "\\\\")
        return _changes(captions, lambda text: compiled.sub(put, text, timeout=max(end - time.monotonic(), 1e-3)))
    except TimeoutError as error:
        raise DataError(
            f"The pattern '{find}' takes too long to search; write it without repeats in repeats."
        ) from error
    except (regex.error, IndexError, OverflowError, MemoryError) as error:
        raise DataError(f"The pattern '{find}' or what replaces it is wrong ({error}); correct it.") from error


def prefix(captions: Captions, text: str) -> tuple[Change, ...]:
    """Put ``text`` before every caption that does not begin with it."""
    lead = _given(text)
    return _changes(captions, lambda old: old if old.startswith(lead) else f"{lead} {old}".strip(), bare=True)


def suffix(captions: Captions, text: str) -> tuple[Change, ...]:
    """Put ``text`` behind every caption that does not end with it; no space comes before `,` and its like."""
    tail = _given(text)
    space = "" if tail[0] in ",.;:!?，。、" else " "
    return _changes(
        captions, lambda old: old if old.endswith(tail.lstrip(" ,")) else f"{old}{space}{tail}".strip(" ,"), bare=True
    )


def trigger(captions: Captions, data: DataSpec) -> tuple[Change, ...]:
    """Put trigger and class word before every caption without the trigger, as training would."""
    if not data.trigger:
        raise DataError("There is no trigger word; write one first.")
    return _changes(captions, lambda old: with_trigger(old, data.model_copy(update={"wildcards": False})), bare=True)


# -- tags -------------------------------------------------------------------------------------------------------------


def add_tag(captions: Captions, tag: str, *, first: bool = False, separator: str = ",") -> tuple[Change, ...]:
    """Add a tag, or several with the separator between them, to every caption that lacks it, behind or ``first``."""
    wanted = parts(_given(tag), separator)

    def add(tags: list[str]) -> list[str]:
        lacking = [one for one in wanted if not _has(tags, one)]
        return [*lacking, *tags] if first else [*tags, *lacking]

    return _tagged(captions, add, separator, bare=True)


def remove_tag(captions: Captions, tag: str, *, separator: str = ",") -> tuple[Change, ...]:
    """Take a tag, or several, out of every caption; capitals do not matter."""
    gone = parts(_given(tag), separator)
    return _tagged(captions, lambda tags: [one for one in tags if not _has(gone, one)], separator)


def rename_tag(captions: Captions, tag: str, by: str, *, separator: str = ",") -> tuple[Change, ...]:
    """Call ``tag`` something else everywhere; where the new one stands already, the old one goes."""
    old, new = _given(tag), _given(by)

    def rename(tags: list[str]) -> list[str]:
        if not _has(tags, old):
            return tags
        return _unique([new if one.casefold() == old.casefold() else one for one in tags])

    return _tagged(captions, rename, separator)


def unique_tags(captions: Captions, *, separator: str = ",") -> tuple[Change, ...]:
    """Let every tag stand once in a caption, where it stands first."""
    return _tagged(captions, _unique, separator)


def sort_tags(
    captions: Captions, by: Literal["name", "count"] = "name", *, keep: int = 0, separator: str = ","
) -> tuple[Change, ...]:
    """Sort each caption's tags, all but the first ``keep``, by name, or by how many captions have them."""
    counts = tally(captions, separator).counts if by == "count" else {}

    def rank(tag: str) -> tuple[int, str]:
        return -counts.get(tag.casefold(), 0), tag.casefold()

    return _tagged(captions, lambda tags: [*tags[:keep], *sorted(tags[keep:], key=rank)], separator)


# -- between pictures -------------------------------------------------------------------------------------------------


def copy(captions: Captions, source: Path, to: Sequence[Path]) -> tuple[Change, ...]:
    """Give the pictures ``to`` the caption of ``source``."""
    return merge(captions, dict.fromkeys(to, captions.get(source)), "overwrite")


def merge(captions: Captions, new: Captions, how: How, *, separator: str = ",") -> tuple[Change, ...]:
    """Bring ``new`` captions in: ``keep`` what there is, ``append`` what parts it lacks, or ``overwrite`` it."""
    found = []
    for picture, text in new.items():
        old = captions.get(picture)
        if how == "append" and old and text is not None:
            there = parts(old.replace("\n", separator), separator)
            text = joined([old, *(one for one in parts(text, separator) if not _has(there, one))], separator)
        elif how == "keep" and old:
            continue
        if (old or "") != (text or "") or (old is None) != (text is None):
            found.append(Change(picture, old, text))
    return tuple(found)


# -- how it is done ---------------------------------------------------------------------------------------------------


def _changes(captions: Captions, edit: Callable[[str], str], bare: bool = False) -> tuple[Change, ...]:
    """Edit each line of each caption, and where ``bare`` what has none, as if it were empty."""
    found = []
    for picture, old in captions.items():
        if not old and not bare:
            continue
        lines = [edit(line) for line in (old or "").split("\n")]
        new = "\n".join(line for line in lines if line.strip())
        if len(new) > LONGEST:
            raise DataError(f"The caption of '{picture.name}' would have {len(new)} letters; {LONGEST} is the limit.")
        if new != (old or ""):
            found.append(Change(picture, old, new))
    return tuple(found)


def _tagged(
    captions: Captions, edit: Callable[[list[str]], list[str]], separator: str, bare: bool = False
) -> tuple[Change, ...]:
    """Edit lists of tags; a line whose tags stay keeps its spaces too."""

    def line(text: str) -> str:
        tags = parts(text, separator)
        edited = edit(tags)
        return text if edited == tags else joined(edited, separator)

    return _changes(captions, line, bare)


def _given(text: str) -> str:
    if not text.strip(" ,\n"):
        raise DataError("There is nothing to put in or take out; write a word first.")
    return text.strip()


def _has(tags: Iterable[str], tag: str) -> bool:
    return any(one.casefold() == tag.casefold() for one in tags)


def _unique(tags: list[str]) -> list[str]:
    found: dict[str, str] = {}
    for tag in tags:
        found.setdefault(tag.casefold(), tag)
    return list(found.values())
