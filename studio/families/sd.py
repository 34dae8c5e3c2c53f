"""The only file that knows Stable Diffusion 1: one CLIP text encoder, 77 tokens, one conditioning tensor."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from studio import starter
from studio.errors import ModelError
from studio.families.base import DTYPES, BaseSpec, Cond, Family, Models
from studio.formats.container import read_header as read_shapes
from studio.hardware import Plan

CONFIGS = Path(__file__).parent / "configs"
FULL_WIDTH = 768  # of SD 1's text encoder; a narrower single file is one that the starter became

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


class SD1(Family):
    """Stable Diffusion 1.x, and the embedded starter, which is built the same way."""

    name = "sd1"
    title = "Stable Diffusion 1.x"

    def load(self, base: BaseSpec, plan: Plan) -> Models:
        """Load from a diffusers folder, a single file or a downloaded hub id; everything frozen, VAE in fp32."""
        from studio.families.detect import locate

        place = locate(base.model)
        dtype = DTYPES[plan.compute]
        pipeline = _open(place, dtype)
        if plan.attention == "xformers":
            pipeline.enable_xformers_memory_efficient_attention()
        for module in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
            module.requires_grad_(False).eval().to(plan.device)
        pipeline.vae.float()  # half precision saves little here and costs colours
        if plan.gradient_checkpointing:
            pipeline.unet.enable_gradient_checkpointing()
        pipeline.tokenizer.model_max_length = min(pipeline.tokenizer.model_max_length, 77)
        scheduler = pipeline.scheduler
        return Models(
            family=self,
            source=base.model,
            unet=pipeline.unet,
            vae=pipeline.vae,
            text_encoders={"text_encoder": pipeline.text_encoder},
            tokenizers={"tokenizer": pipeline.tokenizer},
            scheduler=scheduler,
            alphas_cumprod=scheduler.alphas_cumprod.float(),
            prediction=scheduler.config.prediction_type,
            resolution=pipeline.unet.config.sample_size * 2 ** (len(pipeline.vae.config.block_out_channels) - 1),
            device=torch.device(plan.device),
            dtype=dtype,
        )

    def encode(self, models: Models, prompts: Sequence[str]) -> Cond:
        """(B, 77, d) hidden states of the last layer after its norm; longer prompts are cut at 77 tokens."""
        tokenizer = models.tokenizers["tokenizer"]
        text = tokenizer(
            list(prompts),
            padding="max_length",
            truncation=True,
            max_length=tokenizer.model_max_length,
            return_tensors="pt",
        )
        return Cond(models.text_encoders["text_encoder"](text.input_ids.to(models.device))[0])

    def predict(self, models: Models, noisy: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """One call of the UNet."""
        answer: Tensor = models.unet(noisy, t, cond.hidden, return_dict=False)[0]
        return answer

    def pipeline(self, models: Models) -> "StableDiffusionPipeline":
        """StableDiffusionPipeline around the live modules."""
        from diffusers import StableDiffusionPipeline

        return StableDiffusionPipeline(
            vae=models.vae,
            text_encoder=models.text_encoders["text_encoder"],
            tokenizer=models.tokenizers["tokenizer"],
            unet=models.unet,
            scheduler=models.scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )


def _recipe(file: Path) -> dict[str, Any]:
    """What a single file does not say: configs and tokenizer, from this package, so that no network is needed."""
    from transformers import CLIPTokenizer

    width = read_shapes(file)["cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"][1]
    config = CONFIGS / "sd1" if width == FULL_WIDTH else starter.BASE
    return {"config": str(config), "tokenizer": CLIPTokenizer.from_pretrained(str(starter.BASE / "tokenizer"))}


def _open(place: Path | str, dtype: torch.dtype) -> Any:
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import logging

    logging.disable_progress_bar()  # our own events say how far it is
    options: dict[str, Any] = {"safety_checker": None, "local_files_only": True, "dtype": dtype}
    try:
        if isinstance(place, Path) and place.is_file():
            return StableDiffusionPipeline.from_single_file(str(place), **_recipe(place), **options)
        return StableDiffusionPipeline.from_pretrained(str(place), requires_safety_checker=False, **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"'{place}' could not be loaded as Stable Diffusion 1.x: {reason}") from error
