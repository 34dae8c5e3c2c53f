"""Pictures that are hard to read, made by hand: what a folder from the internet may hold."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

RNG = np.random.default_rng(0)
PHOTO = Image.fromarray(RNG.integers(0, 255, (48, 64, 3), dtype=np.uint8))
COLOURS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # samples per pixel by PNG's colour type


def encoded(picture: Image.Image, kind: str, **more: Any) -> bytes:
    """The bytes of a file of ``kind``."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **more)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    colour: int = 2, depth: int = 8, size: tuple[int, int] = (32, 32), interlace: int = 0, **over: bytes | None
) -> bytes:
    """A PNG of zeros; ``over`` replaces chunks by name, None leaves one out, others come before the pixels."""
    wide, high = size
    row = 1 + (wide * COLOURS[colour] * depth + 7) // 8
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    lines = row * high
    if interlace:
        lines = sum(
            (1 + (-(-(wide - x) // dx) * COLOURS[colour] * depth + 7) // 8) * -(-(high - y) // dy)
            for x, y, dx, dy in passes
        )
    parts: dict[str, bytes | None] = {"IHDR": struct.pack(">IIBBBBB", wide, high, depth, colour, 0, 0, interlace)}
    parts |= {"PLTE": bytes([200, 30, 30, 0, 0, 0])} if colour == 3 else {}
    parts |= {name: data for name, data in over.items() if name not in ("IDAT", "IEND")}
    parts |= {"IDAT": over.get("IDAT", zlib.compress(bytes(lines), 9)), "IEND": over.get("IEND", b"")}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(name.encode(), data) for name, data in parts.items() if data is not None
    )


def turned(kind: str, orientation: int) -> bytes:
    """A photograph of 64 x 48, whose camera says that it was held in this way."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(PHOTO, kind, exif=exif)


def moving(kind: str) -> bytes:
    """Two frames."""
    return encoded(PHOTO, kind, save_all=True, append_images=[Image.new("RGB", PHOTO.size, "blue")])


def profile() -> bytes:
    """A colour profile that a CMYK picture does not fit."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace(b"sRGB", b"xRGB")


def files() -> dict[str, tuple[bytes, str]]:
    """Name -> its bytes and what must be said: `ok W x H`, or a word of the reason for which it is unreadable."""
    cmyk, grey = PHOTO.convert("CMYK"), PHOTO.convert("L")
    deep = Image.fromarray(np.linspace(0, 65535, 64 * 48).astype(np.uint16).reshape(48, 64))
    fine = np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(48, 64)
    rgba, plain = PHOTO.copy(), encoded(PHOTO, "PNG")
    rgba.putalpha(grey)
    upright, sideways = "ok 64 x 48", "ok 48 x 64"
    made: dict[str, tuple[bytes, str]] = {
        "empty.png": (b"", "no picture"),
        "page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "no picture"),
        "bomb.png": (png(0, 1, (30_000, 30_000), IDAT=zlib.compress(b"\0", 9)), "larger than"),
        "bomb-between.png": (png(0, 1, (12_000, 12_000), IDAT=zlib.compress(b"\0", 9)), "larger than"),
        "words.png": (png(zTXt=b"a\0\0" + zlib.compress(bytes(70 * 2**20), 9)), "damaged"),
        "wrong-ending.png": (encoded(PHOTO, "JPEG"), upright),
        "cut.png": (encoded(PHOTO, "PNG")[:-800], "end is missing"),
        "cut.jpg": (encoded(PHOTO, "JPEG")[:-800], "end is missing"),
        "cut.webp": (encoded(PHOTO, "WEBP")[:-400], "damaged"),
        "cut.avif": (encoded(PHOTO, "AVIF")[:-200], "end is missing"),
        "cut.bmp": (encoded(PHOTO, "BMP")[:-400], "end is missing"),
        "cut.gif": (encoded(PHOTO, "GIF")[:-900], "end is missing"),
        "cut.tif": (encoded(PHOTO, "TIFF")[:200], "end is missing"),
        "cmyk.jpg": (encoded(cmyk, "JPEG"), upright),
        "cmyk-profile.jpg": (encoded(cmyk, "JPEG", icc_profile=profile()), upright),
        "broken-profile.png": (encoded(PHOTO, "PNG", icc_profile=b"nonsense" * 20), upright),
        "deep.png": (encoded(deep, "PNG"), upright),
        "deep-nothing.png": (png(0, 16, tRNS=b"\0\0"), "ok 32 x 32"),
        "palette.png": (png(3, 8, tRNS=b"\x80"), "ok 32 x 32"),
        "la.png": (encoded(rgba.convert("LA"), "PNG"), upright),
        "rgba.webp": (encoded(rgba, "WEBP"), upright),
        "moving.gif": (moving("GIF"), upright),
        "moving.webp": (moving("WEBP"), upright),
        "moving.png": (moving("PNG"), upright),
        "still.avif": (encoded(PHOTO, "AVIF"), upright),
        "deep.tif": (encoded(deep, "TIFF"), upright),
        "float.tif": (encoded(Image.fromarray(fine), "TIFF"), upright),
        "lab.tif": (encoded(ImageCms.applyTransform(PHOTO, ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")), "TIFF"), upright),
        "cmyk.tif": (encoded(cmyk, "TIFF", compression="tiff_lzw"), upright),
        "jpeg.tif": (encoded(PHOTO, "TIFF", compression="jpeg"), upright),
        "fax.tif": (encoded(grey.convert("1"), "TIFF", compression="group4"), upright),
        "pages.tif": (moving("TIFF"), upright),
        "no-pixels.png": (png(IDAT=None), "damaged"),
        "no-end.png": (png(IEND=None), "ok 32 x 32"),
        "zero.png": (png(size=(0, 32)), "no picture"),
        "bad-crc.png": (png()[:29] + b"\0\0\0\0" + png()[33:], "no picture"),
        "bad-stream.png": (png(IDAT=b"\x78\x9c" + b"\xff" * 40), "damaged"),
        "bad-filter.png": (png(IDAT=zlib.compress(b"\x09" * (97 * 32), 9)), "damaged"),
        "bad-depth.png": (png(2, 4), "no picture"),
        "late-exif.png": (plain[:-12] + chunk(b"eXIf", turned_exif(6)) + plain[-12:], sideways),
        "early-exif.png": (turned("PNG", 6), sideways),
    }  # fmt: skip
    for kind, ending in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif"), ("AVIF", "avif")):
        for way in range(1, 9):
            made[f"turned-{way}.{ending}"] = (turned(kind, way), sideways if way > 4 else upright)
    for colour, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16))):
        for depth in depths:
            for interlace in (0, 1):
                made[f"suite-{colour}-{depth}-{interlace}.png"] = (
                    png(colour, depth, interlace=interlace),
                    "ok 32 x 32",
                )
    return made


def turned_exif(orientation: int) -> bytes:
    """The content of a PNG's eXIf chunk."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes().removeprefix(b"Exif\0\0")


def odd_names() -> list[str]:
    """Names that are legal, at least here."""
    return [
        "two\nlines.png", "dog 😀.png", "一只狗.png", "\u202ekcab.png", "שלום.png", "a" * 251 + ".png", "sub\\up.png",
        "CON.png", "a.b.c.png", "-rf.png", "100%.png", "<b>.png",
    ]  # fmt: skip


def odd_things(folder: Path) -> list[str]:
    """Put what is no file into ``folder``; their names."""
    os.mkfifo(folder / "pipe.png")
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "self.png").symlink_to(folder / "self.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "loop").symlink_to(folder)
    (folder / "knot").symlink_to(folder / "knot")
    return ["pipe.png", "gone.jpg", "self.png", "device.png"]
