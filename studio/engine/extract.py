"""The only file that makes a LoRA of what a finished model has learnt: the truncated SVD of each layer's change."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.engine.machine import this_hardware
from studio.errors import ModelError, SpecError
from studio.families.base import DTYPES, BaseSpec, Models
from studio.families.detect import detect
from studio.formats import adapter, names
from studio.formats.metadata import network_metadata
from studio.formats.recognise import recognise
from studio.hardware import Hardware, MachineSpec, decide
from studio.methods import chance
from studio.spec import spec_from_toml
from studio.store import RunStore

WHOLE = ("single-file", "diffusers")  # exports of a run that are a model of their own
EXACT = 1024  # shorter side of a change up to which its SVD is whole; above it is drawn, which is many times faster
OVER = 16  # singular vectors drawn beyond those that are wanted, for their sake


@dataclass(frozen=True)
class Order:
    """What to extract: from ``source`` (a model, or a run with its ``base`` left empty) against ``base``.

    ``conv_rank`` is that of 3x3 convolutions: None takes ``rank``, 0 leaves them out. ``dtype`` is fp32, fp16 or bf16.
    """

    source: str
    base: str = ""
    rank: int = 32
    conv_rank: int | None = None
    out: Path | None = None
    dtype: str = "fp16"


@dataclass(frozen=True)
class Extracted:
    """The written file and how true it is.

    ``error`` is the relative Frobenius error ||D - D'|| / ||D|| over all changes D of linear and convolution weights,
    ``worst`` that of single layers, the worst first; ``left_out`` is the share of the whole change's squared norm that
    no LoRA holds: biases, norms and token tables.
    """

    path: Path
    layers: int
    error: float
    left_out: float
    worst: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        """A few lines for a person."""
        told = [f"{self.path}: {self.layers} layers, relative error {self.error:.2%}, worst:"]
        told += [f"  {error:7.2%}  {name}" for name, error in self.worst]
        if self.left_out:
            told.append(f"{self.left_out:.2%} of the change lies in biases, norms and words, which no LoRA holds.")
        return "\n".join(told)


@dataclass
class _Tally:
    """Squared norms, summed as the layers come by."""

    wanted: float = 0.0
    missed: float = 0.0
    held_by_none: float = 0.0
    weights: dict[str, Tensor] = field(default_factory=dict)
    ranks: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)


def extract(order: Order) -> Extracted:
    """Write the LoRA in kohya's naming; raises ModelError for models of two families, or where nothing differs."""
    if order.rank < 1 or (order.conv_rank is not None and order.conv_rank < 0):
        raise SpecError("--rank must be at least 1 and --conv-rank at least 0.")
    source, base = _places(order)
    found, other = detect(source), detect(base)
    if found.name != other.name:
        raise ModelError(f"'{source}' is {found.title} and '{base}' is {other.title}: give the base it was made from.")
    plan = decide(Hardware(), MachineSpec(), "adamw")  # float32 on the CPU: both models must fit at once
    tuned, plain = (family.load(BaseSpec(model=place), plan) for family, place in ((found, source), (other, base)))
    tally = _decomposed(tuned, plain, order)
    if not tally.weights:
        raise ModelError(f"'{source}' and '{base}' have the same weights where a LoRA could act; there is no change.")
    error = math.sqrt(tally.missed / tally.wanted)
    left_out = tally.held_by_none / (tally.wanted + tally.held_by_none)
    path = order.out or Path(f"{Path(source).stem}-lora{order.rank}.safetensors")
    about = {
        **network_metadata(found.name, plain.prediction),
        "ss_output_name": path.stem,
        "ss_sd_model_name": Path(base).name,
        "ss_training_comment": f"extracted by SVD at rank {order.rank} from {Path(source).name}, "
        f"relative error {error:.4f}; {left_out:.4f} of the change is no LoRA's to hold",
        "modelspec.title": path.stem,
        "modelspec.merged_from": f"{Path(source).name}, {Path(base).name}",
    }
    written = adapter.write_kohya(path, tally.weights, tally.ranks, found.name, DTYPES[order.dtype], about)
    worst = sorted(tally.errors.items(), key=lambda pair: -pair[1])[:5]
    return Extracted(written, len(tally.ranks), error, left_out, tuple(worst))


def _places(order: Order) -> tuple[str, str]:
    """Where model and base lie; of a run its own whole-model file and base are taken."""
    source, base = Path(order.source).expanduser(), order.base
    if not (source / "spec.toml").is_file():
        if not base:
            raise SpecError("Give the base that the model was made from with --base.")
        return order.source, base
    run = RunStore(source)
    exports = {export.format: source / export.path for export in run.read().view.exports}
    whole = [
        exports[form]
        for form in WHOLE
        if form in exports and exports[form].exists() and recognise(exports[form]).kind == "base"
    ]
    if not whole:
        raise ModelError(f"The run '{source}' has exported no whole model; only dreambooth runs do, when they end.")
    return str(whole[0]), base or spec_from_toml(run.spec_text()).base.model


@torch.no_grad()
def _decomposed(tuned: Models, plain: Models, order: Order) -> _Tally:
    device, tally = this_hardware().device, _Tally()
    for name, new, old, inside in _pairs(tuned, plain):
        if _unchanged(new, old):
            continue
        change = (new - old).to(device)
        size = float(change.square().sum(dtype=torch.float64))
        if not inside:
            tally.held_by_none += size
            continue
        module = name.removesuffix(".weight")
        spatial = change.ndim == 4 and change.shape[-1] > 1
        rank = order.conv_rank if spatial and order.conv_rank is not None else order.rank
        missed = size
        if rank:
            down, up = halves(change, rank)
            made = (up.flatten(1) @ down.flatten(1)).view(change.shape)
            missed = float((change - made).square().sum(dtype=torch.float64))
            tally.weights |= {f"{module}.{names.DOWN}": down.cpu(), f"{module}.{names.UP}": up.cpu()}
            tally.ranks[module] = float(down.shape[0])  # as alpha: the file's scale is then 1
        tally.wanted += size
        tally.missed += missed
        tally.errors[module] = math.sqrt(missed / size)
    return tally


def _pairs(tuned: Models, plain: Models) -> Iterator[tuple[str, Tensor, Tensor, bool]]:
    """Each weight by canonical name, new and old, and whether it is one that a LoRA can act on."""
    for part, module in plain.modules().items():
        layers = {f"{n}.weight" for n, child in module.named_modules() if isinstance(child, nn.Linear | nn.Conv2d)}
        theirs = dict(tuned.modules()[part].named_parameters())
        for name, old in module.named_parameters():
            if name not in theirs or theirs[name].shape != old.shape:
                raise ModelError(f"The two models are built differently at {part}.{name}; give its own base.")
            yield f"{part}.{name}", theirs[name], old, name in layers


def _unchanged(new: Tensor, old: Tensor) -> bool:
    """Whether they differ by nothing but the rounding of a file in half precision."""
    return any(torch.equal(new, old.to(dtype).to(new.dtype)) for dtype in (old.dtype, torch.float16, torch.bfloat16))


def halves(change: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """(r, in[, kh, kw]) and (out, r[, 1, 1]) whose product is the best approximation of ``change`` at this rank.

    A layer of fewer than ``rank`` sides is filled up with zeros: diffusers misreads files of mixed ranks.
    """
    matrix = change.flatten(1).float()
    if min(matrix.shape) <= EXACT or rank + OVER >= min(matrix.shape) // 2:
        left, sizes, right = torch.linalg.svd(matrix, full_matrices=False)
    else:
        with chance.own(0):
            left, sizes, transposed = torch.svd_lowrank(matrix, rank + OVER, niter=4)
            right = transposed.T
    root = sizes[:rank].sqrt()  # shared between the halves, so that neither leaves half precision
    spare = rank - len(root)  # never below 0
    up = functional.pad(left[:, :rank] * root, (0, spare))
    down = functional.pad(root.unsqueeze(1) * right[:rank], (0, 0, 0, spare))
    return down.reshape(rank, *change.shape[1:]), up.reshape(-1, rank, *(1 for _ in change.shape[2:]))
