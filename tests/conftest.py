from __future__ import annotations

import os

for name, value in {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}.items():
    os.environ.setdefault(name, value)

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.cli import quiet

quiet()

LONG = ("test_engine_kill", "test_engine_ranks", "test_engine_sharded", "test_engine_parity", "test_page")
"""Files, by how their names begin, that take long with few tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first: at the end one such file would keep all others waiting for it."""
    items.sort(key=lambda item: not item.path.name.startswith(LONG))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Bitwise comparisons need a fixed number of threads, and shared machines few."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random SD1 pipeline folder."""
    from tests import tiny

    return tiny.save_pipeline(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five captioned pictures, with two held-out ones beside the folder."""
    from tests import tiny

    return tiny.save_pictures(tmp_path_factory.mktemp("data") / "toys")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for latents, shared by all tests: they depend on nothing but picture and VAE."""
    return tmp_path_factory.mktemp("latents")


@pytest.fixture(scope="session")
def resident(cache: Path) -> Any:
    """The tiny base in memory, as the page's worker keeps it: what one test leaves in it, the next one would see."""
    from studio.engine.worker import Resident

    return Resident(cache)


@pytest.fixture
def spec(base: Path, pictures: Path) -> Callable[..., Any]:
    """Make the spec of a short run: ``spec("lora", schedule={"steps": 3})``."""
    from tests import tiny

    return lambda kind, **over: tiny.spec(kind, base, pictures, **over)
