"""The only file that says how much memory a run will need, part by part, before anything is loaded."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from studio.data.scan import HOLD_FROM, DataSpec, held_folder, listing, resolve_folder
from studio.engine.bench import turns_at_once
from studio.engine.piecewise import way
from studio.engine.rehearsal import checkpointing, peak, without_memory
from studio.engine.sample import together
from studio.errors import DataError
from studio.families.base import DTYPES, Cond, Models
from studio.families.detect import detect
from studio.families.loading import skeleton
from studio.hardware import Plan
from studio.methods import method
from studio.methods.base import Method
from studio.spec import RunSpec

WORD = 4  # bytes of a float32
BLOCK = 256  # numbers that share one scale in bitsandbytes' 8-bit states
SMALLEST = 4096  # tensors below this many numbers keep 32-bit states there
KEPT = {"sgd": 1, "adamw": 2, "lion": 1, "prodigy": 4, "schedule-free-adamw": 2}  # float32 numbers for each that learns
EIGHT_BIT = {"adamw8bit": 2, "paged-adamw8bit": 2, "lion8bit": 1}  # bytes for each
CONTEXT = 700 * 2**20  # of CUDA itself, its workspaces and the allocator's slack, as published runs have it


@dataclass(frozen=True)
class Estimate:
    """Bytes that a run holds: ``weights`` by part while it trains, what the ``optimizer`` remembers, and more on top.

    ``working`` is the most that one forward and backward holds of activations and gradients together, ``preview`` the
    most that a preview holds of activations and of the weights that are on the device for them, ``encoding`` the same
    while the pictures become latents before the first step, ``judging`` the same while held-out pictures are judged (0
    where there are none), ``overhead`` an allowance for CUDA itself; ``learning`` is how many numbers learn. Loading
    holds no more than these: the weights come one part after the other, and on a small card no two stay.
    """

    weights: dict[str, int]
    learning: int
    optimizer: int
    working: int
    preview: int
    encoding: int
    overhead: int
    judging: int = 0

    @property
    def training(self) -> int:
        """The peak of a step."""
        return sum(self.weights.values()) + self.optimizer + self.working + self.overhead

    @property
    def previewing(self) -> int:
        """The peak of a preview."""
        return self.preview + self.optimizer + self.overhead

    @property
    def validating(self) -> int:
        """The peak of a held-out loss."""
        return self.judging + self.optimizer + self.overhead

    @property
    def peak(self) -> int:
        """The most that the run holds."""
        return max(self.training, self.previewing, self.validating, self.encoding + self.overhead)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, the sums besides."""
        sums = {name: getattr(self, name) for name in ("training", "previewing", "validating", "peak")}
        return {**asdict(self), **sums}

    def sentence(self, free: int) -> str:
        """What a user should know; ``free`` is what the device has to give, in bytes."""
        text = (
            f"This run needs about {_gib(self.peak)} ({_gib(self.training)} for a step: weights "
            f"{_gib(sum(self.weights.values()))}, optimizer {_gib(self.optimizer)}, activations and gradients "
            f"{_gib(self.working)}; {_gib(self.previewing)} for a preview); {_gib(free)} are free."
        )
        return text if self.peak <= free else f"{text} It may not fit: it will then go on with less, and say so."


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GB"


def state_bytes(optimizer: str, shapes: Iterable[torch.Size]) -> int:
    """What ``optimizer`` remembers of float32 parameters of these ``shapes``, in bytes."""
    return sum(_state_of(optimizer, shape) for shape in shapes)


def _state_of(optimizer: str, shape: torch.Size) -> int:
    count = shape.numel()
    if optimizer in EIGHT_BIT:
        moments = EIGHT_BIT[optimizer]
        return moments * (count + WORD * -(-count // BLOCK)) if count >= SMALLEST else moments * WORD * count
    if optimizer == "adafactor":  # a row and a column for each matrix
        return WORD * (count // shape[-1] + count // shape[-2]) if len(shape) > 1 else WORD * count
    return KEPT[optimizer] * WORD * count


def room(optimizer: str, parameters: Iterable[Tensor], device: torch.device) -> Tensor:
    """So many bytes on ``device`` as ``optimizer`` will want for ``parameters``, held as long as the tensor is."""
    size = state_bytes(optimizer, (parameter.shape for parameter in parameters))
    return torch.empty(size, dtype=torch.uint8, device=device)


def weight_bytes(module: nn.Module) -> int:
    """What the weights and buffers of ``module`` take, in bytes."""
    held = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return sum(tensor.numel() * tensor.element_size() for tensor in held.values())


def estimate(spec: RunSpec, plan: Plan) -> Estimate:
    """Play a step and a preview of ``spec`` through on tensors without memory; raises ModelError for a missing base.

    Weights and the optimizer's states are counted exactly. Activations are those of one batch of squares of the
    trained area under the plan's precision with fused attention, as torch's autograd keeps and frees them.
    """
    models = skeleton(detect(spec.base.model), spec.base, plan)
    if plan.gradient_checkpointing:
        models.unet.enable_gradient_checkpointing(checkpointing(models.dtype))
    with without_memory():
        learning = method(spec.method.kind)(models, spec.method, spec.data, spec.seed)
        learning.learns_in = way(spec, plan).weights
        groups = learning.attach()
        if way(spec, plan).fused:
            for parameter in learning.live.values():
                parameter.register_post_accumulate_grad_hook(_dropped)
        shapes = [parameter.shape for parameter in learning.live.values()]
        count = sum(shape.numel() for shape in shapes)
        text_learns = any(group.part != "unet" for group in groups)
        weights = {name: weight_bytes(part) for name, part in {**models.modules(), "vae": models.vae}.items()}
        away = {"vae", *(() if text_learns else models.text_encoders)} if plan.offload else set()
        averages = WORD * count if getattr(spec.optim, "ema", 0) and getattr(spec.optim, "ema_on", "") != "cpu" else 0
        return Estimate(
            weights={name: size for name, size in weights.items() if name not in away},
            learning=count,
            optimizer=state_bytes(plan.optimizer, shapes) + averages,
            working=_working(models, learning, spec, plan, text_learns),
            preview=_preview(models, spec, weights),
            encoding=_encoding(models, spec, weights),
            judging=_judging(models, spec, weights, text_learns),
            overhead=CONTEXT if plan.device == "cuda" else 0,
        )


def _dropped(parameter: Tensor) -> None:
    """A fused step, as far as it frees."""
    parameter.grad = None


def foretold(spec: RunSpec, plan: Plan, free: int) -> str:
    """The estimate in a sentence; a base or method that cannot be played through ends no run."""
    try:
        return estimate(spec, plan).sentence(free)
    except Exception as error:  # advice only: what is wrong with the base is said when it is loaded
        return f"How much memory this run needs could not be told ({type(error).__name__}); {_gib(free)} are free."


def _cond(models: Models, count: int, learns: bool) -> Cond:
    """What the text side answers ``count`` prompts, or without learning something of that size."""
    length = next(iter(models.tokenizers.values())).model_max_length
    ids = {slot: torch.zeros(count, length, dtype=torch.long) for slot in models.tokenizers}
    with torch.set_grad_enabled(learns):
        hidden, pooled = models.family.ask(models, ids)
    return Cond(torch.cat(list(hidden.values()), -1), pooled)


def _working(models: Models, learning: Method, spec: RunSpec, plan: Plan, text_learns: bool) -> int:
    try:
        return peak(lambda: _step(models, spec, plan, text_learns), models.dtype)
    except (
        RuntimeError
    ):  # a method that asks for its device in the middle: the base alone, through which gradients flow
        learning.detach()
        return peak(lambda: _step(models, spec, plan, text_learns, through=True), models.dtype)


def _step(models: Models, spec: RunSpec, plan: Plan, text_learns: bool, through: bool = False) -> None:
    """Forward and backward of the largest part of a batch."""
    together = spec.schedule.batch_size * (2 if spec.data.class_images else 1)
    count = -(-together // plan.split)
    side = (spec.data.resolution or models.resolution) // models.shrink
    noisy = torch.empty(count, models.latent_channels, side, side, dtype=models.dtype, requires_grad=through)
    cond = _cond(models, count, text_learns)
    said = models.family.predict(models, noisy, torch.zeros(count, dtype=torch.long), cond)
    (said.float() - torch.empty_like(said, dtype=torch.float32)).square().mean().backward()


def _preview(models: Models, spec: RunSpec, weights: Mapping[str, int]) -> int:
    """The most that drawing the pictures of one call holds, each part beside whom it is alone with."""
    orders = len(spec.sample.prompts) * len(spec.sample.seeds)
    if not orders:
        return 0
    pixels = spec.data.resolution or models.resolution
    side = pixels // models.shrink
    count = 2 * min(together((pixels, pixels), models.one_at_a_time), orders)  # each with and without its prompt

    def text() -> None:
        _cond(models, 1, False)

    def unet() -> None:
        noisy = torch.empty(count, models.latent_channels, side, side, dtype=models.dtype)
        models.family.predict(models, noisy, torch.zeros(count, dtype=torch.long), cond)

    def vae() -> None:
        models.vae.decode(torch.empty(1, models.latent_channels, side, side))

    with torch.no_grad():
        cond = _cond(models, count, False)
        return max(
            _beside(models, weights, models.text_encoders) + peak(text, models.dtype),
            _beside(models, weights, ["unet"]) + peak(unet, models.dtype),
            _beside(models, weights, ["vae"]) + peak(vae, DTYPES["fp32"]),
        )


def _encoding(models: Models, spec: RunSpec, weights: Mapping[str, int]) -> int:
    """What the VAE holds of one picture of the trained size, which is never cut in tiles, and who stands by."""
    side = spec.data.resolution or models.resolution

    def vae() -> None:
        models.vae.encode(torch.empty(1, 3, side, side))

    models.vae.disable_tiling()
    with torch.no_grad():
        held = peak(vae, DTYPES["fp32"])
    return _beside(models, weights, ["vae"]) + held


def _judging(models: Models, spec: RunSpec, weights: Mapping[str, int], text_learns: bool) -> int:
    """What one held-out picture asks of everyone, at several timesteps at once; parts take turns on a small card."""
    if not _holds_out(spec.data):
        return 0
    pixels = spec.data.resolution or models.resolution
    side, count = pixels // models.shrink, turns_at_once(models, (pixels, pixels))

    def judge() -> None:
        cond = _cond(models, count, False) if text_learns else words
        noisy = torch.empty(count, models.latent_channels, side, side, dtype=models.dtype)
        models.family.predict(models, noisy, torch.zeros(count, dtype=torch.long), cond)

    with torch.no_grad():
        words = Cond.stack([_cond(models, 1, False)] * count)
        asked = ["unet", *(models.text_encoders if text_learns else ())]
        return _beside(models, weights, asked) + peak(judge, models.dtype)


def _holds_out(data: DataSpec) -> bool:
    try:
        judges = held_folder(data) or data.hold_back or len(listing(resolve_folder(data.folder)).pictures) >= HOLD_FROM
    except DataError:  # which is said where the pictures are wanted
        return False
    return bool(judges)


def _beside(models: Models, weights: Mapping[str, int], names: Iterable[str]) -> int:
    """Bytes of the weights that are on the device while ``names`` work."""
    return sum(weights[name] for name in (names if models.one_at_a_time else weights))
