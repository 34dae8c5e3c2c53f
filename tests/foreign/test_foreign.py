"""Settings of other trainers are taken over as far as they correspond, and what is left is said."""

import json
from pathlib import Path
from typing import Any

import pytest

from studio.errors import SpecError
from studio.foreign import read
from studio.section import nest
from studio.spec import make_spec


def written(tmp_path: Path, name: str, content: Any) -> Path:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


KOHYA_TOML = """
[model_arguments]
pretrained_model_name_or_path = "v1-5.safetensors"
v_parameterization = false
[network_arguments]
network_module = "lycoris.kohya"
network_dim = 8
network_alpha = 4
network_args = ["algo=lokr", "conv_dim=8", "factor=6", "decompose_both=True"]
unet_lr = 2e-4
text_encoder_lr = 5e-5
[training_arguments]
learning_rate = 1e-3
max_train_steps = 1200
lr_warmup_steps = 60
lr_scheduler = "cosine_with_restarts"
lr_scheduler_num_cycles = 4
optimizer_type = "Lion8bit"
train_batch_size = 2
min_snr_gamma = 5.0
noise_offset = 0.05
loss_type = "smooth_l1"
mixed_precision = "bf16"
xformers = true
keep_tokens = 2
shuffle_caption = true
resolution = "512,768"
masked_loss = true
alpha_mask = false
wandb_run_name = "mine"
"""


def test_kohyas_toml(tmp_path: Path) -> None:
    found = read(written(tmp_path, "config.toml", KOHYA_TOML))
    spec = make_spec({**nest(found.settings), "method": {"kind": found.kind, **nest(found.settings)["method"]}})
    assert (found.program, found.kind) == ("kohya", "lokr")
    assert (spec.method.rank, spec.method.alpha, spec.method.factor) == (8, 4.0, 6)
    assert spec.method.decompose_both and spec.data.masks == "file"
    assert spec.method.train_text_encoder
    assert (spec.optim.name, spec.optim.lr, spec.optim.lr_text) == ("lion8bit", 2e-4, 5e-5)
    assert (spec.schedule.kind, spec.schedule.cycles, spec.schedule.warmup) == ("cosine-restarts", 4, 0.05)
    assert (spec.schedule.steps, spec.schedule.batch_size) == (1200, 2)
    assert (spec.objective.loss, spec.objective.min_snr_gamma) == ("smooth-l1", 5.0)
    assert (spec.machine.precision, spec.machine.attention) == ("bf16", "xformers")
    assert (spec.data.keep_tokens, spec.data.shuffle, spec.data.resolution) == (2, True, 624)
    assert {key for key, _ in found.left} == {"pretrained_model_name_or_path", "conv_dim", "wandb_run_name"}
    assert all(why.endswith(".") for _, why in found.left)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("lora", {"LoRA_type": "Standard", "network_dim": 32, "optimizer": "AdamW8bit", "max_train_steps": 900}),
        ("loha", {"LoRA_type": "LyCORIS/LoHa", "network_dim": 8, "lr_warmup": 10, "max_train_steps": 500}),
        ("dreambooth", {"pretrained_model_name_or_path": "x", "max_train_steps": 800, "learning_rate": 1e-6}),
        ("lora", {"network_module": "networks.lora", "network_dim": 16, "network_args": "conv_dim=4 conv_alpha=1"}),
    ],
)
def test_kohyas_gui_and_kinds(kind: str, settings: dict[str, Any], tmp_path: Path) -> None:
    found = read(written(tmp_path, "gui.json", settings))
    nested = nest(found.settings)
    spec = make_spec({**nested, "method": {"kind": kind, **nested.get("method", {})}})
    assert found.kind == kind
    assert spec.schedule.steps == settings.get("max_train_steps", 1000)
    if "lr_warmup" in settings:
        assert spec.schedule.warmup == 0.1


ONETRAINER = {
    "training_method": "LORA", "model_type": "STABLE_DIFFUSION_15", "base_model_name": "x", "peft_type": "LOHA",
    "learning_rate": 3e-4, "learning_rate_scheduler": "COSINE", "learning_rate_warmup_steps": 200.0, "epochs": 100,
    "batch_size": 4, "ema": "CPU", "ema_decay": 0.999, "train_dtype": "FLOAT_16", "output_dtype": "FLOAT_16",
    "resolution": "512", "lora_rank": 16, "lora_alpha": 1.0,
    "optimizer": {"optimizer": "ADAFACTOR", "weight_decay": 0.1},
    "loss_weight_fn": "MIN_SNR_GAMMA", "loss_weight_strength": 5.0, "masked_training": True, "unmasked_weight": 0.1,
    "unet": {"train": True, "learning_rate": None, "gradient_checkpointing": True},
    "text_encoder": {"train": True, "learning_rate": 1e-5}, "attention_mechanism": "XFORMERS", "tensorboard": True,
    "max_noising_strength": 1.0, "min_noising_strength": 0.0, "dropout_probability": 0.0, "frames": "25",
}  # fmt: skip


def test_onetrainers_json(tmp_path: Path) -> None:
    found = read(written(tmp_path, "preset.json", ONETRAINER))
    nested = nest(found.settings)
    spec = make_spec({**nested, "method": {"kind": found.kind, **nested["method"]}})
    assert (found.program, found.kind) == ("OneTrainer", "loha")
    assert (spec.method.rank, spec.method.alpha, spec.method.train_text_encoder) == (16, 1.0, True)
    assert (spec.optim.name, spec.optim.lr, spec.optim.lr_text, spec.optim.weight_decay) == (
        "adafactor", 3e-4, 1e-5, 0.1,
    )  # fmt: skip
    assert (spec.optim.ema, spec.optim.ema_on) == (0.999, "cpu")
    assert (spec.objective.min_snr_gamma, spec.objective.mask_rest, spec.data.masks) == (5.0, 0.1, "file")
    assert (spec.objective.timestep_low, spec.objective.timestep_high) == (0, 999)
    assert spec.machine.gradient_checkpointing
    assert {"epochs", "learning_rate_warmup_steps", "base_model_name", "tensorboard", "frames"} <= dict(
        found.left
    ).keys()


def test_an_embedding_of_onetrainer(tmp_path: Path) -> None:
    settings = {
        **ONETRAINER,
        "training_method": "EMBEDDING",
        "embedding": {"token_count": 3, "initial_embedding_text": "dog"},
    }
    found = read(written(tmp_path, "preset.json", settings))
    assert found.kind == "textual-inversion"
    assert found.settings["method.vectors"] == 3
    assert found.settings["method.init"] == "dog"
    assert "method.rank" not in found.settings


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "{ torn", "cannot be read as JSON"),
        ("a.json", "[1, 2]", "no table of settings"),
        ("a.json", {"hello": 1}, "holds no settings of kohya"),
        ("a.toml", "x = = 1", "cannot be read as TOML"),
    ],
)
def test_any_other_file_is_refused_in_a_sentence(name: str, content: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=said):
        read(written(tmp_path, name, content))
