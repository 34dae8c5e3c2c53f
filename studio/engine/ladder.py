"""The only file that knows what a run does when the device is full: the rungs in their order, and a batch in parts."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch

from studio.engine.learner import Batch
from studio.hardware import Hardware, Plan
from studio.objective import Draw
from studio.section import merge
from studio.spec import RunSpec, make_spec

T = TypeVar("T", Batch, Draw)
EIGHT_BIT_OF = {"adamw": "adamw8bit", "lion": "lion8bit"}


class Full(RuntimeError):
    """The device of some rank was full in a step; every rank of the run raises it, at the same point."""


@dataclass(frozen=True)
class Rung:
    """A way to need less memory: its ``name``, the ``settings`` (nested) that it lays over the spec, the ``reason``."""

    name: str
    settings: Mapping[str, Any]
    reason: str

    def on(self, spec: RunSpec) -> RunSpec:
        """The run as it goes on from here; equal in everything that decides what it sees."""
        return make_spec(merge(spec.model_dump(), dict(self.settings)))


def is_out_of_memory(error: BaseException) -> bool:
    """True for a full device; a CPU's failed allocation is a plain RuntimeError, told by its text alone."""
    text = str(error)
    return (
        isinstance(error, Full | torch.OutOfMemoryError) or "can't allocate memory" in text or "out of memory" in text
    )


def next_rung(spec: RunSpec, plan: Plan, hw: Hardware, updating: bool) -> Rung | None:
    """The next way to need less memory, None at the end of the ladder; pure.

    ``updating`` says that the optimizer's own update found no room, where less activations would not help. A step
    fused into the backward pass happens amid activations, and takes no batch in parts.
    """
    fused = spec.optim.fused_backward and not plan.scaler
    updating = updating and not fused
    if not plan.gradient_checkpointing and not updating:
        text = "The device was full; activations are now computed twice instead of kept (gradient checkpointing)."
        return Rung("gradient checkpointing", {"machine": {"gradient_checkpointing": True}}, text)
    smaller = EIGHT_BIT_OF.get(plan.optimizer)
    if smaller and not hw.probes.get("bitsandbytes", "it was not probed."):
        text = f"The device was full; {smaller} takes over from {plan.optimizer}, whose memory of gradients is dropped."
        return Rung("8-bit optimizer", {"optim": {"name": smaller}}, text)
    if spec.optim.fused_backward and plan.scaler:  # gradients that never all exist weigh more than half the width
        text = "The device was full; in float32, which needs no loss scaler, the step is fused into the backward pass."
        return Rung("fused step", {"machine": {"precision": "fp32"}, "optim": {"weights": "fp32"}}, text)
    together = spec.schedule.batch_size * (2 if spec.data.class_images else 1)
    if plan.split < together and not updating and not fused:
        parts = min(together, plan.split * 2)
        text = f"The device was full; each batch now passes in {parts} parts that add up to the same gradient."
        return Rung("smaller batch", {"machine": {"split": parts}}, text)
    return None


def cut(batch: Batch, chance: Draw, parts: int) -> list[tuple[Batch, Draw]]:
    """The same examples with the same noise and timesteps in at most ``parts`` parts, as equal as can be, in order."""
    count = len(batch.prompts)
    parts = min(parts, count)
    if parts < 2:
        return [(batch, chance)]
    bounds = [count * index // parts for index in range(parts + 1)]
    where = [slice(first, last) for first, last in itertools.pairwise(bounds)]
    return [(_part(batch, place), _part(chance, place)) for place in where]


def _part(whole: T, where: slice) -> T:
    """Everything in ``whole`` that has one entry for each example, cut alike; what is None stays so."""
    values: dict[str, Sequence[Any]] = {field.name: getattr(whole, field.name) for field in fields(whole)}
    return replace(whole, **{name: value[where] for name, value in values.items() if value is not None})
