"""The only file that draws one picture at large: what of it is trained, its verdict, its caption, a run's prompts."""

import re
from pathlib import Path
from typing import Any, Final

from studio.data.buckets import Fit
from studio.data.caption import trigger_pattern, with_trigger
from studio.data.journal import Action, Journal
from studio.data.names import shown as readable
from studio.data.setting import DataSpec
from studio.data.tags import tags_of
from studio.data.tokens import LIMIT
from studio.ui.album import Album
from studio.ui.i18n import t, tr
from studio.ui.markup import badge, button, esc, leave, notice, word
from studio.ui.media import picture_url
from studio.ui.places import Place

MOVES: Final = (("left", "←"), ("right", "→"), ("up", "↑"), ("down", "↓"), ("centre", "⊙"))


def drawn(album: Album, place: Place, shelf: str, spec: DataSpec, lang: str) -> str:
    """Everything about the picture that is looked at."""
    path = place.picked(album)
    if path is None:
        return f'<div class="nil">{word("pick_a_picture", lang)}</div>'
    name, verdict = album.name(path), album.verdict(path)
    found = place.shown(album)
    at = found.index(path) + 1 if path in found else 0
    body = (
        f"{_title(path, name, verdict, (at, len(found)), lang)}{_picture(album, path, shelf, lang)}"
        f"{_findings(verdict, album, path, lang)}"
    )
    if path not in album.captions or (verdict and not verdict.width):  # there is nothing that a caption could say
        return body
    return f"{body}{_editor(album, place, path, spec, lang)}{_deeds(album, lang)}{_prompts(album, spec, lang)}"


def _title(path: Path, name: str, verdict: Any, at: tuple[int, int], lang: str) -> str:
    facts = ""
    if verdict and verdict.width:
        wide, high = verdict.fit.size
        facts = t("ds_facts", lang, wide=verdict.width, high=verdict.height, bucket=f"{wide} × {high}")
        facts += f" · {t('ds_repeats', lang, n=verdict.repeats)}" if verdict.repeats > 1 else ""
    return (
        f'<div class="ln title"><h2 class="h" title="{esc(readable(name))}">{esc(readable(path.name))}</h2>'
        f'<span class="mute grow facts1">{esc(facts)}</span>'
        f'{button("go", "←", "small", "-1", at[0] <= 1)}<span class="mute">{at[0]} / {at[1]}</span>'
        f"{button('go', '→', 'small', '1', at[0] >= at[1])}</div>"
    )


# -- the picture ------------------------------------------------------------------------------------------------------


def _picture(album: Album, path: Path, shelf: str, lang: str) -> str:
    verdict = album.verdict(path)
    if path in album.found.left or (verdict and not verdict.width):
        return f'<div class="stage"><span class="hole">{word("ds_no_picture", lang)}</span></div>'
    url = esc(picture_url(shelf, album.root, path, 512))
    if verdict is None or verdict.fit is None:
        return f'<div class="stage"><img src="{url}" alt=""></div>'
    return stage(url, (verdict.width, verdict.height), verdict.fit, album.own, lang)


def stage(url: str, sides: tuple[int, int], fit: Fit, movable: bool, lang: str) -> str:
    """The picture dimmed, the part that is trained bright; ``sides`` are upright pixels, ``url`` is escaped."""
    wide, high = sides
    left, top, right, bottom = fit.box
    place = (
        f"--l:{left / wide:.4f};--t:{top / high:.4f};--w:{(right - left) / wide:.4f};--h:{(bottom - top) / high:.4f}"
    )
    whole = (right - left, bottom - top) == (wide, high)
    moves = movable and not whole
    ways = [
        ("left", "right") if right - left < wide else (),
        ("up", "down") if bottom - top < high else (),
        ("centre",),
    ]
    able = {way for some in ways for way in some}
    grip = (
        f'<span class="crop" tabindex="0" role="application" aria-label="{word("ds_crop_move", lang)}" '
        f'data-crop="{1 if moves else 0}"></span>'
        if moves
        else '<span class="crop" data-crop="0"></span>'
    )
    said = word("ds_crop_whole" if whole else "ds_crop_move" if moves else "ds_crop", lang)
    pads = (
        '<span class="ln pads">'
        + "".join(button("nudge", sign, "small icon", way) for way, sign in MOVES if way in able)
        + "</span>"
        if moves
        else ""
    )
    return (
        f'<div class="stage"><div class="frame" style="{place};--a:{wide / high:.4f}">'
        f'<img class="dim" src="{url}" alt=""><img class="lit" src="{url}" alt="" draggable="false">{grip}</div></div>'
        f'<div class="ln under"><span class="faint grow">{said}</span>{pads}</div>'
    )


def _findings(verdict: Any, album: Album, path: Path, lang: str) -> str:
    if verdict is None:
        trouble = album.troubles.get(path) or album.found.left.get(path)
        return f'<div class="told">{notice("err", tr(trouble, lang))}</div>' if trouble else ""
    tones = {"stops": "err", "loses": "warn", "warns": "warn", "fine": ""}
    said = "".join(
        notice(tones[one.severity], t("gap", lang).join(tr(text, lang) for text in (one.reason, one.mend) if text))
        for one in verdict.findings
    )
    acts = []
    if album.own:
        out = verdict.part == "left_out"
        acts.append(button("leave", t("ds_use_again" if out else "ds_leave", lang), "small"))
        if verdict.part in ("train", "held_out"):
            acts.append(button("hold", t("ds_train_on" if verdict.part == "held_out" else "ds_hold", lang), "small"))
        mask = "ds_mask_edit" if path in album.found.masks else "ds_mask"
        if path in album.captions and verdict.width:
            acts.append(button("tool", t(mask, lang), "small", "mask"))
    held = badge("plain", t("ds_held_long", lang)) if verdict.part == "held_out" else ""
    masked = badge("plain", t("ds_masked", lang)) if path in album.found.masks else ""
    return f'<div class="told">{said}</div><div class="ln">{"".join(acts)}{held}{masked}</div>'


# -- its caption ------------------------------------------------------------------------------------------------------


def _editor(album: Album, place: Place, path: Path, spec: DataSpec, lang: str) -> str:
    saved = album.captions.get(path) or ""
    text = saved if place.typed is None else place.typed
    name = esc(album.name(path))
    if not album.own:
        return (
            f'<p class="lab">{word("caption", lang)}</p>'
            f'<p class="fixed">{esc(saved or t("verdict_of_no_caption", lang))}</p>'
            f"{meter(album, text, spec, lang, text == saved)}{_chips(text, spec, False, lang)}"
        )
    dirty = ' <b class="dirty">●</b>' if text != saved else ""
    area = (
        f'<textarea rows="3" dir="auto" data-of="{name}" data-was="{esc(saved)}" '
        f'data-text="{esc(text)}" '
        f'aria-label="{word("caption", lang)}" spellcheck="false">{esc(text)}</textarea>'
    )
    save = f'<button type="button" class="bt small" data-act="save" id="dataset_save">{esc(t("caption_save", lang))}'
    save += "</button>"
    keys = (
        f'<span class="faint keys"><kbd>Ctrl</kbd> <kbd>Enter</kbd> {word("ds_key_save", lang)} '
        f"<kbd>Alt</kbd> <kbd>←</kbd> <kbd>→</kbd> {word('ds_key_move', lang)}</span>"
    )
    return (
        f'<div id="dataset_caption" class="capt"><p class="lab">{word("caption", lang)}{dirty}</p>{area}</div>'
        f"{meter(album, text, spec, lang, text == saved)}{_chips(text, spec, True, lang)}"
        f'<div class="ln">{save}{keys}</div>'
    )


def meter(album: Album, text: str, spec: DataSpec, lang: str, told: bool = False) -> str:
    """How many tokens the prompt has that training shows for a caption, and what is lost unless that is ``told``."""
    if album.meter is None:
        return ""
    prompt = with_trigger(text, spec)
    found = album.meter([prompt])[0]
    over = found.tokens > LIMIT
    share = min(100.0, 100 * found.tokens / LIMIT)
    lost = notice("warn", t("ds_lost", lang, words=prompt[found.fits :].strip(" ,"))) if over and not told else ""
    return (
        f'<div class="ln meter{" over" if over else ""}">'
        f'<div class="track grow"><i style="width:{share:.0f}%"></i></div>'
        f'<span class="mute">{word("ds_tokens", lang, n=found.tokens, of=LIMIT)}</span></div>{lost}'
    )


def _chips(text: str, spec: DataSpec, own: bool, lang: str) -> str:
    """The parts of a caption; the one with the trigger in the accent."""
    trigger = trigger_pattern(spec.trigger)
    drawn_ = []
    for tag in dict.fromkeys(tags_of(text, spec.separator)):
        calls = bool(trigger.search(tag))
        more = f" <small>{word('ds_trigger', lang)}</small>" if calls else ""
        away = (
            f'<button type="button" class="x" data-act="chip_off" data-id="{esc(tag)}" '
            f'aria-label="{word("ds_chip_off", lang, tag=tag)}">×</button>'
            if own
            else ""
        )
        drawn_.append(f'<span class="tchip{" call" if calls else ""}"><span>{esc(tag)}</span>{more}{away}</span>')
    if own:
        drawn_.append(
            f'<span class="tchip add" data-form><input type="text" name="tag" id="dataset_chip" data-enter="chip_on" '
            f'placeholder="{word("ds_chip_on", lang)}" aria-label="{word("ds_chip_on", lang)}" value=""></span>'
        )
    return f'<div class="ln tchips">{"".join(drawn_)}</div>'


# -- what can be taken back, and what a run sees ----------------------------------------------------------------------


def _deeds(album: Album, lang: str) -> str:
    if not album.own:
        return ""
    back, again = newest(album)
    parts = []
    if back:
        parts.append(button("undo", t("ds_undo", lang, what=_named(back, lang)), "link"))
    if again:
        parts.append(button("redo", t("ds_redo", lang, what=_named(again, lang)), "link"))
    return f'<div class="ln deeds">{"".join(parts)}</div>' if parts else ""


def newest(album: Album) -> tuple[Action | None, Action | None]:
    """What Undo would take back, and what Redo would do again."""
    actions = Journal(album.root).actions()
    done = [one for one in actions if not one.undone]
    undone = [one for one in actions if one.undone]
    return (done[-1] if done else None), (undone[0] if undone else None)


def _named(action: Action, lang: str) -> str:
    short = readable(action.what) if len(action.what) <= 60 else readable(action.what[:57]) + "…"
    return f"{short} ({action.count})" if action.count > 1 else short


def _prompts(album: Album, spec: DataSpec, lang: str) -> str:
    """The first five prompts of the run that would be started."""
    link = leave("train", t("ds_grammar", lang), "link", "dataset_grammar")
    head = f'<div class="ln"><h2 class="h grow">{word("ds_prompts", lang)}</h2>{link}</div>'
    if album.run_error:
        return head + notice("warn", tr(album.run_error, lang))
    if not album.prompts:
        return f'{head}<p class="mute">{word("working_out", lang)}</p>'
    rows = "".join(
        f"<li><small>{esc(readable(one.picture.name))}</small>"
        f'<span dir="auto">{_called(one.prompt, spec.trigger)}</span></li>'
        for one in album.prompts
    )
    return f'{head}<ol class="prompts">{rows}</ol>'


def _called(prompt: str, trigger: str) -> str:
    """A prompt with its trigger in the accent."""
    if not prompt:
        return "∅"
    pieces, last = [], 0
    for found in re.finditer(trigger_pattern(trigger), prompt):
        pieces += [esc(prompt[last : found.start()]), f"<b>{esc(found[0])}</b>"]
        last = found.end()
    return "".join([*pieces, esc(prompt[last:])])
