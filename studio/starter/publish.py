"""The only file that knows how trained networks become the folders that others load: fp16, swapped in at once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from transformers import CLIPImageProcessorPil

from studio.starter import BASE, EYE, SIZE, networks, tokens, training
from studio.starter.latents import trained_vae


def _swap(folder: Path, write: Callable[[Path], None]) -> None:
    """Write a folder beside its place, then put it there."""
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-draft-"))
    write(draft)
    draft.chmod(0o755)
    for path in draft.rglob("*.safetensors"):
        path.chmod(0o644)
    old = draft.with_name(f"{draft.name}-old")
    if folder.exists():
        os.rename(folder, old)
    os.rename(draft, folder)
    shutil.rmtree(old, ignore_errors=True)


def base(work: Path, folder: Path = BASE) -> None:
    """The pipeline as far as it is trained; what has no state yet is random, but of the right shape."""
    torch.manual_seed(0)
    vae, unet, text = networks.vae(), networks.unet(), networks.text_encoder()
    if (work / "vae.safetensors").exists():
        vae = trained_vae(work)
    if (work / "unet.safetensors").exists():
        weights = training.averaged(work / "unet.safetensors")
        for prefix, model in (("unet.", unet), ("text.", text)):
            part = {name[5:]: weight for name, weight in weights.items() if name.startswith(prefix)}
            model.load_state_dict(part)
    assert all(networks.finite(model) for model in (vae, unet, text))
    pipeline = StableDiffusionPipeline(
        vae=vae.half(),
        unet=unet.half(),
        text_encoder=text.half(),
        tokenizer=tokens.tokenizer(work),
        scheduler=networks.scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    _swap(folder, lambda draft: pipeline.save_pretrained(draft))


def eye(work: Path, folder: Path = EYE) -> None:
    """The eye, with the processor of its pictures and the tokenizer of its words."""
    torch.manual_seed(0)
    model = networks.eye()
    if (work / "eye.safetensors").exists():
        model.load_state_dict(training.averaged(work / "eye.safetensors"))
    assert networks.finite(model)
    side = {"height": SIZE, "width": SIZE}
    images = CLIPImageProcessorPil(
        size={"shortest_edge": SIZE},
        crop_size=side,
        image_mean=list(networks.MEAN),
        image_std=list(networks.STD),
        do_convert_rgb=True,
    )

    words = tokens.tokenizer(work)

    def write(draft: Path) -> None:
        model.half().save_pretrained(draft)
        images.save_pretrained(draft)
        words.save_pretrained(draft)

    _swap(folder, write)


def everything(work: Path) -> None:
    base(work)
    eye(work)
