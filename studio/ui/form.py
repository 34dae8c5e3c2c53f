"""The only file that draws the set-up: method strip, preset tiles, the form, and what differs from the preset."""

from collections.abc import Mapping, Sequence

from studio.ui import fields
from studio.ui.fields import Field
from studio.ui.i18n import labels, presets_zh, t, tr
from studio.ui.looks import Look
from studio.ui.markup import badge, button, coded, esc, notice, swatch, word
from studio.ui.setup import Sheet

MODES = ("basic", "all", "changed", "toml")
SLIDERS: Mapping[str, tuple[int, int]] = {"method.rank": (1, 128), "method.vectors": (1, 32)}
"""Numbers that are felt rather than counted: drawn with a slider beside them, over their usual range."""
TALL = 4  # rows of a field of lines


def strip(looks: Sequence[Look], chosen: str, changed: Mapping[str, int], lang: str) -> str:
    """A tab for each picked method, with how much of it was changed."""
    tabs = []
    for look in looks:
        mark = f" {badge('live', t('n_changed', lang, n=changed[look.kind]))}" if changed.get(look.kind) else ""
        tabs.append(
            f'<button type="button" role="tab" class="mt" data-act="method" data-id="{esc(look.kind)}" '
            f'aria-selected="{_truth(look.kind == chosen)}">{swatch(look.colour, ring=look.ring)}'
            f"<span>{esc(tr(look.title, lang))}</span>{mark}</button>"
        )
    more = f'<button type="button" class="mt add" data-go="methods">{word("add_method", lang)}</button>'
    listed = f'<div class="tabs" role="tablist" aria-label="{word("methods", lang)}">{"".join(tabs)}</div>'
    return f'<div class="mstrip">{listed}{more}</div>'


def tiles(found: Sequence[tuple[str, str, str, float, bool]], chosen: str, memory: float, lang: str) -> str:
    """A tile for each preset: name, title, when to take it, GB it was made for, whether it is the user's own."""
    drawn = []
    for name, title, when, needs, own in found:
        fits = needs * 1e9 <= memory or not needs
        verdict = badge("ok", t("fits", lang)) if fits else f'<span class="bd">{word("too_large", lang)}</span>'
        head = esc(title or (f"{needs:g} GB" if needs else name))
        mark = badge("plain", t("own_preset", lang)) if own else ""
        drawn.append(
            f'<div class="ptile{"" if fits else " unfit"}" role="radio" tabindex="0" data-act="preset" '
            f'data-id="{esc(name)}" aria-checked="{_truth(name == chosen)}"><div class="ln"><b>{head}</b>{mark}'
            f'<span class="to-end">{verdict}</span></div><code>{esc(name)}</code>'
            f"<p>{esc(presets_zh.when(when, lang))}</p></div>"
        )
    return f'<div class="ptiles" role="radiogroup" aria-label="{word("presets", lang)}">{"".join(drawn)}</div>'


def toolbar(mode: str, changes: int, lang: str) -> str:
    """The search field and the choice of how much is shown."""
    words = {name: t(f"mode_{name}", lang) for name in MODES}
    if changes:
        words["changed"] += f" {changes}"
    choice = "".join(
        f'<button type="button" role="radio" data-act="mode" data-id="{name}" '
        f'aria-checked="{_truth(name == mode)}">{esc(words[name])}</button>'
        for name in MODES
    )
    find = word("find_parameter", lang)
    field = (
        f'<input type="search" id="train_find" class="grow" data-find="1" placeholder="{find}" aria-label="{find}" '
        'autocomplete="off">'
    )
    if mode == "toml":  # the text has the browser's own search
        field = f'<span class="grow mute">{word("as_a_file_help", lang)}</span>'
    label = word("mode_label", lang)
    return (
        f'<div class="ln ftools">{field}<div class="segs" role="radiogroup" aria-label="{label}">{choice}</div></div>'
    )


def drawn(of: Sheet, shown: Sequence[Field], lang: str) -> str:
    """The fields in their groups."""
    if not shown:
        return f'<div class="nil small"><p>{word("no_field", lang)}</p></div>'
    touched = {key for key, _, _ in of.changes()}
    parts = []
    for group in fields.GROUPS:
        inside = "".join(_field(field, of, field.key in touched, lang) for field in shown if field.group == group)
        if inside:
            parts.append(
                f'<section><h2>{word(f"group_{group}", lang)}</h2><div class="fields">{inside}</div></section>'
            )
    return f'<div class="form3" data-kind="{esc(of.kind)}">{"".join(parts)}</div>'


def _field(field: Field, of: Sheet, touched: bool, lang: str) -> str:
    title, text = labels.of(field.key, field.help, lang)
    dot = f'<i class="dot" title="{word("changed_here", lang)}"></i>' if touched else ""
    back = button("reset", "↺", "small icon", field.key) if touched else ""
    wrong, doubt = of.errors.get(field.key), of.doubts.get(field.key)
    below = notice("err", tr(wrong, lang)) if wrong else notice("warn", t(doubt[0], lang, **doubt[1])) if doubt else ""
    all_runs = f' <small class="faint">{word("every_run", lang)}</small>' if field.shared else ""
    label = f'<label for="{field.element}" title="{esc(field.key)}">{esc(title)}{dot}{all_runs}</label>'
    kind = "switch" if field.kind == "switch" else "wide" if field.kind == "lines" else ""
    state = " bad" if wrong else " changed" if touched else ""
    return (
        f'<div class="fd {kind}{state}" data-key="{esc(field.key)}"><div class="fh">{label}{back}</div>'
        f'{_control(field, of, lang)}<small class="help" id="{field.element}_help">{coded(text)}</small>{below}</div>'
    )


def _control(field: Field, of: Sheet, lang: str) -> str:
    value = of.value(field.key)
    name = f'id="{field.element}" data-set="{esc(field.key)}" aria-describedby="{field.element}_help"'
    if field.key in of.errors:
        name += ' aria-invalid="true"'
    if field.kind == "switch":
        return f'<input type="checkbox" role="switch" {name}{" checked" if value else ""}>'
    if field.kind == "choice":
        options = "".join(
            f'<option value="{esc(choice)}"{" selected" if choice == value else ""}>'
            f"{esc(labels.choice(choice, lang))}</option>"
            for choice in field.choices
        )
        return f"<select {name}>{options}</select>"
    text = esc(fields.shown(value))
    if field.kind == "lines":
        return f'<textarea rows="{TALL if "prompts" in field.key else 2}" {name}>{text}</textarea>'
    typed = f'<input type="text" {name} value="{text}" autocomplete="off" spellcheck="false"'
    if field.kind in ("integer", "number"):
        typed += ' inputmode="decimal"'
    if field.key in SLIDERS and isinstance(value, int):
        low, high = SLIDERS[field.key]
        bounds = f'type="range" min="{low}" max="{high}" value="{value}" tabindex="-1"'
        slide = f'<input {bounds} data-set="{esc(field.key)}" aria-label="{esc(field.name)}">'
        return f'<div class="slide">{slide}{typed}></div>'
    return typed + ">"


def changes(of: Sheet, lang: str) -> str:
    """What differs from the preset: key, was, is, a way back."""
    found = of.changes()
    head = f'<div class="ln"><h2 class="h">{word("changed_from", lang)}</h2>'
    if not found:
        return f'{head}</div><p class="mute">{word("changed_nothing", lang, preset=of.preset.name)}</p>'
    rows = "".join(
        f'<li><div class="ln"><b class="grow">{esc(labels.of(key, "", lang)[0])}</b>'
        f"{button('reset', t('reset', lang), 'small link', key)}</div>"
        f'<div class="ln"><code>{esc(key)}</code>'
        f'<span class="to-end"><span class="faint">{_short(before)}</span> → {_short(now)}</span></div></li>'
        for key, before, now in found
    )
    every = button("reset_all", t("reset_all", lang), "small link")
    return f'{head}<span class="to-end">{every}</span></div><ul class="chg">{rows}</ul>'


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "✓" if value else "–"
    text = fields.shown(value).replace("\n", ", ") if value is not None else "·"
    return f'<span title="{esc(text)}">{esc(text if len(text) <= 24 else text[:22] + "…")}</span>'


def _truth(value: bool) -> str:
    return "true" if value else "false"
