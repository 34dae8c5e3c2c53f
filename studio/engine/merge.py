"""The only file that makes one file of several LoRAs: a LoRA of their weighted sum, or a base with them baked in."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from studio.engine.extract import halves
from studio.engine.generate import resolve
from studio.engine.machine import this_hardware
from studio.engine.stack import layers, stacked
from studio.errors import ModelError, SpecError
from studio.events import Progress
from studio.families.base import DTYPES, BaseSpec, Models
from studio.families.calls import Placed
from studio.families.detect import detect
from studio.formats import adapter, checkpoint, lycoris, names, readback
from studio.formats.metadata import network_metadata
from studio.hardware import Hardware, MachineSpec, decide

FORMS = ("lora", "checkpoint")


@dataclass(frozen=True)
class Order:
    """What to merge: each of ``uses`` is a file or run with ``:WEIGHT`` behind it, as `generate --use` takes it.

    ``form`` is lora (of ``rank``) or checkpoint (``base`` with everything baked in); ``dtype`` is fp32, fp16 or bf16.
    """

    uses: tuple[str, ...]
    base: str = "starter"
    form: str = "lora"
    rank: int = 32
    out: Path | None = None
    dtype: str = "fp16"


@dataclass(frozen=True)
class Merged:
    """The written file; ``error`` is ||D - D'|| / ||D|| over all changes D of weights, 0 for a checkpoint.

    ``left_out`` is the share of the whole change's squared norm that no LoRA holds: biases and norms.
    """

    path: Path
    layers: int
    error: float = 0.0
    left_out: float = 0.0

    def __str__(self) -> str:
        """A line or two for a person."""
        told = [f"{self.path}: {self.layers} layers, relative error {self.error:.2%}"]
        if self.left_out:
            told.append(f"{self.left_out:.2%} of the change lies in biases and norms, which no LoRA holds.")
        return "\n".join(told)


def merge(order: Order) -> Iterator[Progress | Merged]:
    """Write the file, saying how far it is, and yield what it is at last.

    Files act one after the other, as when they are stacked live: what the file does is what they do together.
    Raises SpecError or ModelError before anything is written, also for files that no single one can hold.
    """
    placed = _placed(order)
    plan = decide(Hardware(), MachineSpec(), "adamw")  # float32 on the CPU: nothing is rounded on the way
    yield Progress(stage="loading", done=0, total=1)
    models = detect(order.base).load(BaseSpec(model=order.base), plan)
    path = order.out or Path("-".join(file.path.stem for file in placed) + ".safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    if order.form == "checkpoint":
        yield _baked(models, placed, path, order)
    else:
        yield from _as_lora(models, placed, path, order)


def _placed(order: Order) -> list[Placed]:
    if order.form not in FORMS:
        raise SpecError(f"'{order.form}' is no form of a merged file; use {' or '.join(FORMS)}.")
    if order.rank < 1:
        raise SpecError(f"The rank of a merged LoRA must be at least 1, not {order.rank}.")
    found = [resolve(use) for use in order.uses]
    if len(found) < (1 if order.form == "checkpoint" else 2):
        raise SpecError("Choose at least two files to merge into one LoRA, or one to bake into a checkpoint.")
    for used in found:
        if used.what != "lora":
            raise ModelError(f"'{used.path.name}' is no LoRA, and only those can be merged; stack it live instead.")
        if used.path.is_file() and lycoris.words(used.path):
            raise ModelError(f"'{used.path.name}' brings words of its own, which get lost in a merge; stack it live.")
    return [used.placed for used in found]


@torch.no_grad()
def _as_lora(models: Models, placed: Sequence[Placed], path: Path, order: Order) -> Iterator[Progress | Merged]:
    device = this_hardware().device
    plain = {name: _copied(layer) for name, layer in layers(models).items()}
    weights: dict[str, Tensor] = {}
    ranks: dict[str, float] = {}
    wanted = missed = held_by_none = 0.0
    with stacked(models, placed):
        places = layers(models)
        for done, (name, layer) in enumerate(places.items()):
            yield Progress(stage="merging", done=done, total=len(places))
            weight, bias = plain.pop(name)
            change = (layer.weight - weight).to(device)
            size = float(change.square().sum(dtype=torch.float64))
            if bias is not None:
                held_by_none += float((layer.bias - bias).square().sum(dtype=torch.float64))
            if change.ndim < 2:
                held_by_none += size
            elif size:
                down, up = halves(change, order.rank)
                missed += float(
                    (change - (up.flatten(1) @ down.flatten(1)).view(change.shape)).square().sum(dtype=torch.float64)
                )
                wanted += size
                weights |= {f"{name}.{names.DOWN}": down.cpu(), f"{name}.{names.UP}": up.cpu()}
                ranks[name] = float(down.shape[0])  # as alpha: the file's scale is then 1
    if not weights:
        raise ModelError("At these weights the files change nothing that a LoRA could hold; raise a weight.")
    error, left_out = math.sqrt(missed / wanted), held_by_none / (wanted + held_by_none)
    about = {
        **network_metadata(models.family.name, models.prediction),
        **_told(placed, path, order),
        "ss_training_comment": f"merged by SVD at rank {order.rank}, relative error {error:.4f}",
    }
    written = adapter.write_kohya(path, weights, ranks, models.family.name, DTYPES[order.dtype], about)
    yield Merged(written, len(ranks), error, left_out)


def _copied(layer: torch.nn.Module) -> tuple[Tensor, Tensor | None]:
    bias = getattr(layer, "bias", None)
    return layer.weight.detach().clone(), None if bias is None else bias.detach().clone()


def _baked(models: Models, placed: Sequence[Placed], path: Path, order: Order) -> Merged:
    """The base with the files in its weights, as one file in the LDM layout."""
    dtype, family = DTYPES[order.dtype], models.family.name
    about = {**network_metadata(family, models.prediction), **_told(placed, path, order), "format": "pt"}
    for name in ("ss_network_module", "ss_network_args"):  # it is no network: programs tell by these
        about.pop(name)
    with stacked(models, placed):
        parts = {**models.modules(), "vae": models.vae}
        states = {name: module.state_dict() for name, module in parts.items()}
        checkpoint.write_single(path, states, family, dtype, about, models.family.marks(models))
        try:
            readback.check_single(path, parts, family, dtype)
        except ModelError:
            path.unlink()
            raise
    touched = {name for file in placed for name in lycoris.read(file.path, layers(models))}
    return Merged(path, len(touched))


def _told(placed: Sequence[Placed], path: Path, order: Order) -> dict[str, str]:
    return {
        "ss_output_name": path.stem,
        "ss_sd_model_name": Path(order.base).name,
        "modelspec.title": path.stem,
        "modelspec.merged_from": ", ".join(f"{file.path.name} at {file.weight:g}" for file in placed),
    }
