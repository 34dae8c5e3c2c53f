"""The only file that checks that every optimizer and schedule learns: each trains the embedded example."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from studio.data.scan import dataset
from studio.engine.course import Run
from studio.engine.machine import Machine, this_hardware
from studio.engine.worker import Resident
from studio.errors import NonFiniteError
from studio.events import Decided, Validated
from studio.hardware import decide
from studio.section import merge
from studio.spec import RunSpec, load_spec, make_spec
from studio.store import RunStore

PRESET = "lora-starter"
LEARNT = 0.1  # share of the loss that must be gone


@dataclass(frozen=True)
class Case:
    """A way to learn: nested ``settings`` on top of a constant rate, and words ``about`` the rate."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""

    def spec(self, steps: int, pictures: Path) -> RunSpec:
        """A run that draws nothing, judged by the pictures that it learns; raises SpecError."""
        plain: dict[str, Any] = {
            "data": {"held_out": str(pictures)},
            "schedule": {"steps": steps, "kind": "constant", "warmup": 0.0},
            "sample": {"every": 0, "prompts": []},
            "validation": {"every": steps},
            "save": {"every": 0, "keep": 1},
        }
        return make_spec(merge(merge(load_spec(PRESET).model_dump(), plain), dict(self.settings)))


def _optimizer(name: str, lr: float, about: str = "", **more: Any) -> Case:
    return Case(name, {"optim": {"name": name, "lr": lr, **more}}, about)


def _schedule(kind: str, **more: Any) -> Case:
    return Case(f"adamw, {kind}", {"schedule": {"kind": kind, **more}})


CASES = (
    _optimizer("adamw", 2e-3),
    _optimizer("adamw8bit", 2e-3),
    _optimizer("paged-adamw8bit", 2e-3),
    _optimizer("lion", 4e-4, "a fifth of AdamW's"),
    _optimizer("lion8bit", 4e-4, "a fifth of AdamW's"),
    _optimizer("adafactor", 2e-3),
    _optimizer("prodigy", 1.0, "finds it itself; needs some steps for that"),
    _optimizer("schedule-free-adamw", 4e-3, "twice AdamW's"),
    _optimizer("sgd", 1.0, "five hundred times AdamW's, and clip = 0; diverges at 2", clip=0.0),
    _schedule("linear"),
    _schedule("cosine", warmup=0.05),
    _schedule("cosine-restarts"),
    _schedule("polynomial"),
    Case("adamw, rates", {"schedule": {"rates": "2e-3:30, 1e-3:45, 5e-4"}}, "A1111's list 2e-3:30, 1e-3:45, 5e-4"),
    Case("adamw, ema 0.95", {"optim": {"ema": 0.95}}),
)


@dataclass(frozen=True)
class Learnt:
    """A case tried: the loss on the pictures themselves, under fixed draws, ``before`` and ``after``."""

    case: str
    rate: str
    before: float
    after: float
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether enough of the loss has gone."""
        return self.after < self.before * (1 - LEARNT)


def learn(
    steps: int, cases: tuple[Case, ...] = CASES, resident: Resident | None = None, base: Mapping[str, Any] | None = None
) -> Iterator[Learnt]:
    """Train every case for ``steps``, in a folder that is gone afterwards; ``base`` is laid over each."""
    resident = resident or Resident()
    with TemporaryDirectory(prefix="crucible-convergence-") as folder:
        for number, case in enumerate(cases):
            spec = case.spec(steps, Path(folder))
            spec = make_spec(merge(spec.model_dump(), dict(base or {})))
            pictures = Path(folder) / "pictures"
            if not number:
                shutil.copytree(dataset(spec.data.model_copy(update={"held_out": ""})).train[0].path.parent, pictures)
            data = spec.data.model_copy(update={"held_out": str(pictures)})
            yield _tried(case, spec.model_copy(update={"data": data}), Path(folder) / str(number), resident)


def _tried(case: Case, spec: RunSpec, folder: Path, resident: Resident) -> Learnt:
    machine = Machine(decide(this_hardware(), spec.machine, spec.optim.name))
    run = Run(RunStore.create(folder, spec.to_toml()), spec, machine, resident)
    losses: list[float] = []
    said: list[str] = []
    events: Any = run.events()
    with contextlib.closing(events):
        try:
            for event in events:
                if isinstance(event, Validated):
                    losses.append(event.loss)
                    if event.step == spec.schedule.steps:
                        break
                elif isinstance(event, Decided) and event.what == "optimizer":
                    said.append(event.reason)
        except NonFiniteError as error:
            return Learnt(case.name, case.about or f"{spec.optim.lr:g}", losses[0], float("inf"), str(error))
    rate = f"{spec.optim.lr:g}" + (f" ({case.about})" if case.about else "")
    return Learnt(case.name, rate, losses[0], losses[-1], " ".join(said))


def to_markdown(found: list[Learnt], steps: int, name: str) -> str:
    """The table for people."""
    lines = [
        f"# What {steps} steps of {PRESET} teach, {name}",
        "",
        f"The loss on the pictures themselves, under fixed draws; {LEARNT:.0%} of it must be gone.",
        "",
        "| optimizer and schedule | rate | before | after | verdict |",
        "|---|---|---:|---:|---|",
    ]
    for one in found:
        verdict = "learns" if one.passed else "DOES NOT LEARN"
        more = f"; {one.note}" if one.note else ""
        lines.append(f"| {one.case} | {one.rate} | {one.before:.3f} | {one.after:.3f} | {verdict}{more} |")
    return "\n".join(lines) + "\n"
