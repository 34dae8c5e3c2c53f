"""The only file that knows which contact sheet shows a person how a stage went."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch

from studio.starter import compose, drawing, latents, pictures, publish, stage_vae, training
from studio.starter.captions import Captions
from studio.starter.look import Look
from studio.starter.stage_text import Guess


def vae(work: Path) -> None:
    """Held-out pictures above what comes back of them."""
    model = latents.trained_vae(work)
    rows = []
    for name in ("world", "foreign"):
        images = stage_vae.tensor(pictures.load(work, f"{name}-held-out")[:32])
        for part in images.split(16):
            rows += [*stage_vae.pixels(part), *stage_vae.pixels(stage_vae.reconstruct(model, part))]
    compose.sheet(rows, 16, 1).save(work / "vae.png")


@torch.no_grad()
def text(work: Path) -> None:
    """What the text encoder alone imagines: mean pictures."""
    model = Guess()
    model.load_state_dict(training.averaged(work / "text.safetensors"))
    decoder = latents.trained_vae(work)
    guess = model(Captions(work).tokens(drawing.prompts()))
    images = decoder.decode(guess / decoder.config.scaling_factor).sample
    compose.sheet(list(stage_vae.pixels(images)), 10).save(work / "text.png")


def unet(work: Path) -> None:
    """The listed prompts, drawn."""
    publish.base(work, work / "base")
    found = drawing.draw(drawing.load(work / "base"), drawing.prompts(), seed=0)
    compose.sheet(list(found), 10).save(work / "unet.png")


def eye(work: Path) -> None:
    """For ten listed prompts, the ten held-out pictures that fit each best, a prompt a row."""
    publish.eye(work, work / "eye")
    look = Look(work / "eye")
    pixels = np.array(pictures.load(work, "world-held-out"))
    fit = look.words(drawing.prompts()[::5]) @ look.pictures(pixels).T
    compose.sheet([pixels[index] for row in fit.topk(10).indices for index in row.tolist()], 10).save(work / "eye.png")


SHEETS: Final[dict[str, Callable[[Path], None]]] = {"vae": vae, "text": text, "unet": unet, "eye": eye}
