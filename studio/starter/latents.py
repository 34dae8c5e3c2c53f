"""The only file that knows how the bank of pictures becomes the bank of latents that the UNet learns from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from studio.formats.tensors import load_tensors, read_metadata, save_tensors
from studio.starter import networks, pictures, training
from studio.starter.stage_vae import pixels, settle_scale, tensor

FILE: Final = "latents.safetensors"
NOISE: Final = 0.25
"""Spread, in units of the latents' own, of the damage that the eye should see through."""


def _facts(work: Path) -> dict[str, str]:
    path = work / FILE
    return read_metadata(path) if path.exists() else {}


def trained_vae(work: Path) -> AutoencoderKL:
    """The autoencoder as it stands in the work folder, with the scaling factor that its latents were given."""
    model = networks.vae()
    model.load_state_dict(training.averaged(work / "vae.safetensors"))
    model.eval()
    if known := _facts(work).get("scaling_factor"):
        model.register_to_config(scaling_factor=float(known))
    else:
        settle_scale(model, work)
    return model


@torch.no_grad()
def make(work: Path, device: torch.device) -> None:
    """Encode the world, and decode some of it again, damaged, as the eye will meet samples."""
    path = work / FILE
    learned = str(training.spent(work / "vae.safetensors")["steps"])
    if _facts(work).get("vae_steps") == learned:
        return
    path.unlink(missing_ok=True)
    vae = trained_vae(work).to(device)
    scale = vae.config.scaling_factor
    world = pictures.load(work, "world")
    parts, again = [], []
    draw = torch.Generator().manual_seed(3)
    for start in range(0, len(world), 250):
        with training.fast(device):
            images = tensor(world[start : start + 250]).to(device)
            mean = torch.cat([vae.encode(few).latent_dist.mean.float() for few in images.split(25)]) * scale
            if start % 2500 == 0:
                noise = torch.randn(mean.shape, generator=draw) * torch.rand((len(mean), 1, 1, 1), generator=draw)
                damaged = mean + NOISE * noise.to(device)
                again.append(torch.from_numpy(pixels(vae.decode(damaged / scale).sample.float().cpu())))
        parts.append(mean.half().cpu())
    facts = {"scaling_factor": str(scale), "vae_steps": learned}
    save_tensors(path, {"latents": torch.cat(parts), "again": torch.cat(again)}, facts)


def load(work: Path) -> Tensor:
    """The latents, scaled to unit spread, in the order of the bank."""
    return load_tensors(work / FILE)["latents"]


def damaged(work: Path) -> tuple[list[int], Tensor]:
    """Pictures that went through noisy latents, and their numbers in the bank."""
    numbers = [start + index for start in range(0, pictures.WORLD, 2500) for index in range(250)]
    return numbers, load_tensors(work / FILE)["again"]
