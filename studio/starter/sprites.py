"""The only file that knows where the permissively licensed drawings come from and under which licences."""

from __future__ import annotations

import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from studio.starter import world

NATIVE: Final = 72
"""Longer side to which larger drawings are reduced once."""


@dataclass(frozen=True)
class Source:
    """One npm package of drawings."""

    package: str
    version: str
    pictures: str
    licence: str
    credit: str
    guard: str = ""
    """The field of emoji.json which says that a picture is the vendor's own, not a stand-in by another one."""

    def folder(self, work: Path) -> Path:
        return work / "npm" / f"{self.package.strip('@').replace('/', '-')}-{self.version}"


SOURCES: Final = (
    Source("emoji-datasource-google", "16.0.0", "img/google/64", "Apache-2.0", "Noto Emoji, Google", "has_img_google"),
    Source("emoji-datasource-twitter", "16.0.0", "img/twitter/64", "CC-BY-4.0", "Twemoji, Twitter and contributors",
           "has_img_twitter"),
    Source("@lobehub/fluent-emoji-3d", "1.1.0", "assets", "MIT", "Fluent Emoji, Microsoft"),
)  # fmt: skip
"""In the order of world.STYLES."""


def fetch(work: Path) -> None:
    """Bring the packages into the work folder, unless they are there."""
    for source in SOURCES:
        folder = source.folder(work)
        if folder.is_dir():
            continue
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", f"{source.package}@{source.version}", "--pack-destination", str(folder.parent)]
        subprocess.run(command, check=True, capture_output=True)
        draft = folder.with_suffix(".draft")
        with tarfile.open(folder.parent / f"{folder.name}.tgz") as archive:
            archive.extractall(draft, filter="data")
        (draft / "package").rename(folder)


def _files(source: Source, work: Path) -> dict[str, Path]:
    """Code points without variation selectors -> file, only the vendor's own pictures, no flags or skin tones."""
    folder = source.folder(work)
    if source.guard:
        records = json.loads((folder / "emoji.json").read_text(encoding="utf-8"))
        allowed = {record["image"] for record in records if record[source.guard] and record["category"] != "Flags"}
        found = [path for path in (folder / source.pictures).iterdir() if path.name in allowed]
    else:
        found = sorted((folder / source.pictures).glob("*.webp"))
    files = {}
    for path in sorted(found):
        code = path.stem.lower().replace("-fe0f", "")
        if not any(part.startswith("1f3f") or "1f1e6" <= part <= "1f1ff" for part in code.split("-")):
            files[code] = path
    return files


def read(path: Path, side: int = NATIVE) -> Image.Image:
    """One drawing, cut to its own outline, at most `side` pixels long."""
    image = Image.open(path).convert("RGBA")
    box = image.getchannel("A").point(lambda alpha: 255 if alpha > 8 else 0).getbbox()
    image = image.crop(box)
    if max(image.size) > side:
        scale = side / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    return image


Sprites = dict[tuple[str, int, int], Image.Image]


def named(work: Path) -> Sprites:
    """(name, variant, style) -> drawing, for everything in the world."""
    sprites: Sprites = {}
    for style, source in enumerate(SOURCES):
        files = _files(source, work)
        for name, codes in world.THINGS.items():
            for variant, code in enumerate(codes):
                sprites[name, variant, style] = read(files[code])
    return sprites


def large(work: Path, name: str) -> Image.Image:
    """The Fluent drawing of a thing at its full size."""
    return read(_files(SOURCES[2], work)[world.THINGS[name][0]], 256)


def nameless(work: Path) -> list[Image.Image]:
    """All other drawings of the packages: the autoencoder sees them too, so that it can draw more than the world."""
    known = {code for codes in world.THINGS.values() for code in codes}
    return [read(path) for source in SOURCES for code, path in _files(source, work).items() if code not in known]
