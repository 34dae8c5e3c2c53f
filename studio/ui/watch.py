"""The only file that remembers how far the page has read each run, for all tabs and visitors together."""

import threading
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.events import RunView
from studio.store import Cursor, ExperimentStore, RunStore, experiments
from studio.ui.plot import Point, Smooth

BASE = "base"


@dataclass(frozen=True)
class Seen:
    """A run as the page shows it. ``age`` is seconds since its engine's last sign of life, None without an engine."""

    name: str
    kind: str
    store: RunStore
    view: RunView
    total: int
    curve: tuple[Point, ...]
    age: float | None = None
    second: bool = False
    raw: tuple[Point, ...] = ()
    """The loss itself, thinned as ``curve`` is."""

    @property
    def is_base(self) -> bool:
        """True for the untrained base model, shown beside the runs."""
        return self.kind == BASE

    @property
    def newest(self) -> int | None:
        """The latest step with samples, or None."""
        return max(self.view.samples, default=None)

    @property
    def sort(self) -> str:
        """What the grid compares: everything that decides how the run's newest samples look."""
        return f"{self.name}:{self.newest}:{self.view.updated if self.view.state == 'finished' else ''}"


class Watch:
    """Reads what was appended since the last look; the folders stay the only truth."""

    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs
        self._cursors: dict[Path, Cursor] = {}
        self._curves: dict[Path, Smooth] = {}
        self._files: dict[Path, tuple[int, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def experiments(self) -> list[ExperimentStore]:
        """Every experiment, the newest first."""
        return experiments(self.outputs) if self.outputs.is_dir() else []

    def shown(self, working: str = "") -> ExperimentStore | None:
        """The experiment in hand: the one the worker is at, else the newest."""
        if working and (self.outputs / working / "experiment.toml").is_file():
            return ExperimentStore(self.outputs / working)
        return next(iter(self.experiments()), None)

    def finished(self) -> tuple[int, int]:
        """How many runs were read, and how many of them are at their end: what a pace can be learnt from."""
        known = list(self._cursors.values())
        return len(known), sum(cursor.view.state == "finished" for cursor in known)

    def runs(self, experiment: ExperimentStore) -> list[Seen]:
        """The base first, then the runs in the experiment's order."""
        with self._lock:
            order = list(self._toml(experiment.path / "experiment.toml").get("runs", ()))
            stores = {store.path.name: store for store in experiment.runs() if store.path.name != BASE}
            names = [name for name in order if name in stores] + [name for name in stores if name not in order]
            seen: list[Seen] = []
            base = experiment.run(BASE)
            if base.path.is_dir():
                seen.append(Seen(BASE, BASE, base, self._read(base).view, 0, ()))
            for name in names:
                seen.append(self._seen(stores[name], {run.kind for run in seen}))
            return seen

    def _seen(self, store: RunStore, kinds: set[str]) -> Seen:
        cursor = self._read(store)
        spec = self._toml(store.path / "spec.toml")
        kind = str(spec.get("method", {}).get("kind", ""))
        total = cursor.view.total or int(spec.get("schedule", {}).get("steps", 0))
        view = store.view(cursor)
        sign = store.sign_of_life() if view.busy else None
        age = max(0.0, time.time() - sign["time"]) if sign else None
        smooth = self._curves.setdefault(store.path, Smooth())
        curve = tuple(smooth.take(view.losses))
        return Seen(store.path.name, kind, store, view, total, curve, age, kind in kinds, tuple(smooth.raw))

    def _read(self, store: RunStore) -> Cursor:
        cursor = store.read(self._cursors.get(store.path))
        self._cursors[store.path] = cursor
        return cursor

    def _toml(self, path: Path) -> dict[str, Any]:
        try:
            changed = path.stat().st_mtime_ns
            known = self._files.get(path)
            if known is None or known[0] != changed:
                known = (changed, tomllib.loads(path.read_text(encoding="utf-8")))
                self._files[path] = known
            return known[1]
        except (OSError, ValueError):
            return {}

    def spec(self, run: RunStore) -> dict[str, Any]:
        """A run's settings as plain tables; empty when they cannot be read."""
        with self._lock:
            return self._toml(run.path / "spec.toml")

    def about(self, experiment: ExperimentStore) -> dict[str, Any]:
        """An experiment's description as plain tables; empty when it cannot be read."""
        with self._lock:
            return self._toml(experiment.path / "experiment.toml")
