"""The only file that knows where each visitor stands in the open folder: page, picture, filters, selection, tool."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from studio.data.tags import Wanted, chosen, ordered
from studio.ui.album import Album

PAGE: Final = 60  # thumbnails at once
MOST: Final = 100  # visitors that are remembered
SORTS: Final = {"name": ("name", False), "tags": ("tags", True), "short": ("length", False), "long": ("length", True)}


@dataclass
class Place:
    """``picture`` and ``selected`` are names in the folder, ``verdict`` a kind of finding or "" for all.

    ``typed`` is a caption as it is being written, not yet saved. ``tool`` is what is open beside the picture, ``form``
    what was filled in there, ``changes`` what it would do, called ``what``. ``view`` remembers what is shown.
    """

    folder: str = ""
    page: int = 0
    picture: str = ""
    verdict: str = ""
    having: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    words: str = ""
    sort: str = "name"
    selected: tuple[str, ...] = ()
    typed: str | None = None
    all_tags: bool = False
    tool: str = ""
    form: dict[str, Any] = field(default_factory=dict)
    changes: tuple[Any, ...] = ()
    what: str = ""
    said: str = ""
    further: int = 0
    """How often more of the changes were asked for than are drawn at once."""
    view: tuple[Any, tuple[Path, ...]] = (None, ())

    def shown(self, album: Album) -> tuple[Path, ...]:
        """The pictures that every filter lets through, sorted."""
        key = (
            id(album),
            album.version,
            id(album.report),
            self.verdict,
            self.having,
            self.lacking,
            self.words,
            self.sort,
        )
        if self.view[0] != key:
            self.view = (key, self._shown(album))
        return self.view[1]

    def _shown(self, album: Album) -> tuple[Path, ...]:
        every = {path: album.captions.get(path) for path in album.pictures}
        verdicts = frozenset({self.verdict}) if self.verdict else frozenset()
        wanted = Wanted(self.having, self.lacking, self.words, None, verdicts)
        found = chosen(every, wanted, album.kinds()) if wanted != Wanted() else tuple(every)
        by, down = SORTS.get(self.sort, SORTS["name"])
        return found if by == "name" and not album.found.left else ordered(found, every, by, down)  # type: ignore[arg-type]

    def picked(self, album: Album) -> Path | None:
        """The picture that is looked at: the one that was picked, else the first of those shown."""
        path = album.path(self.picture) if self.picture else None
        if path is not None:
            return path
        shown = self.shown(album)
        return shown[min(self.page * PAGE, len(shown) - 1)] if shown else None

    def pick(self, album: Album, path: Path | None) -> None:
        """Look at a picture, on the page that it is on."""
        if path is None:
            return
        self.picture, self.typed = album.name(path), None
        shown = self.shown(album)
        if path in shown:
            self.page = shown.index(path) // PAGE

    def turn(self, album: Album, by: int) -> None:
        """Go to the picture so many places on, of those shown."""
        shown, now = self.shown(album), self.picked(album)
        if shown:
            at = shown.index(now) if now in shown else -1
            self.pick(album, shown[min(max(at + by, 0), len(shown) - 1)])

    def narrow(self) -> None:
        """The filters changed: begin at the first picture."""
        self.page, self.picture, self.typed, self.selected = 0, "", None, ()

    def scope(self, album: Album) -> tuple[Path, ...]:
        """What a tool works on: the pictures that are selected, else all that are shown."""
        chosen_ = [path for name in self.selected if (path := album.path(name))]
        return tuple(path for path in (chosen_ or self.shown(album)) if path in album.captions)

    def close(self) -> None:
        """Put the tool away."""
        self.tool, self.form, self.changes, self.what, self.said, self.further = "", {}, (), "", "", 0


class Places:
    """The places of all visitors; a page that is loaded again begins where the last one was."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Place] = OrderedDict()
        self._last = Place()

    def of(self, visitor: str, folder: str) -> Place:
        """The place of a visitor in ``folder``."""
        with self._lock:
            place = self._known.get(visitor)
            if place is None or place.folder != folder:
                last = self._last
                kept = last.folder == folder
                place = Place(folder, picture=last.picture, typed=last.typed) if kept else Place(folder)
                self._known[visitor] = place
                while len(self._known) > MOST:
                    self._known.popitem(last=False)
            self._known.move_to_end(visitor)
            return place

    def moved(self, place: Place) -> None:
        """Something was done there."""
        self._last = replace(place, form={}, changes=(), view=(None, ()))
