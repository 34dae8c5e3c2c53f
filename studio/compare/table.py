"""The only file that knows how runs become the table of the comparison: rows, spread, best, worst and tied."""

import csv
import io
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from studio.compare import amounts
from studio.compare.evidence import Metric, Value
from studio.compare.facts import HEADS, columns, facts
from studio.compare.guests import Visitor, visitors
from studio.compare.measure import measured
from studio.compare.members import BASE, BASE_COLOUR, BASE_TITLE, Group, groups
from studio.compare.metrics import METRICS
from studio.methods import registry
from studio.store import ExperimentStore

BEST, WORST, TIE = "▲", "▼", "="
OTHER_EYE = "It was measured by another eye than the base; start the comparison again to measure it anew."


@dataclass(frozen=True)
class Cell:
    """One figure: ``text`` and ``spread_text`` as shown, ``mark`` one of ▲ ▼ = or empty, ``reason`` for the hover."""

    value: float | None
    spread: float | None = None
    text: str = "n/a"
    spread_text: str = ""
    mark: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """One method with its repeats, or the base; ``state`` is empty when it is done, else such as ``failed at 312``."""

    name: str
    title: str
    colour: str
    kind: str
    state: str
    seeds: tuple[int, ...]
    ranked: bool
    cells: dict[str, Cell]
    ring: bool = False


@dataclass(frozen=True)
class Table:
    """The comparison in figures, the base first; ``eye`` is what judged the pictures, ``notes`` what to know of it."""

    rows: tuple[Row, ...]
    columns: tuple[Metric, ...] = METRICS
    eye: str = ""
    notes: tuple[str, ...] = ()


def build(store: ExperimentStore) -> Table:
    """The table as far as it is measured; nothing is computed here but means, spreads and marks."""
    base = store.run(BASE)
    view = base.view()
    eye, values = measured(base, view) or ("", {})
    state = {"finished": "", "failed": "failed", "new": "not sampled yet"}.get(view.state, "being sampled")
    cells = {m.name: _cell(m, [values[m.name]] if m.name in values else [], state) for m in METRICS}
    first = Row(BASE, BASE_TITLE, BASE_COLOUR, "", state, (), False, cells)
    rows = [*(_row(group, eye) for group in groups(store)), *(_guest(one, eye) for one in visitors(store))]
    marks = {m.name: marked(m, [row.cells[m.name] if row.ranked else None for row in rows]) for m in METRICS}
    rows = [
        replace(row, cells={name: replace(cell, mark=marks[name][i]) for name, cell in row.cells.items()})
        for i, row in enumerate(rows)
    ]
    return Table((first, *rows), METRICS, eye, _notes((first, *rows)))


def _notes(rows: Sequence[Row]) -> tuple[str, ...]:
    """What is true of a whole column of scores, such as that nothing was held out."""
    found: dict[str, None] = {}
    for metric in METRICS:
        reasons = {row.cells[metric.name].reason for row in rows if row.cells[metric.name].value is not None}
        if metric.unit == "score" and len(reasons) == 1 and len(rows) > 1:
            found.update(dict.fromkeys(reasons - {""}))
    return tuple(found)


def marked(metric: Metric, cells: Sequence[Cell | None]) -> list[str]:
    """A mark for each cell of a column; None stands for a row that is not ranked.

    The best gets ▲ and all within the spread of it =; the worst gets ▼ unless it ties with the best or with another.
    With one seed there is no spread, and only figures that look the same tie. Where all tie there is no mark.
    """
    marks = [""] * len(cells)
    sign = {"higher": -1, "lower": 1, "none": 0}[metric.direction]
    ranked = [(sign * cell.value, i, cell) for i, cell in enumerate(cells) if cell and cell.value is not None]
    if not sign or len(ranked) < 2:
        return marks
    ranked.sort(key=lambda entry: entry[:2])
    best = ranked[0][2]
    apart = [entry for entry in ranked[1:] if not tied(best, entry[2])]
    if not apart:
        return marks
    for _, i, cell in ranked[1:]:
        marks[i] = TIE if tied(best, cell) else ""
    marks[ranked[0][1]] = BEST
    if len(apart) == 1 or not tied(apart[-1][2], apart[-2][2]):
        marks[apart[-1][1]] = WORST
    return marks


def tied(one: Cell, other: Cell) -> bool:
    """True when two figures look the same, or lie within the larger of their spreads."""
    if one.value is None or other.value is None:
        return False
    return one.text == other.text or abs(one.value - other.value) <= max(one.spread or 0.0, other.spread or 0.0)


def _row(group: Group, eye: str) -> Row:
    done = [member for member in group.members if member.view.state == "finished"]
    judged = done or [member for member in group.members if member.trained][:1]
    state = _state(group)
    kept = [measured(member.store, member.view) for member in judged]
    found = [values for name, values in filter(None, kept) if name == eye]
    waiting = ("" if judged else _states(group)) or (OTHER_EYE if any(kept) and not found else "not measured yet")
    cells = {m.name: _cell(m, [values[m.name] for values in found if m.name in values], waiting) for m in METRICS}
    seeds = tuple(member.spec.seed for member in group.members)
    first = group.first
    kind, ring = first.spec.method.kind, group.ring
    return Row(first.name, group.title, group.colour, kind, state, seeds, bool(done), cells, ring)


def _guest(one: Visitor, eye: str) -> Row:
    kept = measured(one.store, one.view)
    values = kept[1] if kept and kept[0] == eye else {}
    waiting = one.state or (OTHER_EYE if kept and not values else "not measured yet")
    cells = {m.name: _cell(m, [values[m.name]] if m.name in values else [], waiting) for m in METRICS}
    return Row(one.guest.name, one.title, one.colour, "", one.state, (), not one.state, cells)


def _state(group: Group) -> str:
    said, count = _states(group), len(group.members)
    if not said or count == 1:
        return said
    return f"{sum(not member.state for member in group.members)} of {count} seeds; {said}"


def _states(group: Group) -> str:
    return ", ".join(dict.fromkeys(member.state for member in group.members if member.state))


def _cell(metric: Metric, values: Sequence[Value], waiting: str) -> Cell:
    figures = [value.value for value in values if value.value is not None]
    if not figures:
        reason = next((value.reason for value in values if value.reason), waiting or "not measured yet")
        return Cell(None, text="n/a" if values else waiting or "n/a", reason=reason)
    mean = statistics.fmean(figures)
    note = next((value.reason for value in values if value.reason), "")
    spread = statistics.stdev(figures) if len(figures) > 1 else values[0].spread
    shown = amounts.show(mean, metric.unit, metric.digits, spread)
    return Cell(mean, spread, shown.value, shown.spread, "", note)


def to_csv(table: Table) -> str:
    """The table for other programs: bare amounts, seconds and bytes; an empty cell has no figure."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = [part for m in table.columns for part in (m.name, f"{m.name}_spread", f"{m.name}_mark")]
    writer.writerow(["run", "method", "state", "seeds", *columns])
    for row in table.rows:
        figures: list[str] = []
        for metric in table.columns:
            cell = row.cells[metric.name]
            figures += [_bare(cell.value), _bare(cell.spread), cell.mark]
        writer.writerow([row.name, row.title, row.state or "finished", " ".join(map(str, row.seeds)), *figures])
    return out.getvalue()


def to_markdown(table: Table) -> str:
    """The table as Markdown, with the legend of the marks."""
    lines = ["| Method | " + " | ".join(metric.title for metric in table.columns) + " |"]
    lines.append("|---|" + "---:|" * len(table.columns))
    for row in table.rows:
        title = f"{row.title} ({row.state})" if row.state else row.title
        shown = [row.cells[metric.name] for metric in table.columns]
        cells = [" ".join(filter(None, (c.text, c.spread_text, c.mark))) for c in shown]
        lines.append("| " + " | ".join(text.replace("|", "\\|") for text in (title, *cells)) + " |")
    legend = f"{BEST} best, {WORST} worst, {TIE} tie with the best. The base is not ranked."
    return "\n".join([*lines, "", legend, *table.notes, *_facts(table)]) + "\n"


def _facts(table: Table) -> list[str]:
    """The article's columns beside the measured ones, as a second Markdown table."""
    known = [facts(kind) for kind in dict.fromkeys(row.kind for row in table.rows) if kind in registry()]
    if not known:
        return []
    lines = ["", f"| Method | {' | '.join(HEADS)} |", "|---" * (len(HEADS) + 1) + "|"]
    return [*lines, *(f"| {one.title} | {' | '.join(columns(one)).replace('<', '&lt;')} |" for one in known)]


def to_json(table: Table) -> str:
    """The table as one JSON object: per run its state and, by metric, value, spread, mark and the reason of a gap."""
    return json.dumps(as_dict(table), ensure_ascii=False)


def as_dict(table: Table) -> dict[str, Any]:
    """What `to_json` writes."""
    rows = [
        {
            "run": row.name,
            "method": row.kind,
            "state": row.state or "finished",
            "seeds": row.seeds,
            "metrics": {
                name: {"value": cell.value, "spread": cell.spread, "mark": cell.mark, "reason": cell.reason}
                for name, cell in row.cells.items()
            },
        }
        for row in table.rows
    ]
    return {"eye": table.eye, "rows": rows, "notes": table.notes}


def _bare(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
