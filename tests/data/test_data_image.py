from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from studio.data.image import open_picture
from studio.data.pixels import pixels
from studio.errors import DataError

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def encoded(picture: Image.Image, kind: str = "PNG", **more: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **more)
    return buffer.getvalue()


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))


def halves() -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", (8, 4), RED)
    picture.paste(BLUE, (4, 0, 8, 4))
    return picture


@pytest.mark.parametrize(
    ("turn", "size", "top_left", "bottom_right"),
    [(1, (8, 4), RED, BLUE), (3, (8, 4), BLUE, RED), (6, (4, 8), RED, BLUE), (8, (4, 8), BLUE, RED)],
)
def test_a_photograph_is_turned_as_its_camera_was(turn: int, size: Any, top_left: Any, bottom_right: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    picture = open_picture(encoded(halves(), exif=exif))
    assert picture.size == size
    assert picture.getpixel((0, 0)) == top_left
    assert picture.getpixel((size[0] - 1, size[1] - 1)) == bottom_right


def test_what_shows_through_is_white() -> None:
    half = Image.new("RGBA", (2, 1), (*RED, 255))
    half.putpixel((1, 0), (0, 0, 0, 0))
    palette = half.convert("P")
    grey = Image.new("LA", (2, 1), (0, 0))
    for content in (
        encoded(half),
        encoded(half, "WEBP", lossless=True),
        encoded(palette, transparency=palette.getpixel((1, 0))),
    ):
        assert open_picture(content).getpixel((1, 0)) == WHITE
    assert open_picture(encoded(grey)).getpixel((0, 0)) == WHITE


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK"])
def test_any_mode_becomes_rgb(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    picture = open_picture(encoded(Image.new("RGB", (4, 4), WHITE).convert(mode), kind))
    assert picture.mode == "RGB" and picture.getpixel((1, 1)) == WHITE


def test_16_bits_are_scaled_and_not_cut() -> None:
    ramp = np.linspace(0, 65535, 16).astype(np.uint16).reshape(4, 4)
    picture = open_picture(encoded(Image.fromarray(ramp)))
    assert np.abs(np.asarray(picture)[:, :, 0].astype(int) - ramp / 257).max() <= 1


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"\x89PNG\r\n\x1a\nabc", *(encoded(NOISE, kind)[:-400] for kind in ("PNG", "JPEG", "WEBP"))],
)
def test_what_is_broken_is_named_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "dog 1.png"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_picture(path)
    text = str(caught.value)
    assert "dog 1.png" in text and text.endswith(".") and "\n" not in text


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(DataError, match=r"larger than .* million pixels"):
        open_picture(encoded(Image.new("1", (20_000, 20_000))))


def test_a_format_that_is_not_on_the_list_is_not_even_tried() -> None:
    with pytest.raises(DataError):
        open_picture(encoded(halves(), "EPS"))


def test_pixels_are_cropped_in_the_middle_between_minus_one_and_one() -> None:
    flipped, plain = (pixels(halves(), (8, 4), flip) for flip in (True, False))
    assert plain.shape == (3, 4, 8) and plain.dtype == torch.float32
    assert plain[0, 0, 0] == 1 and plain[2, 0, 0] == -1
    assert torch.equal(flipped, plain.flip(-1))
    assert pixels(halves(), (4, 4)).shape == (3, 4, 4)
    assert pixels(Image.new("RGB", (1, 3000)), (64, 128)).shape == (3, 128, 64)
