"""float16's loss scaler, with a processor in the card's place: the plain step, and a step too large is passed over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.engine import checkpoint, stepping
from studio.engine.course import Run
from studio.engine.machine import Machine, this_hardware
from studio.engine.run import extend
from studio.engine.worker import Resident
from studio.events import Event, Note, Step
from studio.hardware import decide
from studio.spec import spec_from_toml
from studio.store import RunStore
from tests import tiny

SCALE = 2.0**12  # a power of two, which changes no digit of a float32
Scaled = Callable[..., tuple[RunStore, list[Event]]]


@pytest.fixture
def scaled(tmp_path: Path, spec: Callable[..., Any], resident: Resident) -> Scaled:
    """Three steps with a loss scaler or without, where gradients are clipped; step ``broken``, or ``ever`` from it on,
    is infinite."""

    def go(on: bool, broken: int = 0, ever: bool = False) -> tuple[RunStore, list[Event]]:
        wanted = spec(
            "lora",
            method={"train_text_encoder": False},
            optim={"clip": 1e-3},
            schedule={"steps": 3, "batch_size": 1},
            sample={"prompts": []},
            data={"held_out": ""},
            save={"every": 1, "keep": 3, "formats": ["kohya"]},
        )
        machine = Machine(decide(this_hardware(), wanted.machine, wanted.optim.name))
        machine.scaler = torch.amp.GradScaler("cpu", init_scale=SCALE, enabled=on)
        store = tiny.new_run(tmp_path / f"run-{on}-{broken}", wanted)
        run, events, calls = Run(store, wanted, machine, resident), [], []

        def spoilt(gradient: torch.Tensor) -> torch.Tensor:
            calls.append(1)
            return gradient * torch.inf if len(calls) == broken or (ever and len(calls) > broken) else gradient

        for event in run.events():
            events.append(event)
            if event.kind == "measured":
                next(iter(run.method.live.values())).register_hook(spoilt)
        assert events[-1].kind == ("stopped" if ever else "finished"), events[-1]
        return store, events

    return go


def steps(events: list[Event]) -> list[tuple[float, float]]:
    return [(event.loss, event.grad_norm) for event in events if isinstance(event, Step)]


def test_a_scaled_loss_makes_the_plain_step_bit_for_bit(scaled: Scaled) -> None:
    """Gradients are brought back to their size before they are measured and shortened."""
    (plain, expected), (store, found) = scaled(False), scaled(True)
    assert steps(found) == steps(expected)
    assert all(norm > 1e-3 for _, norm in steps(expected)), "nothing was clipped"
    for step in (1, 3):
        assert tiny.same(tiny.checkpoint(store, step)[0], tiny.checkpoint(plain, step)[0])


def test_a_step_too_large_for_float16_moves_nothing_and_halves_the_scale(scaled: Scaled) -> None:
    store, events = scaled(True, broken=2)
    assert [norm > 0 for _, norm in steps(events)] == [True, False, True]
    weights = [tiny.checkpoint(store, step)[0] for step in (1, 2, 3)]
    assert tiny.same(weights[0], weights[1]) and not tiny.same(weights[1], weights[2])
    scales = [checkpoint.plain_of(store.checkpoint_folder(step), "scaler")["scale"] for step in (1, 2, 3)]
    assert scales == [SCALE, SCALE / 2, SCALE / 2]


def test_a_run_in_which_no_step_is_ever_finite_says_so_and_goes_back(
    scaled: Scaled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stepping, "IN_VAIN", 2)
    store, events = scaled(True, broken=2, ever=True)
    assert [event.step for event in events if isinstance(event, Step)] == [1, 2]  # the third is refused
    (said,) = [event.text for event in events if isinstance(event, Note) and event.level == "warning"]
    assert "passed over 2 steps in a row" in said and "lower optim.lr" in said
    assert store.checkpoints()[-1][0] == 2 and "went back to step 2" in said
    assert tiny.same(tiny.checkpoint(store, 1)[0], tiny.checkpoint(store, 2)[0])  # nothing was learnt since


def test_a_run_that_needed_no_scaler_goes_on_with_one(scaled: Scaled, resident: Resident) -> None:
    """As when it is resumed in float16, or on an older card."""
    store, _ = scaled(False)
    extend(store, 4)
    wanted = spec_from_toml(store.spec_text())
    machine = Machine(decide(this_hardware(), wanted.machine, wanted.optim.name))
    machine.scaler = torch.amp.GradScaler("cpu", init_scale=SCALE)
    events = list(Run(store, wanted, machine, resident).events())
    assert events[-1].kind == "finished" and [event.step for event in events if isinstance(event, Step)] == [4]
