"""The only file that draws chance: noise and timesteps are functions of (seed, step, slot), never of the method."""

import hashlib
import random
from collections.abc import Iterator

import torch

from studio import objective
from studio.objective import PLAIN, Draw, ObjectiveSpec

TIMESTEPS = 1000


def _number(*parts: object) -> int:
    """A 63-bit number that names ``parts``."""
    text = "/".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def draw(seed: int, step: int, slot: int, shape: tuple[int, int, int, int], spec: ObjectiveSpec = PLAIN) -> Draw:
    """Noise (B, C, h, w) and timesteps (B,) for the batch in ``slot`` of ``step``, on the CPU in float32.

    ``slot`` counts batches within a step over ranks and accumulation, so that N ranks see what one rank with
    N-fold accumulation sees. What ``spec`` asks for besides is drawn after the rest, from generators of its own: noise
    constant over the picture (Guttenberg, 2023), coarse noise, and the surplus that the UNet alone is shown.
    """
    generator = _generator("draw", seed, step, slot)
    noise = torch.randn(shape, generator=generator)
    timesteps = objective.timesteps(torch.rand(shape[:1], generator=generator), spec)
    posterior = torch.randn(shape, generator=generator)
    if spec.noise_offset:
        flat = torch.randn((*shape[:2], 1, 1), generator=_generator("offset", seed, step, slot))
        noise = noise + spec.noise_offset * flat
    if spec.pyramid_noise:
        coarse = _generator("pyramid", seed, step, slot)
        noise = objective.pyramid(
            noise, [torch.randn(size, generator=coarse) for size in _halves(shape)], spec.pyramid_noise
        )
    shown = None
    if spec.input_perturbation:
        surplus = torch.randn(shape, generator=_generator("perturbation", seed, step, slot))
        shown = noise + spec.input_perturbation * surplus
    return Draw(noise, timesteps, posterior, shown)


def _generator(*parts: object) -> torch.Generator:
    return torch.Generator().manual_seed(_number(*parts))


def _halves(shape: tuple[int, int, int, int]) -> Iterator[tuple[int, int, int, int]]:
    """``shape`` with its sides halved, again and again, down to one cell."""
    batch, channels, high, wide = shape
    while high > 1 or wide > 1:
        high, wide = max(1, high // 2), max(1, wide // 2)
        yield batch, channels, high, wide


def fixed_draw(turn: int, turns: int, index: int, shape: tuple[int, int, int, int]) -> Draw:
    """Draws for validation, the same for every run: timesteps spread evenly over ``turns``, noise by index."""
    generator = torch.Generator().manual_seed(_number("validation", turn, index))
    noise = torch.randn(shape, generator=generator)
    timestep = int((turn + 0.5) / turns * TIMESTEPS)
    return Draw(noise, torch.full(shape[:1], timestep), torch.zeros(shape))


def caption_rng(seed: int, step: int, index: int) -> random.Random:
    """Chance for the caption of example ``index`` at ``step``."""
    return random.Random(_number("caption", seed, step, index))


def rounding(seed: int, step: int, name: str, device: torch.device) -> torch.Generator:
    """Chance, on ``device``, for the rounding of the weight called ``name`` after ``step``."""
    return torch.Generator(device).manual_seed(_number("rounding", seed, step, name))


def reseed(seed: int, step: int, rank: int) -> None:
    """Fix what layers draw by themselves (dropout) to this step, so that resuming repeats it."""
    number = _number("layers", seed, step, rank)
    torch.manual_seed(number)
    random.seed(number)  # DyLoRA draws its rank with this one
