"""The only file that decodes a picture: whatever its kind, upright, in sRGB, and cut to the part that is trained.

It brings in no torch, so that the page can show pictures before anything is trained.
"""

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageColor, ImageOps

from studio.data.buckets import CENTRE, Box, Focus, cover
from studio.data.names import shown
from studio.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "BMP", "TIFF", "GIF")
MOST_PIXELS: Final = 89_478_485  # Pillow's own bound: 256 MB of RGB, beyond which it warns of a bomb
MOST_BYTES: Final = 512 * 2**20  # of one file
SRGB: Final = (b"sRGB", "sRGB".encode("utf-16-be"))  # how profiles of both versions call it
TURNED: Final = (5, 6, 7, 8)  # EXIF orientations that swap width and height
BROKEN: Final = (
    OSError, ValueError, TypeError, SyntaxError, NotImplementedError, EOFError, IndexError, KeyError, OverflowError,
    MemoryError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow's decoders were seen to raise, or could, on files that are damaged."""


class Unreadable(DataError):
    """A file that is no picture, or a damaged one."""


warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # `opened` looks itself, in any thread
warnings.filterwarnings("ignore", module=r"PIL\..*", category=UserWarning)  # of damaged EXIF, which is done without


@contextlib.contextmanager
def opened(source: Path | bytes, name: str = "the picture") -> Iterator[Image.Image]:
    """The picture, of which nothing but the header need be read; whatever goes wrong becomes a DataError."""
    name = shown(source.name if isinstance(source, Path) else name)
    try:
        if (source.stat().st_size if isinstance(source, Path) else len(source)) > MOST_BYTES:
            raise Image.DecompressionBombError
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=FORMATS) as raw:
            if raw.width * raw.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            yield raw
    except BROKEN as error:
        raise Unreadable(f"'{name}' cannot be read as a picture ({_why(error)}); replace or remove it.") from error


def _why(error: BaseException) -> str:
    """What went wrong, in a few words that a person knows."""
    if isinstance(error, Image.DecompressionBombError):
        return f"it is larger than {MOST_PIXELS / 1e6:.0f} million pixels or {MOST_BYTES / 2**20:.0f} MB"
    if isinstance(error, FileNotFoundError | PermissionError):
        return "it is gone" if isinstance(error, FileNotFoundError) else "you have no right to read it"
    if isinstance(error, Image.UnidentifiedImageError):
        return "its content is no picture of a kind that is read here"
    if "truncated" in str(error).lower() or isinstance(error, EOFError):
        return "its end is missing"
    return "it is damaged"


def open_picture(source: Path | bytes, name: str = "the picture", background: str = "white") -> Image.Image:
    """Decode, turn as EXIF says, bring colours to sRGB, lay transparency on ``background``, return RGB.

    Raises DataError for what is unreadable.
    """
    with opened(source, name) as raw:
        return flat(upright(raw), background)


def open_mask(source: Path | bytes, name: str = "the mask", alpha: bool = False) -> Image.Image:
    """Decode and turn as a picture is, and return its lightness, or its ``alpha``, as L; raises DataError."""
    with opened(source, name) as raw:
        picture = upright(raw)
        return _with_alpha(picture).getchannel("A") if alpha else _eight_bit(picture).convert("L")


def hides_all(name: str) -> str:
    """What is said of the mask of the picture ``name`` in which nothing is white."""
    return f"The mask of '{shown(name)}' hides all of it; paint white what is to be learnt."


def facts(source: Path | bytes, name: str = "the picture") -> tuple[int, int, bool]:
    """Width, height, and whether it may be transparent, from the header wherever that is enough; raises DataError."""
    with opened(source, name) as raw:
        return (*upright_size(raw), is_transparent(raw))


def upright_size(raw: Image.Image, header: bool = False) -> tuple[int, int]:
    """Width and height of an opened picture as it will be after `upright`; ``header`` as in `orientation`."""
    wide, high = raw.size
    turned = (
        raw.format != "TIFF" and orientation(raw, header) in TURNED
    )  # Pillow turns a TIFF itself, its size beforehand
    return (high, wide) if turned else (wide, high)


def orientation(raw: Image.Image, header: bool = False) -> int:
    """What EXIF says of how the camera was held, 1..8; 1 where it says nothing, or nothing that can be read.

    A PNG may say it behind its pixels, and is decoded for it unless its ``header`` shall be enough.
    """
    if raw.format == "PNG" and "exif" not in raw.info:
        if header:
            return 1
        raw.load()  # here, because a second attempt at what is damaged would seem to succeed
    try:
        said = raw.getexif().get(ExifTags.Base.Orientation, 1)
    except BROKEN:
        return 1
    return said if isinstance(said, int) and 1 <= said <= 8 else 1


def upright(raw: Image.Image) -> Image.Image:
    """Decode the first frame and turn it as EXIF says; damaged EXIF is done without."""
    raw.load()
    turn = 1 if raw.format == "TIFF" else orientation(raw)
    if turn != 1:
        with contextlib.suppress(*BROKEN):
            ImageOps.exif_transpose(raw, in_place=True)
    return raw


def flat(picture: Image.Image, background: str = "white") -> Image.Image:
    """RGB in sRGB of any mode, with ``background`` where it shows through."""
    if not is_transparent(picture):
        return _in_srgb(_eight_bit(picture))
    profile = picture.info.get("icc_profile")
    rgba = _with_alpha(picture)
    canvas = Image.new("RGB", rgba.size, ImageColor.getrgb(background)[:3])
    colours = rgba.convert("RGB")
    colours.info["icc_profile"] = profile
    canvas.paste(_in_srgb(colours), mask=rgba.getchannel("A"))
    return canvas


def is_transparent(picture: Image.Image) -> bool:
    """True when the picture has an alpha channel or a colour that stands for nothing."""
    return picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info


def _with_alpha(picture: Image.Image) -> Image.Image:
    """RGBA of any mode."""
    nothing = picture.info.get("transparency")
    if picture.mode.startswith(("I", "F")):
        deep = np.asarray(picture)
        rgba = _eight_bit(picture).convert("RGBA")
        if isinstance(nothing, int):
            rgba.putalpha(Image.fromarray(np.where(deep == nothing, 0, 255).astype(np.uint8)))
        return rgba
    steps = {"La": "LA", "RGBa": "RGBA"}
    return picture.convert(steps.get(picture.mode, "RGBA")).convert("RGBA")


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits, whole or broken numbers, as L; every other mode as it is."""
    if not picture.mode.startswith(("I", "F")):
        return picture
    deep = np.asarray(picture)
    if deep.dtype == np.uint16 or picture.mode.startswith("I;16"):
        return Image.fromarray((deep >> 8).astype(np.uint8))
    values = np.nan_to_num(deep.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    most = float(values.max(initial=0.0))
    white = next((limit for limit in (1.0, 255.0, 65535.0) if most <= limit), most)  # the narrowest usual scale
    if picture.mode == "I" and most <= 1:
        white = 255.0
    return Image.fromarray((values.clip(0, white) * (255 / white)).astype(np.uint8))


def _in_srgb(picture: Image.Image) -> Image.Image:
    """RGB, by the picture's own colour profile where it has one that can be read."""
    profile = picture.info.get("icc_profile")
    if picture.mode == "LAB":
        return _transformed(picture, ImageCms.createProfile("LAB")) or picture.convert("L").convert("RGB")
    if profile and not any(name in profile[:1024] for name in SRGB) and picture.mode in ("RGB", "CMYK", "L"):
        found = _transformed(picture, io.BytesIO(profile))
        if found is not None:
            return found
    return picture.convert("RGB")


def _transformed(picture: Image.Image, profile: Any) -> Image.Image | None:
    try:
        made = ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, *BROKEN):  # a profile for other colours than the picture has, or a damaged one
        return None
    return made


def cropped(picture: Image.Image, size: tuple[int, int], focus: Focus = CENTRE) -> Image.Image:
    """The part of ``picture`` around ``focus`` that has the shape of ``size`` (width, height), brought to that size."""
    return picture.crop(cover(*picture.size, size, focus)).resize(size, Image.Resampling.LANCZOS)


def cropped_mask(mask: Image.Image, picture: tuple[int, int], box: Box, size: tuple[int, int]) -> Image.Image:
    """The part ``box`` of a picture (width, height) in its ``mask``, which may be of another size, brought to ``size``.

    What a pixel of it says is the share that is covered.
    """
    whole = mask if mask.size == picture else mask.resize(picture, Image.Resampling.BILINEAR)
    return whole.crop(box).resize(size, Image.Resampling.BOX)
