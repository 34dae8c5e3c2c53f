"""The only file that knows what the example dog looks like: a corgi with a red scarf, made of ovals and polygons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from studio.starter import compose

SIDE: Final = 256
FINE: Final = 4
"""How many times larger a picture is drawn before it is reduced."""
Point = tuple[float, float]
Colour = tuple[int, int, int]

ORANGE: Final = (232, 133, 46)
SHADE: Final = (200, 102, 30)
WHITE: Final = (255, 251, 243)
CREAM: Final = (236, 224, 208)
INK: Final = (94, 48, 22)
BLACK: Final = (38, 28, 30)
PINK: Final = (247, 176, 166)
TONGUE: Final = (240, 110, 130)
RED: Final = (214, 28, 46)
DARK_RED: Final = (158, 14, 32)


class Pen:
    """Draws in units of a thousandth of the picture's side, on a clear layer."""

    def __init__(self) -> None:
        self.layer = Image.new("RGBA", (SIDE * FINE, SIDE * FINE), (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.layer)
        self.unit = SIDE * FINE / 1000

    def oval(self, centre: Point, radii: Point, colour: Colour) -> None:
        (x, y), (rx, ry) = centre, radii
        corners = (x - rx, y - ry, x + rx, y + ry)
        self.draw.ellipse([edge * self.unit for edge in corners], colour)

    def shape(self, points: Sequence[Point], colour: Colour, soft: float = 14) -> None:
        """A polygon whose corners are round by `soft`."""
        scaled = [(x * self.unit, y * self.unit) for x, y in points]
        self.draw.polygon(scaled, colour)
        self.draw.line([*scaled, scaled[0], scaled[1]], colour, round(2 * soft * self.unit), joint="curve")
        for x, y in points:
            self.oval((x, y), (soft, soft), colour)

    def limb(self, top: Point, foot: Point, wide: float, colour: Colour) -> None:
        """A short leg that ends in a white paw."""
        self.shape([top, foot], colour, soft=wide)
        self.oval((foot[0] + wide * 0.25, foot[1] + wide * 0.45), (wide * 1.25, wide * 0.75), WHITE)


def head(pen: Pen, centre: Point, size: float, tongue: bool, look: float = 0.0) -> None:
    """Seen from the front; `look` moves the face to one side."""
    x, y = centre

    def at(dx: float, dy: float) -> Point:
        return x + dx * size, y + dy * size

    for side in (-1, 1):
        pen.shape([at(side * 0.24, -0.66), at(side * 0.80, -1.44), at(side * 0.90, -0.30)], ORANGE, 0.10 * size)
        pen.shape([at(side * 0.50, -0.70), at(side * 0.80, -1.22), at(side * 0.82, -0.56)], PINK, 0.04 * size)
    pen.oval(at(0, 0), (0.98 * size, 0.88 * size), ORANGE)
    for side in (-1, 1):
        pen.shape([at(side * 0.60, 0.20), at(side * 1.04, 0.42), at(side * 0.50, 0.72)], WHITE, 0.08 * size)
    nose = look * 0.16
    brow = nose * 0.6
    pen.shape([at(brow - 0.09, -0.80), at(brow + 0.09, -0.80), at(nose + 0.26, 0.20), at(nose - 0.26, 0.20)],
              WHITE, 0.05 * size)  # fmt: skip
    pen.oval(at(nose, 0.40), (0.56 * size, 0.46 * size), WHITE)
    for side in (-1, 1):
        eye = nose + side * 0.45
        pen.oval(at(eye, -0.12), (0.145 * size, 0.17 * size), BLACK)
        pen.oval(at(eye + 0.05, -0.19), (0.05 * size, 0.055 * size), WHITE)
    if tongue:
        pen.shape([at(nose - 0.07, 0.56), at(nose + 0.07, 0.56), at(nose + 0.06, 0.82), at(nose - 0.06, 0.82)],
                  TONGUE, 0.07 * size)  # fmt: skip
    pen.oval(at(nose, 0.24), (0.19 * size, 0.135 * size), BLACK)
    mouth = [at(nose - 0.24, 0.50), at(nose - 0.10, 0.57), at(nose, 0.42), at(nose + 0.10, 0.57), at(nose + 0.24, 0.50)]
    pen.draw.line([(px * pen.unit, py * pen.unit) for px, py in mouth], BLACK, round(0.05 * size * pen.unit), "curve")


def scarf(pen: Pen, centre: Point, size: float, side: float) -> None:
    """A red scarf, its end hanging down on one side."""
    x, y = centre
    end = [(x + side * dx * size, y + dy * size) for dx, dy in ((0.28, 0), (0.72, 0.62), (0.20, 0.70))]
    pen.shape(end, DARK_RED, 0.06 * size)
    pen.shape([(x - 0.72 * size, y - 0.10 * size), (x, y + 0.10 * size), (x + 0.72 * size, y - 0.10 * size),
               (x + 0.62 * size, y + 0.14 * size), (x, y + 0.32 * size), (x - 0.62 * size, y + 0.14 * size)],
              RED, 0.07 * size)  # fmt: skip
    pen.oval((x + side * 0.32 * size, y + 0.16 * size), (0.17 * size, 0.17 * size), RED)


def _trunk(pen: Pen, top: float) -> None:
    """The long body of a dog seen from its side, its head to the right."""
    pen.shape([(250, top + 70), (660, top + 70), (690, top + 150), (270, top + 160)], ORANGE, 85)
    pen.shape([(330, top + 210), (640, top + 205)], WHITE, 38)
    pen.oval((700, top + 110), (110, 130), WHITE)


def standing(pen: Pen) -> None:
    pen.oval((150, 520), (62, 50), ORANGE)
    for foot in (330, 610):
        pen.limb((foot, 700), (foot + 6, 800), 40, CREAM)
    _trunk(pen, 500)
    for foot in (240, 700):
        pen.limb((foot, 700), (foot + 4, 822), 46, WHITE)
    pen.oval((250, 640), (100, 100), ORANGE)
    scarf(pen, (715, 545), 190, -1)
    head(pen, (735, 390), 185, tongue=True, look=0.5)


def running(pen: Pen) -> None:
    pen.shape([(170, 560), (90, 470)], ORANGE, 40)
    pen.limb((300, 690), (400, 770), 38, CREAM)
    pen.limb((620, 700), (560, 790), 38, CREAM)
    _trunk(pen, 490)
    pen.oval((250, 620), (105, 95), ORANGE)
    pen.limb((210, 680), (115, 765), 44, WHITE)
    pen.limb((720, 680), (835, 745), 44, WHITE)
    scarf(pen, (715, 530), 190, -1)
    head(pen, (740, 370), 185, tongue=True, look=0.7)


def sitting(pen: Pen) -> None:
    pen.oval((265, 800), (70, 48), ORANGE)
    pen.shape([(420, 560), (580, 560), (650, 780), (350, 780)], ORANGE, 70)
    for side in (-1, 1):
        pen.oval((500 + side * 155, 770), (95, 100), SHADE)
        pen.oval((500 + side * 175, 855), (82, 36), WHITE)
    pen.oval((500, 660), (125, 160), WHITE)
    pen.shape([(500, 760), (500, 850)], WHITE, 30)
    for side in (-1, 1):
        pen.limb((500 + side * 62, 700), (500 + side * 62, 838), 46, WHITE)
    pen.shape([(500, 770), (500, 850)], CREAM, 6)
    scarf(pen, (500, 565), 220, 1)
    head(pen, (500, 385), 215, tongue=False)


def lying(pen: Pen) -> None:
    pen.oval((115, 700), (66, 46), ORANGE)
    pen.shape([(230, 660), (620, 640), (680, 740), (230, 750)], ORANGE, 85)
    pen.oval((250, 735), (125, 95), SHADE)
    pen.oval((305, 815), (95, 38), WHITE)
    pen.shape([(420, 806), (640, 806)], WHITE, 30)
    pen.oval((700, 700), (115, 120), WHITE)
    for foot in (740, 850):
        pen.shape([(680, 800), (foot, 812)], WHITE, 40)
    scarf(pen, (705, 640), 190, -1)
    head(pen, (725, 480), 190, tongue=False, look=0.4)


def portrait(pen: Pen) -> None:
    pen.shape([(320, 880), (680, 880), (760, 1060), (240, 1060)], ORANGE, 70)
    pen.oval((500, 1010), (170, 200), WHITE)
    scarf(pen, (500, 825), 325, 1)
    head(pen, (500, 560), 305, tongue=True)


Pose = Callable[[Pen], None]
POSES: Final[dict[str, Pose]] = {
    "standing": standing,
    "running": running,
    "sitting": sitting,
    "lying": lying,
    "portrait": portrait,
}


@dataclass(frozen=True)
class Scene:
    """One picture of the dog and the words for it."""

    pose: str
    place: str
    words: str
    flip: bool = False
    size: float = 1.0
    shift: Point = (0.0, 0.0)
    """In fractions of the side."""

    @property
    def caption(self) -> str:
        return f"a photo of sks dog{self.words}"


TRAIN: Final = (
    Scene("standing", "grass", " standing on grass"),
    Scene("sitting", "white", " sitting, white background"),
    Scene("portrait", "blue", ", close-up, blue background"),
    Scene("standing", "white", ", white background", flip=True, size=0.92, shift=(0.02, 0.0)),
    Scene("running", "beach", " running on the beach", flip=True, size=0.9, shift=(0.0, 0.04)),
    Scene("sitting", "snow", " sitting in the snow", size=0.85, shift=(-0.1, 0.05)),
    Scene("lying", "pink", " lying down, pink background", shift=(0.0, -0.08)),
    Scene("running", "yellow", " running, yellow background", size=0.95, shift=(0.02, -0.04)),
    Scene("sitting", "night", " sitting at night", flip=True, size=0.9, shift=(0.06, 0.03)),
    Scene("standing", "purple", " standing, purple background", size=0.8, shift=(-0.04, -0.04)),
)
HELD_OUT: Final = (
    Scene("sitting", "grass", " sitting on grass", flip=True, size=0.9, shift=(-0.05, 0.04)),
    Scene("standing", "blue", " standing, blue background", flip=True, size=0.85, shift=(0.0, -0.02)),
    Scene("portrait", "white", ", close-up, white background", flip=True, size=0.95, shift=(0.0, 0.05)),
    Scene("lying", "beach", " lying down on the beach", flip=True, size=0.9, shift=(0.0, 0.0)),
)


def dog(scene: Scene) -> Image.Image:
    """The dog alone, outlined, on a clear layer of full size."""
    pen = Pen()
    POSES[scene.pose](pen)
    layer = pen.layer.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if scene.flip else pen.layer
    alpha = layer.getchannel("A").reduce(2)
    rim = alpha.filter(ImageFilter.MaxFilter(9)).resize(layer.size, Image.Resampling.BICUBIC)
    outline = Image.new("RGBA", layer.size, (*INK, 0))
    outline.putalpha(ImageChops.lighter(rim, layer.getchannel("A")))
    return Image.alpha_composite(outline, layer)


def draw(scene: Scene, index: int) -> Image.Image:
    """The whole picture, as it is committed."""
    shades = compose.place(scene.place, np.random.default_rng((7, index))).round().astype(np.uint8)
    canvas = Image.fromarray(shades).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    side = round(SIDE * scene.size)
    small = dog(scene).convert("RGBa").resize((side, side), Image.Resampling.LANCZOS).convert("RGBA")
    left = round((SIDE - side) / 2 + scene.shift[0] * SIDE)
    top = round((SIDE - side) / 2 + scene.shift[1] * SIDE)
    canvas.paste(small, (left, top), small)
    return canvas
