"""The only file that finds out which family a base model belongs to, from its headers alone."""

import json
from pathlib import Path

from studio import starter
from studio.errors import ModelError
from studio.families.base import Family
from studio.families.sd import SD1
from studio.formats.container import read_header

FAMILIES: dict[str, Family] = {family.name: family for family in (SD1(),)}

LDM_TEXT = {  # a key that only this family's single file has
    "conditioner.embedders.1.model.token_embedding.weight": "SDXL",
    "cond_stage_model.model.token_embedding.weight": "SD 2",
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": "SD 1",
}
FOREIGN = {
    "double_blocks.0.img_attn.qkv.weight": "a Flux model",
    "model.diffusion_model.double_blocks.0.img_attn.qkv.weight": "a Flux model",
    "model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight": "an SD 3 model",
    "emb_params": "a Textual Inversion embedding",
}


def locate(model: str) -> Path | str:
    """The folder or file behind a base's name; a hub id stays a string. Raises ModelError when there is nothing."""
    if model in starter.BASES:
        return starter.BASES[model]
    path = Path(model).expanduser()
    if path.exists():
        return path
    if model.count("/") == 1 and not model.startswith((".", "/", "~")) and path.suffix == "":
        return model
    raise ModelError(f"There is no base model '{model}'; give `starter`, a diffusers folder or a .safetensors file.")


def detect(model: str) -> Family:
    """The family of a base model; raises ModelError that names what the file is instead."""
    place = locate(model)
    kind = _of_folder(place) if isinstance(place, str) or place.is_dir() else _of_file(place)
    if kind == "SD 1":
        return FAMILIES["sd1"]
    raise ModelError(f"'{model}' is {kind} model, and this version trains SD 1.x models only.")


def _of_folder(place: Path | str) -> str:
    if isinstance(place, str):
        found = _cached_index(place)
        if found is None:
            raise ModelError(f"'{place}' is not on this machine; download it first, or give a folder or a file.")
        place = found
    try:
        index = json.loads((place / "model_index.json").read_text(encoding="utf-8"))
        unet = json.loads((place / "unet" / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"'{place}' is not a diffusers model: model_index.json or unet/config.json is missing."
        ) from error
    name = str(index.get("_class_name", ""))
    if "XL" in name:
        return "an SDXL"
    if name != "StableDiffusionPipeline":
        return f"a {name}"
    return "an SD 2" if unet.get("cross_attention_dim") == 1024 else "SD 1"


def _cached_index(repo: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, "model_index.json")
    return Path(found).parent if isinstance(found, str) else None


def _of_file(path: Path) -> str:
    header = read_header(path)
    for key, name in LDM_TEXT.items():
        if key in header:
            return name if name == "SD 1" else f"an {name}"
    for key, what in FOREIGN.items():
        if key in header:
            raise ModelError(f"'{path.name}' is {what}, not a Stable Diffusion base model.")
    if any(".lora_down." in key or ".lora_A." in key or ".hada_" in key or ".lokr_" in key for key in header):
        raise ModelError(f"'{path.name}' is a LoRA or LyCORIS file; choose the base model that it was trained on.")
    raise ModelError(f"'{path.name}' is not a Stable Diffusion checkpoint: none of its keys is known.")
