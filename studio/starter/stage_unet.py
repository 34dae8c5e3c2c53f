"""The only file that knows how the UNet and the text encoder learn to draw what a caption says."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from studio.objective import Draw, add_noise, target
from studio.starter import latents, networks, training
from studio.starter.captions import Captions


class Painter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.unet = networks.unet()
        self.text = networks.text_encoder()

    def forward(self, noisy: Tensor, steps: Tensor, ids: Tensor) -> Tensor:
        guess: Tensor = self.unet(noisy, steps, self.text(ids).last_hidden_state).sample
        return guess


class UnetTask:
    """v-prediction with a uniform loss: weighting by signal-to-noise made the prototype deaf to its text."""

    lr = 1e-3
    batch = 40

    def __init__(self, work: Path, device: torch.device) -> None:
        self.model = Painter()
        pretrained = training.averaged(work / "text.safetensors")
        text = {name[5:]: weight for name, weight in pretrained.items() if name.startswith("text.")}
        self.model.text.load_state_dict(text)
        self.model.to(device)
        self.device = device
        self.captions = Captions(work)
        self.latents = latents.load(work)
        self.drawn = self.captions.drawn()
        self.kept = networks.scheduler().alphas_cumprod.to(device)

    def loss(self, draw: torch.Generator) -> Tensor:
        indices = self.drawn[torch.randint(len(self.drawn), (self.batch,), generator=draw)]
        ids = self.captions.tokens(self.captions.texts(indices.tolist(), draw)).to(self.device)
        clean = self.latents[indices].float().to(self.device)
        noise = torch.randn(clean.shape, generator=draw).to(self.device)
        steps = torch.randint(len(self.kept), (self.batch,), generator=draw).to(self.device)
        guess = self.model(add_noise(clean, noise, steps, self.kept), steps, ids)
        wanted = target("v_prediction", Draw(noise, steps, noise), clean, self.kept)
        return (guess.float() - wanted).square().mean()
