"""The only file that knows the drawing style of the example style set: a three-ink print, slightly misregistered."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from studio.starter import world

SIDE: Final = 256
PAPER: Final = (250, 238, 212)
NAVY: Final = (26, 38, 92)
CORAL: Final = (242, 92, 76)
MUSTARD: Final = (246, 194, 72)
TRAIN: Final = ("cat", "fox", "apple", "car", "tree", "owl", "rocket", "house", "fish", "mushroom")
HELD_OUT: Final = ("bear", "bus", "sunflower", "penguin")


def caption(name: str) -> str:
    return f"a sks style drawing of {world.article(name)}"


def _ink(canvas: Image.Image, colour: world.RGB, mask: Image.Image, at: tuple[int, int]) -> None:
    canvas.paste(Image.new("RGB", mask.size, colour), at, mask)


def draw(image: Image.Image, index: int) -> Image.Image:
    """A drawing on a clear layer, printed in three inks on warm paper."""
    rng = np.random.default_rng((11, index))
    long = int(rng.integers(176, 208))
    scale = long / max(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    image = image.convert("RGBa").resize(size, Image.Resampling.BICUBIC)
    room = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    left, top = ((SIDE - side) // 2 + int(rng.integers(-10, 11)) for side in image.size)
    room.paste(image.convert("RGBA"), (left, top))
    alpha = room.getchannel("A").point(lambda value: 255 if value > 128 else 0)
    pixels = np.asarray(room, dtype=np.float32)
    light = pixels[..., :3] @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    inside = np.asarray(alpha) > 0
    low, high = np.percentile(light[inside], [4, 96])
    smooth = Image.fromarray(((light - low) / (high - low + 1) * 255).clip(0, 255).astype(np.uint8))
    level = np.asarray(smooth.filter(ImageFilter.MedianFilter(9))) / 255
    rim = alpha.filter(ImageFilter.MaxFilter(13))
    masks = [Image.fromarray(((level < bound) & inside).astype(np.uint8) * 255) for bound in (0.74, 0.36)]
    canvas = Image.new("RGB", (SIDE, SIDE), PAPER)
    _ink(canvas, MUSTARD, rim, (12, 12))
    _ink(canvas, NAVY, rim, (0, 0))
    _ink(canvas, PAPER, alpha, (0, 0))
    for colour, mask in zip((CORAL, NAVY), masks, strict=True):
        _ink(canvas, colour, mask, (0, 0))
    return canvas.filter(ImageFilter.GaussianBlur(0.8))
