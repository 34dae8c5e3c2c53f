"""The only file that knows which figures of a run are already there, and takes those that are not."""

import json
import math
from dataclasses import asdict
from typing import Any

import torch

from studio.compare.eye import Eye
from studio.compare.members import newest_samples
from studio.compare.metrics import METRICS, Evidence, Metric, Unmeasurable, Value
from studio.errors import UserError
from studio.events import RunView
from studio.spec import RunSpec
from studio.store import RunStore, write_text

KEPT_IN = "metrics.json"


def measure(run: RunStore, base: RunStore, spec: RunSpec, eye: Eye | None) -> dict[str, Value]:
    """Every metric of ``run``. Figures that stand in ``metrics.json`` and still hold are not taken again."""
    key = _key(run.view(), eye.name if eye else "")
    before = _kept(run)
    old = before[1] if before and before[0] == key else {}
    evidence = Evidence(run, base, spec, eye)
    values = {}
    with torch.no_grad():
        for metric in METRICS:
            known = old.get(metric.name)
            values[metric.name] = known if known and known.value is not None else _take(metric, evidence)
    if values != old:
        content = {"key": key, "values": {name: asdict(value) for name, value in values.items()}}
        write_text(run.path / KEPT_IN, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))
    return values


def measured(run: RunStore, view: RunView) -> tuple[str, dict[str, Value]] | None:
    """Name of the eye and the figures that are kept for the run as it stands in ``view``, or None."""
    kept = _kept(run)
    if not kept or kept[0] != _key(view, kept[0].get("eye", "")):
        return None
    return kept[0]["eye"], kept[1]


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


def _kept(run: RunStore) -> tuple[dict[str, Any], dict[str, Value]] | None:
    try:
        content = json.loads((run.path / KEPT_IN).read_text(encoding="utf-8"))
        return content["key"], {name: Value(**value) for name, value in content["values"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return None
