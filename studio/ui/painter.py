"""The only file that lets a mask be painted on a picture: what is painted is learnt, and becomes white in its mask."""

import base64
import io
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from studio.data.mask import load_mask, save_mask
from studio.errors import DataError
from studio.ui.album import Album
from studio.ui.i18n import t, tr
from studio.ui.markup import esc, notice, word
from studio.ui.media import picture_url

SIDE: Final = 512  # pixels of the longer side that is painted on; a mask may be smaller than its picture
INK: Final = (76, 194, 201)
ADDRESS: Final = "data:image/png;base64,"


def drawn(album: Album, path: Path, shelf: str, lang: str) -> str:
    """The picture under a canvas with the mask that it has, and the brushes."""
    verdict = album.verdict(path)
    if verdict is None or not verdict.width or not album.own:
        return f'<p class="mute">{word("ds_no_picture", lang)}</p>'
    wide, high = sides(verdict.width, verdict.height)
    ink, wrong = "", ""
    try:
        ink = _ink(path, (wide, high))
    except DataError as error:
        wrong = notice("warn", tr(str(error), lang))
    size = (
        f'<label>{word("ds_brush_size", lang)} <input type="range" data-paint="size" min="2" '
        f'max="{max(wide, high) // 2}" value="{max(wide, high) // 8}"></label>'
    )
    tools = (
        f"{_tool('brush', 'ds_brush', lang)}{_tool('eraser', 'ds_eraser', lang)}{size}"
        f"{_tool('back', 'ds_paint_back', lang)}{_tool('clear', 'ds_paint_clear', lang)}"
    )
    url, at = esc(picture_url(shelf, album.root, path, SIDE)), word("ds_mask_at", lang, x="{x}", y="{y}", n="{n}")
    return (
        f'{wrong}<div class="paint"><div class="ln">{tools}</div>'
        f'<div class="easel" style="--a:{wide / high:.4f}"><img src="{url}" alt="" draggable="false">'
        f'<canvas id="dataset_paint" width="{wide}" height="{high}" data-of="{esc(album.name(path))}" '
        f'data-ink="{ink}" data-at="{at}" tabindex="0" role="application" aria-describedby="dataset_paint_keys" '
        f'aria-label="{word("ds_mask_title", lang)}"></canvas><i class="ring"></i></div>'
        f'<p class="faint" id="dataset_paint_keys">{word("ds_mask_keys", lang)}</p><p class="faint" role="status"></p>'
        f'<button type="button" class="bt primary" data-paint="save" id="dataset_mask_save">'
        f"{esc(t('ds_mask_save', lang))}</button></div>"
    )


def _tool(name: str, text: str, lang: str) -> str:
    return f'<button type="button" class="bt small" data-paint="{name}">{word(text, lang)}</button>'


def sides(width: int, height: int) -> tuple[int, int]:
    """Width and height in pixels of the mask of a picture that has ``width`` x ``height``."""
    shrink = min(1.0, SIDE / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def _ink(path: Path, size: tuple[int, int]) -> str:
    """The mask that a picture has, as a picture to go on painting on; "" where it has none. Raises DataError."""
    old = load_mask(path)
    if old is None:
        return ""
    kept = Image.fromarray(old).resize(size).point(lambda grey: 255 if grey > 127 else 0)
    ink = Image.new("RGBA", size, (*INK, 0))
    ink.putalpha(kept)
    data = io.BytesIO()
    ink.save(data, "PNG")
    return ADDRESS + base64.b64encode(data.getvalue()).decode()


def keep(path: Path, painted: object) -> None:
    """Save what was painted, the canvas as a PNG's data address, as the picture's mask; raises DataError."""
    ink = _alpha(str(painted))
    if not ink.any():
        raise DataError("Nothing is painted; paint over what shall be learnt, then save.")
    save_mask(path, ink)


def _alpha(address: str) -> np.ndarray:
    """Where there is paint, (height, width) of bool; raises DataError for what no canvas sends."""
    try:
        data = base64.b64decode(address.removeprefix(ADDRESS), validate=True)
        with Image.open(io.BytesIO(data), formats=("PNG",)) as canvas:
            if max(canvas.size) > SIDE or canvas.mode != "RGBA":
                raise ValueError
            return np.asarray(canvas.getchannel("A")) > 127
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError("The mask did not arrive whole; save it again.") from error
