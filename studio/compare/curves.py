"""The only file that draws loss curves: smoothed lines on one scale, as SVG that needs nothing else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 240, 52, 12, 10, 28
POINTS = 240  # at most so many per line
WINDOW = 0.06  # the smoothing looks back over this share of the run

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One curve; ``dashed`` tells a second run of one method from the first."""

    title: str
    colour: str
    points: Sequence[tuple[int, float]]
    dashed: bool = False


def smoothed(points: Sequence[tuple[int, float]]) -> list[Point]:
    """Running mean that forgets (bias-corrected), then thinned to at most POINTS points; the last one always stays."""
    finite = [point for point in points if math.isfinite(point[1])]
    keep = 1 - 1 / max(1.0, len(finite) * WINDOW)
    total = weight = 0.0
    means: list[Point] = []
    for step, loss in finite:
        total, weight = keep * total + (1 - keep) * loss, keep * weight + (1 - keep)
        means.append((step, total / weight))
    stride = max(1, math.ceil(len(means) / POINTS))
    return means[::-1][::stride][::-1]


def svg(lines: Sequence[Line], label: str) -> str:
    """The curves with their axes, or an empty string when there is nothing to draw."""
    drawn = [(line, smoothed(line.points)) for line in lines]
    drawn = [(line, points) for line, points in drawn if len(points) > 1]
    if not drawn:
        return ""
    x_ticks = ticks(0, max(points[-1][0] for _, points in drawn), 6)
    # a burst in the first steps would press all that follows flat
    tops = [sorted(y for _, y in points)[-1 - len(points) // 50] for _, points in drawn]
    y_ticks = ticks(min(y for _, points in drawn for _, y in points), max(tops), 5)
    x_range, y_range = (0.0, max(points[-1][0] for _, points in drawn)), (y_ticks[0], y_ticks[-1])
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}" class="curves">']
    for y in y_ticks:
        at = _at(y, y_range, HEIGHT - BOTTOM, TOP)
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x in x_ticks:
        if x <= x_range[1] and x == int(x):
            at = _at(x, x_range, LEFT, WIDTH - RIGHT)
            parts.append(f'<text x="{at:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{x:g}</text>')
    for line, points in drawn:
        path = " ".join(
            f"{_at(x, x_range, LEFT, WIDTH - RIGHT):.1f},{_at(min(y, y_range[1]), y_range, HEIGHT - BOTTOM, TOP):.1f}"
            for x, y in points
        )
        dash = ' stroke-dasharray="6 4"' if line.dashed else ""
        title = f"<title>{escape(line.title)}</title>"
        parts.append(f'<polyline points="{path}" fill="none" stroke="{line.colour}"{dash}>{title}</polyline>')
    return "".join([*parts, "</svg>"])


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers from at or below ``low`` to at or above ``high``, about ``about`` of them."""
    span = max(high - low, 1e-9, abs(high) * 1e-6)
    raw = span / about
    power = 10.0 ** math.floor(math.log10(raw))
    stride = power * next(m for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = math.floor(low / stride + 1e-9), math.ceil(high / stride - 1e-9)
    return [round(n * stride, 12) for n in range(first, max(last, first + 1) + 1)]


def _at(value: float, span: tuple[float, float], start: float, end: float) -> float:
    low, high = span
    return start + (end - start) * (value - low) / ((high - low) or 1)
