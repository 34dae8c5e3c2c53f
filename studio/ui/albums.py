"""The only file that looks through folders of pictures behind the page's back, and changes what is kept of them."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from studio.data.buckets import fit
from studio.data.hidden import read_note, write_note
from studio.data.journal import Action, Journal
from studio.data.scan import none_in, resolve_folder, table_captions
from studio.data.setting import DataSpec
from studio.data.sidecar import read_caption
from studio.errors import CrucibleError, DataError
from studio.ui import failing
from studio.ui.album import Album, opened
from studio.ui.desk import Desk

CHOICE: Final = "choice.json"  # which pictures are left out and held back, beside the captions
CHOSEN: Final = ("data.leave_out", "data.hold_back", "data.masks")
PAUSE: Final = 0.3  # seconds in which several edits become one look


class Albums:
    """Opens folders, and looks through them behind the page's back: one at a time, the newest wish first."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._open: dict[str, Album] = {}

    def of(self, folder: str, anew: bool = False) -> Album:
        """The album of ``folder``; ``anew`` looks into the folder again. Raises DataError where there is none."""
        root = resolve_folder(folder).absolute()
        with self._lock:
            known = self._open.get(folder)
        if known and not anew and known.root == root and root.is_dir():
            return known
        album = opened(folder, root)
        if not album.pictures:
            raise none_in(folder)
        if known:
            known.cancelled.set()
            album.version = known.version + 1
            album.report, album.meter = known.report, known.meter
        with self._lock:
            self._open = {**dict(list(self._open.items())[-3:]), folder: album}
        return album

    def check(self, album: Album) -> None:
        """Look through it in the background; what is already looked at costs little. Returns at once."""
        with self._lock:
            album.wanted = True
            album.cancelled.clear()
            if album.state == "checking":
                return
            album.state, album.done, album.total = "checking", 0, len(album.found.pictures)
            album.version += 1
        threading.Thread(target=self._work, args=(album,), name="check", daemon=True).start()

    def follow(self, album: Album) -> None:
        """Look again where what was asked is no longer what the draft says."""
        if album.state in ("done", "failed") and album.asked != self._asking(album):
            self.check(album)

    def _asking(self, album: Album) -> str:
        draft = self._desk.drafts.read()
        return repr((self.spec(album.folder), draft.base, draft.picked, draft.presets, draft.over, draft.shared))

    def cancel(self, album: Album) -> None:
        """End the look; what was measured is kept, and the next one goes on there."""
        album.cancelled.set()

    def changed(self, album: Album, pictures: Iterable[Path]) -> None:
        """Read the captions of ``pictures`` again, and what follows from them."""
        tables: dict[Path, str] | None = None
        for path in pictures:
            try:
                text = read_caption(path)
                album.troubles.pop(path, None)
            except DataError as error:
                text, album.troubles[path] = None, str(error)
            if text is None and album.found.tables:
                tables = table_captions(album.found) if tables is None else tables
                text = tables.get(path)
            album.captions[path] = text
        album.version += 1
        if album.state != "cancelled":
            self.check(album)

    def moved(self, album: Album, path: Path) -> None:
        """The crop of a picture was moved: say so at once, and look through the rest afterwards."""
        verdict = album.verdict(path)
        if verdict is not None and verdict.fit is not None:
            fitting = fit(verdict.width, verdict.height, verdict.fit.size, album.focus(path))
            new = replace(verdict, fit=fitting)
            verdicts = tuple(new if one is verdict else one for one in album.report.verdicts)
            album.report = replace(album.report, verdicts=verdicts)
        album.version += 1
        self.check(album)

    # -- captions and choices ------------------------------------------------------------------------------------------

    def write(
        self, album: Album, new: Mapping[Path, str | None], what: str, was: Mapping[Path, str | None] | None = None
    ) -> Action:
        """Write captions as one action of the folder's journal."""
        action = Journal(album.root).write(new, what, was=was)
        self.changed(album, new)
        return action

    def taken_back(self, album: Album, again: bool = False) -> Action | None:
        """Undo or redo the newest action."""
        journal = Journal(album.root)
        action = journal.redo() if again else journal.undo()
        self.changed(album, album.found.pictures)
        return action

    def spec(self, folder: str) -> DataSpec:
        """What the draft says of the pictures; a value that cannot be is left at its default."""
        draft = self._desk.drafts.read()
        plain = {"folder": folder, "trigger": draft.trigger.strip(), "class_word": draft.class_word.strip()}
        over = {name.removeprefix("data."): value for name, value in draft.shared.items() if name.startswith("data.")}
        try:
            return DataSpec(**{**over, **plain}).completed()
        except ValidationError as error:
            wrong = {str(one["loc"][0]) for one in error.errors() if one["loc"]}
            kept = {name: value for name, value in {**over, **plain}.items() if name not in wrong}
            return DataSpec(**{**kept, "folder": folder}) if wrong else DataSpec(folder=folder)

    def choose(self, album: Album, name: str, value: Iterable[str]) -> None:
        """Keep which pictures are left out (``leave_out``) or held back, in the draft and with the folder."""
        chosen = sorted(set(value))
        self._desk.drafts.edit(lambda draft: draft.with_value("", f"data.{name}", chosen))
        self._keep(album)
        album.version += 1
        self.check(album)

    def set(self, album: Album, name: str, value: Any) -> None:
        """Change another setting of the pictures in the draft."""
        self._desk.drafts.edit(lambda draft: draft.with_value("", f"data.{name}", value))
        self._keep(album)
        self.check(album)

    def recalled(self, folder: str) -> None:
        """Bring back what was chosen of a folder when it was open before; what held for another one no longer does."""
        drafts = self._desk.drafts
        draft = drafts.read()
        shared = {name: value for name, value in draft.shared.items() if name not in CHOSEN}
        noted = read_note(resolve_folder(folder), CHOICE)
        for name in CHOSEN:
            if _choice(name, noted.get(name)):
                shared[name] = noted[name]
        if shared != dict(draft.shared):
            drafts.change(shared=shared)

    def _keep(self, album: Album) -> None:
        if album.own:
            shared = self._desk.drafts.read().shared
            write_note(album.root, CHOICE, {name: shared[name] for name in CHOSEN if name in shared})

    # -- the look ------------------------------------------------------------------------------------------------------

    def _work(self, album: Album) -> None:
        from studio.ui.late import libraries

        try:
            self._desk.looks.begin()
            self._desk.looks.ready.wait()  # first: more tabs wait for it
            libraries()
            while album.wanted and not album.cancelled.is_set():
                album.cancelled.wait(PAUSE)
                album.wanted = False
                self._look(album)
            state = "cancelled" if album.cancelled.is_set() else "done"
        except Exception as error:  # the page must stand, and say it
            state, album.error = "failed", failing.sentence(error)
        with self._lock:
            album.state = state
            album.version += 1
            again = album.wanted and not album.cancelled.is_set()
        if again:
            self.check(album)

    def _look(self, album: Album) -> None:
        from studio.data.check import check
        from studio.data.judge import Asked, Report
        from studio.engine.ground import ground

        album.asked = self._asking(album)
        try:
            base = ground(self._desk.drafts.read().base)
            asked = Asked(base.resolution, base.step, base.meter)
        except CrucibleError:  # what is wrong with the base is said where it is chosen
            asked = Asked()
        album.meter = asked.meter
        looking = check(self.spec(album.folder), asked)
        for told in looking:
            if isinstance(told, Report):
                album.report, album.error = told, ""
                album.version += 1
            else:
                album.done, album.total = told.done, told.total
            if album.cancelled.is_set():
                return  # and what was measured is kept
        self._run(album)

    def _run(self, album: Album) -> None:
        """What the first method's run would see of it."""
        from studio.data.scan import dataset
        from studio.engine.shown import epoch, prompts_shown

        try:
            spec = self._run_spec(album)
            album.held = len(dataset(spec.data).held_out)
            album.epoch, album.prompts, album.run_error = epoch(spec), prompts_shown(spec, 5), ""
        except CrucibleError as error:
            album.epoch, album.prompts, album.run_error = None, (), str(error)

    def _run_spec(self, album: Album) -> Any:
        from studio.own_presets import any_preset
        from studio.ui import setup
        from studio.ui.offers import usual

        draft = self._desk.drafts.read().moved(folder=album.folder)
        every = self._desk.offers(self._desk.about(draft.base))
        picked = usual(every) if draft.picked is None else draft.picked
        able = [offer for offer in every if not offer.reason]
        offer = next((one for one in able if one.look.kind in picked), able[0])
        try:
            preset = any_preset(draft.presets.get(offer.look.kind) or offer.preset, self._desk.outputs)
        except CrucibleError:
            preset = any_preset(offer.preset, self._desk.outputs)
        return setup.sheet(draft, offer.look.kind, preset).spec


def _choice(name: str, value: object) -> bool:
    """Whether a note holds what may be chosen under ``name``: it may have come with somebody's pictures."""
    if name == "data.masks":
        return value in ("file", "alpha")
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)
