"""The only file that draws pictures: the live model and the files that a prompt calls, at fixed prompts and seeds."""

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from studio.engine.stack import Spell, stacked
from studio.families.base import Cond, Models
from studio.families.blocks import as_written
from studio.families.calls import Placed, Request, request, word_pattern
from studio.formats import infotext
from studio.formats.recognise import recognise
from studio.formats.shelf import Shelf
from studio.methods.base import Method
from studio.spec import SampleSpec

TOGETHER = 8  # pictures of 512 pixels square in one call, and as much of larger ones; memory's peak grows with it
FEW = 4  # on a small device


def together(size: tuple[int, int], small: bool) -> int:
    """How many pictures of ``size`` (pixels) are drawn in one call, on a ``small`` device or not."""
    return max(1, min(TOGETHER, (FEW if small else TOGETHER) * 512 * 512 // (size[0] * size[1])))


@dataclass(frozen=True)
class Wanted:
    """One picture to draw."""

    prompt: str
    seed: int


@dataclass(frozen=True)
class Easel:
    """What pictures are drawn with beside the live model.

    ``size`` is (width, height) in pixels; ``shelf`` is where prompts find files, and without one they call none;
    ``always`` are files on every picture. ``heard`` is told the denoising steps done and in all, of each call of the
    sampler anew; what it raises ends the drawing.
    """

    size: tuple[int, int]
    shelf: Shelf | None = None
    always: tuple[Placed, ...] = ()
    heard: Callable[[int, int], None] | None = None

    def request(self, prompt: str, negative: str) -> Request:
        """What a prompt asks for; raises as `calls.request` does."""
        if self.shelf is None:
            return Request(prompt, negative, self.always)
        return request(prompt, negative, self.shelf, self.always)


def wanted(prompts: Sequence[str], seeds: Sequence[int]) -> list[Wanted]:
    """Every prompt with every seed, prompt by prompt."""
    return [Wanted(prompt, seed) for prompt in prompts for seed in seeds]


def draw_pictures(
    models: Models, method: Method | None, orders: Sequence[Wanted], spec: SampleSpec, on: Easel | int = 0
) -> Iterator[Image.Image]:
    """Yield one picture per order, ``on`` an easel or so many pixels square (0: the base's own size).

    Prompts are in A1111's language. The sampler is DPM-Solver++ 2M on the base's own schedule; a picture depends on its
    own prompt and seed alone: only orders that call the same files and have equally long prompts are drawn together.
    Each picture carries A1111's text about itself for `infotext.save`. Raises SpecError or ModelError for a prompt that
    cannot be drawn.
    """
    easel = on if isinstance(on, Easel) else Easel((on or models.resolution,) * 2)
    asked = [easel.request(order.prompt, spec.negative) for order in orders]
    pairs = list(zip(orders, asked, strict=True))
    for placed, group in itertools.groupby(pairs, key=lambda pair: pair[1].placed):
        with evaluating(models), torch.no_grad(), stacked(models, placed) as spell:
            yield from _draw(models, method, list(group), spec, (easel, spell))


def _draw(
    models: Models,
    method: Method | None,
    pairs: Sequence[tuple[Wanted, Request]],
    spec: SampleSpec,
    means: tuple[Easel, Spell],
) -> Iterator[Image.Image]:
    """Pictures that call the same files, which are on."""
    easel, spell = means
    with models.alone(*models.text_encoders):
        conds = {pair[1]: _conditions(models, method, pair[1], easel, spell) for pair in pairs}
    latents: list[torch.Tensor] = []
    with models.alone("unet"):
        for _, group in itertools.groupby(pairs, key=lambda pair: conds[pair[1]][0].hidden.shape[1]):
            alike = list(group)
            count = together(easel.size, models.one_at_a_time)
            for first in range(0, len(alike), count):
                part = alike[first : first + count]
                yes, no = (Cond.stack(side) for side in zip(*(conds[asked] for _, asked in part), strict=True))
                latents += _denoise(models, (yes, no), [order.seed for order, _ in part], spec, easel)
    with models.alone("vae"):
        for (order, asked), latent in zip(pairs, latents, strict=True):
            pixels = models.decode(latent.unsqueeze(0))[0]
            array = (pixels.permute(1, 2, 0) * 255).round().byte().cpu().numpy()
            yield infotext.put(Image.fromarray(array), _made(models, order, asked, spec, easel))


def _conditions(models: Models, method: Method | None, asked: Request, easel: Easel, spell: Spell) -> tuple[Cond, Cond]:
    """Prompt and negative prompt (1, L, d), equally long; the run's own name stands for its trigger."""
    texts = spell(asked.prompt), spell(asked.negative)
    if method:
        own, trigger = easel.shelf.own if easel.shelf else "", method.data.trigger
        if own and trigger:
            texts = tuple(word_pattern([own]).sub(lambda _: trigger, text) for text in texts)  # type: ignore[assignment]
        texts = method.asked(*texts)
    family = models.family
    yes, no = (family.encode_prompt(models, text) for text in texts)
    length = max(yes.hidden.shape[1], no.hidden.shape[1])
    empty = family.encode_prompt(models, "")
    return yes.lengthened(length, empty), no.lengthened(length, empty)


def _made(models: Models, order: Wanted, asked: Request, spec: SampleSpec, easel: Easel) -> infotext.Made:
    """What A1111 needs to draw it again: files that were on without a call are called."""
    kinds = {"lora": "lora", "hypernetwork": "hypernet"}
    called = "".join(
        f" <{kinds[file.kind]}:{file.path.stem}:{file.weight:g}>"
        for file in asked.placed
        if file in easel.always and file.kind in kinds
    )
    loras = {file.path.stem: recognise(file.path).short_hash for file in asked.placed if file.kind == "lora"}
    return infotext.Made(
        prompt=order.prompt + called,
        negative=spec.negative,
        steps=spec.steps,
        guidance=spec.guidance,
        seed=order.seed,
        size=easel.size,
        model=re.sub(r"\.(safetensors|ckpt)$", "", Path(models.source).name),
        loras=loras,
    )


def _denoise(
    models: Models, conds: tuple[Cond, Cond], seeds: Sequence[int], spec: SampleSpec, easel: Easel
) -> torch.Tensor:
    from diffusers import DPMSolverMultistepScheduler

    def told(_: Any, step: int, __: Any, kept: dict[str, Any]) -> dict[str, Any]:
        if easel.heard:
            easel.heard(step + 1, spec.steps)
        return kept

    family = models.family
    pipeline = family.pipeline(models)
    pipeline.register_modules(vae=None, **dict.fromkeys(models.text_encoders))  # they may rest, and are not asked
    pipeline.vae_scale_factor = models.shrink
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(models.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    answer: torch.Tensor = pipeline(
        **family.pipeline_arguments(*conds),
        height=easel.size[1],
        width=easel.size[0],
        num_inference_steps=spec.steps,
        guidance_scale=spec.guidance,
        generator=generators,
        output_type="latent",
        callback_on_step_end=told,
    ).images
    return answer


@contextlib.contextmanager
def evaluating(models: Models) -> Iterator[None]:
    """Dropout off for a while, and compiled blocks as they are written: each way of asking would be compiled anew."""
    modes = [(part, part.training) for module in models.modules().values() for part in module.modules()]
    try:
        for module in models.modules().values():
            module.eval()
        with as_written(models.unet):
            yield
    finally:
        for part, mode in modes:  # each its own: what learns stands in a model that itself rests
            part.training = mode
