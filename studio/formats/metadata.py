"""The only file that knows what other tools read in a file's metadata: kohya's `ss_*` and ModelSpec's `modelspec.*`."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from studio.errors import ModelError

SPEC: Final = "crucible.spec"
"""Key of the run's whole spec, as TOML."""
_GENERATIVE: Final = "https://github.com/Stability-AI/generative-models"
_KOHYA_VERSIONS: Final = {"sd1": "sd_v1", "sd2": "sd_v2", "sdxl": "sdxl_base_v1-0"}
_ARCHITECTURES: Final = {
    "sd1": "stable-diffusion-v1",
    "sd2": "stable-diffusion-v2-512",
    "sdxl": "stable-diffusion-xl-v1-base",
}


@dataclass(frozen=True)
class About:
    """What a file says of itself.

    ``family`` is sd1, sd2 or sdxl; ``prediction`` epsilon or v_prediction; ``resolution`` in pixels; ``started`` and
    ``finished`` seconds since 1970; ``tag_frequency`` folder -> tag -> count; ``thumbnail`` the bytes of a PNG.
    ``rank`` and ``alpha`` are those of most modules, and None for what is no LoRA; ``zero_terminal_snr`` says that the
    noise schedule it was trained under ends in pure noise, for which A1111 has a switch that its user must find.
    """

    name: str
    trigger: str
    family: str
    prediction: str
    resolution: int
    steps: int
    seed: int
    learning_rate: float
    batch_size: int
    num_images: int
    optimizer: str
    base_name: str
    started: float
    finished: float
    rank: int | None = None
    alpha: float | None = None
    tag_frequency: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    spec_toml: str = ""
    thumbnail: bytes | None = None
    zero_terminal_snr: bool = False


def lora_metadata(about: About) -> dict[str, str]:
    """Metadata of a LoRA file, all text: what A1111, ComfyUI managers and model sites show and detect a LoRA by."""
    implementation = _GENERATIVE if about.family == "sdxl" else "diffusers"
    rank = {} if about.rank is None else {"ss_network_dim": str(about.rank)}
    alpha = {} if about.alpha is None else {"ss_network_alpha": str(about.alpha)}
    return {
        **network_metadata(about.family, about.prediction),
        **_kohya(about),
        **rank,
        **alpha,
        **_modelspec(about, "/lora", implementation),
    }


def embedding_metadata(about: About, negative: bool = False) -> dict[str, str]:
    """Metadata of a Textual Inversion file, all text; ``negative`` for one that belongs into negative prompts."""
    return {
        **_base(about.family, about.prediction),
        **_kohya(about),
        **_modelspec(about, "/textual-inversion", _GENERATIVE),
        "modelspec.is_negative_embedding": str(negative).lower(),
    }


def checkpoint_metadata(about: About) -> dict[str, str]:
    """Metadata of a full single-file model, all text."""
    return {
        **_base(about.family, about.prediction),
        **_kohya(about),
        **_modelspec(about, "", _GENERATIVE),
        "format": "pt",  # transformers refuses a file without it
    }


def network_metadata(family: str, prediction: str = "epsilon") -> dict[str, str]:
    """The least that kohya and A1111 need to tell what an adapter is for; rank and alpha come from its weights."""
    return {**_base(family, prediction), "ss_network_module": "networks.lora", "ss_network_args": "{}"}


def _base(family: str, prediction: str) -> dict[str, str]:
    """A1111 asks: a version that begins with sdxl_ is SDXL, else ss_v2 "True" is SD2, else SD1."""
    version = _look_up(_KOHYA_VERSIONS, family)
    suffix = "_v" if prediction == "v_prediction" and family != "sdxl" else ""
    return {"ss_v2": str(family == "sd2"), "ss_base_model_version": version + suffix}


def _kohya(about: About) -> dict[str, str]:
    side = about.resolution
    return {
        "ss_output_name": about.name,
        "ss_sd_model_name": about.base_name,
        "ss_learning_rate": str(about.learning_rate),
        "ss_optimizer": about.optimizer,
        "ss_seed": str(about.seed),
        "ss_steps": str(about.steps),
        "ss_max_train_steps": str(about.steps),
        "ss_batch_size_per_device": str(about.batch_size),
        "ss_num_train_images": str(about.num_images),
        "ss_resolution": f"({side}, {side})",
        "ss_training_started_at": str(about.started),
        "ss_training_finished_at": str(about.finished),
        "ss_zero_terminal_snr": str(about.zero_terminal_snr),
        "ss_tag_frequency": json.dumps({folder: dict(tags) for folder, tags in about.tag_frequency.items()}),
        SPEC: about.spec_toml,
    }


def _modelspec(about: About, kind: str, implementation: str) -> dict[str, str]:
    """ModelSpec 1.0.1; ``kind`` is "/lora", "/textual-inversion" or nothing for a whole model."""
    architecture = _look_up(_ARCHITECTURES, about.family)
    if about.family == "sd2" and about.prediction == "v_prediction":
        architecture = "stable-diffusion-v2-768-v"
    spec = {
        "sai_model_spec": "1.0.1",
        "architecture": architecture + kind,
        "implementation": implementation,
        "title": about.name,
        "resolution": f"{about.resolution}x{about.resolution}",
        "date": datetime.fromtimestamp(about.finished, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "prediction_type": "v" if about.prediction == "v_prediction" else "epsilon",
        "timestep_range": "0,1000",
    }
    if about.trigger:
        spec["trigger_phrase"] = about.trigger
    if about.thumbnail is not None:
        spec["thumbnail"] = "data:image/png;base64," + base64.b64encode(about.thumbnail).decode()
    return {f"modelspec.{key}": value for key, value in spec.items()}


def _look_up(table: Mapping[str, str], family: str) -> str:
    if family not in table:
        raise ModelError(f"'{family}' is not a known model family; there are {', '.join(table)}.")
    return table[family]
