"""The only file that knows how the text encoder learns, before the UNet, to say roughly what a caption looks like."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from studio.starter import latents, networks
from studio.starter.captions import Captions


class Guess(nn.Module):
    """A text encoder, and one attention that reads the mean latent off its states as the UNet will read them."""

    def __init__(self) -> None:
        super().__init__()
        cells, width = networks.LATENT_SIZE**2, networks.WIDTH
        self.text = networks.text_encoder()
        self.place_embedding = nn.Parameter(torch.randn(cells, width) * 0.1)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 640), nn.GELU(), nn.Linear(640, width))
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, networks.LATENT_CHANNELS))

    def forward(self, ids: Tensor) -> Tensor:
        states = self.text(ids).last_hidden_state
        cells = self.place_embedding.expand(len(ids), -1, -1)
        cells = cells + self.attention(cells, states, states, need_weights=False)[0]
        guess: Tensor = self.out(cells + self.mlp(cells))
        return guess.mT.unflatten(2, (networks.LATENT_SIZE, networks.LATENT_SIZE))


class TextTask:
    lr = 2e-3
    batch = 64

    def __init__(self, work: Path, device: torch.device) -> None:
        self.model = Guess().to(device)
        self.device = device
        self.captions = Captions(work)
        self.latents = latents.load(work)

    def loss(self, draw: torch.Generator) -> Tensor:
        indices = torch.randint(len(self.latents), (self.batch,), generator=draw)
        ids = self.captions.tokens(self.captions.texts(indices.tolist(), draw))
        target = self.latents[indices].float().to(self.device)
        return (self.model(ids.to(self.device)).float() - target).square().mean()
