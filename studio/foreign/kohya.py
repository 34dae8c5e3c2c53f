"""The only file that knows the settings of kohya's sd-scripts (TOML) and of kohya_ss, their GUI (JSON).

Names as in sd-scripts' train_util.add_*_arguments and train_network.py, and in kohya_ss' saved configurations.
"""

from collections.abc import Mapping
from typing import Any

from studio.foreign.table import (
    ELSEWHERE,
    EPOCHS,
    FINER,
    Foreign,
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

SIGNS = (
    "network_module",
    "network_dim",
    "pretrained_model_name_or_path",
    "max_train_steps",
    "LoRA_type",
    "lr_scheduler",
)
OPTIMIZERS = {
    "AdamW": "adamw", "Adam": "adamw", "AdamW8bit": "adamw8bit", "PagedAdamW8bit": "paged-adamw8bit", "Lion": "lion",
    "Lion8bit": "lion8bit", "AdaFactor": "adafactor", "Prodigy": "prodigy", "SGDNesterov": "sgd",
    "AdamWScheduleFree": "schedule-free-adamw",
}  # fmt: skip
SCHEDULES = {
    "constant": "constant", "constant_with_warmup": "constant", "linear": "linear", "cosine": "cosine",
    "cosine_with_restarts": "cosine-restarts", "polynomial": "polynomial", "adafactor": "constant",
}  # fmt: skip
PRECISIONS = {"bf16": "bf16", "fp16": "fp16", "no": "fp32", "float": "fp32", "float32": "fp32"}
ALGORITHMS = {
    "lora": "locon", "locon": "locon", "loha": "loha", "lokr": "lokr", "ia3": "ia3", "dylora": "dylora",
    "glora": "glora", "diag-oft": "oft", "boft": "boft", "full": "full",
}  # fmt: skip
GUI_TYPES = {
    "Standard": "lora", "LoCon": "locon", "Kohya LoCon": "locon", "Kohya DyLoRA": "dylora", "LyCORIS/LoCon": "locon",
    "LyCORIS/LoHa": "loha", "LyCORIS/LoKr": "lokr", "LyCORIS/iA3": "ia3", "LyCORIS/DyLoRA": "dylora",
    "LyCORIS/GLoRA": "glora", "LyCORIS/Diag-OFT": "oft", "LyCORIS/BOFT": "boft", "LyCORIS/Native Fine-Tuning": "full",
}  # fmt: skip
LOSSES = {"l2": "mse", "huber": "huber", "smooth_l1": "smooth-l1"}
PLACES: dict[str, Place] = {
    "seed": ("seed", whole),
    "learning_rate": ("optim.lr", number),
    "unet_lr": ("optim.lr", number),
    "text_encoder_lr": ("optim.lr_text", number),
    "text_encoder_lr1": ("optim.lr_text", number),
    "text_encoder_lr2": ("optim.lr_text_2", number),
    "optimizer_type": ("optim.name", one_of(OPTIMIZERS)),
    "optimizer": ("optim.name", one_of(OPTIMIZERS)),
    "max_grad_norm": ("optim.clip", number),
    "fused_backward_pass": ("optim.fused_backward", truth),
    "lr_scheduler": ("schedule.kind", one_of(SCHEDULES)),
    "lr_scheduler_num_cycles": ("schedule.cycles", whole),
    "lr_scheduler_power": ("schedule.power", number),
    "max_train_steps": ("schedule.steps", whole),
    "train_batch_size": ("schedule.batch_size", whole),
    "gradient_accumulation_steps": ("schedule.accumulation", whole),
    "network_dim": ("method.rank", whole),
    "network_alpha": ("method.alpha", number),
    "network_dropout": ("method.dropout", number),
    "factor": ("method.factor", whole),
    "decompose_both": ("method.decompose_both", truth),
    "use_tucker": ("method.tucker", truth),
    "dora_wd": ("method.dora", truth),
    "rank_dropout": ("method.dropout", number),
    "full_matrix": ("method.full_matrix", truth),
    "constrain": ("method.constraint", number),
    "resolution": ("data.resolution", side),
    "max_resolution": ("data.resolution", side),
    "enable_bucket": ("data.buckets", truth),
    "flip_aug": ("data.flip", truth),
    "shuffle_caption": ("data.shuffle", truth),
    "keep_tokens": ("data.keep_tokens", whole),
    "caption_dropout_rate": ("data.caption_dropout", number),
    "caption_tag_dropout_rate": ("data.tag_dropout", number),
    "caption_separator": ("data.separator", str),
    "enable_wildcard": ("data.wildcards", truth),
    "noise_offset": ("objective.noise_offset", number),
    "multires_noise_discount": ("objective.pyramid_noise", number),
    "ip_noise_gamma": ("objective.input_perturbation", number),
    "min_snr_gamma": ("objective.min_snr_gamma", number),
    "debiased_estimation_loss": ("objective.debiased", truth),
    "loss_type": ("objective.loss", one_of(LOSSES)),
    "huber_c": ("objective.huber_c", number),
    "prior_loss_weight": ("objective.prior_weight", number),
    "min_timestep": ("objective.timestep_low", whole),
    "max_timestep": ("objective.timestep_high", lambda value: min(999, whole(value))),
    "zero_terminal_snr": ("objective.zero_terminal_snr", truth),
    "masked_loss": ("data.masks", either("file", "off")),
    "alpha_mask": ("data.masks", either("alpha", "off")),
    "v_parameterization": ("base.prediction", either("v_prediction", "auto")),
    "mixed_precision": ("machine.precision", one_of(PRECISIONS)),
    "save_precision": ("machine.save_precision", one_of(PRECISIONS)),
    "gradient_checkpointing": ("machine.gradient_checkpointing", truth),
    "save_every_n_steps": ("save.every", whole),
    "sample_every_n_steps": ("sample.every", whole),
    "sdpa": ("machine.attention", either("sdpa", "auto")),
}
REASONS = {
    **dict.fromkeys(
        ("pretrained_model_name_or_path", "train_data_dir", "reg_data_dir", "output_dir", "output_name", "logging_dir",
         "log_with", "model_list", "sample_prompts", "vae", "caption_extension", "v2", "sdxl", "sample_sampler",
         "save_model_as", "training_comment", "config_file", "dataset_config"),
        ELSEWHERE,
    ),
    **dict.fromkeys(("epoch", "max_train_epochs", "save_every_n_epochs", "sample_every_n_epochs"), EPOCHS),
    **dict.fromkeys(("conv_dim", "conv_alpha", "block_dims", "block_alphas", "conv_block_dims"), FINER),
}  # fmt: skip
OWN = frozenset(
    {"network_module", "LoRA_type", "network_args", "lr_warmup_steps", "lr_warmup", "xformers", "algo", "preset",
     "text_encoder_lr", "network_train_unet_only", "LyCORIS_preset", "multires_noise_iterations"}
)  # fmt: skip
"""What decides more than one setting, and so is read by hand."""


def knows(settings: Mapping[str, Any]) -> bool:
    """Whether these are kohya's names; sd-scripts' own TOML may have them in tables."""
    return any(name in _flat(settings) for name in SIGNS)


def read(settings: Mapping[str, Any]) -> Foreign:
    """Carry them over; the method is told by the network's module and algorithm, without one it is a fine-tune."""
    flat = _flat(settings)
    arguments = _arguments(flat.get("network_args"))
    flat = {**flat, **{key: value for key, value in arguments.items() if key != "preset"}}
    found = Foreign("kohya", _kind(flat))
    plain = {key: value for key, value in flat.items() if key not in OWN}
    if flat.get("unet_lr"):  # the UNet's own rate comes before the one for everything
        plain.pop("learning_rate", None)
    for key in ("masked_loss", "alpha_mask"):  # a file may have both, and the one that is on says which
        if not truth(plain.get(key, False)):
            plain.pop(key, None)
    carry(found, plain, PLACES, REASONS)
    _by_hand(found, flat)
    fit(found)
    return found


def _by_hand(found: Foreign, flat: Mapping[str, Any]) -> None:
    steps = found.settings.get("schedule.steps", 0)
    for key, share in (("lr_warmup_steps", False), ("lr_warmup", True)):
        warm = number(flat[key]) if str(flat.get(key) or "").strip() else 0.0
        if warm and (share or warm < 1):  # the GUI's is per cent, sd-scripts' may be a share
            found.settings["schedule.warmup"] = warm / 100 if share else warm
        elif warm and steps:
            found.settings["schedule.warmup"] = min(0.99, warm / steps)
        elif warm:
            found.left.append((key, EPOCHS))
    if truth(flat.get("xformers", False)) or flat.get("xformers") == "xformers":
        found.settings["machine.attention"] = "xformers"
    text = flat.get("text_encoder_lr")
    rates = text if isinstance(text, list) else [text] if text not in (None, "") else []
    learns = bool(rates and number(rates[0])) and not truth(flat.get("network_train_unet_only", False))
    if learns:
        found.settings["method.train_text_encoder"] = True
        found.settings["optim.lr_text"] = number(rates[0])
        if len(rates) > 1:
            found.settings["optim.lr_text_2"] = number(rates[1])
    if found.kind == "lora":
        found.settings["method.targets"] = "full" if flat.get("conv_dim") else "attn-mlp"


def _kind(flat: Mapping[str, Any]) -> str:
    gui = str(flat.get("LoRA_type", ""))
    if gui in GUI_TYPES:
        return GUI_TYPES[gui]
    module = str(flat.get("network_module", ""))
    if module.startswith("lycoris"):
        return ALGORITHMS.get(str(flat.get("algo", "lora")).lower(), "locon")
    if "dylora" in module:
        return "dylora"
    if "oft" in module:
        return "oft"
    return "lora" if module or flat.get("network_dim") else "dreambooth"


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Without the tables that sd-scripts' TOML may have and ignores."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value) if isinstance(value, Mapping) else {key: value}
    return flat


def _arguments(given: Any) -> dict[str, Any]:
    """``["algo=loha", "conv_dim=8"]`` as a table."""
    parts = given.split() if isinstance(given, str) else given or []
    return {key: value for key, _, value in (str(part).partition("=") for part in parts) if value}
