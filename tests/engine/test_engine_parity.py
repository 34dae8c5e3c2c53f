"""What `bench --parity` and `bench --convergence` say: what agrees, what learns, what does not, and what cannot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from studio import cli
from studio.engine import convergence, parity
from studio.engine.convergence import Case, learn
from studio.engine.machine import this_hardware
from studio.engine.parity import PAIRS, Apart, Pair, Side, Trace, apart, compare_ways
from studio.engine.worker import Resident
from studio.optimizer import OptimSpec
from studio.schedule import ScheduleSpec
from tests import tiny

EXACT = Apart(0.0, 0.0, 0.0)


@pytest.fixture
def small(base: Path, pictures: Path) -> dict[str, Any]:
    """What makes any preset small enough for a test."""
    return {
        "base": {"model": str(base)},
        "data": {"folder": str(pictures), "class_word": "toy", "resolution": tiny.SIDE},
    }


def named(*words: str) -> tuple[Pair, ...]:
    return tuple(pair for pair in PAIRS if any(word in pair.name for word in words))


def test_ways_that_should_agree_do(small: dict[str, Any], resident: Resident) -> None:
    tried = named("plain attention", "encoded", "accumulation")
    assert len(tried) == 3
    for verdict in compare_ways(this_hardware(), 1, tried, resident, small):
        assert verdict.passed, verdict
    text = parity.to_markdown([verdict], 1, "here")
    assert "| accumulation 4 / batch of 4 |" in text and text.endswith("| agree |\n")


def test_ways_that_do_not_agree_are_said_to_differ(small: dict[str, Any], resident: Resident) -> None:
    seeds = Pair(Side("a seed"), Side("another", {"seed": 7}), Apart(1e-6, 0.5, 0))
    (verdict,) = compare_ways(this_hardware(), 1, (seeds,), resident, small)
    assert verdict.passed is False and verdict.said == "DIFFER"
    assert verdict.apart and verdict.apart.loss > 1e-6 and verdict.apart.weights > 0.5


def test_what_cannot_be_tried_here_is_said_and_is_no_failure(resident: Resident) -> None:
    (verdict,) = compare_ways(this_hardware(), 1, named("xformers"), resident)
    assert verdict.passed is None and "CUDA cards only" in verdict.said
    assert "not here" in parity.to_markdown([verdict], 1, "here")


def test_how_far_apart_is_measured_in_what_moved() -> None:
    start, picture = {"a": torch.zeros(4)}, np.zeros((2, 2, 3), np.int16)
    one = Trace([1.0, 0.5], {"a": torch.full((4,), 2.0)}, start, picture)
    other = Trace([1.0, 0.25], {"a": torch.full((4,), 1.0)}, start, picture + 9)
    assert apart(one, other) == Apart(0.25, 1.0, 9.0) and apart(one, one) == EXACT
    assert apart(one, other).within(Apart(0.25, 1.0, 9)) and not apart(one, other).within(Apart(0.25, 1.0, 8))


def test_every_optimizer_and_schedule_has_a_case() -> None:
    specs = [case.spec(60, Path("x")) for case in convergence.CASES]
    assert {spec.optim.name for spec in specs} == set(get_args(OptimSpec.model_fields["name"].annotation))
    assert {spec.schedule.kind for spec in specs} == set(get_args(ScheduleSpec.model_fields["kind"].annotation))
    assert any(spec.schedule.rates for spec in specs) and any(spec.optim.ema for spec in specs)
    assert all(spec.optim.problems(spec.schedule) == [] for spec in specs)


def test_what_learns_what_does_not_and_what_breaks_is_told_apart(small: dict[str, Any], resident: Resident) -> None:
    cases = (
        Case("good", {"optim": {"lr": 1e-2, "weight_decay": 0.0}}),
        Case("timid", {"optim": {"lr": 1e-9}}, "far too low"),
        Case("wild", {"optim": {"name": "sgd", "lr": 100.0, "clip": 0.0}, "method": {"alpha": 512.0}}),
    )
    found = {one.case: one for one in learn(12, cases, resident, small)}
    assert [one.passed for one in found.values()] == [True, False, False]
    assert found["good"].before == found["timid"].before == pytest.approx(found["timid"].after, abs=1e-4)
    assert found["wild"].after == math.inf and "optim.lr" in found["wild"].note
    text = convergence.to_markdown(list(found.values()), 12, "here")
    assert "| timid | 1e-09 (far too low) |" in text and text.count("DOES NOT LEARN") == 2


def test_the_words_write_their_tables_and_fail_where_a_check_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts = [parity.Verdict("a / b", EXACT, EXACT), parity.Verdict("c / d", None, EXACT, "no card.")]
    asked: list[Any] = []
    monkeypatch.setattr(parity, "compare_ways", lambda hw, steps, pairs: asked.append((steps, pairs)) or iter(verdicts))
    words = ["bench", "--parity", "--only", "fused step", "--out", str(tmp_path / "out")]
    assert cli.main(words) == 0
    assert asked == [(6, named("fused step"))]
    assert "| a / b |" in (tmp_path / "out" / "parity.md").read_text()
    verdicts.append(parity.Verdict("e / f", Apart(1, 0, 0), EXACT))
    assert cli.main(words) == 1
    found = [convergence.Learnt("adamw", "0.1", 1.0, 0.5)]
    monkeypatch.setattr(convergence, "learn", lambda steps, cases: iter(found))
    assert cli.main(["bench", "--convergence", "--out", str(tmp_path)]) == 0
    assert "| adamw | 0.1 | 1.000 | 0.500 | learns |" in (tmp_path / "convergence.md").read_text()
    found.append(convergence.Learnt("sgd", "0.1", 1.0, 0.99))
    assert cli.main(["bench", "--convergence", "--out", str(tmp_path)]) == 1
    assert cli.main(["bench", "--parity", "--only", "nonsense"]) == 2
    assert "fused step / plain step" in capsys.readouterr().err
