"""The only file that counts the tags of captions, and finds and sorts pictures by them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from studio.data.caption import parts
from studio.data.names import natural

MANY: Final = 3  # parts that a list of tags has at least
SHORT: Final = 3.0  # words that a tag has at most, on average
MOST: Final = 0.8  # share of the captions that decides for all

Captions = Mapping[Path, str | None]
Kind = Literal["tags", "sentences", "mixed", "none"]


@dataclass(frozen=True)
class Tag:
    """A tag as it is written first, and in how many captions it is."""

    text: str
    count: int


@dataclass(frozen=True)
class Tally:
    """The tags of ``captions`` captions, the most frequent first; capitals do not matter."""

    tags: tuple[Tag, ...]
    captions: int

    @property
    def counts(self) -> dict[str, int]:
        """In how many captions a tag is, by the tag in small letters."""
        return {tag.text.casefold(): tag.count for tag in self.tags}

    @property
    def everywhere(self) -> tuple[Tag, ...]:
        """What every caption has, where there are two at least: it says nothing that sets pictures apart."""
        return tuple(tag for tag in self.tags if tag.count == self.captions > 1)

    @property
    def once(self) -> tuple[Tag, ...]:
        """What one caption alone has: too rare to be learnt, or a slip of the pen."""
        return tuple(tag for tag in self.tags if tag.count == 1)


@dataclass(frozen=True)
class Wanted:
    """Which pictures to show: all that every setting lets through."""

    having: tuple[str, ...] = ()
    """Tags that must all be there."""
    lacking: tuple[str, ...] = ()
    """Tags of which none may be there."""
    words: str = ""
    """What the caption or the name must contain, in capitals or not."""
    missing: bool | None = None
    """True: without caption only; False: with one only."""
    verdicts: frozenset[str] = field(default_factory=frozenset)
    """Verdicts of which a picture must have one; empty lets all through."""


def tally(captions: Captions, separator: str = ",") -> Tally:
    """Count the tags; a tag twice in one caption counts once, and pictures without caption do not count."""
    spelt: dict[str, str] = {}
    counts: dict[str, int] = {}
    said = [text for text in captions.values() if text]
    for text in said:
        found = {tag.casefold(): tag for tag in reversed(tags_of(text, separator))}
        for key, tag in found.items():
            spelt.setdefault(key, tag)
            counts[key] = counts.get(key, 0) + 1
    ranked = sorted(counts, key=lambda key: (-counts[key], key))
    return Tally(tuple(Tag(spelt[key], counts[key]) for key in ranked), len(said))


def tags_of(text: str | None, separator: str = ",") -> list[str]:
    """The tags of a caption, of all its lines."""
    return [tag for line in (text or "").split("\n") for tag in parts(line, separator)]


def chosen(
    captions: Captions,
    wanted: Wanted,
    verdicts: Mapping[Path, Collection[str]] | None = None,
    separator: str = ",",
) -> tuple[Path, ...]:
    """The pictures that are ``wanted``, in their order; ``verdicts`` are what was found of each."""
    having, lacking = ({tag.casefold() for tag in tags} for tags in (wanted.having, wanted.lacking))

    def let_through(picture: Path, text: str | None) -> bool:
        tags = {tag.casefold() for tag in tags_of(text, separator)}
        found = (verdicts or {}).get(picture, ())
        return (
            having <= tags
            and not lacking & tags
            and wanted.words.casefold() in f"{picture.name}\n{text or ''}".casefold()
            and (wanted.missing is None or wanted.missing != bool(text))
            and (not wanted.verdicts or not wanted.verdicts.isdisjoint(found))
        )

    return tuple(picture for picture, text in captions.items() if let_through(picture, text))


def ordered(
    pictures: Sequence[Path],
    captions: Captions,
    by: Literal["name", "tags", "length"] = "name",
    descending: bool = False,
    separator: str = ",",
) -> tuple[Path, ...]:
    """Sort by name as a person counts, by number of tags, or by the caption's letters; what is equal stays in order."""
    if by == "name":
        return tuple(sorted(pictures, key=lambda path: natural(str(path)), reverse=descending))
    size = {path: len(tags_of(captions.get(path), separator) if by == "tags" else captions.get(path) or "")
            for path in pictures}  # fmt: skip
    return tuple(sorted(pictures, key=lambda path: -size[path] if descending else size[path]))


def kind(captions: Captions, separator: str = ",") -> Kind:
    """Whether captions are lists of tags or sentences; ``mixed`` where neither is most of what can be told."""
    told = [found for text in captions.values() if text and (found := _kind_of(text, separator))]
    if not told:
        return "none"
    share = told.count("tags") / len(told)
    return "tags" if share >= MOST else "sentences" if share <= 1 - MOST else "mixed"


def _kind_of(text: str, separator: str) -> Literal["tags", "sentences"] | None:
    """Tags are many and short, or joined by underscores; of a word or two nothing can be told."""
    found = tags_of(text, separator)
    words = [len(tag.split()) for tag in found]
    mean = sum(words) / max(1, len(words))
    if mean <= SHORT and (len(found) >= MANY or any("_" in tag for tag in found)):
        return "tags"
    return "sentences" if sum(words) > SHORT and mean > SHORT - 1 else None
