"""The only file that knows the shapes of the starter's networks."""

from __future__ import annotations

from typing import Any, Final

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel

from studio.starter import SIZE

LATENT_CHANNELS: Final = 16
LATENT_SIZE: Final = SIZE // 8
WIDTH: Final = 160
"""Of the text encoder and so of the UNet's context."""
TOKENS: Final = 49_408
LENGTH: Final = 77
START: Final = 49_406
END: Final = 49_407
MEAN: Final = (0.5, 0.5, 0.5)
STD: Final = (0.5, 0.5, 0.5)
"""How the eye's pixels are normalised."""


def _quiet(model: nn.Module, endings: tuple[str, ...]) -> None:
    """Start residual branches at nothing: diffusers leaves that to the user, and training is steadier for it."""
    for name, module in model.named_modules():
        if name.endswith(endings) and isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.zeros_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def vae() -> AutoencoderKL:
    model = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 64, 128, 128),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=SIZE,
        scaling_factor=1.0,
    )
    _quiet(model, ("conv2",))
    return model


def unet() -> UNet2DConditionModel:
    model = UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(128, 192),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,  # the number of heads, whatever it is called
    )
    _quiet(model, ("conv2", "proj_out", "conv_out"))
    return model


def _text(width: int, layers: int) -> dict[str, Any]:
    return {
        "vocab_size": TOKENS,
        "hidden_size": width,
        "intermediate_size": width * 4,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "max_position_embeddings": LENGTH,
        "bos_token_id": START,
        "eos_token_id": END,
        "pad_token_id": END,
    }


def text_encoder() -> CLIPTextModel:
    return CLIPTextModel(CLIPTextConfig(projection_dim=WIDTH, **_text(WIDTH, 2)))


def eye() -> CLIPModel:
    vision = {
        "hidden_size": 192,
        "intermediate_size": 768,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": SIZE,
        "patch_size": 8,
    }
    return CLIPModel(CLIPConfig(text_config=_text(32, 3), vision_config=vision, projection_dim=128))


def scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="leading",
    )


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def finite(model: nn.Module) -> bool:
    return all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters())
