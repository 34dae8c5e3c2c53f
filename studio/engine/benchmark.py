"""The only file that measures what training takes on this card: full-width architectures with random weights."""

import csv
import io
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from studio.engine.estimate import estimate
from studio.engine.machine import this_hardware
from studio.engine.run import begin, train
from studio.engine.sample import draw_pictures, wanted
from studio.engine.worker import Resident
from studio.errors import UserError
from studio.events import Decided, Failed, Step
from studio.families.base import BaseSpec, Models
from studio.families.detect import detect
from studio.families.loading import CONFIGS, skeleton
from studio.hardware import Hardware, Plan, decide, memory_peak, reset_memory_peak
from studio.section import merge
from studio.spec import RunSpec, make_spec

GIB = 2**30
WARM = 5  # steps that do not count: kernels are chosen and the allocator fills


@dataclass(frozen=True)
class Case:
    """What is trained: ``base`` is the name of shipped configs, or a folder, ``settings`` what differs from defaults.

    ``published`` is what others reached, in words; ``memory`` the bytes of a smaller card, as which this one draws its
    picture.
    """

    name: str
    base: str
    settings: Mapping[str, Any]
    published: str = ""
    memory: int = 0

    def spec(self, steps: int) -> RunSpec:
        """A short run that draws nothing; raises SpecError."""
        place = CONFIGS / self.base
        plain: dict[str, Any] = {
            "base": {"model": str(place if place.is_dir() else self.base)},
            "schedule": {"steps": steps},
            "sample": {"prompts": [], "every": 0},
            "save": {"every": 0, "keep": 1},
        }
        return make_spec(merge(plain, dict(self.settings)))


def _lora(resolution: int, **machine: Any) -> dict[str, Any]:
    return {"method": {"kind": "lora"}, "data": {"resolution": resolution}, "machine": machine}


def _whole(name: str, base: str, resolution: int, published: str = "") -> Case:
    """A full fine-tune on as little memory as it can do with 8-bit Adam."""
    settings = {
        "method": {"kind": "dreambooth"},
        "data": {"resolution": resolution},
        "optim": {"name": "adamw8bit", "lr": 1e-6, "clip": 0.0, "fused_backward": True, "weights": "bf16"},
        "machine": {"gradient_checkpointing": True},
    }
    return Case(name, base, settings, published)


CASES = (
    Case("SD 1.5 LoRA 512", "sd1", _lora(512)),
    Case("SD 1.5 LoRA 512, checkpointed", "sd1", _lora(512, gradient_checkpointing=True)),
    Case(
        "SD 1.5 DreamBooth 512, fp16, 8-bit, checkpointed",
        "sd1",
        {
            "method": {"kind": "dreambooth"},
            "data": {"resolution": 512},
            "optim": {"name": "adamw8bit", "lr": 2e-6},
            "machine": {"precision": "fp16", "gradient_checkpointing": True},
        },
        "9.9 GB, 0.93 it/s on a T4 (diffusers' example)",
    ),
    Case("SDXL LoRA 1024", "sdxl", _lora(1024)),
    Case("SDXL LoRA 1024, checkpointed", "sdxl", _lora(1024, gradient_checkpointing=True), "about 8 GB (OneTrainer)"),
    Case(
        "SDXL LoRA 1024, checkpointed, picture as on 8 GiB",
        "sdxl",
        _lora(1024, gradient_checkpointing=True),
        memory=8 * GIB,
    ),
    *(
        Case(
            f"SDXL LoRA 1024, checkpointed, {kind} base, picture as on 6 GiB",
            "sdxl",
            _lora(1024, gradient_checkpointing=True, quantize=kind),
            "4.4 GB with an fp8 base (kohya)",
            memory=6 * GIB,
        )
        for kind in ("int8", "nf4")
    ),
    Case("SD 1.5 LoRA 512, compiled", "sd1", _lora(512, compile=True)),
    Case("SDXL LoRA 1024, compiled", "sdxl", _lora(1024, compile=True)),
    Case(
        "SDXL Textual Inversion 1024, checkpointed",
        "sdxl",
        {
            "method": {"kind": "textual-inversion"},
            "data": {"resolution": 1024},
            "optim": {"lr": 1e-3},
            "machine": {"gradient_checkpointing": True},
        },
    ),
    _whole("SD 1.5 DreamBooth 512, bf16 weights, fused, 8-bit, checkpointed", "sd1", 512),
    _whole("SDXL DreamBooth 1024, bf16 weights, fused, 8-bit, checkpointed", "sdxl", 1024, "10.3 GB (OneTrainer)"),
)


@dataclass(frozen=True)
class Row:
    """One case measured: peaks in GiB of what the allocator gave out, ``pace`` in optimizer steps a second."""

    case: str
    precision: str = ""
    attention: str = ""
    optimizer: str = ""
    peak: float = 0.0
    preview: float = 0.0
    estimated: float = 0.0
    pace: float = 0.0
    published: str = ""
    note: str = ""
    rungs: list[str] = field(default_factory=list)


class Unlearnt(Resident):
    """Brings bases that nobody trained: what a step holds and takes does not depend on what was learnt."""

    def models(self, base: BaseSpec, plan: Plan) -> Models:
        """The base with random weights, on the plan's device."""
        key = (base, *plan.loaded)
        if self._models is None or key != self._key:
            self._models = None
            self._models = skeleton(detect(base.model), base, plan, plan.device)
            self._key = key
        self._models.arrange(plan)
        return self._models


def require_card(hw: Hardware) -> None:
    """Raise UserError where there is no card to measure."""
    if hw.device == "cpu":
        raise UserError("There is no graphics card to measure here; run `bench --gpu` on a machine that has one.")


def measure_all(cases: tuple[Case, ...] = CASES, steps: int = 25) -> Iterator[Row]:
    """Measure each case by itself; what fails has its reason in the row."""
    for case in cases:
        with TemporaryDirectory(prefix="crucible-bench-") as folder:
            yield measure(case, Path(folder), steps)


def measure(case: Case, folder: Path, steps: int) -> Row:
    """Train ``case`` for some steps in ``folder`` by the very engine that trains runs, then draw one picture."""
    spec = case.spec(steps)
    plan = decide(this_hardware(), spec.machine, spec.optim.name)
    resident = Unlearnt(folder / "cache")
    seconds: list[float] = []
    rungs: list[str] = []
    peak, note = 0, ""
    for event in train(begin(spec, folder / "run", folder), resident):
        if isinstance(event, Step):
            seconds.append(event.seconds)
            peak = max(peak, event.memory)
            if event.step == steps:
                break  # files of random weights are of no use
        elif isinstance(event, Decided) and event.what == "memory" and event.choice not in rungs:
            rungs.append(event.choice)
        elif isinstance(event, Failed):
            note = event.text
    counted = seconds[WARM:] or seconds
    return Row(
        case=case.name,
        precision=plan.compute,
        attention=plan.attention,
        optimizer=plan.optimizer,
        peak=peak / GIB,
        preview=0.0 if note else _preview(resident, spec, _as_small(case)) / GIB,
        estimated=(estimate(spec, plan).training - estimate(spec, plan).overhead) / GIB,
        pace=1 / statistics.median(counted) if counted else 0.0,
        published=case.published,
        note=note,
        rungs=rungs,
    )


def _as_small(case: Case) -> Hardware:
    """This machine with the memory that the case draws its picture in."""
    hw = this_hardware()
    return replace(hw, memory=case.memory) if case.memory else hw


def _preview(resident: Resident, spec: RunSpec, hw: Hardware) -> int:
    """Bytes at the peak of drawing one picture of the trained size."""
    plan = decide(hw, spec.machine, spec.optim.name)
    models = resident.models(spec.base, plan)
    reset_memory_peak(plan.device)
    brief = spec.sample.model_copy(update={"steps": 2})
    for _ in draw_pictures(models, None, wanted(["a photo"], [1]), brief, spec.data.resolution):
        pass
    return memory_peak(plan.device)


def to_markdown(rows: list[Row], hw: Hardware) -> str:
    """The table for people."""
    lines = [
        f"# {hw.name}, {hw.memory / GIB:.0f} GiB, PyTorch {hw.versions.get('torch', '')}",
        "",
        "| case | precision | attention | optimizer | peak GiB | estimated | it/s | preview GiB | published | note |",
        "|---|---|---|---|---:|---:|---:|---:|---|---|",
    ]
    for row in rows:
        note = "; ".join(filter(None, [row.note, *row.rungs]))
        lines.append(
            f"| {row.case} | {row.precision} | {row.attention} | {row.optimizer} | {row.peak:.2f} | "
            f"{row.estimated:.2f} | {row.pace:.2f} | {row.preview:.2f} | {row.published} | {note} |"
        )
    return "\n".join(lines) + "\n"


def to_csv(rows: list[Row]) -> str:
    """The same for programs."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**asdict(row), "rungs": "; ".join(row.rungs)} for row in rows)
    return text.getvalue()
