"""The only file that draws the pictures of a dataset many at once: totals, filters, thumbnails with what troubles."""

from pathlib import Path
from typing import Any, Final

from studio.data.names import shown as readable
from studio.ui import inputs
from studio.ui.album import Album
from studio.ui.app import MOST_UPLOAD
from studio.ui.i18n import t, tr
from studio.ui.markup import badge, button, coded, empty, esc, leave, notice, word
from studio.ui.media import picture_url
from studio.ui.places import PAGE, SORTS, Place

SIGNS: Final = {"stops": ("err", "✕"), "loses": ("warn", "!"), "warns": ("warn", "!")}
NAMES: Final = 6  # of pictures that a sentence holds
GIGABYTES: Final = int(MOST_UPLOAD.removesuffix("gb"))  # that one file may have


def head(album: Album, place: Place, steps: str, lang: str) -> str:
    """One sentence of totals, what will not be used, the filters, and how far the check is."""
    return (
        f'<div class="ln totals"><span><b>{esc(_counted(album, lang))}</b> {esc(steps)}</span></div>'
        f"{_fixed(album, lang)}{_unused(album, lang)}{_leaks(album, lang)}"
        f"{_checking(album, lang)}{_filters(album, place, lang)}"
    )


def reckoned(album: Album, lang: str) -> str:
    """How many steps an epoch of the run has that would be started."""
    if album.epoch is None:
        return ""
    found = album.epoch
    count = len(album.report.buckets) if album.report else 1
    shapes = t("ds_shapes", lang, n=count) if count > 1 else t("ds_shape", lang)
    return t("ds_epoch", lang, steps=f"{found.steps:.4g}", batch=found.batch_size, shapes=shapes,
             total=found.total, epochs=f"{found.epochs:.3g}")  # fmt: skip


def _counted(album: Album, lang: str) -> str:
    report = album.report
    if report is None:
        return t("ds_pictures", lang, n=len(album.pictures))
    train, held, out = album.part("train"), max(album.held, album.part("held_out")), album.part("left_out")
    text = t("ds_totals", lang, n=len(report.verdicts), train=train, held=held)
    return f"{text} {t('ds_left', lang, n=out)}" if out else text


def _fixed(album: Album, lang: str) -> str:
    if album.own:
        return ""
    copying = button("copy_to_edit", t("ds_copy_to_edit", lang), "small")
    return f'<div class="ln quiet"><span class="mute">{word("ds_fixed", lang)}</span>{copying}</div>'


def _unused(album: Album, lang: str) -> str:
    names = album.unused
    if not names:
        return ""
    said = ", ".join(readable(name) for name in names[:NAMES]) + ("…" if len(names) > NAMES else "")
    accept = button("accept", t("ds_accept", lang), "small") if album.own else ""
    return (
        f'<div class="ln unused" title="{esc(said)}">{badge("err", "✕ " + t("ds_unused", lang, n=len(names)))}'
        f"{accept}{button('verdict', t('ds_show', lang), 'small', 'stops')}</div>"
    )


def _leaks(album: Album, lang: str) -> str:
    """How many pictures are learnt and, nearly the same, judged by."""
    count = album.counts().get("leak", 0)
    if not count:
        return ""
    go = button("verdict", t("ds_show", lang), "small", "leak")
    return f'<div class="ln leaks">{badge("warn", "! " + t("ds_leaks", lang, n=count))}{go}</div>'


def _checking(album: Album, lang: str) -> str:
    if album.state == "checking" and album.total and (album.report is None or album.done < album.total):
        said = t("ds_checking", lang, n=album.done, of=album.total)
        return inputs.progress(album.done, album.total, said, button("check_cancel", t("ds_cancel", lang), "small"))
    if album.state == "cancelled":
        return (
            f'<div class="ln"><span class="mute">{word("ds_check_cancelled", lang, n=album.done, of=album.total)}'
            f"</span>{button('check_again', t('ds_check_on', lang), 'small')}</div>"
        )
    if album.state == "failed":
        again = button("check_again", t("check_again", lang), "small")
        return f'<div class="ln">{notice("err", tr(album.error, lang))}{again}</div>'
    problems = album.report.problems if album.report else ()
    return "".join(notice("warn", tr(one, lang)) for one in problems[:3])


def _filters(album: Album, place: Place, lang: str) -> str:
    counts = counts_of(album)
    chips = [_chip("", t("ds_all", lang), len(album.pictures), place.verdict, "")]
    chips += [_chip(kind, t(f"verdict_of_{kind}", lang), n, place.verdict, _tone(album, kind)) for kind, n in counts]
    names = {name: t(f"mode_sort_{name}", lang) for name in SORTS}
    sort = inputs.select("sort", names, place.sort, act="sort", label=t("ds_sort", lang))
    find = (
        f'<input type="search" data-find="find" name="find" id="dataset_find" value="{esc(place.words)}" '
        f'placeholder="{word("ds_find", lang)}" aria-label="{word("ds_find", lang)}">'
    )
    every = f'{"".join(chips)}<span class="ln finds">{find}{sort}</span>'
    return f'<div class="ln chips" role="group" data-rove=".fchip">{every}</div>'


def counts_of(album: Album) -> list[tuple[str, int]]:
    """The kinds of findings with their counts: what is right first, then as grave as they are."""
    if album.report is None:
        return [("no_caption", album.bare)] if album.bare else []
    counts, stops = album.counts(), len(album.unused)
    rest = sorted((kind for kind in counts if kind != "ok"), key=lambda kind: (_rank(album, kind), -counts[kind]))
    found = [("ok", counts["ok"])] if "ok" in counts else []
    return [*found, *([("stops", stops)] if stops else []), *((kind, counts[kind]) for kind in rest)]


def _rank(album: Album, kind: str) -> int:
    return ("err", "warn", "").index(_tone(album, kind))


def _tone(album: Album, kind: str) -> str:
    """How grave a kind is."""
    if kind in ("ok", "left_out", "turned"):
        return ""
    return "err" if kind in ("unreadable", "caption_unreadable", "stops") else "warn"


def _chip(kind: str, text: str, count: int, chosen: str, tone: str) -> str:
    pressed = "true" if kind == chosen else "false"
    return (
        f'<button type="button" class="fchip {tone}" data-act="verdict" data-id="{kind}" aria-pressed="{pressed}">'
        f"{esc(text)} <small>{count}</small></button>"
    )


def thumbs(album: Album, place: Place, shelf: str, lang: str) -> str:
    """One page of thumbnails."""
    found = place.shown(album)
    if not found:
        clear = button("clear", t("ds_clear", lang), "small")
        return empty(t("ds_none", lang), t("ds_none_help", lang), clear)
    place.page = min(place.page, (len(found) - 1) // PAGE)
    picked = place.picked(album)
    first = place.page * PAGE
    tiles = "".join(_tile(album, path, (shelf, picked, place.selected), lang) for path in found[first : first + PAGE])
    grid = f'<div class="thumbs" id="dataset_tiles" role="group" data-rove=".thumb">{tiles}</div>'
    return grid + _foot(album, place, len(found), lang)


def _tile(album: Album, path: Path, by: tuple[str, Path | None, tuple[str, ...]], lang: str) -> str:
    shelf, picked, selected = by
    name = album.name(path)
    verdict = album.verdict(path)
    caption = album.captions.get(path)
    many = " many" if name in selected else ""
    here = ' aria-pressed="true" data-rover="1"' if path == picked else ' aria-pressed="false"'
    out = " out" if verdict and verdict.part == "left_out" else ""
    dead = path in album.found.left or (verdict and not verdict.width)
    url = picture_url(shelf, album.root, path, 160)
    drawn = '<span class="hole">✕</span>' if dead else f'<img loading="lazy" src="{esc(url)}" alt="">'
    title = f"{readable(name)}\n{caption or ''}".strip()
    return (
        f'<button type="button" class="thumb{many}{out}" data-act="pick" data-id="{esc(name)}"{here} '
        f'title="{esc(title)}">{drawn}'
        f'{_mark(album, path, verdict, lang)}<span class="name"><span>{esc(readable(path.name))}</span>'
        f"<small>{_aside(verdict, lang)}</small></span></button>"
    )


def _mark(album: Album, path: Path, verdict: Any, lang: str) -> str:
    """The gravest trouble of a picture; a good one carries no mark."""
    if verdict is None:
        trouble = path in album.found.left or path in album.troubles
        if trouble:
            return badge("err", "✕ " + t("verdict_of_unreadable", lang))
        return "" if album.captions.get(path) else badge("warn", "! " + t("verdict_of_no_caption", lang))
    if verdict.severity not in SIGNS:
        return ""
    kind, sign = SIGNS[verdict.severity]
    finding = next(one for one in verdict.findings if one.severity == verdict.severity)
    text = t(f"verdict_of_{finding.kind}", lang)
    if finding.kind == "long_caption" and verdict.tokens:
        text = f"{verdict.tokens} / 75"
    elif finding.kind in ("duplicate", "leak"):
        text = f"≈ {readable(finding.other)}"
    return badge(kind, f"{sign} {text}")


def _aside(verdict: Any, lang: str) -> str:
    """What stands beside the name: what the picture is for where it is not trained on, else its size."""
    if verdict is None:
        return ""
    if verdict.part == "held_out":
        return word("ds_held", lang)
    if verdict.part == "left_out":
        return word("ds_out", lang)
    return esc(f"{verdict.width}×{verdict.height}") if verdict.width else "–"


def _foot(album: Album, place: Place, count: int, lang: str) -> str:
    """Pages, and what is selected."""
    pages, page = -(-count // PAGE), place.page
    parts = []
    if pages > 1:
        parts += [
            button("page", "⇤", "small", "0", page == 0), button("page", "←", "small", str(page - 1), page == 0),
            f'<span class="mute">{word("ds_page", lang, n=page + 1, of=pages, count=count)}</span>',
            button("page", "→", "small", str(page + 1), page + 1 >= pages),
            button("page", "⇥", "small", str(pages - 1), page + 1 >= pages),
        ]  # fmt: skip
    elif count < len(album.pictures):
        parts.append(f'<span class="mute">{word("ds_of", lang, n=count, of=len(album.pictures))}</span>')
    if place.selected:
        parts.append(f"<b>{word('ds_selected', lang, n=len(place.selected))}</b>")
        if album.own:
            parts += [
                button("copy_here", t("ds_copy_here", lang), "small"), button("leave", t("ds_leave", lang), "small"),
                button("hold", t("ds_hold", lang), "small"),
            ]  # fmt: skip
        parts.append(button("unselect", t("ds_unselect", lang), "small"))
    else:
        parts.append(f'<span class="faint">{word("ds_select_how", lang)}</span>')
    return f'<div class="ln foot">{"".join(parts)}</div>'


def following(album: Album | None, lang: str) -> str:
    """The button for more files, and the one primary button, by what is to be done next."""
    if album is None:
        return f'<div class="ln ends">{_adding(lang)}{button("choose", t("ds_choose", lang), "primary")}</div>'
    go = t("dataset_use", lang)
    if album.own and album.bare:
        first = button("tool", t("ds_caption_missing", lang, n=album.bare), "primary", "caption")
        return f'<div class="ln ends">{_adding(lang)}{leave("methods", go, "", "dataset_use")}{first}</div>'
    return f'<div class="ln ends">{_adding(lang)}{leave("methods", go, name="dataset_use")}</div>'


def _adding(lang: str) -> str:
    """The button that asks for files, with what its script says while they are sent and where one is not taken."""
    words = {
        "most": GIGABYTES * 2**30, "big": t("ds_send_big", lang, n=GIGABYTES), "lost": t("ds_send_lost", lang),
        "wrong": t("ds_send_wrong", lang, status="{status}"), "sending": t("ds_sending", lang, n="{n}", of="{of}"),
        "cancel": t("ds_cancel", lang), "close": t("ds_close", lang),
    }  # fmt: skip
    told = "".join(f' data-{name}="{esc(text)}"' for name, text in words.items())
    return f'<button type="button" class="bt" id="dataset_upload"{told}>{word("dataset_add", lang)}</button>'


def nothing(error: str, lang: str) -> str:
    """What an empty place says: how many pictures are wanted, where they can be dropped, the example."""
    more = (
        f'<p>{word("ds_drop", lang)}</p><div class="ln">{button("choose", t("ds_choose", lang), "primary")}'
        f"{button('example', t('ds_example', lang))}</div>"
    )
    return f'<div class="drop">{empty(t("no_pictures", lang), t("no_pictures_help", lang), more)}</div>' + (
        f'<p class="nt err">{coded(tr(error, lang))}</p>' if error else ""
    )
