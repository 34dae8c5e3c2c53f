"""What the page costs: a tick over many runs and a long one, and what a start brings in."""

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.store import ExperimentStore, RunStore
from studio.ui.desk import Desk
from studio.ui.page import assemble
from tests.ui.doubles import NoWorker

ROOT = Path(__file__).resolve().parents[2]
SPEC = 'name = "{0}"\n[method]\nkind = "lora"\n[schedule]\nsteps = 50000\n'
LINE = '{{"kind":"step","time":0,"step":{0},"loss":0.1,"lr":0.1,"grad_norm":1,"seconds":0.1,"memory":1}}\n'
RUNS = ("a", "b", "c", "d", "e")
VISITOR = SimpleNamespace(cookies={}, headers={}, session_hash="visit")


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """40 experiments of five runs; the newest has one of 50,000 steps."""
    for number in range(40):
        store = ExperimentStore.create(tmp_path, f"e{number}", f"name = 'e'\nruns = {list(RUNS)}\n")
        for name in RUNS:
            run = RunStore.create(store.path / name, SPEC.format(name))
            count = 50_000 if (number, name) == (39, "a") else 20
            (run.path / "events.jsonl").write_text("".join(LINE.format(step) for step in range(1, count + 1)))
    (tmp_path / "e39").touch()
    return tmp_path


def test_a_tick_over_200_runs_and_50000_losses_is_cheap(outputs: Path) -> None:
    page = assemble(Desk(outputs, NoWorker()))
    tick = next(one for one in page.fns.values() if getattr(one.fn, "__name__", "") == "tick")
    first = next(number for number, part in enumerate(tick.outputs) if part is tick.inputs[0])
    given = [getattr(part, "value", None) for part in tick.inputs]

    def ticked(seen: Any) -> Any:
        return tick.fn(seen, *given[1:], VISITOR)[first]

    seen = ticked({})
    costs = []
    for step in range(50_001, 50_008):
        with open(outputs / "e39" / "a" / "events.jsonl", "a") as file:
            file.write(LINE.format(step))
        begun = time.process_time()
        seen = ticked(seen)
        costs.append(time.process_time() - begun)
    assert f"{step} / 50000" in seen["runs"]
    assert min(costs) < 0.08  # 14 ms on two slow cores


START = """
import ast, sys
from pathlib import Path
parsed, parse = [], ast.parse
def counted(source, *more, **named):
    parsed.append("EVENTS" in str(source))
    return parse(source, *more, **named)
ast.parse = counted
import studio.ui.app as app
from studio.ui.late import LateWorker
app.application(Path(sys.argv[1]), LateWorker())
print(sorted({'torch', 'diffusers', 'transformers', 'lycoris', 'peft'} & set(sys.modules)), sum(parsed))
"""


def test_a_start_brings_in_nothing_heavy_and_reads_no_component_of_gradios(tmp_path: Path) -> None:
    words = [sys.executable, "-c", START, str(tmp_path)]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert said.stdout.strip().endswith("[] 0"), said.stdout + said.stderr
