"""The only file that draws a comparison in figures: the table, its order, its marks, and which method served best."""

from collections.abc import Mapping, Sequence
from typing import Any

from studio.ui.i18n import t, tr
from studio.ui.markup import button, esc, notice, swatch, word
from studio.ui.markup import table as table_html

MARKS = {"▲": "up", "▼": "down", "=": "tie"}
MAIN = (
    "likeness", "prompt_fidelity", "forgetting", "memorisation", "total_seconds", "peak_memory", "artifact_size",
    "parameters",
)  # fmt: skip
"""The columns that are shown until all are asked for."""
WEIGHED = ("likeness", "prompt_fidelity", "forgetting", "memorisation", "total_seconds", "artifact_size")
NAME = "name"


def ordered(rows: Sequence[Any], columns: Sequence[Any], by: str, turned: bool) -> list[Any]:
    """The base first, then by a column: the best first, or ``turned`` the worst; what has no figure stands last."""
    first, rest = list(rows[:1]), list(rows[1:])
    if by == NAME:
        return first + sorted(rest, key=lambda row: row.title.casefold(), reverse=turned)
    metric = next((metric for metric in columns if metric.name == by), None)
    if metric is None:
        return first + rest
    known = [row for row in rest if row.cells[by].value is not None]
    unknown = [row for row in rest if row.cells[by].value is None]
    falling = (metric.direction == "higher") != turned
    return first + sorted(known, key=lambda row: row.cells[by].value, reverse=falling) + unknown


def figures(table: Any, place: Mapping[str, Any], lang: str) -> str:
    """The comparison in figures, as ``place`` has it: ``sort``, ``turned``, ``every`` column, ``facts``."""
    from studio.compare.facts import HEADS

    columns = [metric for metric in table.columns if place.get("every") or _is_main(table, metric)]
    by, turned = place.get("sort", ""), bool(place.get("turned"))
    heads = [_head(NAME, t("method", lang), "", (by, "descending" if turned else "ascending"))]
    for metric in columns:
        way = "descending" if (metric.direction == "higher") != turned else "ascending"
        heads.append(_head(metric.name, tr(metric.title, lang), _explained(metric, lang), (by, way), "num"))
    if place.get("facts"):
        heads += [f'<th scope="col" class="fact">{esc(tr(head, lang))}</th>' for head in HEADS]
    rows = ordered(table.rows, table.columns, by, turned)
    drawn = "".join(_row(row, columns, place, lang) for row in rows)
    notes = "".join(f'<p class="faint">{esc(tr(note, lang))}</p>' for note in table.notes)
    return _tools(table, place, lang) + table_html("".join(heads), drawn, "tb cmp") + notes


def _is_main(table: Any, metric: Any) -> bool:
    """Whether a column is shown unasked: one of MAIN in which something stands."""
    return metric.name in MAIN and (
        metric.name == "likeness" or any(row.cells[metric.name].value is not None for row in table.rows)
    )


def _explained(metric: Any, lang: str) -> str:
    key = {"higher": "cmp_higher", "lower": "cmp_lower"}.get(metric.direction)
    return f"{tr(metric.why, lang)} {tr(metric.misleads, lang)} {t(key, lang) if key else ''}".strip()


def _tools(table: Any, place: Mapping[str, Any], lang: str) -> str:
    legend = (
        f'<span class="legend grow"><span><i class="up">▲</i> {word("mark_best", lang)}</span>'
        f'<span><i class="down">▼</i> {word("mark_worst", lang)}</span><span>= {word("mark_tie", lang)}</span></span>'
    )
    hidden = sum(not _is_main(table, metric) for metric in table.columns)
    every = _switch("every", t("cmp_every", lang, n=hidden), bool(place.get("every")))
    facts = _switch("facts", t("cmp_facts", lang), bool(place.get("facts")))
    return f'<div class="ln cmp-tools">{legend}{every}{facts}</div>'


def _switch(act: str, text: str, on: bool) -> str:
    return (
        f'<button type="button" class="bt small" data-act="{act}" aria-pressed="{"true" if on else "false"}">'
        f"{esc(text)}</button>"
    )


def _head(name: str, title: str, tip: str, order: tuple[str, str], kind: str = "") -> str:
    by, way = order
    here = by == name
    arrow = ("↓" if way == "descending" else "↑") if here else ""
    said = f' data-tip="{esc(tip)}" aria-description="{esc(tip)}"' if tip else ""
    return (
        f'<th scope="col" class="{kind}" aria-sort="{way if here else "none"}"><button type="button" class="srt" '
        f'data-act="sort" data-id="{name}"{said}><span>{esc(title)}</span><i>{arrow}</i></button></th>'
    )


def _row(row: Any, columns: Sequence[Any], place: Mapping[str, Any], lang: str) -> str:
    cells = "".join(_figure(row.cells[metric.name], lang) for metric in columns)
    kind = "err" if row.state.startswith("failed") else "warn"
    state = f' <span class="bd {kind}">{esc(tr(row.state, lang))}</span>' if row.state else ""
    more = "".join(f'<td class="fact">{cell}</td>' for cell in _facts(row, lang)) if place.get("facts") else ""
    base = ' class="base"' if row.name == "base" else ""
    return (
        f'<tr{base} data-row="{esc(row.name)}"><th scope="row">{swatch(row.colour, ring=row.ring)} '
        f"{esc(tr(row.title, lang))}{state}</th>{cells}{more}</tr>"
    )


def _facts(row: Any, lang: str) -> list[str]:
    from studio.compare.facts import HEADS, columns, facts

    if not row.kind:
        return ["–"] * len(HEADS)
    learns, size, needs, called, stacks = columns(facts(row.kind))
    return [esc(tr(learns, lang)), esc(tr(size, lang)), esc(tr(needs, lang)), f"<code>{esc(called)}</code>",
            esc(tr(stacks, lang))]  # fmt: skip


def _figure(cell: Any, lang: str) -> str:
    if cell.value is None:
        why = esc(tr(cell.reason, lang))
        return f'<td class="num faint"><span tabindex="0" data-tip="{why}" aria-label="{why}">–</span></td>'
    sign = MARKS.get(cell.mark, "")
    key = {"up": "mark_best", "down": "mark_worst", "tie": "mark_tie"}.get(sign)
    said = word(key, lang) if key else ""
    mark = f'<span class="{sign}" role="img" aria-label="{said}" title="{said}">{esc(cell.mark)}</span>'
    return (
        f'<td class="num"><span class="fig"><span{" class=best" if sign == "up" else ""}>{esc(cell.text)}</span>'
        f"<small>{esc(cell.spread_text)}</small>{mark if key else '<span></span>'}</span></td>"
    )


# -- which one? -------------------------------------------------------------------------------------------------------


def verdict(table: Any, weights: Mapping[str, float], lang: str) -> str:
    """Which method served best by ``weights``, in words with its numbers."""
    from studio.compare.verdict import after

    head = f'<h2 class="h">{word("cmp_which", lang)}</h2>'
    if not any(weights.values()):
        return head + notice("warn", t("cmp_no_weight", lang))
    found = after(table, weights)
    said = f'<p class="answer">{_best(table, found)}{esc(tr(found.sentence, lang))}</p>'
    reasons = found.ranked[0].reasons if found.ranked else ()
    more = "".join(f"<li>{esc(tr(reason, lang))}</li>" for reason in reasons[1 if not found.tied else 0 : 5])
    cautions = "".join(f'<p class="faint">{esc(tr(caution, lang))}</p>' for caution in found.cautions)
    places = _places(table, found, lang)
    return f'{head}{said}<ul class="why">{more}</ul>{places}{cautions}'


def weighing(table: Any, weights: Mapping[str, float], opened: bool, lang: str) -> str:
    """What counts how much in the verdict: shown where it is ``opened``, under the figures that are weighed."""
    change = _switch("weigh", t("cmp_weigh", lang), opened)
    back = f'<span class="faint">{word("cmp_kept", lang)}</span>{button("unweigh", t("cmp_unweigh", lang), "small")}'
    scales = _scales(table, weights, lang) if opened else ""
    return f'<div class="weighx"><div class="ln">{change}{back if opened else ""}</div>{scales}</div>'


def _best(table: Any, found: Any) -> str:
    row = next((row for row in table.rows if found.ranked and row.name == found.ranked[0].name), None)
    return f"{swatch(row.colour, ring=row.ring)} " if row else ""


def _places(table: Any, found: Any, lang: str) -> str:
    if not found.ranked:
        return ""
    rows = {row.name: row for row in table.rows}
    bars = "".join(
        f'<li style="--m:{esc(rows[one.name].colour)}">{swatch(rows[one.name].colour, ring=rows[one.name].ring)}'
        f'<span class="grow">{esc(tr(one.title, lang))}</span><span class="track"><i style="width:{100 * one.score:.0f}'
        f'%">'
        f'</i></span><span class="num">{one.score:.2f}</span></li>'
        for one in found.ranked[:8]
    )
    return f'<ol class="places" aria-label="{word("cmp_places", lang)}">{bars}</ol>'


def _scales(table: Any, weights: Mapping[str, float], lang: str) -> str:
    titles = {metric.name: metric.title for metric in table.columns}
    rows = "".join(
        f'<div class="scale"><label for="cmp_w_{name}">{esc(tr(titles[name], lang))}</label>'
        f'<input type="range" id="cmp_w_{name}" min="0" max="5" step="0.5" value="{weights.get(name, 0):g}" '
        f'data-change="weight" data-id="{name}"><output>{weights.get(name, 0):g}</output></div>'
        for name in WEIGHED
    )
    return f'<div class="scales">{rows}</div>'
