"""The only file that draws the smaller tools beside the pictures: a folder to choose, copies to make, masks, jobs."""

import os
from pathlib import Path
from typing import Any, Final

from studio.data.listing import ENDINGS, JUNK
from studio.data.mask import removal_lacks
from studio.data.names import listed, natural
from studio.data.names import shown as readable
from studio.ui import inputs, painter
from studio.ui.album import Album
from studio.ui.i18n import t, tr
from studio.ui.jobs import Job
from studio.ui.markup import button, coded, esc, notice, word

MOST: Final = 300  # folders that are listed


def _tool(title: str, body: str, lang: str) -> str:
    close = button("close", t("ds_close", lang), "small")
    return f'<div class="tool" data-form><div class="ln"><h2 class="h grow">{esc(title)}</h2>{close}</div>{body}</div>'


def job(now: Job | None, lang: str) -> str:
    """How the work on pictures goes, or what came of it."""
    if now is None:
        return ""
    if now.state == "running":
        said = t(f"stage_ds_{now.kind}", lang, n=now.done, of=now.total)
        return inputs.progress(now.done, now.total, said, button("job_cancel", t("ds_cancel", lang), "small"))
    close = button("job_forget", t("ds_close", lang), "small")
    if now.state == "failed":
        return f'<div class="ln">{notice("err", tr(now.error, lang))}{close}</div>'
    if now.state == "cancelled":
        return f'<div class="ln"><span class="mute">{word("ds_job_cancelled", lang)}</span>{close}</div>'
    return f'<div class="outcome"><div>{_result(now, lang)}</div>{close}</div>'


def _result(now: Job, lang: str) -> str:
    if now.kind == "import":
        return imported(now.result, lang)
    if now.kind == "prepare":
        made = now.result
        go = button("open", t("ds_open", lang), "small", made.folder)
        return (
            f'<div class="ln"><span>{word("ds_prepared", lang, n=made.pictures, folder=made.folder)}</span>{go}</div>'
        )
    return f"<p>{word('ds_backgrounds', lang, n=now.result)}</p>"


def imported(result: Any, lang: str) -> str:
    """What was taken in and what was not, with each reason."""
    said = f"<p>{word('ds_taken', lang, n=len(result.taken), pictures=result.pictures)}</p>"
    if result.refused:
        reasons: dict[str, list[str]] = {}
        for one in result.refused:
            reasons.setdefault(one.reason, []).append(one.name)
        said += "".join(
            notice("warn", t("gap", lang).join((tr(why, lang), tr(listed(names), lang))))
            for why, names in reasons.items()
        )
    return said + "".join(f'<p class="mute">{esc(tr(note, lang))}</p>' for note in result.notes[:5])


def choose(at: str, lang: str) -> str:
    """The folders of this machine, with how many pictures lie in each."""
    place = Path(at or Path.home()).expanduser()
    wrong = ""
    try:
        folders, here = _folders(place)
    except OSError as error:
        wrong = notice("err", t("ds_not_opened", lang, folder=place, why=error.strerror or type(error).__name__))
        folders, here = [], 0
    up = button("browse", "↑ ..", "small", str(place.parent), disabled=place.parent == place)
    rows = "".join(
        f'<button type="button" class="row" data-act="browse" data-id="{esc(path)}">'
        f"<span>{esc(readable(path.name))}</span><small>{count or ''}</small></button>"
        for path, count in folders
    )
    every = here + sum(count for _, count in folders)  # deeper ones count as well, but are not counted here
    use = button(
        "open", t("ds_use_folder", lang, n=every) if every else t("ds_use_this", lang), "primary", str(place),
        disabled=not place.is_dir() or bool(wrong),
    )  # fmt: skip
    typed = (
        f'<input class="in" type="text" name="at" id="ds_at" data-enter="browse" value="{esc(place)}" '
        f'aria-label="{word("ds_path", lang)}">'
    )
    body = (
        f'<div class="ln at">{up}{typed}</div>{wrong}<div class="rows" tabindex="0">{rows}</div>'
        f'<div class="ln">{use}<span class="mute">{word("ds_choose_how", lang)}</span></div>'
    )
    return _tool(t("ds_choose_title", lang), body, lang)


def _folders(place: Path) -> tuple[list[tuple[Path, int]], int]:
    """The folders in ``place`` with how many pictures each holds, and how many ``place`` has; raises OSError."""
    folders, here = [], 0
    with os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in JUNK:
                continue
            if entry.is_dir():
                folders.append(place / entry.name)
            else:
                here += os.path.splitext(entry.name)[1].lower() in ENDINGS
    folders.sort(key=lambda path: natural(path.name))
    return [(path, _count(path)) for path in folders[:MOST]], here


def _count(place: Path) -> int:
    try:
        with os.scandir(place) as entries:
            return sum(os.path.splitext(entry.name)[1].lower() in ENDINGS for entry in entries)
    except OSError:
        return 0


def prepare(album: Album, outputs: Path, form: dict[str, Any], lang: str) -> str:
    """Where the copies go."""
    name = Path(album.folder).name
    usual = form.get("out") or str(outputs / "datasets" / f"{name}-prepared")
    body = (
        f'<p class="mute">{word("ds_prepare_what", lang)}</p>{inputs.text("out", t("ds_out_folder", lang), usual)}'
        f'<div class="ln">{button("prepare", t("ds_prepare", lang), "primary")}</div>'
    )
    return _tool(t("ds_prepare_title", lang), body, lang)


def mask(album: Album, path: Path, shelf: str, lang: str) -> str:
    """The picture that is painted on, and what else can be done for its mask."""
    lacking = removal_lacks()
    there = path in album.found.masks
    remove = button("mask_off", t("ds_mask_off", lang)) if there else ""
    many = ""
    if lacking:
        many = f'<p class="faint">{coded(tr(lacking, lang))}</p>'
    else:
        many = (
            f'<div class="ln">{button("background", t("ds_background_one", lang), "", "one")}'
            f"{button('background', t('ds_background_all', lang), '', 'all')}</div>"
        )
    body = (
        f'<p class="mute">{word("ds_mask_how", lang, name=readable(path.name))}</p>{many}<div class="ln">{remove}</div>'
    )
    return _tool(t("ds_mask_title", lang), body, lang) + painter.drawn(album, path, shelf, lang)
