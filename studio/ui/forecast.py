"""The only file that says, behind the page's back, what runs that are being set up will need: memory, time, size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from studio.ui.behind import Behind
from studio.ui.watch import Watch


@dataclass(frozen=True)
class Forecast:
    """What one run will need. Bytes; ``pace`` is seconds of a step, None where this machine has not trained such a run.

    ``error`` says why nothing could be told. ``paced_at`` is what had been trained when ``pace`` was looked for.
    """

    training: int = 0
    previewing: int = 0
    free: int = 0
    learning: int = 0
    size: int = 0
    pace: float | None = None
    precision: str = ""
    reasons: tuple[str, ...] = ()
    device: str = "cpu"
    error: str = ""
    paced_at: tuple[int, int] = field(default=(0, 0), compare=False)


class Forecasts:
    """Foretells the runs that are set up, those asked for last first, and their pace again when a run more told it."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._behind = Behind("forecast", _key, self._look)

    @property
    def count(self) -> int:
        """How much was found out by now."""
        return self._behind.count

    def of(self, specs: Sequence[Any]) -> dict[str, Forecast | None]:
        """What is known of ``specs`` by method, None while it is worked out; returns at once."""
        trained = self._watch.finished()
        told = self._behind.of(specs, lambda one: one.pace is None and not one.error and one.paced_at != trained)
        return {spec.method.kind: forecast for spec, forecast in zip(specs, told, strict=True)}

    def fresh(self, seen: dict[str, Any]) -> bool:
        """True once after something new was found out, for each visitor's ``seen``."""
        before, seen["forecasts"] = seen.get("forecasts", 0), self.count
        return self.count > int(before)

    def _look(self, spec: Any, known: Forecast | None) -> Forecast:
        trained = self._watch.finished()
        try:
            told = known or self._estimated(spec)
            return replace(told, pace=pace_of(spec.model_dump(), self._watch), paced_at=trained)
        except Exception as error:  # advice only: what is wrong with the base is said when it is loaded
            return replace(known, paced_at=trained) if known else Forecast(error=str(error) or type(error).__name__)

    def _estimated(self, spec: Any) -> Forecast:
        from studio.engine.estimate import estimate
        from studio.engine.machine import this_hardware
        from studio.hardware import decide, memory_free

        plan = decide(this_hardware(), spec.machine, spec.optim.name)
        found = estimate(spec, plan)
        return Forecast(
            training=found.training, previewing=found.previewing, free=memory_free(plan.device)[0],
            learning=found.learning, size=found.learning * (4 if plan.save == "fp32" else 2), device=plan.device,
            precision=plan.compute,
            reasons=tuple(choice.reason for choice in plan.choices if choice.what == "precision"),
        )  # fmt: skip


PACE = ("base.model", "data.resolution", "method.kind", "schedule.batch_size", "schedule.accumulation")
"""What decides how long a step takes, as far as settings do: runs that agree in it have one pace."""


def pace_of(settings: Mapping[str, Any], watch: Watch) -> float | None:
    """Seconds of a step in the newest run on this machine that had these settings; None where there was none."""
    for experiment in watch.experiments():
        for run in watch.runs(experiment):
            if run.view.step and not run.is_base and _same(watch.spec(run.store), settings):
                return float(run.view.train_seconds) / run.view.step
    return None


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(_at(one, key) == _at(other, key) for key in PACE)


def _at(settings: Mapping[str, Any], key: str) -> Any:
    node: Any = settings
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _key(spec: Any) -> str:
    """Names everything that memory hangs on."""
    schedule, optim = spec.schedule, spec.optim
    kept = (
        spec.base,
        spec.method,
        spec.machine,
        spec.data.folder,  # its pictures' shapes, and whether some are held out
        spec.data.held_out,
        spec.data.resolution,
        spec.data.class_images,
        len(spec.sample.prompts),
    )
    return repr((kept, schedule.batch_size, schedule.accumulation, optim.model_copy(update={"lr": 1.0})))
