"""The only file that turns a batch and a draw into losses, whatever the method and the family."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from studio import objective
from studio.data.cache import draw_latents
from studio.families.base import Cond, Models
from studio.objective import Draw, ObjectiveSpec

REMEMBERED = 512 * 2**20  # bytes of conditioning kept while the text side is frozen: 800 prompts of SDXL and more


@dataclass(frozen=True)
class Batch:
    """Examples of one shape: ``moments`` (B, 2C, h, w), their ``prompts`` and loss ``weights`` (B,).

    ``mask`` (B, 1, h, w) in 0..1 says what of each counts, where something does not.
    """

    moments: Tensor
    prompts: Sequence[str]
    weights: Tensor
    mask: Tensor | None = None


class Learner(nn.Module):
    """The parts of the base that a method touches, and the objective over them."""

    def __init__(self, models: Models, spec: ObjectiveSpec, text_learns: bool) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(models.modules())
        self._models = models
        self._spec = spec
        self._text_learns = text_learns
        self._memory: OrderedDict[str, Cond] = OrderedDict()

    def conditioning(self, prompts: Sequence[str]) -> Cond:
        """Conditioning of ``prompts``; while the text side is frozen those lately used wait in the main memory."""
        models = self._models
        if self._text_learns:
            return models.family.encode(models, prompts)
        found = [self._remembered(prompt) for prompt in prompts]
        cond = Cond.stack(found)
        pooled = None if cond.pooled is None else cond.pooled.to(models.device)
        return Cond(cond.hidden.to(models.device), pooled)

    def knows(self, prompts: Sequence[str]) -> bool:
        """Whether asking for ``prompts`` beforehand is of no use: they are remembered, or never are."""
        return self._text_learns or self._memory.keys() >= set(prompts)

    @torch.no_grad()
    def _remembered(self, prompt: str) -> Cond:
        if prompt in self._memory:
            self._memory.move_to_end(prompt)
            return self._memory[prompt]
        made = self._models.family.encode(self._models, [prompt])
        kept = Cond(made.hidden.cpu(), None if made.pooled is None else made.pooled.cpu())
        self._memory[prompt] = kept
        if len(self._memory) * _size(kept) > REMEMBERED:
            self._memory.popitem(last=False)
        return kept

    def forward(self, batch: Batch, draw: Draw) -> Tensor:
        """Weighted loss of each example, (B,) float32."""
        models = self._models
        draw = draw.to(models.device)
        latents = draw_latents(batch.moments.to(models.device), draw.posterior)
        shown = draw.noise if draw.shown is None else draw.shown
        noisy = objective.add_noise(latents, shown, draw.timesteps, models.alphas_cumprod)
        cond = self.conditioning(batch.prompts)
        said = models.family.predict(models, noisy.to(models.dtype), draw.timesteps, cond)
        wanted = objective.target(models.prediction, draw, latents, models.alphas_cumprod)  # type: ignore[arg-type]
        weights = objective.weights(models.prediction, draw.timesteps, models.alphas_cumprod, self._spec)
        mask = None if batch.mask is None else batch.mask.to(models.device)
        return objective.loss(said, wanted, self._spec, mask) * weights * batch.weights.to(models.device)


def _size(cond: Cond) -> int:
    """Bytes of one prompt's conditioning; all are equally long."""
    return cond.hidden.nbytes + (0 if cond.pooled is None else cond.pooled.nbytes)
