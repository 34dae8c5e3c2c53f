"""The only file that draws the captioner panel: who looks, with what options, what is proposed, what comes down."""

import contextlib
from typing import Any, Final, get_args

from studio.data.edits import Change
from studio.data.setting import DataSpec
from studio.ui import inputs
from studio.ui.album import Album
from studio.ui.bulk import differences
from studio.ui.captioning import Captioning, Fetching, Round
from studio.ui.i18n import t, tr
from studio.ui.markup import button, notice, size, word
from studio.ui.places import Place

MODES: Final = ("keep", "append", "overwrite")
OPTION: Final = "o_"  # before the name of a captioner's own option


def drawn(album: Album, place: Place, by: Captioning, spec: DataSpec, lang: str, shelf: str) -> str:
    """The whole panel, by its state."""
    now = by.round(album.root)
    head = (
        f'<div class="ln"><h2 class="h grow">{word("ds_caption_title", lang)}</h2>'
        f"{button('close', t('ds_close', lang), 'small')}</div>"
    )
    if now and now.busy:
        return f'<div class="tool">{head}{_working(now, lang)}</div>'
    if now and now.found:
        return f'<div class="tool">{head}{_proposed(now, album, lang)}</div>{_listed(now, album, place, shelf, lang)}'
    return f'<div class="tool" data-form>{head}{_ended(now, lang)}{_form(album, place, by, spec, lang)}</div>'


def _working(now: Round, lang: str) -> str:
    text = t("ds_found_of", lang, n=now.done, of=now.total) if now.total else t("ds_loading", lang)
    if now.state == "waiting":
        text = t("ds_waiting", lang)
    return inputs.progress(now.done, now.total, text, button("caption_cancel", t("ds_cancel", lang), "small"))


def _proposed(now: Round, album: Album, lang: str) -> str:
    chosen = len(now.chosen)
    on = (
        button("caption_on", t("ds_go_on", lang), "")
        if now.state in ("cancelled", "failed") and now.wish is not None
        else ""
    )
    return (
        f'<p class="mute">{word("ds_proposed", lang, n=len(now.found))}</p>{_unread(now, lang)}'
        f'<div class="ln">{button("caption_write", t("ds_write", lang, n=chosen), "primary", disabled=not chosen)}{on}'
        f"{button('caption_drop', t('ds_drop_proposed', lang))}</div>"
    )


def _listed(now: Round, album: Album, place: Place, shelf: str, lang: str) -> str:
    found = [Change(one.path, one.old, one.new) for one in now.found]
    picks = frozenset(one.path for one in now.chosen)
    return differences(album, found, place, shelf, lang, picks)


def _unread(now: Round, lang: str) -> str:
    return "".join(notice("warn", tr(one.text, lang)) for one in now.unread[:4])


def _ended(now: Round | None, lang: str) -> str:
    if now is None:
        return ""
    if now.state == "failed":
        return notice("err", tr(now.error, lang))
    return notice("info", t("ds_nothing_found", lang)) + _unread(now, lang) if now.ended else ""


def _form(album: Album, place: Place, by: Captioning, spec: DataSpec, lang: str) -> str:
    from studio.engine.captioning import offers

    every = offers()
    form = place.form
    picked = next((one for one in every if one.name == form.get("captioner")), every[0])
    names = {one.name: _title(one, lang) for one in every}
    help_ = t("gap", lang).join((tr(picked.sentence, lang), t("ds_licence", lang, licence=tr(picked.licence, lang))))
    who = inputs.choice("captioner", t("ds_captioner", lang), names, picked.name, act="fill", help_=help_)
    return f"{who}{_ready(picked, by, lang)}{_wishes(album, picked, form, spec, lang)}"


def _title(offer: Any, lang: str) -> str:
    title = tr(offer.title, lang)
    if offer.missing:
        return f"{title} · {t('ds_cannot', lang)}"
    return title if offer.here else f"{title} · {size(offer.size)}"


def _ready(picked: Any, by: Captioning, lang: str) -> str:
    """What stands between a captioner and its work: what it lacks, or its download."""
    now = by.fetching
    if picked.missing:
        return notice("warn", tr(picked.missing, lang))
    if picked.here:
        return ""
    if now and now.name == picked.name and now.state == "running":
        return _coming(now, lang)
    wrong = notice("err", tr(now.error, lang)) if now and now.name == picked.name and now.error else ""
    go = button("fetch", t("ds_download", lang, size=size(picked.size)), "primary", picked.name)
    facts = word("ds_download_facts", lang, model=picked.model, licence=picked.licence, size=size(picked.size))
    return f'{wrong}<div class="ln">{go}<span class="mute">{facts}</span></div>'


def _coming(now: Fetching, lang: str) -> str:
    said = f"{size(now.done)} / {size(now.total)}" if now.total else t("working_out", lang)
    return inputs.progress(now.done, now.total, said, button("fetch_cancel", t("ds_cancel", lang), "small"))


def _wishes(album: Album, picked: Any, form: dict[str, Any], spec: DataSpec, lang: str) -> str:
    able = picked.here and not picked.missing
    mode = form.get("mode", "keep")
    modes = "".join(
        inputs.switch("mode", t(f"mode_have_{one}", lang), one == mode, kind="radio", value=one) for one in MODES
    )
    plain = "".join(
        inputs.text(name, t(f"part_field_{name}", lang), form.get(name, spec.trigger if name == "trigger" else ""))
        for name in ("trigger", "prefix", "suffix")
    )
    own = "".join(_option(name, info, form, spec, lang) for name, info in picked.options.model_fields.items())
    n = album.bare if mode == "keep" else len(album.captions)
    opened = " open" if form.get("more") else ""
    return (
        f'<fieldset class="ln modes"><legend class="lab">{word("ds_mode", lang)}</legend>{modes}</fieldset>'
        f'<div class="fields two">{plain}</div><details data-name="more"{opened}>'
        f'<summary>{word("ds_options", lang)}</summary><div class="fields two">{own}</div></details>'
        f'<div class="ln">{button("caption_start", t("ds_propose", lang), "primary", disabled=not able or not n)}'
        f'<span class="mute">{word("ds_look_at", lang, n=n)}</span></div>'
    )


def _option(name: str, info: Any, form: dict[str, Any], spec: DataSpec, lang: str) -> str:
    """One option of the captioner itself, as its class declares it."""
    key, label = OPTION + name, name.replace("_", " ")
    value = form.get(key, spec.subject if name == "subject" else info.default)
    help_ = tr(info.description or "", lang)
    if info.annotation is bool:
        return inputs.field(key, "", inputs.switch(key, label, value in (True, "true", "on")), help_)
    if choices := get_args(info.annotation):
        return inputs.choice(key, label, {str(one): str(one) for one in choices}, str(value), help_=help_)
    return inputs.text(key, label, value, kind="number" if info.annotation in (int, float) else "text", help_=help_)


def options_of(form: dict[str, Any], options: type[Any]) -> dict[str, Any]:
    """What was filled in of a captioner's own options; an empty number stays as it is."""
    found: dict[str, Any] = {}
    for name, info in options.model_fields.items():
        value = form.get(OPTION + name)
        number = info.annotation in (int, float)
        if value is None or (number and not str(value).strip()):
            continue
        with contextlib.suppress(TypeError, ValueError):  # the section says what is wrong with it
            value = info.annotation(value) if number else value
        found[name] = value
    return found
