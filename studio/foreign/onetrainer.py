"""The only file that knows OneTrainer's settings (JSON), as its TrainConfig writes them."""

from collections.abc import Mapping
from typing import Any

from studio.foreign.table import (
    ELSEWHERE,
    EPOCHS,
    FINER,
    Foreign,
    NoPlace,
    Place,
    carry,
    either,
    fit,
    number,
    one_of,
    side,
    truth,
    whole,
)

OPTIMIZERS = {
    "ADAMW": "adamw", "ADAM": "adamw", "ADAMW_8BIT": "adamw8bit", "ADAM_8BIT": "adamw8bit", "LION": "lion",
    "LION_8BIT": "lion8bit", "ADAFACTOR": "adafactor", "PRODIGY": "prodigy", "SGD": "sgd",
    "SCHEDULE_FREE_ADAMW": "schedule-free-adamw",
}  # fmt: skip
SCHEDULES = {
    "CONSTANT": "constant", "LINEAR": "linear", "COSINE": "cosine", "COSINE_WITH_RESTARTS": "cosine-restarts",
    "COSINE_WITH_HARD_RESTARTS": "cosine-restarts", "ADAFACTOR": "constant",
}  # fmt: skip
PRECISIONS = {"BFLOAT_16": "bf16", "FLOAT_16": "fp16", "FLOAT_32": "fp32", "TFLOAT_32": "fp32"}
PEFT = {"LORA": "lora", "LOHA": "loha", "LOKR": "lokr", "OFT_2": "oft"}


def _frozen_noise(value: Any) -> int:
    return max(0, min(999, round(number(value) * 1000) - (number(value) == 1)))


def _huber(value: Any) -> str:
    if number(value) > 0:
        return "huber"
    raise NoPlace("It is off.")


PLACES: dict[str, Place] = {
    "learning_rate": ("optim.lr", number),
    "embedding_learning_rate": ("optim.lr_tokens", number),
    "learning_rate_scheduler": ("schedule.kind", one_of(SCHEDULES)),
    "learning_rate_cycles": ("schedule.cycles", lambda value: max(1, whole(value))),
    "batch_size": ("schedule.batch_size", whole),
    "gradient_accumulation_steps": ("schedule.accumulation", whole),
    "clip_grad_norm": ("optim.clip", number),
    "train_dtype": ("machine.precision", one_of(PRECISIONS)),
    "output_dtype": ("machine.save_precision", one_of(PRECISIONS)),
    "resolution": ("data.resolution", side),
    "aspect_ratio_bucketing": ("data.buckets", truth),
    "lora_rank": ("method.rank", whole),
    "lora_alpha": ("method.alpha", number),
    "lora_decompose": ("method.dora", truth),
    "dropout_probability": ("method.dropout", number),
    "lokr_decompose_factor": ("method.factor", whole),
    "lokr_decompose_both": ("method.decompose_both", truth),
    "lokr_use_tucker": ("method.tucker", truth),
    "lokr_full_matrix": ("method.full_matrix", truth),
    "oft_block_size": ("method.rank", whole),
    "offset_noise_weight": ("objective.noise_offset", number),
    "perturbation_noise_weight": ("objective.input_perturbation", number),
    "rescale_noise_scheduler_to_zero_terminal_snr": ("objective.zero_terminal_snr", truth),
    "min_noising_strength": ("objective.timestep_low", _frozen_noise),
    "max_noising_strength": ("objective.timestep_high", _frozen_noise),
    "huber_strength": ("objective.loss", _huber),
    "huber_delta": ("objective.huber_c", number),
    "masked_training": ("data.masks", either("file", "off")),
    "unmasked_weight": ("objective.mask_rest", number),
    "compile": ("machine.compile", truth),
    "force_v_prediction": ("base.prediction", either("v_prediction", "auto")),
}
REASONS = {
    **dict.fromkeys(
        ("base_model_name", "concepts", "concept_file_name", "workspace_dir", "cache_dir", "output_model_destination",
         "output_model_format", "samples", "sample_definition_file_name", "model_type", "training_method", "vae",
         "lora_model_name", "debug_dir", "save_filename_prefix", "cloud", "secrets"),
        ELSEWHERE,
    ),
    **dict.fromkeys(("epochs", "backup_after", "save_every", "sample_after", "validate_after"), EPOCHS),
    **dict.fromkeys(("layer_filter", "layer_filter_preset", "layer_filter_regex", "quantization"), FINER),
}  # fmt: skip
OWN = frozenset(
    {"optimizer", "optimizer_defaults", "unet", "text_encoder", "text_encoder_2", "ema", "ema_decay", "peft_type",
     "loss_weight_fn", "loss_weight_strength", "learning_rate_warmup_steps", "gradient_checkpointing", "embedding",
     "attention_mechanism", "prior", "transformer", "__version"}
)  # fmt: skip
"""What decides more than one setting, and so is read by hand."""


def knows(settings: Mapping[str, Any]) -> bool:
    """Whether these are OneTrainer's names."""
    return "training_method" in settings and "model_type" in settings


def read(settings: Mapping[str, Any]) -> Foreign:
    """Carry them over; the method is told by the training method and the kind of adapter."""
    trained = str(settings.get("training_method", "")).upper()
    kind = {"EMBEDDING": "textual-inversion", "FINE_TUNE": "dreambooth", "FINE_TUNE_VAE": "dreambooth"}.get(
        trained, PEFT.get(str(settings.get("peft_type", "LORA")).upper(), "lora")
    )
    found = Foreign("OneTrainer", kind)
    carry(found, {key: value for key, value in settings.items() if key not in OWN}, PLACES, REASONS)
    optimizer = settings.get("optimizer") or {}
    name = optimizer.get("optimizer") if isinstance(optimizer, Mapping) else optimizer
    inside = dict(optimizer) if isinstance(optimizer, Mapping) else {}
    carry(
        found,
        {
            "optimizer": name,
            "weight_decay": inside.get("weight_decay"),
            "fused_back_pass": inside.get("fused_back_pass"),
        },
        {
            "optimizer": ("optim.name", one_of(OPTIMIZERS)),
            "weight_decay": ("optim.weight_decay", number),
            "fused_back_pass": ("optim.fused_backward", truth),
        },
        {},
    )
    _parts(found, settings)
    _weighing(found, settings)
    fit(found)
    return found


def _parts(found: Foreign, settings: Mapping[str, Any]) -> None:
    unet, text = settings.get("unet") or {}, settings.get("text_encoder") or {}
    if unet.get("learning_rate"):
        found.settings["optim.lr"] = number(unet["learning_rate"])
    if text.get("train") and found.kind != "textual-inversion":
        found.settings["method.train_text_encoder"] = True
        if text.get("learning_rate"):
            found.settings["optim.lr_text"] = number(text["learning_rate"])
    second = settings.get("text_encoder_2") or {}
    if second.get("train") and second.get("learning_rate"):
        found.settings["optim.lr_text_2"] = number(second["learning_rate"])
    checkpointing = settings.get("gradient_checkpointing", unet.get("gradient_checkpointing", ""))
    found.settings["machine.gradient_checkpointing"] = str(checkpointing).upper() in ("ON", "CPU_OFFLOADED", "TRUE")
    embedding = settings.get("embedding") or {}
    if found.kind == "textual-inversion" and embedding.get("token_count"):
        found.settings["method.vectors"] = whole(embedding["token_count"])
        found.settings["method.init"] = str(embedding.get("initial_embedding_text") or "")
    if str(settings.get("ema", "OFF")).upper() != "OFF" and settings.get("ema_decay"):
        found.settings["optim.ema"] = number(settings["ema_decay"])
        found.settings["optim.ema_on"] = "cpu" if str(settings["ema"]).upper() == "CPU" else "device"


def _weighing(found: Foreign, settings: Mapping[str, Any]) -> None:
    weight, strength = str(settings.get("loss_weight_fn", "CONSTANT")).upper(), settings.get("loss_weight_strength")
    if weight == "MIN_SNR_GAMMA":
        found.settings["objective.min_snr_gamma"] = number(strength or 5)
    elif weight == "DEBIASED_ESTIMATION":
        found.settings["objective.debiased"] = True
    elif weight != "CONSTANT":
        found.left.append(("loss_weight_fn", f"'{weight}' is not known here."))
    warm = number(settings.get("learning_rate_warmup_steps") or 0)
    if 0 < warm < 1:
        found.settings["schedule.warmup"] = warm
    elif warm:
        found.left.append(("learning_rate_warmup_steps", EPOCHS))
    attention = str(settings.get("attention_mechanism", "")).upper()
    if attention:
        found.settings["machine.attention"] = {"XFORMERS": "xformers", "SDP": "sdpa"}.get(attention, "auto")
