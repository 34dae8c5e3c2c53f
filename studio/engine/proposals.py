"""The only file that knows how a found caption and an old one become a new one, and keeps what is proposed."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from studio.captioners.base import Caption, Tag
from studio.disk import write_text
from studio.errors import StoreError
from studio.section import Section

PLACE = ".crucible"  # beside the journal of the captions
NAME = "proposed.jsonl"


class CaptionSpec(Section):
    """How captions are made, and what becomes of those that are there."""

    captioner: str = "embedded"
    """Who looks at the pictures; `caption --list` names them all."""
    mode: Literal["keep", "append", "overwrite"] = "keep"
    """A picture that has a caption: keep that, append what is found to it, or overwrite it."""
    trigger: str = Field("", max_length=200)
    """A word that every caption shall hold: it is put in front, with a comma, where it is not there yet."""
    prefix: str = Field("", max_length=500)
    """Words before what is found, with a blank between; end them with a comma where one is wanted."""
    suffix: str = Field("", max_length=500)
    """Words after what is found, with a blank between; begin them with a comma where one is wanted."""


@dataclass(frozen=True)
class Proposed:
    """A picture's ``old`` caption (None: none) and the ``new`` one; ``note`` says what the captioner left open."""

    path: Path
    old: str | None
    new: str
    note: str = ""
    tags: tuple[Tag, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether accepting it changes anything."""
        return _plain(self.new) != _plain(self.old or "")


def merged(old: str | None, found: Caption, spec: CaptionSpec) -> str:
    """The new caption. Pure, and doing it twice gives the same; where nothing is found, the old one with the trigger.

    Of a caption with several lines, of which wildcards choose, each is appended to.
    """
    lines = [line for line in (old or "").splitlines() if line.strip()]
    if len(lines) > 1 and (spec.mode == "append" or not found.text.strip()):
        return "\n".join(merged(line, found, spec) for line in lines)
    text = _plain(found.text)
    had = _plain(old or "") if spec.mode == "append" or not text else ""
    if had and found.listed:
        there = {part.strip().lower() for part in had.split(",")}
        text = ", ".join(part for part in text.split(", ") if part.strip().lower() not in there)
    elif had and text in had:
        text = ""
    if text or not had:
        text = _plain(f"{spec.prefix} {text} {spec.suffix}").replace(" ,", ",").strip(" ,")
    if had and text:
        text = f"{had} {text}" if had[-1] in ".!?,;" else f"{had}, {text}"
    text = text or had
    trigger = spec.trigger.strip()
    if trigger and not re.search(rf"(?<!\w){re.escape(trigger)}(?!\w)", text, re.IGNORECASE):
        text = f"{trigger}, {text}" if text else trigger
    return text or _plain(old or "")


def _plain(text: str) -> str:
    return " ".join(text.split())


class Draft:
    """What is proposed for one folder, on disk until it is accepted or dropped: a killed batch goes on from it.

    One JSON object a line: first what was asked for, then the proposals. Another wish begins it anew.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / PLACE / NAME

    def open(self, wish: Mapping[str, Any]) -> dict[Path, Proposed]:
        """Begin, or go on where the same ``wish`` left off: what it has proposed. Raises StoreError."""
        said, found = self._read()
        if said != wish:
            found = {}
        lines = [json.dumps({"wish": dict(wish)}), *(self._line(one) for one in found.values())]
        try:  # whole, so that a torn last line is gone
            write_text(self._path, "\n".join(lines) + "\n")
        except OSError as error:
            raise StoreError(
                f"'{self._folder}' cannot be written ({error.strerror}); give yourself the right to, or copy it."
            ) from error
        return found

    def add(self, proposals: Sequence[Proposed]) -> None:
        """Keep more of them; raises StoreError."""
        try:
            with self._path.open("a", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{self._line(one)}\n" for one in proposals)
        except OSError as error:
            raise StoreError(
                f"'{self._path}' cannot be written ({error.strerror}); make room and start again."
            ) from error

    def proposals(self) -> Iterator[Proposed]:
        """All that is proposed, in the order in which it was."""
        yield from self._read()[1].values()

    @property
    def wish(self) -> dict[str, Any]:
        """What was asked for; empty where nothing is proposed."""
        return self._read()[0]

    def clear(self) -> None:
        """Drop it all."""
        self._path.unlink(missing_ok=True)

    def _line(self, one: Proposed) -> str:
        return json.dumps(asdict(one) | {"path": one.path.relative_to(self._folder).as_posix()})

    def _read(self) -> tuple[dict[str, Any], dict[Path, Proposed]]:
        wish: dict[str, Any] = {}
        found: dict[Path, Proposed] = {}
        try:
            with self._path.open(encoding="utf-8") as file:
                for text in file:
                    line = json.loads(text)
                    if "wish" in line:
                        wish = line["wish"]
                        continue
                    tags = tuple(Tag(**tag) for tag in line.pop("tags"))
                    path = self._folder / line.pop("path")
                    found[path] = Proposed(path, tags=tags, **line)
        except (OSError, ValueError, TypeError, KeyError):  # none, or torn: what was read before it counts
            return wish, found
        return wish, found
