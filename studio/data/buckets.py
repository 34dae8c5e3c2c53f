"""The only file that knows which size a picture is trained at."""

import math

MAX_ASPECT = 2.0  # longer pictures are cropped to this


def bucket(width: int, height: int, resolution: int, step: int) -> tuple[int, int]:
    """The (width, height) at which a ``width`` x ``height`` picture is trained: its shape, ``resolution`` squared.

    Both sides are multiples of ``step`` (the VAE's shrink times the UNet's), at least one ``step`` long, and the area
    does not exceed ``resolution`` squared by more than rounding; aspect is limited to 1:2 .. 2:1.
    """
    aspect = min(max(width / height, 1 / MAX_ASPECT), MAX_ASPECT)
    cells = resolution / step
    wide = max(1, round(math.sqrt(aspect) * cells))
    tall = max(1, math.floor(cells * cells / wide + 1e-6))
    return wide * step, tall * step


def cover(width: int, height: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The centred part (left, top, right, bottom), in its own pixels, of a picture that fills ``size`` undistorted."""
    wide, tall = size
    scale = min(width / wide, height / tall)
    across, down = wide * scale, tall * scale
    left, top = round((width - across) / 2), round((height - down) / 2)
    return left, top, max(left + 1, round((width + across) / 2)), max(top + 1, round((height + down) / 2))
