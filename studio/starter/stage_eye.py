"""The only file that knows how the starter's eye learns to match pictures and words."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from studio.starter import latents, networks, pictures, world
from studio.starter.captions import Captions
from studio.starter.stage_vae import tensor

SAMPLE_LIKE = 0.25
"""Share of pictures that went through damaged latents."""


def disturb(images: Tensor, draw: torch.Generator) -> Tensor:
    """Another view: shifted, sometimes mirrored, sometimes blurred, a little noisy; the colours stay."""
    turned = torch.where(torch.rand((len(images), 1, 1, 1), generator=draw) < 0.5, images.flip(3), images)
    down, right = (int(shift) for shift in torch.randint(-4, 5, (2,), generator=draw))
    padded = functional.pad(turned, (4, 4, 4, 4), mode="replicate")
    shifted = padded[:, :, 4 + down : 4 + down + images.shape[2], 4 + right : 4 + right + images.shape[3]]
    small = functional.interpolate(shifted, scale_factor=0.5, mode="area")
    blurred = functional.interpolate(small, size=images.shape[2:], mode="bilinear")
    share = torch.rand((len(images), 1, 1, 1), generator=draw)
    noise = torch.randn(images.shape, generator=draw) * torch.rand((len(images), 1, 1, 1), generator=draw) * 0.15
    return shifted.lerp(blurred, share) + noise


class EyeTask:
    """Captions against pictures, plain names against pictures, and unnamed drawings against their other view."""

    lr = 1.5e-3
    batch = 32
    others = 6

    def __init__(self, work: Path, device: torch.device) -> None:
        self.model = networks.eye().to(device)
        self.device = device
        self.captions = Captions(work)
        self.world, self.foreign = pictures.load(work, "world"), pictures.load(work, "foreign")
        self.numbers, self.damaged = latents.damaged(work)
        self.names = self.captions.tokens([f"a photo of {world.article(name)}" for name in world.NAMES], whole=False)

    def loss(self, draw: torch.Generator) -> Tensor:
        few = int(self.batch * SAMPLE_LIKE)
        clean = torch.randint(len(self.world), (self.batch - few,), generator=draw)
        worn = torch.randint(len(self.numbers), (few,), generator=draw)
        others = torch.randint(len(self.foreign), (self.others,), generator=draw)
        indices = [*clean.tolist(), *(self.numbers[index] for index in worn.tolist())]
        texts = self.captions.tokens(self.captions.texts(indices, draw, dropped=0.0), whole=False)
        images = torch.cat([tensor(self.world[clean.numpy()]), tensor(self.damaged[worn].numpy())])
        strange = tensor(self.foreign[others.numpy()])
        batch = torch.cat([disturb(images, draw), disturb(strange, draw), disturb(strange, draw)])
        seen = self.look(batch.to(self.device))
        scale = self.model.logit_scale.exp().clamp(max=100)
        known, one, two = seen.split([self.batch, self.others, self.others])
        loss = self.match(known, self.read(texts), scale)
        wanted = self.captions.names(indices).to(self.device)
        loss = loss + functional.cross_entropy(scale * known @ self.read(self.names).T, wanted)
        return loss + 0.5 * self.match(one, two, scale)

    def look(self, images: Tensor) -> Tensor:
        states = self.model.vision_model(pixel_values=images).pooler_output
        return functional.normalize(self.model.visual_projection(states).float(), dim=-1)

    def read(self, ids: Tensor) -> Tensor:
        states = self.model.text_model(input_ids=ids.to(self.device)).pooler_output
        return functional.normalize(self.model.text_projection(states).float(), dim=-1)

    @staticmethod
    def match(left: Tensor, right: Tensor, scale: Tensor) -> Tensor:
        logits = scale * left @ right.T
        wanted = torch.arange(len(left), device=logits.device)
        return (functional.cross_entropy(logits, wanted) + functional.cross_entropy(logits.T, wanted)) / 2
