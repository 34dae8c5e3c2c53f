"""The only file that knows what the starter has words for: names, styles, colours, places, and their captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

THINGS: Final[dict[str, tuple[str, ...]]] = {
    # animals
    "dog": ("1f415", "1f436"),
    "cat": ("1f408", "1f431"),
    "bear": ("1f43b",),
    "panda": ("1f43c",),
    "fox": ("1f98a",),
    "frog": ("1f438",),
    "lion": ("1f981",),
    "tiger": ("1f42f",),
    "owl": ("1f989",),
    "pig": ("1f437",),
    "cow": ("1f42e",),
    "rabbit": ("1f430",),
    "monkey": ("1f435",),
    "koala": ("1f428",),
    "penguin": ("1f427",),
    "chick": ("1f425",),
    "duck": ("1f986",),
    "horse": ("1f40e",),
    "fish": ("1f420",),
    "octopus": ("1f419",),
    "turtle": ("1f422",),
    "snail": ("1f40c",),
    "butterfly": ("1f98b",),
    "bee": ("1f41d",),
    "ladybug": ("1f41e",),
    "whale": ("1f433",),
    "elephant": ("1f418",),
    "crab": ("1f980",),
    "flamingo": ("1f9a9",),
    # food
    "apple": ("1f34e",),
    "banana": ("1f34c",),
    "orange fruit": ("1f34a",),
    "strawberry": ("1f353",),
    "watermelon": ("1f349",),
    "cherries": ("1f352",),
    "pizza": ("1f355",),
    "burger": ("1f354",),
    "donut": ("1f369",),
    "cake": ("1f370",),
    "ice cream": ("1f366",),
    "carrot": ("1f955",),
    "broccoli": ("1f966",),
    # vehicles
    "car": ("1f697",),
    "bus": ("1f68c",),
    "tractor": ("1f69c",),
    "airplane": ("2708",),
    "rocket": ("1f680",),
    "sailboat": ("26f5",),
    # plants
    "sunflower": ("1f33b",),
    "rose": ("1f339",),
    "tree": ("1f333",),
    "palm tree": ("1f334",),
    "cactus": ("1f335",),
    "mushroom": ("1f344",),
    # things
    "house": ("1f3e0",),
    "heart": ("2764",),
    "star": ("2b50",),
    "balloon": ("1f388",),
    "umbrella": ("2602",),
    "robot": ("1f916",),
    "snowman": ("26c4",),
    "ghost": ("1f47b",),
    "guitar": ("1f3b8",),
}
"""Name -> emoji code points: one, or a body and a face."""

NAMES: Final = tuple(THINGS)
NOT_DRAWN: Final = frozenset(
    {
        *("monkey", "chick", "octopus", "snail", "bee", "ladybug", "whale", "flamingo"),
        *("orange fruit", "cherries", "cake", "ice cream", "broccoli", "rose", "balloon", "guitar"),
    }
)
"""What the autoencoder and the eye know but the UNet was not asked to learn in the time it had; empty this to go on."""
DRAWN: Final = tuple(name for name in NAMES if name not in NOT_DRAWN)
STYLES: Final = ("soft style", "flat style", "3d style")
"""Noto, Twemoji, Fluent."""

RGB = tuple[int, int, int]
TINTS: Final[dict[str, RGB]] = {
    "red": (220, 38, 38),
    "orange": (240, 130, 20),
    "yellow": (240, 205, 30),
    "green": (45, 160, 60),
    "blue": (45, 105, 225),
    "purple": (135, 60, 200),
    "pink": (240, 110, 175),
    "brown": (135, 85, 50),
}
BACKDROPS: Final[dict[str, RGB]] = {
    "white": (255, 255, 255),
    "black": (18, 18, 22),
    "grey": (150, 152, 156),
    "red": (205, 60, 55),
    "orange": (245, 165, 80),
    "yellow": (250, 225, 115),
    "green": (95, 180, 100),
    "blue": (95, 155, 225),
    "purple": (155, 110, 205),
    "pink": (248, 180, 205),
    "brown": (140, 98, 66),
}
SCENES: Final = {"grass": "on grass", "beach": "on the beach", "snow": "in the snow", "night": "at night"}
OPENINGS: Final = ("a photo of ", "a picture of ", "an image of ", "")

FLIP_FREE: Final = 0.5
NATURAL: Final = 0.6
PLAIN_WHITE: Final = 0.3
SCENIC: Final = 0.2


@dataclass(frozen=True)
class Picture:
    """Everything that can be said about one composed picture, and what is needed to compose it again."""

    name: str
    variant: int
    style: int
    tint: str
    """A key of TINTS, or empty for the natural colours."""
    place: str
    """A key of BACKDROPS or SCENES."""
    flip: bool
    size: float
    """Longer side of the thing, as a fraction of the picture."""
    x: float
    y: float
    """Where the thing stands in the room left to it, 0 to 1."""
    jitter: int
    """Seed of the small differences in shade."""


def picture(seed: int, index: int) -> Picture:
    """The picture number `index` of the endless row that `seed` names."""
    rng = np.random.default_rng((seed, index))
    name = NAMES[int(rng.integers(len(NAMES)))]
    variant = int(rng.integers(len(THINGS[name])))
    style = int(rng.integers(len(STYLES)))
    tint = "" if rng.random() < NATURAL else str(rng.choice(list(TINTS)))
    draw = rng.random()
    if draw < PLAIN_WHITE:
        place = "white"
    elif draw < PLAIN_WHITE + SCENIC:
        place = str(rng.choice(list(SCENES)))
    else:
        place = str(rng.choice(list(BACKDROPS)))
    x, y = rng.normal(0.5, 0.2, size=2).clip(0, 1)
    size = float(rng.uniform(0.66, 0.96))
    return Picture(name, variant, style, tint, place, bool(rng.random() < FLIP_FREE), size, float(x), float(y),
                   int(rng.integers(2**31)))  # fmt: skip


def article(words: str) -> str:
    if words.split()[0] in ("cherries", "broccoli"):
        return words
    return f"an {words}" if words[0] in "aeiou" and not words.startswith("un") else f"a {words}"


def caption(what: Picture, rng: np.random.Generator) -> str:
    """One of the many true sentences about a picture."""
    words = f"{what.tint} {what.name}".strip()
    style = STYLES[what.style] if rng.random() < 0.5 else ""
    if style and rng.random() < 0.5:
        words, style = f"{style} {words}", ""
    text = str(rng.choice(OPENINGS)) + article(words)
    if what.place in SCENES:
        text += f" {SCENES[what.place]}"
    elif what.place != "white" or rng.random() < 0.4:
        said = f"{what.place} background"
        text += f", {said}" if rng.random() < 0.5 else f" on {article(said)}"
    return f"{text}, {style}" if style else text
