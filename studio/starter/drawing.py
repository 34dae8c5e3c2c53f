"""The only file that knows with which settings the starter is asked to draw when it is judged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from studio.starter import BASE, PROMPTS, world
from studio.starter.pictures import Pictures

STEPS: Final = 25
GUIDANCE: Final = 3.5
SEEDS: Final = (0, 1)


def load(folder: Path = BASE) -> Any:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def prompts() -> list[str]:
    """The listed prompts, one a line."""
    return PROMPTS.read_text(encoding="utf-8").split("\n")[:-1]


def thing(prompt: str) -> str:
    """What a prompt asks for: the longest name of the world that it says, colours and places aside."""
    said = [name for name in world.NAMES if re.search(rf"\b{name}\b", prompt)]
    return max(said, key=len)


def draw(pipeline: Any, texts: Sequence[str], seed: int, guidance: float = GUIDANCE) -> Pictures:
    """One picture for each text; the same seed gives every text the same noise."""
    parts = []
    for start in range(0, len(texts), 25):
        part = list(texts[start : start + 25])
        noise = [torch.Generator().manual_seed(seed) for _ in part]
        with torch.autocast("cpu", torch.bfloat16):
            found = pipeline(
                part, num_inference_steps=STEPS, guidance_scale=guidance, generator=noise, output_type="np"
            )
        parts.append((found.images * 255).round().astype(np.uint8))
    return np.concatenate(parts)
