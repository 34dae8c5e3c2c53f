"""Random Stable Diffusion 1 pipelines, thousands of times smaller than the real one, pictures, and runs on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from studio.engine.checkpoint import OPTIMIZER, PLACE, WEIGHTS
from studio.events import Event
from studio.formats.metadata import About
from studio.formats.tensors import load_tensors
from studio.spec import RunSpec, make_spec
from studio.store import RunStore

SIDE = 64  # pixels; one cell at the UNet's lowest level

METHODS: dict[str, dict[str, Any]] = {  # settings with which each method learns something in a few steps
    "dreambooth": {"method": {"train_text_encoder": True}, "optim": {"lr": 1e-3}},
    "lora": {"method": {"rank": 4, "alpha": 4.0, "train_text_encoder": True, "targets": "attn"}, "optim": {"lr": 1e-2}},
    "textual-inversion": {"method": {"vectors": 4}, "optim": {"lr": 1e-1}},
    "hypernetwork": {
        "method": {"activation": "swish", "init": "kaiming-normal", "dropout": 0.1},
        "optim": {"lr": 1e-2},
    },
    "locon": {"method": {"rank": 4, "alpha": 4.0, "train_text_encoder": True}, "optim": {"lr": 1e-2}},
    "loha": {"method": {"rank": 4, "alpha": 4.0, "tucker": True}, "optim": {"lr": 1e-2}},
    "lokr": {"method": {"rank": 2, "alpha": 2.0, "factor": 4, "train_text_encoder": True}, "optim": {"lr": 1e-2}},
    "ia3": {"method": {"targets": "attn"}, "optim": {"lr": 5e-2}},
    "dylora": {"method": {"rank": 4, "alpha": 4.0}, "optim": {"lr": 1e-2}},
    "oft": {"method": {"rank": 4, "train_text_encoder": True}, "optim": {"lr": 1e-2}},
    "boft": {"method": {"rank": 10}, "optim": {"lr": 1e-2}},
    "glora": {"method": {"rank": 4, "alpha": 4.0}, "optim": {"lr": 1e-2}},
    "full": {"method": {"train_text_encoder": True}, "optim": {"lr": 1e-3}},
}


def tokenizer() -> Any:
    """Letters and their word-ending forms; model_max_length is set, for diffusers forwards its None to transformers."""
    from transformers import CLIPTokenizer

    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[], model_max_length=77)


def pipeline(seed: int = 0, prediction: str = "epsilon") -> Any:
    """SD1's own shape: four UNet levels of which three attend, eight pixels per latent cell; random weights."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(seed)
    words = tokenizer()
    unet = UNet2DConditionModel(
        sample_size=SIDE // 8,
        block_out_channels=(16, 32, 32, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=32,
        attention_head_dim=2,
        norm_num_groups=8,
    )
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 8, 16),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            bos_token_id=len(words) - 2,
            eos_token_id=len(words) - 1,
            pad_token_id=len(words) - 1,
        )
    )
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        clip_sample=False,
        set_alpha_to_one=False,
        prediction_type=prediction,
    )
    return StableDiffusionPipeline(
        unet=unet,
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=words,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def save_pipeline(folder: Path, seed: int = 0, prediction: str = "epsilon") -> Path:
    """A diffusers folder of ``pipeline``."""
    pipeline(seed, prediction).save_pretrained(folder)
    return folder


def save_pictures(folder: Path, count: int = 5) -> Path:
    """``count`` captioned pictures of a square on a colour, and two held-out ones in ``folder``-held-out."""
    for place, number, side in ((folder, count, 24), (folder.with_name(f"{folder.name}-held-out"), 2, 40)):
        place.mkdir(parents=True, exist_ok=True)
        for index in range(number):
            pixels = np.full((SIDE, SIDE, 3), (40 * index % 256, 90, 200 - 30 * index % 200), np.uint8)
            pixels[8 * index : 8 * index + side, 16 : 16 + side] = (250, 220, 30)
            Image.fromarray(pixels).save(place / f"{index}.png")
            (place / f"{index}.txt").write_text(f"a sks toy, number {index}, on a table", encoding="utf-8")
    return folder


def spec(kind: str, base: Path, data: Path, /, **over: Any) -> RunSpec:
    """A short run of a method on the tiny base; ``over`` is nested settings, laid over everything."""
    from studio.section import merge

    plain: dict[str, Any] = {
        "base": {"model": str(base)},
        "data": {
            "folder": str(data),
            "held_out": str(data.with_name(f"{data.name}-held-out")),
            "class_word": "toy",
            "resolution": SIDE,
        },
        "method": {"kind": kind},
        "schedule": {"steps": 6, "batch_size": 2},
        "sample": {"every": 0, "steps": 1, "prompts": ["a {trigger}"]},
        "save": {"every": 0, "keep": 9},
    }
    return make_spec(merge(merge(plain, METHODS[kind]), over))


def about(**over: Any) -> About:
    """What a file says of itself, with ``over`` in place of what does not matter."""
    plain: dict[str, Any] = {
        "name": "toy", "trigger": "sks", "family": "sd1", "prediction": "epsilon", "resolution": 64, "steps": 1,
        "seed": 1, "learning_rate": 0.1, "batch_size": 1, "num_images": 1, "optimizer": "adamw", "base_name": "tiny",
        "started": 1.0, "finished": 2.0,
    }  # fmt: skip
    return About(**{**plain, **over})


def new_run(path: Path, wanted: RunSpec) -> RunStore:
    """The folder of a run that has not begun."""
    return RunStore.create(path, wanted.to_toml())


def kinds(events: Iterator[Event] | list[Event]) -> list[str]:
    """The kinds of events, each run of equal ones once."""
    found: list[str] = []
    for event in events:
        if not found or found[-1] != event.kind:
            found.append(event.kind)
    return found


def checkpoint(store: RunStore, step: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], Any]:
    """Weights, optimizer tensors, and the rest of the machinery's state at ``step``."""
    folder = store.checkpoint_folder(step)
    state = json.loads((folder / PLACE).read_text(encoding="utf-8"))
    return load_tensors(folder / WEIGHTS), load_tensors(folder / OPTIMIZER), state["machinery"]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Bit for bit: the same names, and the same bytes under each."""
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


def drafts(folder: Path) -> list[str]:
    """Whatever a writer that was cut off has left."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name.startswith(".partial-") or path.name.endswith(".draft")
    )
