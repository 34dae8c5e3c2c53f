"""The only file that draws figures against each other: likeness over time, against prompt fit, and against size."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from studio.compare import amounts
from studio.compare.curves import ticks
from studio.compare.measure import series
from studio.compare.members import groups
from studio.compare.table import Table
from studio.store import ExperimentStore

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 300, 56, 30, 14, 44
CHAR = 6.4  # pixels of a sign at the size of labels


@dataclass(frozen=True)
class Mark:
    """A row as a point; spreads are drawn as bars."""

    title: str
    colour: str
    ring: bool
    x: float
    y: float
    x_spread: float = 0.0
    y_spread: float = 0.0


@dataclass(frozen=True)
class Trace:
    """A row as a line of (x, y); ``dashed`` tells a second row of one colour from the first."""

    title: str
    colour: str
    dashed: bool
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Axes:
    """What is drawn: ``label`` for those who cannot see it, titles of the axes, and how a tick of x is written."""

    label: str
    x: str
    y: str
    log: bool = False
    shown: Callable[[float], str] = "{:g}".format


def over_time(store: ExperimentStore, table: Table) -> str:
    """Likeness over training time, a line for each row, as SVG; empty when no row was sampled twice."""
    traces, seen = [], set[str]()
    for group in groups(store):
        run = group.shown
        pace = run.view.train_seconds / run.view.step if run.view.step else 0.0
        known = series(run.store, run.view, table.eye)
        points = tuple((step * pace, figures["likeness"]) for step, figures in known.items() if "likeness" in figures)
        if len(points) > 1 and pace:
            traces.append(Trace(group.title, group.colour, group.colour in seen, points))
            seen.add(group.colour)
    return lines(traces, Axes("Likeness over training time", "training time", "likeness", shown=amounts.duration))


def against_prompts(table: Table) -> str:
    """Likeness against prompt fit, a point for each row and the base, as SVG."""
    return scatter(
        marks(table, "prompt_fidelity", "likeness"), Axes("Likeness against prompt fit", "prompt fit", "likeness")
    )


def against_size(table: Table) -> str:
    """Likeness against the size of the file, with the front of those that no other beats in both, as SVG."""
    found = marks(table, "artifact_size", "likeness")
    axes = Axes("Likeness against the size of the file", "file", "likeness", True, amounts.size)
    return scatter(found, axes, front([(mark.x, mark.y) for mark in found]))


def marks(table: Table, x: str, y: str) -> list[Mark]:
    """The rows that have both figures."""
    found = []
    for row in table.rows:
        across, up = row.cells[x], row.cells[y]
        if across.value is not None and up.value is not None:
            place = (across.value, up.value, across.spread or 0.0, up.spread or 0.0)
            found.append(Mark(row.title, row.colour, row.ring, *place))
    return found


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Pareto front of (less is better, more is better): places of those that none beats in one and equals in both."""
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    found: list[int] = []
    for i in order:
        if not found or points[i][1] > points[found[-1]][1]:
            found.append(i)
    return found


def lines(traces: Sequence[Trace], axes: Axes) -> str:
    """Lines with a dot at every point, as SVG; empty when there are none."""
    if not traces:
        return ""
    every = [point for trace in traces for point in trace.points]
    frame = _Frame([x for x, _ in every], [y for _, y in every], axes)
    parts = frame.drawn()
    for trace in traces:
        at = [frame.at(*point) for point in trace.points]
        dash = ' stroke-dasharray="6 4"' if trace.dashed else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        named = f"<title>{escape(trace.title)}</title>"
        parts.append(f'<polyline points="{path}" fill="none" stroke="{trace.colour}"{dash}>{named}</polyline>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{trace.colour}">{named}</circle>' for x, y in at]
    return "".join([*parts, "</svg>"])


def scatter(marks: Sequence[Mark], axes: Axes, joined: Sequence[int] = ()) -> str:
    """Points with their names; those at the places ``joined`` are tied together. Empty for fewer than two."""
    if len(marks) < 2:
        return ""
    wide = [mark.x + sign * mark.x_spread for mark in marks for sign in (-1, 1)]
    high = [mark.y + sign * mark.y_spread for mark in marks for sign in (-1, 1)]
    frame = _Frame([mark.x for mark in marks] if axes.log else wide, high, axes)
    parts = frame.drawn()
    if len(joined) > 1:
        path = " ".join("{:.1f},{:.1f}".format(*frame.at(marks[i].x, marks[i].y)) for i in joined)
        parts.append(f'<polyline class="front" points="{path}" fill="none" stroke="#8A9396" stroke-dasharray="3 3"/>')
    taken: list[tuple[float, float, float]] = []
    for mark in sorted(marks, key=lambda one: one.y):
        parts += _point(mark, frame, axes)
        parts.append(_name(mark, frame, taken))
    return "".join([*parts, "</svg>"])


def _point(mark: Mark, frame: "_Frame", axes: Axes) -> list[str]:
    x, y = frame.at(mark.x, mark.y)
    parts = []
    if mark.y_spread:
        ends = [frame.at(mark.x, mark.y + sign * mark.y_spread)[1] for sign in (-1, 1)]
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{ends[0]:.1f}" y2="{ends[1]:.1f}" stroke="{mark.colour}"/>')
    if mark.x_spread and not axes.log:
        ends = [frame.at(mark.x + sign * mark.x_spread, mark.y)[0] for sign in (-1, 1)]
        parts.append(f'<line x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{mark.colour}"/>')
    filled = f'fill="none" stroke="{mark.colour}" stroke-width="2.5"' if mark.ring else f'fill="{mark.colour}"'
    parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" {filled}><title>{escape(mark.title)}</title></circle>')
    return parts


def _name(mark: Mark, frame: "_Frame", taken: list[tuple[float, float, float]]) -> str:
    """The title beside its point, moved up as far as it would lie on another."""
    x, y = frame.at(mark.x, mark.y)
    long = CHAR * len(mark.title)
    left = x + 9 if x + 9 + long < WIDTH - RIGHT else x - 9 - long
    while any(left < end and start < left + long and abs(y - height) < 12 for start, end, height in taken):
        y -= 12
    taken.append((left, left + long, y))
    return f'<text x="{left:.1f}" y="{y + 4:.1f}">{escape(mark.title)}</text>'


class _Frame:
    """Scales and axes."""

    def __init__(self, wide: Sequence[float], high: Sequence[float], axes: Axes) -> None:
        self.axes = axes
        if axes.log:
            low, top = math.floor(math.log10(min(wide))), math.ceil(math.log10(max(wide)))
            self.x_ticks = [10.0**power for power in range(low, max(top, low + 1) + 1)]
        else:
            self.x_ticks = ticks(min(wide), max(wide), 6)
        self.y_ticks = ticks(min(high), max(high), 5)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point is drawn."""
        scale = math.log10 if self.axes.log else float
        low, top = scale(self.x_ticks[0]), scale(self.x_ticks[-1])
        across = LEFT + (WIDTH - LEFT - RIGHT) * (scale(x) - low) / (top - low)
        up = (y - self.y_ticks[0]) / (self.y_ticks[-1] - self.y_ticks[0])
        return across, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * up

    def drawn(self) -> list[str]:
        """The opening of the drawing, with rules, ticks and titles."""
        axes, middle = self.axes, (TOP + HEIGHT - BOTTOM) / 2
        parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(axes.label)}" class="plot">']
        for tick in self.y_ticks:
            _, y = self.at(self.x_ticks[0], tick)
            parts.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
        for tick in self.x_ticks:
            x, _ = self.at(tick, self.y_ticks[0])
            said = escape(axes.shown(tick) if tick else "0")
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{said}</text>')
        parts.append(
            f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(axes.x)}</text>'
        )
        turned = f'transform="rotate(-90 12 {middle:.0f})" text-anchor="middle"'
        parts.append(f'<text x="12" y="{middle:.0f}" {turned}>{escape(axes.y)}</text>')
        return parts
