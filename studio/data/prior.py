"""The only file that knows class images: what the base draws for the class word, so that a run does not forget it."""

import hashlib
import os
from pathlib import Path

from PIL import Image

from studio.data.scan import DataSpec, Example
from studio.errors import DataError


def prompt(spec: DataSpec) -> str:
    """What class images are drawn for, and shown with; raises DataError when there is no class word."""
    if not spec.class_word:
        raise DataError("Class images need a class word; set data.class_word, or data.class_images to 0.")
    return f"a photo of a {spec.class_word}"


def folder(cache: Path, spec: DataSpec, base: str, side: int) -> Path:
    """Where the class images of this prompt and size are kept; ``base`` says what draws them, and how."""
    name = hashlib.sha256(f"{base}/{prompt(spec)}/{side}".encode()).hexdigest()[:24]
    return cache.parent / "class" / name


def missing(place: Path, count: int) -> list[int]:
    """Numbers (which are also seeds) of the first ``count`` images that are not there yet."""
    return [number for number in range(count) if not image(place, number).is_file()]


def image(place: Path, number: int) -> Path:
    """The file of one image."""
    return place / f"{number:04d}.png"


def examples(place: Path, spec: DataSpec) -> list[Example]:
    """The images, ready to be encoded like any other picture."""
    return [Example(image(place, number), prompt(spec)) for number in range(spec.class_images)]


def keep(picture: Image.Image, path: Path) -> None:
    """Write one image, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{os.getpid()}-{path.name}")
    picture.save(draft, "PNG")
    os.replace(draft, path)
