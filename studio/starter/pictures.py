"""The only file that knows which composed pictures the networks see, and where these wait in the work folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from studio.starter import compose, sprites

SEED: Final = 1
HELD_OUT_SEED: Final = 2
WORLD: Final = 60_000
FOREIGN: Final = 40_000
HELD_OUT: Final = 512
EVERY: Final = 20
"""Every so many nameless drawings, one is never trained on."""

Pictures = NDArray[np.uint8]


def _write(path: Path, make: Callable[[], Pictures]) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft.npy")
    np.save(draft, make())
    os.replace(draft, path)


def make(work: Path) -> None:
    """Draw all pictures that are not there yet."""
    sprites.fetch(work)
    named, nameless = sprites.named(work), sprites.nameless(work)
    kept = [image for index, image in enumerate(nameless) if index % EVERY]
    folder = work / "pictures"
    _write(folder / "world.npy", lambda: compose.bank(SEED, WORLD, named))
    _write(folder / "foreign.npy", lambda: compose.foreign(SEED, FOREIGN, kept))
    _write(folder / "world-held-out.npy", lambda: compose.bank(HELD_OUT_SEED, HELD_OUT, named))
    _write(folder / "foreign-held-out.npy", lambda: compose.foreign(HELD_OUT_SEED, HELD_OUT, nameless[::EVERY]))
    compose.sheet(list(load(work, "world")[:160]), 16, 1).save(work / "pictures.png")


def load(work: Path, name: str) -> Pictures:
    """`world`, `foreign`, or one of these with `-held-out`; stays on the disk."""
    pictures: Pictures = np.load(work / "pictures" / f"{name}.npy", mmap_mode="r")
    return pictures
