"""The only file that does what is clicked in the Dataset tab: to captions, choices, filters and selections."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from studio.data import edits
from studio.data.crop import move_crop
from studio.errors import DataError
from studio.ui.album import Album
from studio.ui.albums import Albums
from studio.ui.captioning import Captioning
from studio.ui.desk import Desk
from studio.ui.i18n import t, tr
from studio.ui.jobs import Jobs
from studio.ui.places import Place

NUDGE = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
STEP = 0.02  # of the picture, that an arrow moves its crop by
Said = dict[str, Any]


class Acts:
    """What can be done to the open folder: `on_` and the act's name. It changes what is kept; drawing follows."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.albums = Albums(desk)
        self.captioning = Captioning(desk)
        self.jobs = Jobs()

    def do(self, album: Album, place: Place, said: Said, lang: str) -> str:
        """Do one act; returns the folder that is to be opened, "" to stay. Raises CrucibleError."""
        self._kept(album, place, said, lang)
        act: Callable[..., str | None] | None = getattr(self, f"on_{said.get('act')}", None)
        return (act(album, place, said, lang) if act else None) or ""

    # -- captions ------------------------------------------------------------------------------------------------------

    def _kept(self, album: Album, place: Place, said: Said, lang: str) -> None:
        """Save the caption that stands in the editor, whatever is done next; while it is typed it is only held.

        ``was`` is the caption that the editor was opened with: what was not touched is not written.
        """
        of, text, was = said.get("of"), said.get("text"), said.get("was")
        path = album.path(str(of)) if of else None
        if path is None or not isinstance(text, str) or path not in album.captions or not album.own:
            return
        if said.get("act") == "typed":
            place.typed = text if path == place.picked(album) else None
            return
        if said.get("act") != "undo" and text.strip() != was:
            new, old = text.strip() or None, str(was or "") or None
            if album.captions.get(path) != new:
                what = t("act_ds_one", lang, name=path.name)
                self._told(self.albums.write(album, {path: new}, what, {path: old}), lang)
        place.typed = None

    def _told(self, action: Any, lang: str) -> None:
        if action and action.warning:
            gr.Warning(tr(action.warning, lang), title="Crucible")

    def on_next(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.turn(album, 1)

    def on_go(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.turn(album, int(said.get("id") or 0))

    def on_chip_off(self, album: Album, place: Place, said: Said, lang: str) -> None:
        self._tagged(album, place, said, lang, edits.remove_tag, "act_ds_remove")

    def on_chip_on(self, album: Album, place: Place, said: Said, lang: str) -> None:
        said["id"] = said.get("form", {}).get("tag", "")
        self._tagged(album, place, said, lang, edits.add_tag, "act_ds_add")

    def _tagged(self, album: Album, place: Place, said: Said, lang: str, edit: Any, what: str) -> None:
        path = place.picked(album)
        if path is None or not str(said.get("id", "")).strip():
            return
        found = edit({path: album.captions.get(path)}, said["id"], separator=self.albums.spec(album.folder).separator)
        new, old = edits.written(found)
        self._told(self.albums.write(album, new, t(what, lang, a=said["id"], b=""), old), lang)

    def on_undo(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.typed = None
        self._told(self.albums.taken_back(album), lang)

    def on_redo(self, album: Album, place: Place, said: Said, lang: str) -> None:
        self._told(self.albums.taken_back(album, again=True), lang)

    def on_copy_here(self, album: Album, place: Place, said: Said, lang: str) -> None:
        source = place.picked(album)
        if source is None:
            return
        to = [path for path in place.scope(album) if path != source]
        new, old = edits.written(edits.copy(album.captions, source, to))
        self._told(self.albums.write(album, new, t("act_ds_copy", lang, name=source.name), old), lang)

    # -- choices -------------------------------------------------------------------------------------------------------

    def on_accept(self, album: Album, place: Place, said: Said, lang: str) -> None:
        out = set(self.albums.spec(album.folder).leave_out)
        self.albums.choose(album, "leave_out", out | set(album.unused))
        place.narrow()
        place.verdict = ""

    def on_leave(self, album: Album, place: Place, said: Said, lang: str) -> None:
        names = self._meant(album, place)
        out = set(self.albums.spec(album.folder).leave_out)
        held = set(self.albums.spec(album.folder).hold_back)
        if held & names:
            self.albums.choose(album, "hold_back", held - names)
        self.albums.choose(album, "leave_out", out - names if names <= out else out | names)

    def on_hold(self, album: Album, place: Place, said: Said, lang: str) -> None:
        names = self._meant(album, place)
        spec = self.albums.spec(album.folder)
        held = set(spec.hold_back) or {one.name for one in (album.report.of("held_out") if album.report else ())}
        out = set(spec.leave_out)
        now = held - names if names <= held else held | (names - out)
        if len(now) >= len(album.captions) - len(out):
            raise DataError("Every picture would be held back; leave some to train on.")
        self.albums.choose(album, "hold_back", now)

    def _meant(self, album: Album, place: Place) -> set[str]:
        picked = place.picked(album)
        return set(place.selected) or ({album.name(picked)} if picked else set())

    def on_crop(self, album: Album, place: Place, said: Said, lang: str) -> None:
        """The crop was put somewhere: ``x`` and ``y`` are its middle, 0..1 of the picture."""
        path = place.picked(album)
        if path is not None:
            self._crop_to(album, path, (float(said.get("x", 0.5)), float(said.get("y", 0.5))))

    def on_nudge(self, album: Album, place: Place, said: Said, lang: str) -> None:
        path = place.picked(album)
        verdict = album.verdict(path) if path else None
        if path is None or verdict is None or verdict.fit is None:
            return
        if said.get("id") not in NUDGE:
            self._crop_to(album, path, None)
            return
        left, top, right, bottom = verdict.fit.box
        across, down = NUDGE[said["id"]]
        middle = ((left + right) / 2 / verdict.width, (top + bottom) / 2 / verdict.height)
        self._crop_to(album, path, (middle[0] + across * STEP, middle[1] + down * STEP))

    def _crop_to(self, album: Album, path: Path, focus: tuple[float, float] | None) -> None:
        move_crop(album.root, path, focus)
        self.albums.moved(album, path)

    # -- what is shown -------------------------------------------------------------------------------------------------

    def on_pick(self, album: Album, place: Place, said: Said, lang: str) -> None:
        path, name = album.path(said["id"]), said["id"]
        if path is None:
            return
        shown = [album.name(one) for one in place.shown(album)]
        now = place.picked(album)
        if said.get("shift") and now in place.shown(album) and name in shown:
            first, last = sorted((shown.index(album.name(now)), shown.index(name)))
            place.selected = tuple(shown[first : last + 1])
        elif said.get("ctrl"):
            begun = place.selected or ((album.name(now),) if now else ())
            place.selected = tuple(one for one in begun if one != name) if name in begun else (*begun, name)
        else:
            place.selected = ()
            place.pick(album, path)
        place.changes = ()

    def on_unselect(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.selected, place.changes = (), ()

    def on_page(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.page, place.picture, place.typed = max(0, int(said["id"])), "", None

    def on_verdict(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.verdict = said.get("id", "")
        place.narrow()

    def on_tag(self, album: Album, place: Place, said: Said, lang: str) -> None:
        tag = str(said["id"]).casefold()
        known = tag in place.having or tag in place.lacking
        place.having = tuple(one for one in place.having if one != tag)
        place.lacking = tuple(one for one in place.lacking if one != tag)
        if not known and said.get("shift"):
            place.lacking = (*place.lacking, tag)
        elif not known:
            place.having = (*place.having, tag)
        place.narrow()

    def on_all_tags(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.all_tags = not place.all_tags

    def on_find(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.words = str(said.get("value", "")).strip()
        place.narrow()

    def on_sort(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.sort = str(said.get("value", "name"))
        place.page = 0

    def on_clear(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.verdict, place.having, place.lacking, place.words = "", (), (), ""
        place.narrow()

    def on_check_again(self, album: Album, place: Place, said: Said, lang: str) -> None:
        self.albums.check(self.albums.of(album.folder, anew=True))

    def on_check_cancel(self, album: Album, place: Place, said: Said, lang: str) -> None:
        self.albums.cancel(album)
