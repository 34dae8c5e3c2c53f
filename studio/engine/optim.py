"""The only file that makes optimizers from a spec and keeps their rates, through a resume too."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from studio.engine.descent import Lion, Prodigy, ScheduleFreeAdamW
from studio.methods.base import ParamGroup
from studio.optimizer import OptimSpec

SECOND = "text_encoder_2."  # canonical names of the second text encoder begin so
PAGES = {"state1", "state2"}  # what a paged optimizer of bitsandbytes holds in pages, from so many numbers on
PAGED_FROM = 100_000
SETTINGS = ("base_lr", "betas", "momentum", "weight_decay")  # what a spec says; the rest of a group is the optimizer's


def create(name: str, groups: Sequence[ParamGroup], spec: OptimSpec) -> torch.optim.Optimizer:
    """The optimizer called ``name`` (a decided plan's, so it is usable) with one parameter group per part."""
    tables = [
        {"params": params, "base_lr": spec.rate(part), "lr": 0.0, "kind": name}
        for group in groups
        for part, params in _parts(group)
        if params
    ]
    plain: dict[str, Any] = {"lr": 0.0, "weight_decay": spec.weight_decay}
    if name == "sgd":
        return torch.optim.SGD(tables, momentum=spec.beta1, **plain)
    if name == "adafactor":
        from transformers.optimization import Adafactor

        made: torch.optim.Optimizer = Adafactor(tables, scale_parameter=False, relative_step=False, **plain)
        return made
    kind, more = _kind(name)
    other: torch.optim.Optimizer = kind(tables, betas=spec.betas, **plain, **more)
    return other


def _parts(group: ParamGroup) -> Iterator[tuple[str, list[Any]]]:
    """A group, and the second text encoder's share of it, which may have a rate of its own."""
    second = [parameter for name, parameter in group.params.items() if name.startswith(SECOND)]
    yield group.part, [parameter for name, parameter in group.params.items() if not name.startswith(SECOND)]
    yield "text_2", second


def _kind(name: str) -> tuple[Any, dict[str, Any]]:
    """The class of an optimizer with two betas, and what it is told besides."""
    own: dict[str, Any] = {"lion": Lion, "prodigy": Prodigy, "schedule-free-adamw": ScheduleFreeAdamW}
    if name == "adamw":
        return torch.optim.AdamW, {"fused": True}
    if name in own:
        return own[name], {}
    import bitsandbytes.optim as eight_bit

    kinds = {
        "adamw8bit": eight_bit.AdamW8bit,
        "paged-adamw8bit": eight_bit.PagedAdamW8bit,
        "lion8bit": eight_bit.Lion8bit,
    }
    return kinds[name], {}


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Write ``factor`` times each group's own rate into it; returns the first group's, as far as it goes by itself."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
    return float(optimizer.param_groups[0]["lr"]) * float(optimizer.param_groups[0].get("d", 1.0))


@contextlib.contextmanager
def own_settings(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """While open, a saved state may be loaded; the rates and the rest that the spec says stay the spec's.

    So a run whose rate was lowered after it diverged goes on at the lower rate.
    """
    said = [{key: group[key] for key in SETTINGS if key in group} for group in optimizer.param_groups]
    yield
    for group, settings in zip(optimizer.param_groups, said, strict=True):
        group.update(settings)


def recall(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load a saved ``state``, where it lies in a run that never broke off, with the spec's own rates.

    bitsandbytes 0.50 gives a paged optimizer back all its memory on the card itself, where it would stay: here it never
    goes there, and what is large is put into pages again, which the driver moves as there is room.
    """
    paged: Any = optimizer if getattr(optimizer, "is_paged", False) else None
    with own_settings(optimizer):
        if paged is None:
            optimizer.load_state_dict(state)
        else:
            paged.load_state_dict(state, move_to_device=False)
    for parameter, memory in paged.state.items() if paged else ():
        for name in PAGES & memory.keys():
            value = memory[name]
            if value.numel() >= PAGED_FROM:
                shape = parameter.detach().new_empty(()).expand(value.shape)  # it may be a stand-in that is empty now
                memory[name] = paged.get_state_buffer(shape, dtype=value.dtype).copy_(value)
