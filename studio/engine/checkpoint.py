"""The only file that knows what a checkpoint holds: what was learnt, the optimizer's state, and where the run stood."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from studio.errors import NonFiniteError, StoreError
from studio.formats.tensors import load_tensors, save_tensors
from studio.methods.base import Weights
from studio.store import RunStore, published

WEIGHTS, OPTIMIZER, PLACE = "weights.safetensors", "optimizer.safetensors", "state.json"


@dataclass(frozen=True)
class Place:
    """Where a run stood: optimizer updates done, and training seconds over all sittings."""

    step: int = 0
    seconds: float = 0.0


def save(store: RunStore, place: Place, weights: Weights, machinery: dict[str, Any]) -> Path:
    """Publish a checkpoint of ``place.step``: whole or not at all. Raises NonFiniteError before anything is written.

    ``machinery`` maps a name to an object with ``state_dict``, such as the optimizer and the loss scaler.
    """
    tensors: dict[str, torch.Tensor] = {}
    plain: dict[str, Any] = {}
    for name, thing in machinery.items():
        found, rest = _split(thing.state_dict(), name)
        tensors |= found
        plain[name] = rest
    broken = [name for name, tensor in (*weights.items(), *tensors.items()) if not torch.isfinite(tensor).all()]
    if broken:
        raise NonFiniteError(f"What was learnt became infinite at {broken[0]}; lower the learning rate and resume.")
    folder = store.checkpoint_folder(place.step)
    with published(folder) as draft:
        save_tensors(draft / WEIGHTS, weights)
        save_tensors(draft / OPTIMIZER, tensors)
        (draft / PLACE).write_text(json.dumps({"place": asdict(place), "machinery": plain}), encoding="utf-8")
    return folder


def place_of(folder: Path) -> Place:
    """Where the run stood at this checkpoint; raises StoreError when it is damaged."""
    return Place(**_read(folder)["place"])


def weights_of(folder: Path) -> Weights:
    """What had been learnt; raises StoreError when it is damaged."""
    try:
        return load_tensors(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"The checkpoint '{folder}' is damaged; remove that folder and resume from an older one."
        ) from error


def restore_machinery(folder: Path, machinery: dict[str, Any]) -> None:
    """Give each object its state back; raises StoreError when the checkpoint is damaged."""
    plain = _read(folder)["machinery"]
    try:
        tensors = load_tensors(folder / OPTIMIZER)
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"The checkpoint '{folder}' is damaged; remove that folder and resume from an older one."
        ) from error
    for name, thing in machinery.items():
        if name in plain:
            thing.load_state_dict(_join(plain[name], name, tensors))


def prune(store: RunStore, keep: int) -> None:
    """Remove all but the newest ``keep`` checkpoints."""
    import shutil

    for _, folder in store.checkpoints()[:-keep]:
        shutil.rmtree(folder, ignore_errors=True)


def _read(folder: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((folder / PLACE).read_text(encoding="utf-8"))
        return state
    except (OSError, ValueError) as error:
        raise StoreError(
            f"The checkpoint '{folder}' is damaged; remove that folder and resume from an older one."
        ) from error


def _split(value: Any, path: str) -> tuple[dict[str, torch.Tensor], Any]:
    """Take the tensors out of nested dicts and lists; what is left is JSON, dict keys kept as [key, value] pairs."""
    if isinstance(value, torch.Tensor):
        return {path: value.detach().cpu()}, {"tensor": path}
    if isinstance(value, dict):
        tensors: dict[str, torch.Tensor] = {}
        pairs = []
        for key, item in value.items():
            found, rest = _split(item, f"{path}/{key}")
            tensors |= found
            pairs.append([key, rest])
        return tensors, {"dict": pairs}
    if isinstance(value, list | tuple):
        parts = [_split(item, f"{path}/{index}") for index, item in enumerate(value)]
        merged = {name: tensor for found, _ in parts for name, tensor in found.items()}
        return merged, {"list" if isinstance(value, list) else "tuple": [rest for _, rest in parts]}
    return {}, {"plain": value}


def _join(rest: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    """The way back from ``_split``."""
    ((kind, value),) = rest.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "dict":
        return {key: _join(item, f"{path}/{key}", tensors) for key, item in value}
    if kind in ("list", "tuple"):
        items = [_join(item, f"{path}/{index}", tensors) for index, item in enumerate(value)]
        return items if kind == "list" else tuple(items)
    return value
