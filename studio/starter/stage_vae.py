"""The only file that knows how the autoencoder learns to keep pictures in 8x8 latents, and how well it does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from studio.starter import networks, pictures

KL = 5e-7
"""Weight of the KL term, summed over the latent."""


def tensor(pixels: pictures.Pictures) -> Tensor:
    """Bytes (N, H, W, 3) -> floats (N, 3, H, W) from -1 to 1."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


def pixels(images: Tensor) -> pictures.Pictures:
    """Floats (N, 3, H, W) from -1 to 1 -> bytes (N, H, W, 3)."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


class VaeTask:
    """Two pictures of the world to one of other drawings; L1 for edges, squares for flat places, a touch of KL."""

    lr = 2e-3
    batch = 16

    def __init__(self, work: Path, device: torch.device) -> None:
        self.model = networks.vae().to(device)
        self.device = device
        self.world, self.foreign = pictures.load(work, "world"), pictures.load(work, "foreign")

    def loss(self, draw: torch.Generator) -> Tensor:
        few = self.batch // 3
        others = torch.randint(len(self.foreign), (few,), generator=draw).sort().values.numpy()
        known = torch.randint(len(self.world), (self.batch - few,), generator=draw).sort().values.numpy()
        images = tensor(np.concatenate([self.world[known], self.foreign[others]])).to(self.device)
        latent = self.model.encode(images).latent_dist
        noise = torch.randn(latent.mean.shape, generator=draw).to(self.device)
        error = (self.model.decode(latent.mean + latent.std * noise).sample - images).float()
        return error.abs().mean() + error.square().mean() + KL * latent.kl().float().mean()


@torch.no_grad()
def reconstruct(vae: AutoencoderKL, images: Tensor, batch: int = 64) -> Tensor:
    """Pictures through the latents and back, scaling not involved."""
    parts = [vae.decode(vae.encode(part).latent_dist.mean).sample.clamp(-1, 1) for part in images.split(batch)]
    return torch.cat(parts)


def psnr(one: Tensor, other: Tensor) -> Tensor:
    """Decibels, picture by picture; pixels from -1 to 1."""
    return 10 * torch.log10(4 / (one - other).square().flatten(1).mean(dim=1))


def green(images: Tensor) -> Tensor:
    """Which pictures are mostly green where they have colour."""
    red, grass, blue = images.unbind(dim=1)
    coloured = (images.amax(dim=1) - images.amin(dim=1)) > 0.2
    greenish = coloured & (grass > red) & (grass > blue)
    return greenish.flatten(1).sum(dim=1) > 0.5 * coloured.flatten(1).sum(dim=1).clamp(min=64)


def measure(vae: AutoencoderKL, work: Path) -> dict[str, float]:
    """PSNR on pictures, and on drawings, that were not trained on."""
    scores = {}
    for name in ("world", "foreign"):
        images = tensor(pictures.load(work, f"{name}-held-out"))
        found = psnr(reconstruct(vae, images), images)
        scores[name] = float(found.mean())
        scores[f"{name}, green"] = float(found[green(images)].mean())
    return scores


@torch.no_grad()
def settle_scale(vae: AutoencoderKL, work: Path) -> None:
    """Set the scaling factor that gives the latents of the world unit spread."""
    images = tensor(pictures.load(work, "world")[:2048])
    latents = torch.cat([vae.encode(part).latent_dist.mean for part in images.split(64)])
    vae.register_to_config(scaling_factor=round(float(1 / latents.std()), 4))
