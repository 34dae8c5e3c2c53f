"""The only file that measures a picture: whether it can be read, its sides, its sharpness, its fingerprint."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from PIL import Image, ImageFilter

from studio.data.image import BROKEN, Unreadable, flat, is_transparent, opened, orientation, upright, upright_size

SIDE: Final = 512  # of the square that has as many pixels as a picture has while it is measured
BLUR: Final = 4  # pixels to each side that are mixed
LARGE: Final = 16_000_000  # pixels from which on one picture at a time is decoded, so that memory stays bounded
_ALONE: Final = Lock()
_REDUCED: Final = ("RGB", "RGBA", "L", "LA", "CMYK")  # modes that can be made smaller before anything else


@dataclass(frozen=True)
class Measured:
    """What a file is: its upright ``width`` and ``height``, or why it is no picture (``error``, a sentence).

    ``sharp`` 0..1 as `sharpness` gives it, ``look`` a difference hash (64 bits) and ``colours`` 4 x 4 RGB, both as hex;
    -1 and empty where only the header was read.
    """

    width: int = 0
    height: int = 0
    format: str = ""
    mode: str = ""
    alpha: bool = False
    turned: bool = False
    moving: bool = False
    error: str = ""
    sharp: float = -1.0
    look: str = ""
    colours: str = ""

    @property
    def whole(self) -> bool:
        """Whether it was decoded, or need not be."""
        return bool(self.look or self.error)


def measure(path: Path, fast: bool = False) -> Measured:
    """Look at a file; ``fast`` reads its header alone. Nothing is raised: what is wrong is the answer."""
    try:
        with opened(path) as raw:
            wide, high = upright_size(raw, fast)
            header = (wide, high, str(raw.format), raw.mode, is_transparent(raw), orientation(raw, fast) != 1)
            if fast:
                return Measured(*header)
            with _ALONE if wide * high > LARGE else contextlib.nullcontext():
                small = _small(raw)
            moving = raw.format != "JPEG" and raw.format != "MPO" and _moving(raw)
            return Measured(*header, moving, "", sharpness(small), look(small), colours(small))
    except Unreadable as error:
        return Measured(error=str(error))


def fingerprint(path: Path) -> tuple[str, str]:
    """Only what tells whether it is nearly the same as another: ``look`` and ``colours``; empty for no picture."""
    try:
        with opened(path) as raw, _ALONE if raw.width * raw.height > LARGE else contextlib.nullcontext():
            small = _small(raw)
        return look(small), colours(small)
    except Unreadable:
        return "", ""


def _small(raw: Image.Image) -> Image.Image:
    """All of a picture decoded, upright and flat, but with no more pixels than its measures need."""
    raw.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG is read to its end all the same
    picture = upright(raw)
    if picture.mode in _REDUCED and "transparency" not in picture.info:
        factor = int((picture.width * picture.height / (2 * SIDE) ** 2) ** 0.5)
        factor = min(factor, *picture.size)
        if factor > 1:
            info: dict[Any, Any] = picture.info
            picture = picture.reduce(factor)
            picture.info = info
    picture = flat(picture)
    scale = SIDE / (picture.width * picture.height) ** 0.5
    if scale < 1:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.HAMMING)
    return picture


def _moving(raw: Image.Image) -> bool:
    try:
        return bool(getattr(raw, "is_animated", False))
    except BROKEN:
        return False


def sharpness(picture: Image.Image) -> float:
    """How much of a picture's edges a further blur takes away, 0..1: much of sharp ones, next to nothing of soft ones.

    After Crete et al., The blur effect (2007), in both directions; the softer one counts, so that a shaken picture is
    found. Unlike the variance of the Laplacian it does not depend on contrast and content.
    """
    image = picture.convert("L")
    grey = np.asarray(image, dtype=np.int16)
    found, weight = [], []
    for axis, radius in ((0, (0, BLUR)), (1, (BLUR, 0))):
        if grey.shape[axis] < 3:
            continue
        blurred = np.asarray(image.filter(ImageFilter.BoxBlur(radius)), dtype=np.int16)
        sharp = np.abs(np.diff(grey, axis=axis))
        lost = np.maximum(sharp - np.abs(np.diff(blurred, axis=axis)), 0)
        weight.append(float(sharp.mean()))
        found.append(float(lost.sum() / max(int(sharp.sum()), 1)))
    edges = max(weight, default=0.0)
    if edges < 0.1:  # a plain area has no edges to judge by
        return -1.0
    return round(min(share for share, mean in zip(found, weight, strict=True) if mean > edges / 10), 4)


def look(picture: Image.Image) -> str:
    """The difference hash: whether each of 8 x 8 places is darker than the one to its right, 64 bits as hex."""
    grey = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    return np.packbits(grey[:, :-1] < grey[:, 1:]).tobytes().hex()


def colours(picture: Image.Image) -> str:
    """4 x 4 RGB as hex: what tells plain areas apart, in which a difference hash sees nothing."""
    return np.asarray(picture.resize((4, 4), Image.Resampling.BOX)).tobytes().hex()
