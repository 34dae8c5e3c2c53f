"""The only file that opens a base model: the parts of a folder, a hub's cache or a single file, all without network."""

import functools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from studio import starter
from studio.errors import ModelError
from studio.families.base import DTYPES, BaseSpec, Family, Models
from studio.families.quantized import quantize
from studio.formats import single
from studio.hardware import Plan

CONFIGS = Path(__file__).parent / "configs"
TEXT_WIDTH = 768  # of SD 1's text encoder; a narrower single file is one that the starter became
LONGEST = 77  # tokens of a prompt
NEEDLESS = {"safety_checker", "feature_extractor", "image_encoder"}


@dataclass
class Parts:
    """What a base model is made of, by pipeline names; ``side`` is the native size in pixels."""

    unet: Any
    vae: Any
    text_encoders: dict[str, nn.Module]
    tokenizers: dict[str, Any]
    scheduler: Any

    @property
    def side(self) -> int:
        """Native size of a picture, as the UNet's config says."""
        return int(self.unet.config.sample_size * 2 ** (len(self.vae.config.block_out_channels) - 1))


def locate(model: str) -> Path:
    """The folder or file behind a base's name, a hub id's in its cache; raises ModelError when there is none."""
    if model in starter.BASES:
        return starter.BASES[model]
    path = Path(model).expanduser()
    if path.exists():
        return path
    if model.count("/") == 1 and not model.startswith((".", "/", "~")) and path.suffix not in (".safetensors", ".ckpt"):
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(model, "model_index.json")
        if isinstance(found, str):
            return Path(found).parent
        raise ModelError(f"'{model}' is not on this machine; `download {model}` brings it, or give a folder or file.")
    raise ModelError(
        f"There is no base model '{model}'; give `starter`, a diffusers folder, a .safetensors or a .ckpt file."
    )


def load(family: Family, base: BaseSpec, plan: Plan) -> Models:
    """Load ``base`` as ``family``: frozen and placed, the VAE in float32, the rest in the dtype of ``plan``."""
    from diffusers.utils import logging

    logging.disable_progress_bar()  # our own events say how far it is
    place, dtype = locate(base.model), DTYPES[plan.compute]
    try:
        parts = _from_file(place, family, base, dtype) if place.is_file() else _from_folder(place, family, base, dtype)
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"'{base.model}' could not be loaded as {family.title}: {reason}") from error
    _place(parts, plan)
    models = _models(parts, family, base, plan.device, dtype)
    if plan.one_at_a_time:  # on a small card no two parts lie at once, not even now
        models.expect(*parts.text_encoders, "vae")
    models.arrange(plan)
    return models


def skeleton(family: Family, base: BaseSpec, plan: Plan, device: str = "meta") -> Models:
    """``base`` as ``load`` would bring it, with weights that nobody trained: without content on `meta`, else random.

    A folder needs no weights for it: the settings of its parts are enough.
    """
    place, dtype = locate(base.model), DTYPES[plan.compute]
    config = place if place.is_dir() else _config(family, {})
    index = _json(config / "model_index.json")
    scheduler = _class(index, "scheduler").from_pretrained(str(config), subfolder="scheduler", local_files_only=True)
    scheduler = _predicting(scheduler, base.prediction)
    with torch.device(device):
        parts = Parts(
            unet=_bare(index, "unet", config).to(dtype),
            vae=_bare(index, "vae", config),
            text_encoders={_encoder(name): _bare(index, _encoder(name), config).to(dtype) for name in family.pads},
            tokenizers={name: _known_words(config / name, pad) for name, pad in family.pads.items()},
            scheduler=scheduler,
        )
    bare = replace(plan, device=device)
    if device == "meta":
        bare = replace(bare, attention="sdpa", compile="")
    _place(parts, bare)
    models = _models(parts, family, base, device, dtype)
    models.arrange(bare)
    return models


def _bare(index: Mapping[str, Any], part: str, config: Path) -> Any:
    """A part by its settings alone."""
    cls, settings = _class(index, part), _json(config / part / "config.json")
    return cls.from_config(settings) if hasattr(cls, "from_config") else cls(cls.config_class(**settings))


def _known_words(place: Path, pad: str) -> Any:
    """The same as ``_words``, read once by each thread as long as the files stay as they are.

    Reading takes longer than all else of a model without weights. Nobody changes a tokenizer: copies get new words.
    """
    stamp = max((file.stat().st_mtime_ns for file in place.glob("*")), default=0)
    return _read_words(place, pad, stamp, threading.get_ident())


@functools.lru_cache(maxsize=8)
def _read_words(place: Path, pad: str, stamp: int, thread: int) -> Any:
    return _words(place, pad)


def _words(place: Path, pad: str) -> Any:
    """The tokenizer at ``place``, else CLIP's own, which all these models share but for the filling word."""
    from transformers import CLIPTokenizer

    if place.is_dir():
        return CLIPTokenizer.from_pretrained(str(place))
    return CLIPTokenizer.from_pretrained(str(starter.BASE / "tokenizer"), pad_token=pad)


def _models(parts: Parts, family: Family, base: BaseSpec, device: str, dtype: torch.dtype) -> Models:
    return Models(
        family=family,
        source=base.model,
        unet=parts.unet,
        vae=parts.vae,
        text_encoders=parts.text_encoders,
        tokenizers=parts.tokenizers,
        scheduler=parts.scheduler,
        alphas_cumprod=parts.scheduler.alphas_cumprod.float(),
        prediction=parts.scheduler.config.prediction_type,
        resolution=parts.side,
        device=torch.device(device),
        dtype=dtype,
    )


def _place(parts: Parts, plan: Plan) -> None:
    if plan.quantize != "off":  # layer by layer, so that the device never holds the whole
        quantize(parts.unet, plan.quantize, plan.device)
    for module in (parts.unet, parts.vae, *parts.text_encoders.values()):
        module.requires_grad_(False).eval()
    for module in (parts.unet,) if plan.one_at_a_time else (parts.unet, parts.vae, *parts.text_encoders.values()):
        module.to(plan.device)
    if plan.attention == "xformers":
        parts.unet.enable_xformers_memory_efficient_attention()
    if plan.channels_last:
        parts.unet.to(memory_format=torch.channels_last)
    for name, tokenizer in parts.tokenizers.items():
        tokenizer.model_max_length = min(tokenizer.model_max_length, LONGEST)
        encoder = parts.text_encoders[_encoder(name)]
        # their configs say eos 2, at which CLIP pools the highest number: wrong once new words stand behind the table
        getattr(encoder, "text_model", encoder).eos_token_id = tokenizer.eos_token_id


def _from_folder(place: Path, family: Family, base: BaseSpec, dtype: torch.dtype) -> Parts:
    from diffusers import DiffusionPipeline

    index = _json(place / "model_index.json")
    options: dict[str, Any] = dict.fromkeys(NEEDLESS & set(index))
    if "safety_checker" in index:
        options["requires_safety_checker"] = False
    unet = place / "unet"
    files = [file.name for file in [*unet.glob("*.safetensors")] or [*unet.glob("*.bin")]]
    half = bool(files) and all(".fp16." in name or ".fp16-" in name for name in files)  # the latter: a shard
    pipeline = DiffusionPipeline.from_pretrained(
        str(place),
        dtype={"default": dtype, "vae": torch.float32},  # half precision saves little in a VAE and costs colours
        variant="fp16" if half else None,
        local_files_only=True,
        **options,
    )
    return Parts(
        unet=pipeline.unet,
        vae=pipeline.vae,
        text_encoders={_encoder(name): getattr(pipeline, _encoder(name)) for name in family.pads},
        tokenizers={name: getattr(pipeline, name) for name in family.pads},
        scheduler=_predicting(pipeline.scheduler, base.prediction),
    )


def _from_file(place: Path, family: Family, base: BaseSpec, dtype: torch.dtype) -> Parts:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm as create_text_encoder

    state = single.read(place)
    config = _config(family, state)
    index = _json(config / "model_index.json")
    options: dict[str, Any] = {"config": str(config), "local_files_only": True}
    encoders = {
        _encoder(name): create_text_encoder(
            _class(index, _encoder(name)), dict(state), subfolder=_encoder(name), torch_dtype=dtype, **options
        )
        for name in family.pads
    }
    scheduler = _class(index, "scheduler").from_pretrained(str(config), subfolder="scheduler", local_files_only=True)
    said = family.predicts(state, single.header(place).metadata)
    prediction = base.prediction if base.prediction != "auto" else said or scheduler.config.prediction_type
    parts = Parts(
        unet=UNet2DConditionModel.from_single_file(dict(state), subfolder="unet", torch_dtype=dtype, **options),
        vae=AutoencoderKL.from_single_file(dict(state), subfolder="vae", torch_dtype=torch.float32, **options),
        text_encoders=encoders,
        tokenizers={name: _words(place / name, pad) for name, pad in family.pads.items()},
        scheduler=_predicting(scheduler, prediction, zero_snr="ztsnr" in state),
    )
    size = family.sample_size(parts.unet.config.sample_size, prediction)
    parts.unet.register_to_config(sample_size=size)
    return parts


def _predicting(scheduler: Any, prediction: str, zero_snr: bool = False) -> Any:
    """The same scheduler for another prediction, or with pure noise at its end; ``auto`` leaves it."""
    over: dict[str, Any] = {} if prediction == "auto" else {"prediction_type": prediction}
    if zero_snr:
        over |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return type(scheduler).from_config(scheduler.config, **over)


def _config(family: Family, state: Mapping[str, Tensor]) -> Path:
    """The sizes that a single file does not say: from this package, so that no network is needed."""
    words = state.get("cond_stage_model.transformer.text_model.embeddings.token_embedding.weight")
    return starter.BASE if words is not None and words.shape[1] != TEXT_WIDTH else CONFIGS / family.name


def _encoder(tokenizer: str) -> str:
    return tokenizer.replace("tokenizer", "text_encoder")


def _class(index: Mapping[str, Any], part: str) -> Any:
    import diffusers
    import transformers

    library, name = index[part]
    return getattr({"diffusers": diffusers, "transformers": transformers}[library], name)


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
