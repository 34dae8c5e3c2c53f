"""The only file that knows how numbers in the bank become tokenised captions, drawn anew each time."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTokenizer

from studio.starter import pictures, tokens, world

DROPPED = 0.1
"""Share of empty captions, for guidance."""


@functools.lru_cache(maxsize=100_000)
def _picture(index: int) -> world.Picture:
    return world.picture(pictures.SEED, index)


class Captions:
    def __init__(self, work: Path) -> None:
        self.tokenizer: CLIPTokenizer = tokens.tokenizer(work)

    def tokens(self, texts: Sequence[str], whole: bool = True) -> Tensor:
        """Token ids, padded to CLIP's full length or only to the longest."""
        found = self.tokenizer(list(texts), padding="max_length" if whole else "longest", truncation=True)
        return torch.tensor(found["input_ids"])

    def texts(self, indices: Sequence[int], draw: torch.Generator, dropped: float = DROPPED) -> list[str]:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=draw)))
        texts = [world.caption(_picture(int(index)), rng) for index in indices]
        return ["" if rng.random() < dropped else text for text in texts]

    def drawn(self) -> Tensor:
        """The numbers in the bank that the UNet learns from: its own things, every second of the recoloured ones."""
        found = []
        for index in range(pictures.WORLD):
            what = _picture(index)
            if what.name in world.DRAWN and (not what.tint or index % 2):
                found.append(index)
        return torch.tensor(found)

    def names(self, indices: Sequence[int]) -> Tensor:
        """Which thing is on each picture, as a number in world.NAMES."""
        return torch.tensor([world.NAMES.index(_picture(int(index)).name) for index in indices])
