"""The only file that knows how the starter's eye is asked: what is it, does it fit the words, how alike are two?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from transformers import CLIPModel, CLIPTokenizer

from studio.starter import EYE, world
from studio.starter.pictures import Pictures
from studio.starter.stage_vae import tensor


class Look:
    """Embeddings have unit length: likeness and fit are dot products."""

    def __init__(self, folder: Path = EYE) -> None:
        self.model = CLIPModel.from_pretrained(folder, torch_dtype=torch.float32).eval()
        self.tokenizer = CLIPTokenizer.from_pretrained(folder)

    @torch.no_grad()
    def pictures(self, pixels: Pictures) -> Tensor:
        seen = [self.model.vision_model(pixel_values=part).pooler_output for part in tensor(pixels).split(128)]
        return functional.normalize(self.model.visual_projection(torch.cat(seen)), dim=-1)

    @torch.no_grad()
    def words(self, texts: Sequence[str]) -> Tensor:
        ids = torch.tensor(self.tokenizer(list(texts), padding=True, truncation=True)["input_ids"])
        read = self.model.text_model(input_ids=ids).pooler_output
        return functional.normalize(self.model.text_projection(read), dim=-1)

    def names(self, pixels: Pictures) -> list[str]:
        """For each picture the one of all names that fits it best."""
        names = self.words([f"a photo of {world.article(name)}" for name in world.NAMES])
        return [world.NAMES[int(index)] for index in (self.pictures(pixels) @ names.T).argmax(dim=1)]
