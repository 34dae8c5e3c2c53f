from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from studio.hardware import Plan

PLAN = Plan("cpu", "fp32", "fp16", False, "sdpa", "adamw", False, ())


@pytest.fixture(scope="session")
def sights() -> list[Image.Image]:
    """Two pictures that have nothing in common, of different shapes."""
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 255, (*shape, 3), dtype=np.uint8)) for shape in ((40, 60), (90, 30))]
