from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn


def tokenizer() -> Any:
    from transformers import CLIPTokenizer

    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[], model_max_length=77)


def text_encoder(vocabulary: int, width: int = 16) -> nn.Module:
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
    )
    return CLIPTextModel(config)


def unet(attended: tuple[bool, ...], layers: int = 2, context: int = 16, **more: Any) -> nn.Module:
    """A UNet whose down levels have attention where ``attended`` says so, mirrored on the way up."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8,) * (len(attended) - 1) + (16,),
        layers_per_block=layers,
        down_block_types=tuple("CrossAttnDownBlock2D" if here else "DownBlock2D" for here in attended),
        up_block_types=tuple("CrossAttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attended)),
        cross_attention_dim=context,
        attention_head_dim=2,
        norm_num_groups=4,
        **more,
    )


def pipeline(model: nn.Module, latent_channels: int = 4) -> Any:
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline

    words = tokenizer()
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(4, 8, 8),
        layers_per_block=1,
        latent_channels=latent_channels,
        norm_num_groups=4,
    )
    parts = {"unet": model, "vae": vae, "text_encoder": text_encoder(len(words)), "tokenizer": words}
    others = {
        "scheduler": DDIMScheduler(steps_offset=1, clip_sample=False),
        "safety_checker": None,
        "feature_extractor": None,
    }
    return StableDiffusionPipeline(**parts, **others, requires_safety_checker=False)


@pytest.fixture
def sd1() -> Any:
    """A random SD1 pipeline: four levels like the real one, eight channels wide."""
    torch.manual_seed(0)
    return pipeline(unet((True, True, True, False)))


@pytest.fixture
def shallow() -> Any:
    """Another: two levels, both with attention, one layer each, 16 latent channels, as the starter is built."""
    torch.manual_seed(0)
    return pipeline(unet((True, True), layers=1, in_channels=16, out_channels=16), latent_channels=16)


def _lora(model: Any, rank: int = 3, conv_rank: int = 2) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """Random canonical weights for every attention, feed-forward and 3x3 layer; alpha differs from the rank."""
    weights: dict[str, torch.Tensor] = {}
    alphas: dict[str, float] = {}
    for part in ("unet", "text_encoder"):
        for path, module in getattr(model, part).named_modules():
            name = f"{part}.{path}"
            if isinstance(module, nn.Linear) and ("attn" in path or ".ff." in path or "mlp" in path):
                weights[f"{name}.lora_A.weight"] = torch.randn(rank, module.in_features) * 0.3
                weights[f"{name}.lora_B.weight"] = torch.randn(module.out_features, rank) * 0.3
                alphas[name] = 1.5
            elif isinstance(module, nn.Conv2d) and ("resnets" in path or "samplers" in path):
                size = module.kernel_size
                weights[f"{name}.lora_A.weight"] = torch.randn(conv_rank, module.in_channels, *size) * 0.3
                weights[f"{name}.lora_B.weight"] = torch.randn(module.out_channels, conv_rank, 1, 1) * 0.3
                alphas[name] = 1.5
    return weights, alphas


def _paths(model: Any) -> list[str]:
    """Canonical paths of all modules that hold a weight."""
    return [
        f"{part}.{path}"
        for part in ("unet", "text_encoder")
        for path, module in getattr(model, part).named_modules()
        if path and hasattr(module, "weight")
    ]


@pytest.fixture
def lora() -> Callable[..., tuple[dict[str, torch.Tensor], dict[str, float]]]:
    return _lora


@pytest.fixture
def paths() -> Callable[[Any], list[str]]:
    return _paths


@pytest.fixture
def make_unet() -> Callable[..., nn.Module]:
    return unet


@pytest.fixture
def about() -> Any:
    from studio.formats.metadata import About

    return About(
        name="corgi",
        trigger="sks dog",
        family="sd1",
        prediction="epsilon",
        resolution=512,
        steps=100,
        seed=7,
        learning_rate=1e-4,
        batch_size=2,
        num_images=10,
        optimizer="adamw",
        base_name="starter",
        started=1_700_000_000.0,
        finished=1_700_000_600.0,
        rank=3,
        alpha=1.5,
        tag_frequency={"corgi": {"dog": 10}},
        spec_toml='name = "corgi"\nnote = ""sshs_model_hash":"0000"\n',
        thumbnail=b"\x89PNG",
    )
