"""The only file that draws the Dataset tab's panes together: what stands in each for a folder and a visitor's place."""

from collections.abc import Callable
from typing import Any

from studio.ui import bulk, captionpanel, errands, pictures, stage
from studio.ui.album import Album
from studio.ui.desk import Desk
from studio.ui.markup import word
from studio.ui.places import Place
from studio.ui.toolacts import ToolActs


class Panes:
    """The panes of one desk."""

    def __init__(self, desk: Desk, acts: ToolActs) -> None:
        self.desk = desk
        self.acts = acts

    def drawn(self, album: Album | None, place: Place, error: str, lang: str) -> tuple[Any, ...]:
        """The panes, in the order of ``shown``."""
        words = f'<h2 class="h">{word("words", lang)}<small>{word("words_small", lang)}</small></h2>'
        going = errands.job(self.acts.jobs.now, lang)
        if album is None:
            tool = errands.choose(str(place.form.get("at", "")), lang) if place.tool == "choose" else ""
            pick = f'<div class="nil">{word("pick_a_picture", lang)}</div>'
            return pictures.following(None, lang), going, pictures.nothing(error, lang), "", tool, pick, words
        shelf = self.desk.shelf.put(album.root)
        spec = self.acts.albums.spec(album.folder)
        steps = pictures.reckoned(album, lang)
        return (
            pictures.following(album, lang),
            going + pictures.head(album, place, steps, lang),
            pictures.thumbs(album, place, shelf, lang),
            bulk.strip(album, place, lang),
            self._tool(album, place, shelf, lang),
            stage.drawn(album, place, shelf, spec, lang),
            words,
        )

    def _tool(self, album: Album, place: Place, shelf: str, lang: str) -> str:
        """What is open beside the picture."""
        picked = place.picked(album)
        spec = self.acts.albums.spec(album.folder)
        tools: dict[str, Callable[[], str]] = {
            "edit": lambda: bulk.tool(album, place, shelf, lang),
            "caption": lambda: captionpanel.drawn(album, place, self.acts.captioning, spec, lang, shelf),
            "prepare": lambda: errands.prepare(album, self.desk.outputs, place.form, lang),
            "choose": lambda: errands.choose(str(place.form.get("at") or album.root.parent), lang),
            "mask": lambda: errands.mask(album, picked, shelf, lang) if picked else "",
        }
        return tools[place.tool]() if place.tool in tools else ""
