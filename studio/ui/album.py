"""The only file that holds what is known of one folder of pictures: captions, verdicts, what a run would see of it."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from studio.data.crop import focuses
from studio.data.hidden import embedded
from studio.data.listing import Listing, listing
from studio.data.names import key, relative
from studio.data.scan import table_captions
from studio.data.sidecar import read_words
from studio.data.tags import Tally, tally
from studio.errors import DataError

T = TypeVar("T")


@dataclass
class Album:
    """One folder. ``state``: none, checking, done, cancelled or failed (``error``); ``done`` of ``total`` pictures.

    ``epoch`` and ``prompts`` are those of the run that would be started, ``run_error`` why there is none.
    """

    folder: str
    root: Path
    found: Listing
    captions: dict[Path, str | None]
    troubles: dict[Path, str]
    version: int = 0
    state: str = "none"
    done: int = 0
    total: int = 0
    error: str = ""
    report: Any = None
    meter: Any = None
    epoch: Any = None
    held: int = 0
    """Pictures to judge by, those of another folder among them."""
    prompts: tuple[Any, ...] = ()
    run_error: str = ""
    asked: str = ""
    """For what settings the report was made."""
    wanted: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)
    _worked_out: tuple[Any, dict[str, Any]] = (None, {})

    def once(self, what: str, work: Callable[[], T]) -> T:
        """What ``work`` gives, worked out once for each state: with 10,000 pictures everything takes time."""
        if self._worked_out[0] != (self.version, id(self.report)):
            self._worked_out = ((self.version, id(self.report)), {})
        known = self._worked_out[1]
        if what not in known:
            known[what] = work()
        found: T = known[what]
        return found

    @property
    def pictures(self) -> list[Path]:
        """Everything that is shown: pictures, and what looks like one and is none."""
        return self.once("pictures", lambda: [*self.found.pictures, *self.found.left])

    @property
    def own(self) -> bool:
        """Whether it may be changed; the embedded examples may not."""
        return not embedded(self.root)

    @property
    def bare(self) -> int:
        """How many pictures that are used have no caption."""
        return len(self.lacking())

    def lacking(self) -> list[Path]:
        """The pictures that are used and have no caption."""
        return self.once("lacking", self._lacking)

    def _lacking(self) -> list[Path]:
        bare = [path for path, text in self.captions.items() if not text and path not in self.troubles]
        if self.report is None:
            return bare
        unused = {self.root / one.name for one in self.report.verdicts if one.part in ("left_out", "unusable")}
        return [path for path in bare if path not in unused]

    def name(self, path: Path) -> str:
        """What a picture is called in the folder."""
        return relative(path, self.root)

    def path(self, name: str) -> Path | None:
        """The picture of that name, None where there is none."""
        path = self.root / name
        return path if path in self.captions or path in self.found.left else None

    def verdict(self, path: Path) -> Any:
        """What was found of a picture; None while that is not known."""
        every = self.report.verdicts if self.report else ()
        return self.once("verdicts", lambda: {one.name: one for one in every}).get(self.name(path))

    def part(self, part: str) -> int:
        """How many pictures are trained on, held_out, left_out or unusable, as far as that is known."""
        return self.once(part, lambda: len(self.report.of(part)) if self.report else 0)

    @property
    def unused(self) -> tuple[str, ...]:
        """Names of pictures that will not be used, though nobody said so."""
        return self.once("unused", lambda: self.report.unused if self.report else ())

    def counts(self) -> dict[str, int]:
        """How many pictures each kind of finding has."""
        return self.once("counts", lambda: self.report.counts() if self.report else {})

    def tags(self) -> Tally:
        """The tags of all captions."""
        return self.once("tags", lambda: tally(self.captions))

    def kinds(self) -> Mapping[Path, tuple[str, ...]]:
        """What was found of every picture, by its kind; without a report only which have no caption."""
        return self.once("kinds", self._kinds)

    def _kinds(self) -> Mapping[Path, tuple[str, ...]]:
        if self.report is None:
            return {path: () if text else ("no_caption",) for path, text in self.captions.items()}
        return {
            self.root / one.name: (*one.kinds, *(("stops",) if one.severity == "stops" else ()))
            for one in self.report.verdicts
        }

    def focus(self, path: Path) -> tuple[float, float]:
        """Where the crop of a picture was moved to."""
        return focuses(self.root).get(key(self.name(path)), (0.5, 0.5))


def opened(folder: str, root: Path) -> Album:
    """List it and read its captions; what cannot be read is in ``troubles``."""
    found = listing(root)
    said: dict[Path, str | None] = dict(table_captions(found))
    troubles: dict[Path, str] = {}
    for path, beside in found.captions.items():
        try:
            said[path] = read_words(beside).text
        except DataError as error:
            said[path], troubles[path] = None, str(error)
    return Album(folder, root, found, {path: said.get(path) for path in found.pictures}, troubles)
