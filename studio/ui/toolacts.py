"""The only file that does what the tools of the Dataset tab ask for: many captions, captioners, copies, masks."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from studio.data import edits
from studio.data.parcel import Sent
from studio.errors import CrucibleError, DataError
from studio.events import Progress
from studio.store import safe_name
from studio.ui import bulk, captionpanel, painter
from studio.ui.acts import Acts, Said
from studio.ui.album import Album
from studio.ui.i18n import t, tr
from studio.ui.places import Place
from studio.ui.speak import tell

UPLOADS = "datasets"  # folder under outputs


class ToolActs(Acts):
    """All acts of the tab."""

    def on_tool(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.close()
        place.tool = said.get("id", "")

    def on_close(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.close()

    def on_op(self, album: Album, place: Place, said: Said, lang: str) -> None:
        form = dict(said.get("form", {}))
        if form != place.form:
            place.form, place.changes, place.said = form, (), ""

    on_fill = on_op

    def on_further(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.further += 1

    def on_preview(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.form = dict(said.get("form", {}))
        place.changes, place.further = bulk.changes(album, place, place.form, self.albums.spec(album.folder)), 0
        place.what = bulk.called(place.form, lang)
        place.said = "" if place.changes else t("ds_no_change", lang)

    def on_apply(self, album: Album, place: Place, said: Said, lang: str) -> None:
        new, old = edits.written(place.changes)
        action = self.albums.write(album, new, place.what, old)
        self._told(action, lang)
        place.changes, place.said = (), t("ds_applied", lang, n=action.count)

    def on_caption_start(self, album: Album, place: Place, said: Said, lang: str) -> None:
        from pydantic import ValidationError

        from studio.captioners import captioner
        from studio.engine.proposals import CaptionSpec
        from studio.section import sentence

        form = place.form = dict(said.get("form", {}))
        names = ("captioner", "mode", "trigger", "prefix", "suffix")
        try:
            wish = CaptionSpec(**{name: str(form[name]) for name in names if name in form})
        except ValidationError as error:
            raise DataError(sentence(error)) from error
        options = captionpanel.options_of(form, captioner(wish.captioner).Options)
        place.what = t("act_ds_captioner", lang, name=tr(captioner(wish.captioner).title, lang))
        self.captioning.start(album.root, wish, options)

    def on_caption_on(self, album: Album, place: Place, said: Said, lang: str) -> None:
        now = self.captioning.round(album.root)
        if now and now.wish is not None:
            self.captioning.start(album.root, now.wish, now.options)

    def on_caption_cancel(self, album: Album, place: Place, said: Said, lang: str) -> None:
        self.captioning.cancel(album.root)

    def on_caption_write(self, album: Album, place: Place, said: Said, lang: str) -> None:
        now = self.captioning.round(album.root)
        paths = [one.path for one in now.chosen] if now else []
        action = self.captioning.accept(album.root, place.what or t("ds_caption_title", lang))
        self._told(action, lang)
        self.albums.changed(album, paths)
        place.close()

    def on_caption_drop(self, album: Album, place: Place, said: Said, lang: str) -> None:
        self.captioning.drop(album.root)

    def on_take(self, album: Album, place: Place, said: Said, lang: str) -> None:
        now, path = self.captioning.round(album.root), album.path(said["id"])
        if now and path:
            now.off ^= {path}

    def on_reword(self, album: Album, place: Place, said: Said, lang: str) -> None:
        place.form = {**place.form, "reword": said["id"]}

    def on_reworded(self, album: Album, place: Place, said: Said, lang: str) -> None:
        path = album.path(str(said["id"]))
        if path:
            self.captioning.reword(album.root, path, str(said.get("value", "")))
        if place.form.get("reword") == said["id"]:
            place.form = {**place.form, "reword": ""}

    def on_fetch(self, album: Album, place: Place, said: Said, lang: str) -> None:
        self.captioning.fetch(said["id"])

    def on_fetch_cancel(self, album: Album, place: Place, said: Said, lang: str) -> None:
        self.captioning.fetch_cancel()

    # -- folders and copies --------------------------------------------------------------------------------------------

    def on_copy_to_edit(self, album: Album, place: Place, said: Said, lang: str) -> str:
        return self.bring([album.root], free_folder(self.desk.outputs / UPLOADS, Path(album.folder).name))

    def bring(self, sources: Sequence[Path | Sent], target: Path) -> str:
        """Take files, folders and zips into ``target``, and wait for it; returns what to open.

        A page that is loaded again meanwhile does not end it. Raises CrucibleError.
        """
        from studio.data.intake import take

        def after(result: Any) -> None:
            if result and result.pictures:
                with contextlib.suppress(CrucibleError):
                    self.albums.recalled(str(target))
                    self.albums.check(self.albums.of(str(target), anew=True))
                    self.desk.drafts.change(folder=str(target))

        job = self.jobs.start("import", lambda: take(sources, target), after)
        job.over.wait()
        if job.error:
            self.jobs.forget()
            raise DataError(job.error)
        if job.result is not None and not job.result.refused:
            self.jobs.forget()
        if job.result is None or not job.result.taken:
            return ""
        return str(target)

    def on_prepare(self, album: Album, place: Place, said: Said, lang: str) -> None:
        if not str(said.get("form", {}).get("out", "")).strip():
            raise DataError("No folder is named; write where the copies shall go.")
        out = Path(said["form"]["out"].strip()).expanduser()
        place.close()

        def work() -> Iterator[Any]:
            from studio.data.judge import Asked
            from studio.data.prepare import prepare
            from studio.engine.ground import ground

            base = ground(self.desk.drafts.read().base)
            asked = Asked(base.resolution, base.step, base.meter)
            yield from prepare(album.folder, out, self.albums.spec(album.folder), asked)

        self.jobs.start("prepare", work)

    def on_background(self, album: Album, place: Place, said: Said, lang: str) -> None:
        one = place.picked(album)
        paths = place.scope(album) if said.get("id") == "all" else [one] if one else []
        place.close()

        def work() -> Iterator[Any]:
            from studio.data.mask import remove_background

            for done, path in enumerate(paths, 1):
                remove_background(path)
                yield Progress(stage="masking", done=done, total=len(paths))
            yield len(paths)

        self.jobs.start("background", work, lambda _: self.masked(album))

    def masked(self, album: Album) -> None:
        """Masks came or went: they count from now on."""
        fresh = self.albums.of(album.folder, anew=True)
        self.albums.set(fresh, "masks", "file" if fresh.found.masks else "off")

    def on_mask_save(self, album: Album, place: Place, said: Said, lang: str) -> None:
        path = album.path(str(said.get("id", "")))
        if path in album.captions:
            painter.keep(path, said.get("mask"))
            self.masked(album)
            tell(t("ds_mask_kept", lang))
        place.close()

    def on_mask_off(self, album: Album, place: Place, said: Said, lang: str) -> None:
        path = place.picked(album)
        if path in album.found.masks:
            album.found.masks[path].unlink(missing_ok=True)
            self.masked(album)
        place.close()

    def on_job_cancel(self, album: Album, place: Place, said: Said, lang: str) -> None:
        self.jobs.cancel()

    def on_job_forget(self, album: Album, place: Place, said: Said, lang: str) -> None:
        self.jobs.forget()


def free_folder(uploads: Path, name: str) -> Path:
    """A folder for a new dataset that is not there yet."""
    number, base = 1, safe_name(name)
    while (uploads / f"{base}-{number}").exists():
        number += 1
    return uploads / f"{base}-{number}"
