"""The only file that says which method served best, from the measured table and what counts for the user."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.compare.table import Cell, Row, Table, tied
from studio.errors import SpecError

WEIGHTS: Mapping[str, float] = {
    "likeness": 3, "prompt_fidelity": 2, "forgetting": 1, "memorisation": 1, "total_seconds": 0.5, "artifact_size": 0.5,
}  # fmt: skip
"""What counts how much until the user says otherwise."""


@dataclass(frozen=True)
class Placed:
    """A row with its score from 0 to 1 and the deviation of that, and what earned it, in sentences."""

    name: str
    title: str
    score: float
    spread: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """The rows by score; ``tied`` are titles that cannot be told from the first; ``sentence`` is the answer."""

    sentence: str
    ranked: tuple[Placed, ...] = ()
    tied: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


def after(table: Table, weights: Mapping[str, float] = WEIGHTS) -> Verdict:
    """Which method served best, by ``weights`` of metrics (name -> 0 or more).

    A figure counts from 0, the worst of its column, to 1, the best; sizes and times by their logarithm. What ties with
    the best counts as the best. Raises SpecError for an unknown metric or a weight below 0.
    """
    _refuse(table, weights)
    rows = [row for row in table.rows if row.ranked]
    counted = [name for name, weight in weights.items() if weight > 0]
    measured = [row for row in rows if any(row.cells[name].value is not None for name in counted)]
    rows = measured if len(measured) > 1 else rows  # what nothing is known of has no place yet
    if len(rows) < 2:
        return Verdict("Train at least two methods; then there is something to choose between.")
    shares = {name: _shares(table, name, rows) for name in counted}
    placed = [_placed(row, shares, weights, table, rows) for row in rows]
    placed.sort(key=lambda one: -one.score)
    best = placed[0]
    equal = tuple(p.title for p in placed[1:] if best.score - p.score <= max(best.spread, p.spread, 1e-9))
    return Verdict(_sentence(best, equal), tuple(placed), equal, _cautions(table, rows, best))


def _refuse(table: Table, weights: Mapping[str, float]) -> None:
    known = [metric.name for metric in table.columns]
    for name, weight in weights.items():
        if name not in known:
            raise SpecError(f"'{name}' is not measured; use {', '.join(known)}.")
        if weight < 0:
            raise SpecError(f"The weight of {name} must be 0 or more, not {weight:g}.")
    if not any(weights.values()):
        raise SpecError("All weights are 0; let something count.")


def _shares(table: Table, name: str, rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    """For each row that has the figure: its place from 0 (worst) to 1 (best), and the deviation of that."""
    metric = next(metric for metric in table.columns if metric.name == name)
    figures = {row.name: row.cells[name] for row in rows if row.cells[name].value is not None}
    if metric.direction == "none" or len(figures) < 2:
        return {}
    by_size = metric.unit not in ("score", "loss")
    sign = 1 if metric.direction == "higher" else -1
    heights = {row: sign * _height(cell.value or 0.0, by_size) for row, cell in figures.items()}
    top, low = max(heights.values()), min(heights.values())
    best = figures[max(heights, key=lambda row: heights[row])]
    if all(tied(best, cell) for cell in figures.values()):
        return {}  # a column on which all agree decides nothing
    found = {}
    for row, cell in figures.items():
        deviation = _deviation(cell, by_size) / (top - low)
        found[row] = (1.0 if tied(best, cell) else (heights[row] - low) / (top - low), deviation)
    return found


def _height(value: float, by_size: bool) -> float:
    return math.log(max(value, 1e-9)) if by_size else value


def _deviation(cell: Cell, by_size: bool) -> float:
    spread = cell.spread or 0.0
    return spread / max(cell.value or 0.0, 1e-9) if by_size else spread


def _placed(
    row: Row,
    shares: Mapping[str, Mapping[str, tuple[float, float]]],
    weights: Mapping[str, float],
    table: Table,
    rows: Sequence[Row],
) -> Placed:
    earned = {name: found[row.name] for name, found in shares.items() if row.name in found}
    whole = sum(weights[name] for name in earned) or 1.0
    score = sum(weights[name] * share for name, (share, _) in earned.items()) / whole
    spread = math.sqrt(sum((weights[name] * deviation) ** 2 for name, (_, deviation) in earned.items())) / whole
    order = sorted(earned, key=lambda name: -weights[name])
    reasons = [_reason(table, name, row, rows, earned[name][0]) for name in order]
    missing = [name for name, found in shares.items() if found and row.name not in found]
    titles = {metric.name: metric.title for metric in table.columns}
    reasons += [f"{titles[name]} is not known: {row.cells[name].reason}" for name in missing]
    return Placed(row.name, row.title, score, spread, tuple(reasons))


def _reason(table: Table, name: str, row: Row, rows: Sequence[Row], share: float) -> str:
    metric = next(metric for metric in table.columns if metric.name == name)
    cell = row.cells[name]
    said = f"{metric.title} {cell.text}{' ' + cell.spread_text if cell.spread_text else ''}"
    known = [other for other in rows if other.cells[name].value is not None]
    pick = max if metric.direction == "higher" else min
    best = pick(known, key=lambda other: other.cells[name].value or 0.0)
    if best.name == row.name:
        return f"{said}, the best of {len(known)}."
    if share == 1.0:
        return f"{said}, a tie with {best.title} ({best.cells[name].text})."
    place = 1 + sum(_is_better(other.cells[name], cell, metric.direction) for other in known)
    return f"{said}, place {place} of {len(known)}; {best.title} has {best.cells[name].text}."


def _is_better(one: Cell, other: Cell, direction: str) -> bool:
    gap = (one.value or 0.0) - (other.value or 0.0)
    return gap > 0 if direction == "higher" else gap < 0


def _sentence(best: Placed, equal: Sequence[str]) -> str:
    if equal:
        return f"{best.title} comes out first, but {' and '.join(equal)} cannot be told from it by these figures."
    return f"{best.title} serves you best by these weights: {best.reasons[0]}" if best.reasons else "All are alike."


def _cautions(table: Table, rows: Sequence[Row], best: Placed) -> tuple[str, ...]:
    found = []
    winner = next(row for row in rows if row.name == best.name)
    own, plain = winner.cells["likeness"], table.rows[0].cells["likeness"]
    if own.value is not None and plain.value is not None and own.value - plain.value <= (own.spread or 0.0):
        found.append(f"Its likeness {own.text} is not above the untrained base's {plain.text} by more than the spread.")
    copies = winner.cells["memorisation"].value
    if copies and copies >= 0.5:
        found.append(f"{copies:.0%} of its samples are nearer to a training picture than true new pictures are.")
    if all(len(row.seeds) < 2 for row in rows):
        found.append("Each method ran with one seed, so small differences may be chance.")
    return tuple(found)
