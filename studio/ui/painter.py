"""The only file that lets a mask be painted on a picture: what is white in it is learnt."""

from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
import numpy as np

from studio.errors import DataError
from studio.ui.album import Album
from studio.ui.places import Place

SIDE: Final = 512  # pixels of the longer side that is painted on; a mask may be smaller than its picture
INK: Final = (76, 194, 201, 150)


@dataclass(frozen=True)
class Painter:
    """The column that is shown, the picture to paint on, the button."""

    column: gr.Column
    editor: gr.ImageEditor
    save: gr.Button


def build(label: Any) -> Painter:
    """Lay it out, hidden."""
    with gr.Column(visible=False, elem_id="dataset_painter") as column:
        editor = gr.ImageEditor(
            type="numpy", image_mode="RGBA", label=label("ds_mask_title"), sources=(), transforms=(), layers=False,
            brush=gr.Brush(colors=["rgba(76, 194, 201, 0.6)"], default_size=40, color_mode="fixed"), interactive=True,
            elem_id="dataset_paint", show_label=False, height=380,
        )  # fmt: skip
        save = gr.Button(label("ds_mask_save"), variant="primary", elem_id="dataset_mask_save")
    return Painter(column, editor, save)


def shown(album: Album, place: Place) -> tuple[Any, Any]:
    """The column, and the picture with the mask that it has."""
    from studio.data.image import open_picture  # here, as they bring in torch
    from studio.data.mask import load_mask

    path = place.picked(album)
    if path is None or not album.own:
        return gr.update(visible=False), gr.skip()
    try:
        picture = open_picture(path)
        old = load_mask(path)
    except DataError:
        return gr.update(visible=False), gr.skip()
    picture.thumbnail((SIDE, SIDE))
    wide, high = picture.size
    ink = np.zeros((high, wide, 4), np.uint8)
    if old is not None:
        rows = np.linspace(0, old.shape[0] - 1, high).round().astype(int)
        columns = np.linspace(0, old.shape[1] - 1, wide).round().astype(int)
        ink[old[rows][:, columns] > 127] = INK
    ground = np.dstack([np.asarray(picture), np.full((high, wide), 255, np.uint8)])
    return gr.update(visible=True), {"background": ground, "layers": [ink], "composite": None}


def keep(album: Album, place: Place, painted: Any) -> None:
    """Save what was painted as the picture's mask; raises DataError where nothing was."""
    from studio.data.mask import save_mask

    path = place.picked(album)
    layers = (painted or {}).get("layers") or []
    if path is None or not layers:
        raise DataError("Nothing is painted; paint over what shall be learnt, then save.")
    ink = np.max(np.stack([layer[..., 3] for layer in layers]), axis=0)
    if not ink.any():
        raise DataError("Nothing is painted; paint over what shall be learnt, then save.")
    save_mask(path, ink > 32)
