"""The only file that draws loss curves: smoothing, thinning, one shared scale, SVG that follows the theme."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from studio.ui.markup import esc

Point = tuple[int, float]
MOST = 400  # points kept of one curve
MEMORY = 0.95  # weight of the past in the smoothed loss


@dataclass
class Smooth:
    """A run's smoothed loss, taken on point by point, thinned as it grows."""

    taken: int = 0
    last: Point | None = None
    past: float = 0.0
    weight: float = 0.0
    stride: int = 1
    points: list[Point] = field(default_factory=list)
    raw: list[Point] = field(default_factory=list)
    """The losses themselves at the steps of ``points``."""

    def take(self, losses: Sequence[Point]) -> list[Point]:
        """Follow ``losses`` to its end; when the run went back to an earlier step, begin anew."""
        if self.taken > len(losses) or (self.taken and losses[self.taken - 1] != self.last):
            self.__init__()  # type: ignore[misc]
        for step, loss in losses[self.taken :]:
            self.past = self.past * MEMORY + loss * (1 - MEMORY)
            self.weight = self.weight * MEMORY + (1 - MEMORY)
            if self.taken % self.stride == 0:
                self.points.append((step, self.past / self.weight))
                self.raw.append((step, loss))
            self.taken += 1
            if len(self.points) > MOST:
                self.points, self.raw, self.stride = self.points[::2], self.raw[::2], self.stride * 2
        self.last = losses[-1] if losses else None
        return self.points


@dataclass(frozen=True)
class Curve:
    """One line of the plot."""

    name: str
    colour: str
    points: Sequence[Point]
    dashed: bool = False


def span(curves: Sequence[Curve]) -> tuple[float, float]:
    """The lowest and highest value of all curves, with a little air; (0, 1) where there is none."""
    values = [value for curve in curves for _, value in curve.points if math.isfinite(value)]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    air = (high - low) * 0.08 or max(abs(high) * 0.1, 1e-6)
    return max(0.0, low - air), high + air


def sparkline(curve: Curve, last: int, scale: tuple[float, float]) -> str:
    """A small line on the common ``scale``, its length in proportion to the steps done."""
    line = _line(curve, last, scale, 24)
    return f'<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">{line}</svg>'


def loss_plot(curves: Sequence[Curve], last: int, label: str) -> str:
    """The plot of all runs, axes in HTML so that its words are never stretched."""
    low, high = scale = span(curves)
    marks = ticks(low, high, 4)
    rows = "".join(
        f'<span class="y" style="bottom:{_share(value, low, high):.2f}%">{value:.{_digits(marks)}f}</span>'
        for value in marks
    )
    grid = "".join(f'<path class="grid" d="M0 {100 - _share(value, low, high):.2f}H100"/>' for value in marks)
    steps = ticks(0, last, 6)
    columns = "".join(
        f'<span class="x" style="left:{100 * step / max(1, last):.2f}%">{step:.0f}</span>' for step in steps
    )
    lines = "".join(_line(curve, last, scale, 100) for curve in curves)
    return (
        f'<div class="plot" role="img" aria-label="{esc(label)}"><div class="ys">{rows}</div>'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none">{grid}{lines}</svg>'
        f'<div class="xs">{columns}</div></div>'
    )


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round values inside [low, high], about so many."""
    rough = max(high - low, 1e-9) / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= rough)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _digits(marks: Sequence[float]) -> int:
    step = marks[1] - marks[0] if len(marks) > 1 else 0.1
    return max(0, min(6, math.ceil(-math.log10(step) + (0.3 if f"{step:e}"[:3] == "2.5" else 0))))


def _share(value: float, low: float, high: float) -> float:
    return 100 * (value - low) / (high - low)


def _line(curve: Curve, last: int, scale: tuple[float, float], height: float) -> str:
    low, high = scale
    shown = [(step, value) for step, value in curve.points if math.isfinite(value)]
    if not shown:
        return ""
    if len(shown) == 1:
        shown = [shown[0], (shown[0][0] + max(1, last) * 0.01, shown[0][1])]
    path = "L".join(
        f"{100 * step / max(1, last):.2f} {height - height * (value - low) / (high - low):.2f}" for step, value in shown
    )
    dash = ' stroke-dasharray="4 3"' if curve.dashed else ""
    return (
        f'<path class="curve" style="--m:{esc(curve.colour)}"{dash} d="M{path}"><title>{esc(curve.name)}</title></path>'
    )
