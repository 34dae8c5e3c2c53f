"""The only file that decodes a picture and brings it to the pixels that are trained."""

import io
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from studio.data.buckets import cover
from studio.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "TIFF", "GIF")
BACKGROUND = (255, 255, 255)  # what shows through transparency


def open_picture(source: Path | bytes, name: str = "the picture") -> Image.Image:
    """Decode, turn as EXIF says, lay transparency on white, return RGB; raises DataError for what is unreadable."""
    name = source.name if isinstance(source, Path) else name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=FORMATS) as raw:
                picture = ImageOps.exif_transpose(raw)
                if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
                    rgba = picture.convert("RGBA")
                    picture = Image.new("RGBA", rgba.size, (*BACKGROUND, 255))
                    picture.alpha_composite(rgba)
                elif picture.mode.startswith("I"):  # 16-bit grey
                    picture = Image.fromarray(
                        (np.asarray(picture).astype(np.float64) / 257).clip(0, 255).astype(np.uint8)
                    )
                return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, NotImplementedError, Warning, Image.DecompressionBombError) as error:
        raise DataError(
            f"'{name}' cannot be read as a picture ({type(error).__name__}); replace or remove it."
        ) from error


def pixels(picture: Image.Image, size: tuple[int, int], flip: bool = False) -> Tensor:
    """Crop to the shape of ``size`` (width, height), resize, and return (3, height, width) float32 in -1..1."""
    part = picture.crop(cover(*picture.size, size)).resize(size, Image.Resampling.LANCZOS)
    if flip:
        part = ImageOps.mirror(part)
    return torch.from_numpy(np.array(part, dtype=np.float32)).permute(2, 0, 1) / 127.5 - 1
