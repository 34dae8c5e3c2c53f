"""The only file that knows which size a picture is trained at, and which part of it that is."""

import math
from dataclasses import dataclass
from typing import Final

MAX_ASPECT = 2.0  # longer pictures are cropped to this

Focus = tuple[float, float]  # (across, down), each 0..1 of the upright picture
Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the upright picture
CENTRE: Final[Focus] = (0.5, 0.5)


@dataclass(frozen=True)
class Fit:
    """How a picture is trained: ``size`` (width, height) in pixels, of its part ``box`` (left, top, right, bottom)."""

    size: tuple[int, int]
    box: Box

    @property
    def enlarged(self) -> float:
        """How many times the part is stretched; 1 or less loses nothing of its sharpness."""
        left, top, right, bottom = self.box
        return max(self.size[0] / (right - left), self.size[1] / (bottom - top))

    def cut(self, width: int, height: int) -> float:
        """The share of a ``width`` x ``height`` picture that is never seen, 0..1."""
        left, top, right, bottom = self.box
        return 1 - (right - left) * (bottom - top) / (width * height)


def bucket(width: int, height: int, resolution: int, step: int) -> tuple[int, int]:
    """The (width, height) at which a ``width`` x ``height`` picture is trained: its shape, ``resolution`` squared.

    Both sides are multiples of ``step`` (the VAE's shrink times the UNet's), at least one ``step`` long, and the area
    does not exceed ``resolution`` squared by more than rounding; aspect is limited to 1:2 .. 2:1. What has the size of
    a bucket stays as it is, so that a copy made for training is trained pixel by pixel.
    """
    cells = resolution / step
    if width % step == height % step == 0 and _is_bucket(width // step, height // step, cells):
        return width, height
    aspect = min(max(width / height, 1 / MAX_ASPECT), MAX_ASPECT)
    wide = max(1, round(math.sqrt(aspect) * cells))
    tall = max(1, math.floor(cells * cells / wide + 1e-6))
    return wide * step, tall * step


def _is_bucket(wide: int, tall: int, cells: float) -> bool:
    """Whether some picture is trained at ``wide`` x ``tall`` steps."""
    least, most = (max(1, round(math.sqrt(aspect) * cells)) for aspect in (1 / MAX_ASPECT, MAX_ASPECT))
    return least <= wide <= most and tall == max(1, math.floor(cells * cells / wide + 1e-6))


def cover(width: int, height: int, size: tuple[int, int], focus: Focus = CENTRE) -> Box:
    """The part (left, top, right, bottom), in its own pixels, of a picture that fills ``size`` undistorted.

    It lies around ``focus`` as far as the edges allow.
    """
    wide, tall = size
    scale = min(width / wide, height / tall)
    across, down = wide * scale, tall * scale
    x = min(max(width * focus[0] - across / 2, 0), max(width - across, 0))
    y = min(max(height * focus[1] - down / 2, 0), max(height - down, 0))
    left, top = min(round(x), width - 1), min(round(y), height - 1)
    return left, top, max(left + 1, min(round(x + across), width)), max(top + 1, min(round(y + down), height))


def fit(width: int, height: int, size: tuple[int, int], focus: Focus = CENTRE) -> Fit:
    """`cover`, with the size that it fills."""
    return Fit(size, cover(width, height, size, focus))


def size_of(width: int, height: int, resolution: int, step: int, shaped: bool = True) -> tuple[int, int]:
    """The size that a picture is trained at: its `bucket`, or a square where pictures are not ``shaped``."""
    return bucket(width, height, resolution, step) if shaped else (resolution, resolution)
