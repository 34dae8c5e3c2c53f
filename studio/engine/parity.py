"""The only file that checks that ways which should agree do: each pair is trained, and it says how far they part."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from studio.data.image import opened
from studio.engine import checkpoint
from studio.engine.course import Run
from studio.engine.machine import Machine, this_hardware
from studio.engine.otherwise import TOGETHER, JoinedRun, UncachedRun, plain_attention
from studio.engine.worker import Resident
from studio.events import Measured, Sampled, Saved, Step
from studio.hardware import Hardware, Plan, decide
from studio.methods.base import Weights
from studio.section import merge
from studio.spec import RunSpec, load_spec, make_spec
from studio.store import RunStore


@dataclass(frozen=True)
class Side:
    """One way: its ``name``, the nested ``settings`` that make it, the ``run`` and what is ``around`` it."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    run: type[Run] = Run
    around: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext


@dataclass(frozen=True)
class Apart:
    """How far two runs are from each other, or may be.

    ``loss`` is the largest difference of a step's loss; ``weights`` the length of the difference of what was learnt,
    as a share of how far it moved; ``picture`` the largest difference of a sample's pixel, of 255.
    """

    loss: float
    weights: float
    picture: float

    def within(self, limit: "Apart") -> bool:
        """Whether nothing is further than ``limit`` has it."""
        return self.loss <= limit.loss and self.weights <= limit.weights and self.picture <= limit.picture


@dataclass(frozen=True)
class Pair:
    """Two ways that should agree, within ``limit``, on top of ``preset``; ``plan`` is what the first must be given."""

    one: Side
    other: Side
    limit: Apart
    preset: str = "lora-starter"
    plan: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Both ways in words."""
        return f"{self.one.name} / {self.other.name}"


ROUNDING = Apart(1e-5, 0.02, 2)  # sums in another order, which Adam's division by small gradients makes larger
CLIP_OFF: dict[str, Any] = {"optim": {"clip": 0.0}}
IN_BF16: dict[str, Any] = {**CLIP_OFF, "machine": {"precision": "bf16"}}
FOUR: dict[str, Any] = {"schedule": {"batch_size": TOGETHER}}
PAIRS = (
    Pair(Side("fused attention (SDPA)"), Side("plain attention", around=plain_attention), ROUNDING),
    Pair(
        Side("xformers", {"machine": {"attention": "xformers"}}),
        Side("SDPA", {"machine": {"attention": "sdpa"}}),
        ROUNDING,
        plan={"attention": "xformers"},
    ),
    Pair(
        Side("cached in float16", {"machine": {"offload": False}}),
        Side("encoded at every step", {"machine": {"offload": False}}, run=UncachedRun),
        Apart(2e-4, 0.03, 4),
    ),
    Pair(
        Side("accumulation 4", {"schedule": {"batch_size": 1, "accumulation": TOGETHER}}),
        Side("batch of 4", {"schedule": {"batch_size": 1}}, run=JoinedRun),
        ROUNDING,
    ),
    Pair(Side("in 4 parts", {**FOUR, "machine": {"split": 4}}), Side("whole batch", FOUR), ROUNDING),
    Pair(Side("checkpointing", {"machine": {"gradient_checkpointing": True}}), Side("none"), ROUNDING),
    Pair(
        Side("fused step", {"optim": {"clip": 0.0, "fused_backward": True}}),
        Side("plain step", CLIP_OFF),
        Apart(1e-7, 1e-5, 0),
        preset="dreambooth-starter",
    ),
    Pair(
        Side("bf16", {"machine": {"precision": "bf16"}}),
        Side("fp32", {"machine": {"precision": "fp32"}}),
        Apart(0.005, 0.25, 48),
        plan={"compute": "bf16"},
    ),
    Pair(
        Side("fp16 with a scaler", {"machine": {"precision": "fp16"}}),
        Side("fp32", {"machine": {"precision": "fp32"}}),
        Apart(0.005, 0.25, 48),
        plan={"compute": "fp16"},
    ),
    Pair(
        Side("bf16 weights", {**IN_BF16, "optim": {"clip": 0.0, "weights": "bf16"}}),
        Side("fp32 weights", IN_BF16),
        Apart(0.02, 0.5, 64),
        preset="dreambooth-starter",
        plan={"compute": "bf16"},
    ),
    Pair(
        Side("8-bit Adam", {"optim": {"name": "adamw8bit"}}),
        Side("Adam", {"optim": {"name": "adamw"}}),
        Apart(1e-4, 0.1, 8),
        plan={"optimizer": "adamw8bit"},
    ),
)


@dataclass(frozen=True)
class Trace:
    """What a run left: the loss of each step, what was learnt, how it began, and the last sample's pixels."""

    losses: list[float]
    weights: Weights
    start: Weights
    picture: Any


@dataclass(frozen=True)
class Verdict:
    """A pair tried, or a ``note`` on why it was not; ``passed`` is None then."""

    pair: str
    apart: Apart | None
    limit: Apart
    note: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether both agree."""
        return None if self.apart is None else self.apart.within(self.limit)

    @property
    def said(self) -> str:
        """The verdict in words."""
        return f"not here: {self.note}" if self.passed is None else "agree" if self.passed else "DIFFER"


def short(preset: str, steps: int, over: Mapping[str, Any]) -> RunSpec:
    """A run of ``preset`` that judges nothing and draws one picture before and after; raises SpecError."""
    plain: dict[str, Any] = {
        "schedule": {"steps": steps, "batch_size": 2, "warmup": 0.0, "kind": "constant"},
        "sample": {"every": 0, "prompts": ["a photo of {trigger}"], "seeds": [7], "steps": 8},
        "save": {"every": 0, "keep": 1},
        "machine": {"precision": "fp32"},  # where lower precision is not what is tried, it would hide the rest
    }
    return make_spec(merge(merge(load_spec(preset).model_dump(), plain), dict(over)))


def trained(side: Side, spec: RunSpec, folder: Path, resident: Resident) -> Trace:
    """Carry out ``spec`` the way of ``side`` up to its last checkpoint; no files are made of it."""
    machine = Machine(decide(this_hardware(), spec.machine, spec.optim.name))
    store = RunStore.create(folder, spec.to_toml())
    run = side.run(store, spec, machine, resident)
    losses: list[float] = []
    start: Weights = {}
    picture: Any = None
    saved = ""
    events: Any = run.events()
    with contextlib.closing(events), side.around():
        for event in events:
            if isinstance(event, Measured) and not start:
                start = run.method.state()
            elif isinstance(event, Step):
                losses.append(event.loss)
            elif isinstance(event, Sampled):
                with opened(store.path / event.pictures[0].path) as image:
                    picture = np.asarray(image.convert("RGB"), np.int16)
            elif isinstance(event, Saved) and event.step == spec.schedule.steps:
                saved = event.path
                break
    return Trace(losses, checkpoint.weights_of(store.path / saved), start, picture)


def apart(one: Trace, other: Trace) -> Apart:
    """How far two runs that began alike are from each other."""
    between = sum(float((one.weights[key] - other.weights[key]).double().square().sum()) for key in one.weights)
    moved = sum(float((other.weights[key] - other.start[key]).double().square().sum()) for key in other.weights)
    losses = max(abs(a - b) for a, b in zip(one.losses, other.losses, strict=True))
    return Apart(losses, (between / moved) ** 0.5, float(np.abs(one.picture - other.picture).max()))


def _missing(pair: Pair, plan: Plan) -> str:
    """Why this machine cannot try ``pair``; "" where it can."""
    lacking = [key for key, wanted in pair.plan.items() if getattr(plan, key) != wanted]
    said = [choice.reason for choice in plan.choices if choice.what in ("precision", *lacking)]
    return (said or ["This machine has no such thing."])[-1] if lacking else ""


def compare_ways(
    hw: Hardware,
    steps: int,
    pairs: tuple[Pair, ...] = PAIRS,
    resident: Resident | None = None,
    base: Mapping[str, Any] | None = None,
) -> Iterator[Verdict]:
    """Train both sides of each pair for ``steps``, in a folder that is gone afterwards, and say how they differ.

    ``base`` is laid over the preset of each.
    """
    resident = resident or Resident()
    for pair in pairs:
        specs = [
            short(pair.preset, steps, merge(dict(base or {}), dict(side.settings))) for side in (pair.one, pair.other)
        ]
        note = _missing(pair, decide(hw, specs[0].machine, specs[0].optim.name))
        if note:
            yield Verdict(pair.name, None, pair.limit, note)
            continue
        with TemporaryDirectory(prefix="crucible-parity-") as folder:
            sides = zip((pair.one, pair.other), specs, ("one", "other"), strict=True)
            found = [trained(side, spec, Path(folder) / name, resident) for side, spec, name in sides]
        yield Verdict(pair.name, apart(*found), pair.limit)


def to_markdown(verdicts: list[Verdict], steps: int, name: str) -> str:
    """The table for people."""
    lines = [
        f"# Ways that should agree, {steps} steps, {name}",
        "",
        "The largest difference of a step's loss; the difference of what was learnt as a share of how far it moved;",
        "the largest difference of a pixel of a sample, of 255. In brackets what is allowed.",
        "",
        "| ways | loss | weights | picture | verdict |",
        "|---|---:|---:|---:|---|",
    ]
    for one in verdicts:
        if one.apart is None:
            lines.append(f"| {one.pair} | | | | {one.said} |")
            continue
        cells = [
            f"{getattr(one.apart, key):.3g} ({getattr(one.limit, key):g})" for key in ("loss", "weights", "picture")
        ]
        lines.append(f"| {one.pair} | {' | '.join(cells)} | {one.said} |")
    return "\n".join(lines) + "\n"
