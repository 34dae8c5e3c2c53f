"""The only file that keeps what counts for the user, with the experiment that it was said of."""

import json
from collections.abc import Mapping

from studio.compare.metrics import METRICS
from studio.compare.verdict import WEIGHTS
from studio.disk import guarded
from studio.store import ExperimentStore, write_text

KEPT_IN = "weights.json"
MOST = 5.0


def read(store: ExperimentStore) -> dict[str, float]:
    """The user's weights by metric; what was never said, or cannot be read, counts as usual."""
    try:
        kept = json.loads((store.path / KEPT_IN).read_text(encoding="utf-8"))
        said = {name: float(kept[name]) for name in _known() if name in kept}
    except (OSError, ValueError, TypeError):
        said = {}
    return {**WEIGHTS, **said}


def keep(store: ExperimentStore, weights: Mapping[str, float]) -> dict[str, float]:
    """Keep changed weights, each brought between 0 and MOST; returns all that hold now."""
    known = _known()
    said = {name: min(MOST, max(0.0, float(value))) for name, value in weights.items() if name in known}
    with guarded(store.path):  # two sliders may be let go of at once
        whole = {**read(store), **said}
        write_text(store.path / KEPT_IN, json.dumps(whole, indent=1) + "\n")
    return whole


def forget(store: ExperimentStore) -> None:
    """Let everything count as usual again."""
    write_text(store.path / KEPT_IN, "{}\n")  # a report that was written before is older than this


def _known() -> set[str]:
    return {metric.name for metric in METRICS}
