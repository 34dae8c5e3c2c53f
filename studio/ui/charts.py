"""The only file that shows a comparison's plots on the page, in its language, and the settings that differ."""

import html
import re
from typing import Any

from studio.ui.i18n import labels, t, tr
from studio.ui.markup import esc, swatch, word

AXES = {
    "training time": "axis_time", "likeness": "axis_likeness", "prompt fit": "axis_prompts", "file": "axis_file",
}  # fmt: skip
TEXT = re.compile(r"(<text[^>]*>)([^<]+)(</text>)")
LABEL = re.compile(r'aria-label="[^"]*"')


def plots(store: Any, table: Any, lang: str) -> str:
    """Likeness over time, against prompt fit, and against the file's size; what cannot be drawn yet says so."""
    from studio.compare import plots

    drawn = (
        ("plot_time", plots.over_time(store, table)),
        ("plot_prompts", plots.against_prompts(table)),
        ("plot_size", plots.against_size(table)),
    )
    parts = "".join(_figure(key, svg, lang) for key, svg in drawn)
    return f'<div class="plots">{parts}</div>'


def _figure(key: str, svg: str, lang: str) -> str:
    title = t(key, lang)
    body = _in_words(svg, title, lang) if svg else f'<p class="nilx">{word("plot_none", lang)}</p>'
    return (
        f"<figure><figcaption><b>{esc(title)}</b><small>{word(f'{key}_help', lang)}</small></figcaption>{body}</figure>"
    )


def _in_words(svg: str, title: str, lang: str) -> str:
    """The same drawing with its words in the page's language."""

    def said(found: re.Match[str]) -> str:
        text = html.unescape(found[2])
        return f"{found[1]}{esc(t(AXES[text], lang) if text in AXES else tr(text, lang))}{found[3]}"

    return LABEL.sub(f'aria-label="{esc(title)}"', TEXT.sub(said, svg), count=1)


def settings(store: Any, lang: str) -> str:
    """Only what is not the same in all runs, a column for each row of the comparison."""
    from studio.compare.members import differences, groups

    found = groups(store)
    apart = differences([group.first.spec for group in found])
    if len(found) < 2 or not apart:
        return f'<p class="mute">{word("settings_none", lang)}</p>'
    heads = "".join(f'<th scope="col">{swatch(g.colour, ring=g.ring)} {esc(tr(g.title, lang))}</th>' for g in found)
    rows = "".join(
        f'<tr><th scope="row">{esc(labels.of(key, "", lang)[0])}<small class="mono">{esc(key)}</small></th>'
        + "".join(f"<td>{_value(value, lang)}</td>" for value in values)
        + "</tr>"
        for key, values in apart.items()
    )
    head = f'<p class="mute">{word("settings_small", lang, n=len(apart))}</p>'
    table = f'<table class="tb cmp apart"><thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return f'{head}<div class="scroll tall" tabindex="0">{table}</div>'


def _value(value: Any, lang: str) -> str:
    if value is None or value == "":
        return '<span class="faint">·</span>'
    if isinstance(value, bool):
        return word("yes" if value else "no", lang)
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f'<span title="{esc(text)}">{esc(text if len(text) <= 40 else text[:38] + "…")}</span>'
