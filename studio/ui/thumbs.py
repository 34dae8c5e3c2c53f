"""The only file that makes thumbnails and keeps them, in outputs/.thumbnails: no more than MOST bytes of them.

The folder may be removed at any time; what is missing is made again.
"""

import contextlib
import hashlib
import io
import os
import threading
import time
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

from studio.data.image import Unreadable, opened, upright

MOST: Final = 512 * 2**20  # bytes, some 15,000 of the larger ones
LEFT: Final = 0.8  # of MOST, that stays when the oldest go
GREY: Final = (128, 138, 141, 255)
DAY: Final = 86_400.0  # seconds after which one that is looked at counts as new again


class Thumbs:
    """Those of one ``place``; at most ``most`` bytes, of which those go first that nobody has looked at for longest."""

    def __init__(self, place: Path, most: int = MOST) -> None:
        self._place = place
        self._most = most
        self._lock = threading.Lock()
        self._fresh = most  # bytes made since it was last swept: at its first thumbnail a new start sweeps

    def of(self, path: Path, side: int) -> bytes:
        """The `thumbnail` of a picture, made once for each state of its file."""
        state = path.stat()
        named = hashlib.sha256(
            f"{path}\0{state.st_size}\0{state.st_mtime_ns}\0{side}".encode("utf-8", "surrogateescape")
        ).hexdigest()
        file = self._place / named[:2] / f"{named[2:40]}.webp"
        with contextlib.suppress(OSError):
            data = file.read_bytes()
            if time.time() - file.stat().st_mtime > DAY:
                with contextlib.suppress(OSError):  # a folder that may only be read
                    os.utime(file)
            return data
        data = thumbnail(path, side)
        draft = file.with_name(f"{file.name}-{os.getpid()}-{threading.get_ident()}")
        with contextlib.suppress(OSError):  # where nothing can be kept it only costs time
            file.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(data)
            os.replace(draft, file)
        self._made(len(data))
        return data

    def _made(self, size: int) -> None:
        """Sweep after every tenth of what may be kept."""
        with self._lock:
            self._fresh += size
            if self._fresh < self._most / 10:
                return
            self._fresh = 0
        threading.Thread(target=self.sweep, name="thumbnails", daemon=True).start()

    def sweep(self) -> None:
        """Remove the oldest while there are more bytes than may be kept, drafts of a killed program among them."""
        found = []
        for path in self._place.glob("??/*"):
            with contextlib.suppress(OSError):
                state = path.stat()
                found.append((state.st_mtime_ns, state.st_size, path))
        total = sum(size for _, size, _ in found)
        if total <= self._most:
            return
        for _, size, path in sorted(found):
            if total <= self._most * LEFT:
                return
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size


def thumbnail(path: Path, side: int) -> bytes:
    """A picture of any kind as a small WebP, turned upright; one that cannot be read is a cross.

    Pictures are drawn before they are checked, and a browser complains of every request that is refused.
    """
    try:
        with opened(path) as raw:
            raw.draft("RGB", (side, side))  # a JPEG is decoded at half its size, or less, where that is enough
            picture = upright(raw).convert("RGBA" if "A" in raw.getbands() else "RGB")
    except Unreadable:
        picture = _cross(side)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    picture.save(data, "WEBP", quality=88)
    return data.getvalue()


def _cross(side: int) -> Image.Image:
    """What stands for a picture that cannot be read, ``side`` pixels wide."""
    picture = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen, near, far = ImageDraw.Draw(picture), round(side * 0.46), round(side * 0.54)
    for line in ((near, near, far, far), (near, far, far, near)):
        pen.line(line, GREY, max(2, side // 80))
    return picture
