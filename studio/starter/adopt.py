"""The only file that knows how to go on from the published weights alone, when the work folder is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from torch import nn
from transformers import CLIPModel

from studio.formats.tensors import save_tensors
from studio.starter import EYE, drawing, stage_text, stage_unet

SPENT: Final = {"vae": (24.0, 870), "text": (9.0, 310), "unet": (51.0, 1760), "eye": (23.0, 2100)}
"""Minutes and steps behind the published weights, about; more minutes than these must be asked for to train on."""


def adopt(work: Path) -> None:
    """Write a training state, without the optimizers' memory, for each stage that has none."""
    pipeline = drawing.load()
    painter, guess = stage_unet.Painter(), stage_text.Guess()
    painter.unet.load_state_dict(pipeline.unet.state_dict())
    painter.text.load_state_dict(pipeline.text_encoder.state_dict())
    guess.text.load_state_dict(pipeline.text_encoder.state_dict())
    models = {"vae": pipeline.vae, "text": guess, "unet": painter, "eye": CLIPModel.from_pretrained(EYE).float()}
    for name, model in models.items():
        path = work / f"{name}.safetensors"
        if not path.exists():
            _write(path, model, *SPENT[name])


def _write(path: Path, model: nn.Module, minutes: float, steps: int) -> None:
    weights = model.state_dict()
    tensors = {f"{part}.{name}": tensor for part in ("model", "ema") for name, tensor in weights.items()}
    facts = {"minutes": minutes, "steps": steps, "samples": 0, "meetings": steps // 10, "loss": 0.0}
    save_tensors(path, tensors, {key: str(value) for key, value in facts.items()})
