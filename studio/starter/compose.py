"""The only file that knows how a drawing, a colour and a place become one 64-pixel picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio.starter import SIZE, world
from studio.starter.sprites import Sprites

Array = NDArray[np.float32]


def tinted(image: Image.Image, colour: world.RGB) -> Image.Image:
    """The drawing in shades of one colour: dark stays dark, light stays light."""
    pixels = np.asarray(image, dtype=np.float32)
    light = pixels[..., :3] @ np.array([0.299, 0.587, 0.114], dtype=np.float32) / 255
    low, high = np.percentile(light[pixels[..., 3] > 128], [2, 98]) if (pixels[..., 3] > 128).any() else (0.0, 1.0)
    light = (0.5 + (light - (low + high) / 2) / max(float(high - low), 0.4)).clip(0, 1)[..., None]
    tone = np.array(colour, dtype=np.float32)
    dark, bright = tone * 0.22, tone * 0.25 + 255 * 0.75
    shade = np.where(light < 0.5, dark + (tone - dark) * light * 2, tone + (bright - tone) * (light * 2 - 1))
    return Image.fromarray(np.concatenate([shade, pixels[..., 3:]], axis=-1).astype(np.uint8), "RGBA")


def _bands(*stops: tuple[float, world.RGB]) -> Array:
    """A picture of horizontal bands, blended between (height, colour) stops."""
    rows = (np.arange(SIZE) + 0.5) / SIZE
    heights = [height for height, _ in stops]
    columns = [np.interp(rows, heights, [colour[channel] for _, colour in stops]) for channel in range(3)]
    return np.repeat(np.stack(columns, axis=-1)[:, None], SIZE, axis=1).astype(np.float32)


def _night(rng: np.random.Generator) -> Array:
    canvas = _bands((0, (12, 16, 50)), (0.8, (34, 42, 96)), (0.82, (18, 26, 40)), (1, (14, 20, 30)))
    for _ in range(9):
        row, column = rng.integers(2, 46), rng.integers(1, SIZE - 2)
        canvas[row : row + 2, column : column + 2] = (250, 245, 200)
    return canvas


def place(name: str, rng: np.random.Generator) -> Array:
    """An empty background, its shade a little different each time."""
    edge = float(rng.uniform(0.62, 0.78))
    if name == "grass":
        canvas = _bands((0, (135, 200, 245)), (edge - 0.01, (200, 232, 250)), (edge, (110, 185, 75)),
                        (1, (70, 145, 50)))  # fmt: skip
    elif name == "beach":
        canvas = _bands((0, (140, 210, 250)), (edge - 0.2, (205, 238, 252)), (edge - 0.19, (40, 150, 200)),
                        (edge - 0.02, (70, 185, 215)), (edge, (245, 222, 160)), (1, (228, 196, 125)))  # fmt: skip
    elif name == "snow":
        canvas = _bands((0, (168, 192, 218)), (edge - 0.01, (206, 220, 236)), (edge, (246, 249, 253)),
                        (1, (228, 236, 246)))  # fmt: skip
    elif name == "night":
        canvas = _night(rng)
    else:
        shade: NDArray[Any] = np.array(world.BACKDROPS[name], dtype=np.float32)
        if name != "white":
            shade = shade * rng.uniform(0.88, 1.08) + rng.normal(0, 6, size=3)
        canvas = np.broadcast_to(shade, (SIZE, SIZE, 3)).astype(np.float32)
    return canvas.clip(0, 255)


def put(canvas: Array, image: Image.Image, what: world.Picture) -> NDArray[np.uint8]:
    """The drawing on the background, where and how large `what` says."""
    if what.flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if what.tint:
        image = tinted(image, world.TINTS[what.tint])
    scale = what.size * SIZE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = np.asarray(image.convert("RGBa").resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    left, top = round((SIZE - size[0]) * what.x), round((SIZE - size[1]) * what.y)
    window = canvas[top : top + size[1], left : left + size[0]]
    out = canvas.copy()
    out[top : top + size[1], left : left + size[0]] = small[..., :3] + window * (1 - small[..., 3:] / 255)
    return out.round().clip(0, 255).astype(np.uint8)


def compose(what: world.Picture, sprites: Sprites) -> NDArray[np.uint8]:
    """The picture that `what` describes, as SIZE x SIZE x 3 bytes."""
    rng = np.random.default_rng(what.jitter)
    return put(place(what.place, rng), sprites[what.name, what.variant, what.style], what)


def bank(seed: int, count: int, sprites: Sprites) -> NDArray[np.uint8]:
    """The first `count` pictures of the row that `seed` names."""
    return np.stack([compose(world.picture(seed, index), sprites) for index in range(count)])


def foreign(seed: int, count: int, images: Sequence[Image.Image]) -> NDArray[np.uint8]:
    """Pictures of drawings that have no name here, composed in the same way."""
    pictures = []
    for index in range(count):
        what = world.picture(seed, index)
        rng = np.random.default_rng(what.jitter)
        image = images[int(rng.integers(len(images)))]
        pictures.append(put(place(what.place, rng), image, what))
    return np.stack(pictures)


def sheet(pictures: Sequence[NDArray[np.uint8]], columns: int, zoom: int = 2) -> Image.Image:
    """Pictures side by side, for eyes."""
    side = SIZE * zoom
    rows = -(-len(pictures) // columns)
    canvas = Image.new("RGB", (columns * side, rows * side), "white")
    for index, pixels in enumerate(pictures):
        image = Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS)
        canvas.paste(image, (index % columns * side, index // columns * side))
    return canvas


def shrink(image: Image.Image) -> NDArray[np.uint8]:
    """Any square picture at the starter's own size."""
    return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS))
