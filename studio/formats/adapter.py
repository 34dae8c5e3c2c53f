"""The only file that knows how a LoRA file is laid out: kohya's (A1111, ComfyUI) and diffusers'.

The two keep the scale differently. kohya: a tensor ``alpha`` () per module. diffusers: nothing in the tensors, one JSON
in the metadata (`lora_adapter_metadata`); tools that read only the tensors then take alpha for the rank.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from studio.errors import ModelError
from studio.formats import names
from studio.formats.container import cast, read_file, write_with_hash
from studio.formats.metadata import network_metadata

_ADAPTER: Final = "lora_adapter_metadata"
_PEFT_ALPHA: Final = 8
"""What peft takes where a config does not say lora_alpha."""

Alphas = Mapping[str, float]


def write_kohya(
    path: str | Path,
    weights: Mapping[str, Tensor],
    alphas: Alphas,
    family: str,
    dtype: torch.dtype,
    metadata: Mapping[str, str],
) -> Path:
    """Write canonical LoRA ``weights`` as A1111, ComfyUI and kohya read them, in ``dtype``.

    ``alphas`` has one number per module: the effective scale is alpha / rank. What A1111 detects the family by is added
    to ``metadata`` if it is missing. DoRA magnitudes become `dora_scale` (out, 1[, 1, 1]), LyCORIS' wd_on_out form.
    Raises ModelError for incomplete or non-finite weights, or if the file does not read back as it was meant.
    """
    ranks = _ranks(weights, alphas)
    tensors = {names.kohya_weight(name, family): _dora_out(name, t) for name, t in cast(weights, dtype).items()}
    for module in ranks:
        # float32 in any dtype: a rounded alpha would be another scale
        tensors[f"{names.kohya_module(module, family)}.{names.ALPHA}"] = torch.tensor(float(alphas[module]))
    least = {
        **network_metadata(family),
        "ss_network_dim": str(_most(ranks.values())),
        "ss_network_alpha": str(_most(alphas[module] for module in ranks)),
    }
    written = write_with_hash(path, tensors, {**least, **metadata})
    _read_back(written, weights, alphas, dtype)
    return written


def write_diffusers(
    path: str | Path,
    weights: Mapping[str, Tensor],
    alphas: Alphas,
    dtype: torch.dtype,
    metadata: Mapping[str, str],
) -> Path:
    """Write canonical LoRA ``weights`` as diffusers' `load_lora_weights` reads them, in ``dtype``.

    Rank and alpha of each module go into the metadata; needs diffusers 0.34 or newer to load with the right scale.
    Raises ModelError as `write_kohya` does.
    """
    ranks = _ranks(weights, alphas)
    tensors = {names.diffusers_weight(name): tensor for name, tensor in cast(weights, dtype).items()}
    dora = any(name.endswith(names.MAGNITUDE) for name in weights)
    config = json.dumps(_config(ranks, alphas, dora), sort_keys=True)
    written = write_with_hash(path, tensors, {**metadata, "format": "pt", _ADAPTER: config})
    _read_back(written, weights, alphas, dtype)
    return written


def read(path: str | Path, module_paths: Iterable[str]) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Read a LoRA file of either spelling as (canonical float32 weights, alpha per module).

    ``module_paths`` are the canonical paths of the base model's modules. A file that does not say alpha means the rank.
    Raises ModelError if the file is damaged, is another kind of adapter, or does not fit the model.
    """
    tensors, metadata = read_file(path)
    if not tensors:
        raise ModelError(f"{path} holds no weights; choose another file.")
    try:
        if names.is_kohya(tensors):
            weights, alphas = _from_kohya(tensors, names.kohya_index(module_paths))
        else:
            weights, alphas = _from_diffusers(tensors, metadata, names.diffusers_index(module_paths))
        _ranks(weights, alphas)
        return cast(weights, torch.float32), alphas
    except ModelError as error:
        raise ModelError(f"{path} cannot be used: {error}") from error


def _from_kohya(tensors: Mapping[str, Tensor], index: Mapping[str, str]) -> tuple[dict[str, Tensor], dict[str, float]]:
    weights: dict[str, Tensor] = {}
    alphas: dict[str, float] = {}
    for name, tensor in tensors.items():
        module, leaf = names.from_kohya(name, index)
        if leaf == names.ALPHA:
            alphas[module] = float(tensor)
        else:
            weights[f"{module}.{leaf}"] = tensor
    for name, tensor in weights.items():
        module, leaf = names.split_weight(name)
        if leaf == names.MAGNITUDE:
            weights[name] = _dora_in(tensor, weights[f"{module}.{names.UP}"])
        elif leaf == names.DOWN and not alphas.get(module):  # kohya: none or 0 means the rank
            alphas[module] = float(tensor.shape[0])
    return weights, alphas


def _from_diffusers(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str], index: Mapping[str, str]
) -> tuple[dict[str, Tensor], dict[str, float]]:
    weights: dict[str, Tensor] = {}
    alphas: dict[str, float] = {}
    try:
        config = json.loads(metadata.get(_ADAPTER) or "{}")
    except ValueError as error:
        raise ModelError(f"its metadata '{_ADAPTER}' is no JSON; save the file again.") from error
    for name, tensor in tensors.items():
        module, leaf = names.from_diffusers(name, index)
        weights[f"{module}.{leaf}"] = tensor
        if leaf == names.DOWN:
            alphas[module] = _alpha(config, module, tensor.shape[0])
    return weights, alphas


def _alpha(config: Mapping[str, Any], module: str, rank: int) -> float:
    """Alpha of a canonical ``module`` by peft's rules, such that alpha / rank is the effective scale."""
    part, inner = names.split_part(module)
    mine = {key.removeprefix(f"{part}."): value for key, value in config.items() if key.startswith(f"{part}.")}
    if not mine:
        return float(rank)
    alpha = float(mine.get("lora_alpha", _PEFT_ALPHA))
    for pattern, value in (mine.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", inner):
            alpha = float(value)
            break
    return alpha * rank**0.5 if mine.get("use_rslora") else alpha


def _config(ranks: Mapping[str, int], alphas: Alphas, dora: bool) -> dict[str, Any]:
    """Peft's LoraConfig of each pipeline part, its keys prefixed with the part.

    Paths are written without `text_model.`: peft compares them from the end, so they fit before and after transformers
    took it out of CLIPTextModel.
    """
    config: dict[str, Any] = {}
    for part in sorted({names.split_part(module)[0] for module in ranks}):
        mine = [module for module in ranks if names.split_part(module)[0] == part]
        inner = {module: names.split_part(module)[1].removeprefix("text_model.") for module in mine}
        rank, alpha = _most(ranks[module] for module in mine), _most(float(alphas[module]) for module in mine)
        config |= {
            f"{part}.peft_type": "LORA",
            f"{part}.r": rank,
            f"{part}.lora_alpha": alpha,
            f"{part}.rank_pattern": {inner[m]: ranks[m] for m in mine if ranks[m] != rank},
            f"{part}.alpha_pattern": {inner[m]: float(alphas[m]) for m in mine if float(alphas[m]) != alpha},
            f"{part}.target_modules": sorted(inner.values()),
            f"{part}.use_dora": dora,
        }
    return config


def _most(values: Iterable[Any]) -> Any:
    return Counter(values).most_common(1)[0][0]


def _ranks(weights: Mapping[str, Tensor], alphas: Alphas) -> dict[str, int]:
    """Rank of each module; raises ModelError unless every module has both halves, of one rank, and an alpha."""
    ranks = {}
    for module in dict.fromkeys(names.split_weight(name)[0] for name in weights):
        down, up = weights.get(f"{module}.{names.DOWN}"), weights.get(f"{module}.{names.UP}")
        if down is None or up is None:
            raise ModelError(f"'{module}' has only one half of its LoRA.")
        if down.ndim not in (2, 4) or up.ndim != down.ndim or up.shape[1] != down.shape[0]:
            raise ModelError(f"'{module}' has halves that do not fit: {tuple(down.shape)} and {tuple(up.shape)}.")
        if not alphas.get(module, 0.0) > 0:
            raise ModelError(f"'{module}' has no alpha above 0, so its scale is not known.")
        ranks[module] = int(down.shape[0])
    if not ranks:
        raise ModelError("There are no LoRA weights.")
    return ranks


def _dora_out(name: str, tensor: Tensor) -> Tensor:
    if not name.endswith(names.MAGNITUDE):
        return tensor
    return tensor.reshape(-1, 1, *([1, 1] if tensor.ndim == 4 else []))


def _dora_in(scale: Tensor, up: Tensor) -> Tensor:
    if scale.shape[0] != up.shape[0] or scale.numel() != up.shape[0]:
        raise ModelError("its DoRA scales are per input, which cannot be continued here; only per output can.")
    return scale.reshape(1, -1, 1, 1) if up.ndim == 4 else scale.reshape(-1)


def _read_back(path: Path, weights: Mapping[str, Tensor], alphas: Alphas, dtype: torch.dtype) -> None:
    """The file, read as its consumers do, must give what was to be written."""
    modules = list(dict.fromkeys(names.split_weight(name)[0] for name in weights))
    back, scales = read(path, modules)
    meant = cast(cast(weights, dtype), torch.float32)
    same = set(back) == set(meant) and all(torch.equal(back[name], meant[name]) for name in meant)
    if not same or any(abs(scales[module] / alphas[module] - 1) > 1e-6 for module in modules):
        raise ModelError(f"{path} does not read back as it was written; save it again.")
