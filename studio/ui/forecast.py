"""The only file that says, behind the page's back, what runs that are being set up will need: memory, time, size."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from studio.ui.late import libraries
from studio.ui.watch import Watch


@dataclass(frozen=True)
class Forecast:
    """What one run will need. Bytes; ``pace`` is seconds of a step, None where this machine has not trained such a run.

    ``error`` says why nothing could be told.
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


MOST = 64  # runs that wait to be foretold


class Forecasts:
    """Foretells the newest set of runs that was asked for, one after the other, and remembers what it found."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._lock = threading.Lock()
        self._known: dict[str, Forecast] = {}
        self._wanted: list[Any] = []
        self._working = False
        self._found = 0
        self._paced_at: tuple[int, int] = (0, 0)

    @property
    def count(self) -> int:
        """How much was found out by now."""
        return self._found

    def of(self, specs: Sequence[Any]) -> dict[str, Forecast | None]:
        """What is known of ``specs`` by method, None while it is worked out; returns at once.

        What others asked for waits behind the newest.
        """
        keys = {spec.method.kind: _key(spec) for spec in specs}
        with self._lock:
            here = [spec for spec in specs if _key(spec) not in self._known]
            if self._paced_at != (stamp := self._watch.finished()):  # a run more has told its pace
                self._paced_at = stamp
                here += [spec for spec in specs if self._is_without_pace(_key(spec))]
            asked = {_key(spec) for spec in here}
            self._wanted = [*here, *(spec for spec in self._wanted if _key(spec) not in asked)][:MOST]
            if self._wanted and not self._working:
                self._working = True
                threading.Thread(target=self._work, name="forecast", daemon=True).start()
            return {kind: self._known.get(key) for kind, key in keys.items()}

    def _is_without_pace(self, key: str) -> bool:
        known = self._known.get(key)
        return known is not None and known.pace is None and not known.error

    def fresh(self, seen: dict[str, Any]) -> bool:
        """True once after something new was found out, for each visitor's ``seen``."""
        before, seen["forecasts"] = seen.get("forecasts", 0), self._found
        return self._found > int(before)

    def _work(self) -> None:
        libraries()
        while True:
            with self._lock:
                if not self._wanted:
                    self._working = False
                    return
                spec = self._wanted.pop(0)
                known = self._known.get(_key(spec))
            found = replace(known, pace=pace_of(spec.model_dump(), self._watch)) if known else self._told(spec)
            with self._lock:
                self._found += found != known
                self._known[_key(spec)] = found

    def _told(self, spec: Any) -> Forecast:
        try:
            return self._estimated(spec)
        except Exception as error:  # advice only: what is wrong with the base is said when it is loaded
            return Forecast(error=str(error) or type(error).__name__)

    def _estimated(self, spec: Any) -> Forecast:
        from studio.engine.estimate import estimate
        from studio.engine.machine import this_hardware
        from studio.hardware import decide, memory_free

        plan = decide(this_hardware(), spec.machine, spec.optim.name)
        found = estimate(spec, plan)
        return Forecast(
            training=found.training, previewing=found.previewing, free=memory_free(plan.device)[0],
            learning=found.learning, size=found.learning * (4 if plan.save == "fp32" else 2), device=plan.device,
            pace=pace_of(spec.model_dump(), self._watch), precision=plan.compute,
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
        spec.data.resolution,
        spec.data.class_images,
        len(spec.sample.prompts),
    )
    return repr((kept, schedule.batch_size, schedule.accumulation, optim.model_copy(update={"lr": 1.0})))
