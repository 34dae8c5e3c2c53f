"""The only file that knows which figures of a run are already there, and takes those that are not."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from studio.compare.evidence import Evidence, Metric, Seen, Unmeasurable, Value
from studio.compare.eye import Eye
from studio.compare.members import newest_samples
from studio.compare.metrics import METRICS, STEPWISE
from studio.errors import UserError
from studio.events import RunView
from studio.spec import RunSpec
from studio.store import RunStore, write_text

KEPT_IN = "metrics.json"
Series = dict[int, dict[str, float]]


@dataclass
class _Kept:
    """What ``metrics.json`` holds: the figures of the run as it stood under ``key``, and for each eye and step its own.

    A step's entry says by a digest which pictures it was taken of.
    """

    key: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)
    steps: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def write(self, run: RunStore) -> None:
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False)
        write_text(run.path / KEPT_IN, text, durable=False)  # lost in a power cut, it is taken again


def measure(
    run: RunStore, base: RunStore, spec: RunSpec, eye: Eye | None, seen: Seen | None = None
) -> dict[str, Value]:
    """Every metric of ``run``. Figures that stand in ``metrics.json`` and still hold are not taken again.

    Each is kept as soon as it is taken, so a kill loses at most the one in hand. ``seen`` is what the eye has seen
    already, to be shared between the runs of an experiment.
    """
    kept = _read(run) or _Kept()
    evidence = Evidence(run, base, spec, eye, seen={} if seen is None else seen)
    key = _key(evidence.view, eye.name if eye else "")
    if eye is None and kept.key == {**key, "eye": kept.key.get("eye")}:
        key = kept.key  # an eye that is not here took them, as on another machine: they hold
    if kept.key != key:
        kept.key, kept.values = key, {}
    with torch.no_grad():
        if eye:
            _walk(evidence, kept)
            evidence = replace(evidence, series=_series(kept, evidence.view, eye.name))
        for metric in METRICS:
            known = kept.values.get(metric.name)
            if known is None or known.value is None:
                kept.values[metric.name] = _take(metric, evidence)
                if kept.values[metric.name] != known:
                    kept.write(run)
    return {metric.name: kept.values[metric.name] for metric in METRICS}


def measured(run: RunStore, view: RunView) -> tuple[str, dict[str, Value]] | None:
    """Name of the eye and the figures that are kept for the run as it stands in ``view``, or None."""
    kept = _read(run)
    if not kept or not kept.values or kept.key != _key(view, kept.key.get("eye", "")):
        return None
    return kept.key["eye"], kept.values


def series(run: RunStore, view: RunView, eye: str) -> Series:
    """The stepwise figures that are kept of ``eye``: step -> metric -> figure, in the order of steps."""
    kept = _read(run)
    return _series(kept, view, eye) if kept else {}


def _walk(evidence: Evidence, kept: _Kept) -> None:
    """Take the stepwise figures of every sampled step whose pictures are not those that they were taken of."""
    steps = kept.steps.setdefault(evidence.seeing.name, {})
    for step in sorted(evidence.view.samples):
        pictures = [evidence.run.path / picture.path for picture in evidence.view.samples[step]]
        if not all(path.is_file() for path in pictures):
            continue  # what was measured of them stays
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in pictures)).hexdigest()[:16]
        if steps.get(str(step), {}).get("pictures") == digest:
            continue
        found = {metric.name: _take(metric, evidence.at(step)).value for metric in STEPWISE}
        known = {name: value for name, value in found.items() if value is not None}
        if known:
            steps[str(step)] = {"pictures": digest, **known}
            kept.write(evidence.run)


def _series(kept: _Kept, view: RunView, eye: str) -> Series:
    steps = kept.steps.get(eye, {})
    return {
        step: {name: figure for name, figure in steps[str(step)].items() if name != "pictures"}
        for step in sorted(view.samples)
        if str(step) in steps
    }


def _take(metric: Metric, evidence: Evidence) -> Value:
    try:
        found = metric.of(evidence)
    except (Unmeasurable, UserError) as why:
        return Value(None, str(why))
    if found.value is None or math.isfinite(found.value):
        return found
    return Value(None, "It came out as no finite number.")


def _key(view: RunView, eye: str) -> dict[str, Any]:
    """What the figures hang on: those kept under another key are taken again."""
    return {"step": view.step, "state": view.state, "samples": newest_samples(view), "eye": eye}


def _read(run: RunStore) -> _Kept | None:
    try:
        content = json.loads((run.path / KEPT_IN).read_text(encoding="utf-8"))
        values = {name: Value(**value) for name, value in content["values"].items()}
        return _Kept(dict(content["key"]), values, dict(content.get("steps", {})))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
