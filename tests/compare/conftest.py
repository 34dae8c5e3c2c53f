"""A dataset, an engine and a finished experiment for the tests of the comparison."""

from collections.abc import Callable
from pathlib import Path

import pytest
from compare_doubles import ColourEye, Engine, paint, spec

from studio.compare import experiment
from studio.store import ExperimentStore


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Red pictures to train on, red ones held out."""
    for folder in ("train", "held"):
        for i in range(3):
            paint(tmp_path / "data" / folder / f"{i}.png", "red")
    return tmp_path / "data"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine's place is taken by a double."""
    double = Engine()
    monkeypatch.setattr(experiment, "_engine", lambda: double)
    return double


@pytest.fixture
def eye() -> ColourEye:
    return ColourEye()


@pytest.fixture
def carried_out(data: Path, engine: Engine, eye: ColourEye, tmp_path: Path) -> Callable[..., ExperimentStore]:
    """Make an experiment of the given kinds and carry it out."""

    def make(*kinds: str, name: str = "first", repeats: int = 1) -> ExperimentStore:
        store = experiment.create(tmp_path / "outputs", name, [spec(data, kind) for kind in kinds], repeats)
        list(experiment.run(store, None, eye=eye))
        return store

    return make
