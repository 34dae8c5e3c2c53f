"""The only file that reads, writes and makes the masks of pictures: name-mask.png, white where it is to be learnt."""

import importlib
import importlib.util
import os
from pathlib import Path

import numpy as np
from PIL import Image

from studio.data.hidden import embedded
from studio.data.image import hides_all, open_mask, open_picture
from studio.data.listing import MASK
from studio.data.names import shown
from studio.disk import DRAFT
from studio.errors import DataError

NO_REMBG = "Background removal needs rembg; install it with `pip install rembg[cpu]`, then try again."


def mask_path(picture: Path) -> Path:
    """Where the mask of ``picture`` lies."""
    return picture.with_name(f"{picture.stem}{MASK}.png")


def load_mask(picture: Path) -> np.ndarray | None:
    """The mask of ``picture``, (height, width) uint8, 255 where all is learnt; None where it has none.

    Raises DataError where it cannot be read.
    """
    path = mask_path(picture)
    return np.asarray(open_mask(path)) if path.is_file() else None


def save_mask(picture: Path, mask: np.ndarray) -> Path:
    """Keep ``mask``, (height, width) of bool, of 0..1 or of 0..255, for ``picture``, whole or not at all.

    It may be smaller than the upright picture, whose shape it should have. Returns its file; raises DataError for what
    is no mask, hides everything, or cannot be written.
    """
    found = np.asarray(mask)
    if found.ndim != 2 or not found.size:
        raise DataError(f"A mask has one value per pixel, height by width, not the shape {found.shape}; give it so.")
    if embedded(picture):
        raise DataError("The embedded example stays as it is; copy its folder to paint a mask.")
    values = np.nan_to_num(found.astype(np.float64))
    values = values * 255 if found.dtype == bool or (found.dtype.kind == "f" and values.max() <= 1) else values
    grey = values.round().clip(0, 255).astype(np.uint8)
    if not grey.any():
        raise DataError(hides_all(picture.name))
    path = mask_path(picture)
    draft = path.with_name(f"{DRAFT}{os.getpid()}-mask.png")
    try:
        with open(draft, "wb") as file:
            Image.fromarray(grey).save(file, "PNG")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise DataError(f"The mask '{shown(path.name)}' cannot be written ({error.strerror}); mend that.") from error
    return path


def removal_lacks() -> str:
    """What is to be installed for `remove_background`, one sentence; nothing where it can run."""
    return "" if importlib.util.find_spec("rembg") else NO_REMBG


def remove_background(picture: Path) -> Path:
    """Find what ``picture`` is of, by rembg, and keep that as its mask; returns the mask's file.

    rembg brings its model (u2net, Apache-2.0, 176 MB) itself when it is used first. Raises DataError where it is not
    installed, or fails.
    """
    if lacking := removal_lacks():
        raise DataError(lacking)
    image = open_picture(picture)
    try:
        found = importlib.import_module("rembg").remove(image, only_mask=True)
    except Exception as error:  # a foreign model, a download: whatever it says is passed on
        said = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise DataError(
            f"rembg could not find the background of '{shown(picture.name)}' ({said}); paint it."
        ) from error
    return save_mask(picture, np.asarray(found.convert("L")))
