"""The only file that knows how the example datasets are written to disk: pictures with a caption beside each."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from PIL import Image

from studio.starter import CORGI, CORGI_HELD_OUT, STYLE, STYLE_HELD_OUT, compose, corgi, pictures, riso, sprites

Captioned = list[tuple[Image.Image, str]]


def corgis(scenes: tuple[corgi.Scene, ...]) -> Captioned:
    return [(corgi.draw(scene, index), scene.caption) for index, scene in enumerate(scenes)]


def prints(work: Path, names: tuple[str, ...]) -> Captioned:
    return [(riso.draw(sprites.large(work, name), index), riso.caption(name)) for index, name in enumerate(names)]


def _write(folder: Path, found: Captioned) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    for number, (image, words) in enumerate(found, start=1):
        image.save(draft / f"{number:02d}.png", optimize=True)
        (draft / f"{number:02d}.txt").write_text(f"{words}\n", encoding="utf-8")
    draft.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(draft, folder)


def make(work: Path) -> None:
    """Draw all four folders, and a sheet of them for eyes."""
    sprites.fetch(work)
    _write(CORGI, corgis(corgi.TRAIN))
    _write(CORGI_HELD_OUT, corgis(corgi.HELD_OUT))
    _write(STYLE, prints(work, riso.TRAIN))
    _write(STYLE_HELD_OUT, prints(work, riso.HELD_OUT))
    found = [path for folder in (CORGI, CORGI_HELD_OUT, STYLE, STYLE_HELD_OUT) for path in sorted(folder.glob("*.png"))]
    compose.sheet([small(path) for path in found], 14).save(work / "example.png")


def small(path: Path) -> pictures.Pictures:
    """An example picture as the starter sees it."""
    return compose.shrink(Image.open(path))
