"""The only file that says what a model family must bring, and what a loaded base model consists of."""

import contextlib
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from studio.families.blocks import compile_blocks
from studio.families.prompt import chunks, weighted
from studio.hardware import Plan, release_memory
from studio.section import Section

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class BaseSpec(Section):
    """The model that is trained on."""

    model: str = "starter"
    """The base model: `starter` (embedded), a diffusers folder, a .safetensors or .ckpt file, a downloaded hub id."""
    prediction: Literal["auto", "epsilon", "v_prediction"] = "auto"
    """What the base model predicts; `auto` finds it out, set it where a single file is taken for the wrong kind."""


@dataclass(frozen=True)
class Cond:
    """Conditioning of a batch: ``hidden`` (B, L, d), and for families that have one ``pooled`` (B, p)."""

    hidden: Tensor
    pooled: Tensor | None = None

    @staticmethod
    def stack(conds: Sequence["Cond"]) -> "Cond":
        """Join single conditionings of one length into a batch."""
        pooled = [c.pooled for c in conds if c.pooled is not None]
        return Cond(torch.cat([c.hidden for c in conds]), torch.cat(pooled) if pooled else None)

    def lengthened(self, length: int, empty: "Cond") -> "Cond":
        """With the ``empty`` prompt's (1, 77, d) behind it until ``length``; pooled stays."""
        more = (length - self.hidden.shape[1]) // empty.hidden.shape[1]
        return Cond(torch.cat([self.hidden, *[empty.hidden] * more], 1), self.pooled) if more else self


@dataclass
class Models:
    """A loaded base model. Methods touch the modules; nobody else does.

    ``text_encoders`` and ``tokenizers`` are keyed by their pipeline names (text_encoder, text_encoder_2).
    ``alphas_cumprod`` is (T,); ``prediction`` is epsilon or v_prediction; ``resolution`` is the native size in pixels.
    """

    family: "Family"
    source: str
    unet: nn.Module
    vae: nn.Module
    text_encoders: dict[str, nn.Module]
    tokenizers: dict[str, Any]
    scheduler: Any
    alphas_cumprod: Tensor
    prediction: str
    resolution: int
    device: torch.device
    dtype: torch.dtype
    one_at_a_time: bool = False
    _away: set[str] = field(default_factory=set)

    def arrange(self, plan: Plan) -> None:
        """Everything on its device, activations kept or not, blocks compiled or not, as ``plan`` says.

        The rest of a plan is in loading.
        """
        self.one_at_a_time = plan.one_at_a_time
        self.wake(*(("unet",) if plan.one_at_a_time else ()))  # a small card wakes the others by turns
        compile_blocks(self.unet, plan.compile)
        self.vae.use_tiling = bool(plan.tile)
        if plan.tile:  # where it ends; smaller pictures are decoded whole, and none is encoded in tiles
            self.vae.tile_sample_min_size, self.vae.tile_latent_min_size = plan.tile, plan.tile // self.shrink
        if plan.gradient_checkpointing:
            self.unet.enable_gradient_checkpointing()
        else:
            self.unet.disable_gradient_checkpointing()

    def _guests(self) -> dict[str, nn.Module]:
        """What most steps of a training do without: the text encoders while they are frozen, and the VAE."""
        return {**self.text_encoders, "vae": self.vae}

    def _movable(self) -> dict[str, nn.Module]:
        return {"unet": self.unet, **self._guests()}

    @property
    def at_rest(self) -> bool:
        """True while every guest is away."""
        return self._away.issuperset(self._guests())

    def rest(self, text: bool) -> None:
        """Send the VAE, and if ``text`` the text encoders, to the computer's memory; whoever asks them wakes them."""
        self._send([name for name in self._guests() if text or name == "vae"])

    def _send(self, going: Sequence[str]) -> None:
        going = [name for name in going if name not in self._away]
        if self.device.type == "cpu" or not going:
            return
        for name in going:
            self._movable()[name].to("cpu")
        self._away.update(going)
        release_memory(self.device.type)

    def expect(self, *names: str) -> None:
        """Remember that ``names`` were left in the computer's memory."""
        self._away.update(names)

    def wake(self, *names: str) -> None:
        """Bring back what rests of ``names``, or all of it."""
        for name in self._away.intersection(names or self._movable()):
            self._movable()[name].to(self.device)
            self._away.discard(name)

    @contextlib.contextmanager
    def alone(self, *names: str) -> Iterator[None]:
        """While open, ``names`` are on the device, and on a small one nothing else; afterwards the UNet is there."""
        try:
            if self.one_at_a_time:
                self._send([name for name in self._movable() if name not in names])
            self.wake(*names)
            yield
        finally:
            if self.one_at_a_time:
                self._send(list(self._guests()))
            self.wake("unet")

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        return int(self.vae.config.latent_channels)

    @property
    def shrink(self) -> int:
        """Pixels per latent cell along one side."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def side_step(self) -> int:
        """A picture's sides must be multiples of this, so that VAE and UNet can halve it at every level."""
        return int(self.shrink * 2 ** (len(self.unet.config.block_out_channels) - 1))

    def fingerprint(self) -> str:
        """Names the VAE by its weights."""
        digest = hashlib.sha256(str(self.vae.config.scaling_factor).encode())
        for name, tensor in self.vae.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().float().sum().cpu().numpy().tobytes())
            digest.update(tensor.flatten()[:8].detach().float().cpu().numpy().tobytes())
        return digest.hexdigest()[:16]

    def moments(self, pixels: Tensor) -> Tensor:
        """Encode ``pixels`` (B, 3, H, W) in -1..1 to scaled mean and deviation of the latents, (B, 2C, h, w) fp32.

        They are encoded whole: tiles would be learnt.
        """
        self.wake("vae")
        weight = next(self.vae.parameters())
        with torch.no_grad(), torch.autocast(weight.device.type, enabled=False):  # SDXL's overflows in half precision
            tiles, self.vae.use_tiling = self.vae.use_tiling, False
            posterior = self.vae.encode(pixels.to(weight.device, weight.dtype)).latent_dist
            self.vae.use_tiling = tiles
        config = self.vae.config
        shift = getattr(config, "shift_factor", None) or 0.0
        mean = (posterior.mean.float() - shift) * config.scaling_factor
        return torch.cat([mean, posterior.std.float() * config.scaling_factor], 1)

    def decode(self, latents: Tensor) -> Tensor:
        """The way back: (B, C, h, w) scaled latents -> (B, 3, H, W) in 0..1."""
        self.wake("vae")
        weight = next(self.vae.parameters())
        config = self.vae.config
        shift = getattr(config, "shift_factor", None) or 0.0
        with torch.no_grad(), torch.autocast(weight.device.type, enabled=False):
            plain = latents.to(weight.device, weight.dtype) / config.scaling_factor + shift
            return (self.vae.decode(plain).sample.float() / 2 + 0.5).clamp(0, 1)

    def modules(self) -> dict[str, nn.Module]:
        """Everything that a method may touch, by pipeline name."""
        return {"unet": self.unet, **self.text_encoders}


class Family(ABC):
    """A stateless value: one family of models, such as SD 1.x."""

    name: ClassVar[str]
    title: ClassVar[str]
    pads: ClassVar[Mapping[str, str]]
    """Its tokenizers by pipeline name, and the word with which each fills a prompt up to its length."""

    def load(self, base: BaseSpec, plan: Plan) -> Models:
        """Load, freeze and place the base model; raises ModelError with what to do."""
        from studio.families.loading import load

        return load(self, base, plan)

    def encode(self, models: Models, prompts: Sequence[str]) -> Cond:
        """Turn plain text into conditioning (B, 77, d); what is beyond 77 tokens is cut.

        Gradients flow where something on the text side learns.
        """
        models.wake(*models.text_encoders)
        ids = {
            slot: tokenizer(
                list(prompts),
                padding="max_length",
                truncation=True,
                max_length=tokenizer.model_max_length,
                return_tensors="pt",
            ).input_ids
            for slot, tokenizer in models.tokenizers.items()
        }
        hidden, pooled = self.ask(models, ids)
        return Cond(torch.cat(list(hidden.values()), -1), pooled)

    def encode_prompt(self, models: Models, prompt: str) -> Cond:
        """Turn one prompt in A1111's language into conditioning (1, 77 n, d), for as many pieces as it takes.

        Emphasis weighs each encoder's answer by itself; pooled is the first piece's. What has neither emphasis nor more
        than 75 tokens becomes exactly what `encode` makes of it. Raises SpecError as `prompt.parts` does.
        """
        models.wake(*models.text_encoders)
        cut = {slot: chunks(prompt, tokenizer) for slot, tokenizer in models.tokenizers.items()}
        hidden, pooled = self.ask(models, {slot: pieces.ids for slot, pieces in cut.items()})
        weighed = torch.cat([weighted(hidden[slot], pieces.weights) for slot, pieces in cut.items()], -1)
        return Cond(weighed.reshape(1, -1, weighed.shape[-1]), None if pooled is None else pooled[:1])

    @abstractmethod
    def ask(self, models: Models, ids: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Tensor | None]:
        """Ask the text encoders: tokens (B, 77) by tokenizer -> states (B, 77, d) by tokenizer, and pooled (B, p)."""

    @abstractmethod
    def predict(self, models: Models, noisy: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """Ask the UNet: ``noisy`` (B, C, h, w), ``t`` (B,) -> (B, C, h, w)."""

    @abstractmethod
    def pipeline(self, models: Models) -> "DiffusionPipeline":
        """A diffusers pipeline around the same modules, not copies."""

    def pipeline_arguments(self, cond: Cond, negative: Cond) -> dict[str, Any]:
        """How `pipeline` is given conditioning (B, ...), with ``negative`` (B, ...), or (1, ...) for all of it."""
        return {"prompt_embeds": cond.hidden, "negative_prompt_embeds": negative.hidden.expand_as(cond.hidden)}

    def idle(self, models: Models) -> frozenset[str]:
        """Modules (`text_encoder.encoder.layers.11`) that no answer depends on, so that nothing there can learn."""
        return frozenset()

    def marks(self, models: Models) -> tuple[str, ...]:
        """Names of empty tensors that a single file says its schedule by; Forge looks for pure noise in any family."""
        return ("ztsnr",) if models.scheduler.config.get("rescale_betas_zero_snr") else ()

    def predicts(self, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
        """What a single file of tensors and ``metadata`` says that it predicts; "" where it says nothing."""
        said = metadata.get("modelspec.prediction_type", "")
        if "v_pred" in state or said in ("v", "v_prediction"):
            return "v_prediction"
        return "epsilon" if said == "epsilon" else ""

    def sample_size(self, config: int, prediction: str) -> int:
        """Side of a single file's latents, for which the family's ``config`` has a number."""
        return config
