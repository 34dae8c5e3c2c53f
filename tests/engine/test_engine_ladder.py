"""A full device: the rungs in their order, from the last good state; the same pictures, noise and gradient after."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from studio.engine import optim
from studio.engine.climb import Climbing
from studio.engine.ladder import cut, next_rung
from studio.engine.learner import Batch, Learner
from studio.engine.run import extend, train
from studio.engine.worker import Resident
from studio.events import Decided, Event, Failed, Started
from studio.hardware import Hardware, decide
from studio.objective import Draw
from studio.section import merge
from studio.spec import RunSpec, spec_from_toml
from studio.store import RunStore
from tests import tiny

Make = Callable[..., Any]
FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
WORKS = Hardware(probes={"bitsandbytes": "", "xformers": ""})
QUICK = {
    "schedule": {"steps": 4, "batch_size": 4},
    "sample": {"prompts": []},
    "save": {"formats": ["kohya"]},
    "data": {"held_out": ""},
}


@pytest.fixture
def start(tmp_path: Path, spec: Make) -> Callable[..., RunStore]:
    """The folder of a new LoRA run of four steps with batches of four."""
    return lambda name="run", **over: tiny.new_run(tmp_path / name, spec("lora", **merge(QUICK, over)))


def rungs(events: list[Event]) -> list[str]:
    found = [event.choice for event in events if isinstance(event, Decided) and event.what == "memory"]
    return list(dict.fromkeys(found))


def losses(events: list[Event]) -> dict[int, float]:
    return {event.step: event.loss for event in events if event.kind == "step"}  # type: ignore[attr-defined]


def at_end(store: RunStore) -> RunSpec:
    return spec_from_toml(store.spec_text())


def climb(spec: RunSpec, hw: Hardware, updating: bool = False) -> list[str]:
    """The names of all rungs, one after the other."""
    found = []
    while rung := next_rung(spec, decide(hw, spec.machine, spec.optim.name), hw, updating):
        found.append(rung.name)
        spec = rung.on(spec)
        assert rung.reason.startswith("The device was full; ") and rung.reason.endswith(".")
        assert len(found) < 20
    return found


def test_the_ladder_is_checkpointing_then_8_bit_then_smaller_batches(spec: Make) -> None:
    four = spec("lora", schedule={"batch_size": 4})
    assert climb(four, WORKS) == ["gradient checkpointing", "8-bit optimizer", "smaller batch", "smaller batch"]
    without = Hardware(probes={"bitsandbytes": "it is not installed."})
    assert climb(four, without) == ["gradient checkpointing", "smaller batch", "smaller batch"]
    assert climb(four, WORKS, updating=True) == ["8-bit optimizer"]
    least = spec("lora", schedule={"batch_size": 1}, machine={"gradient_checkpointing": True}, optim={"name": "sgd"})
    assert climb(least, WORKS) == []
    beside_class_images = spec("lora", schedule={"batch_size": 1}, data={"class_images": 2})
    assert climb(beside_class_images, without) == ["gradient checkpointing", "smaller batch"]


def test_no_rung_changes_what_a_run_sees(spec: Make) -> None:
    before = after = spec("lora", schedule={"batch_size": 3, "accumulation": 2})
    while rung := next_rung(after, decide(WORKS, after.machine, after.optim.name), WORKS, False):
        after = rung.on(after)
    changed = {"machine": {"gradient_checkpointing": False, "split": 1}, "optim": {"name": "adamw"}}
    assert after.machine.split == 3
    assert type(after).model_validate(merge(after.model_dump(), changed)) == before


@pytest.mark.parametrize(("count", "parts", "sizes"), [(4, 1, [4]), (4, 2, [2, 2]), (5, 2, [2, 3]), (2, 9, [1, 1])])
def test_a_cut_batch_is_the_batch(count: int, parts: int, sizes: list[int]) -> None:
    shape = (count, 4, 2, 2)
    batch = Batch(torch.randn(count, 8, 2, 2), [str(index) for index in range(count)], torch.rand(count))
    for shown in (None, torch.randn(shape)):
        chance = Draw(torch.randn(shape), torch.arange(count), torch.randn(shape), shown)
        found = cut(batch, chance, parts)
        assert [len(part.prompts) for part, _ in found] == sizes
        assert [prompt for part, _ in found for prompt in part.prompts] == batch.prompts
        for field in dataclasses.fields(Draw):
            whole = getattr(chance, field.name)
            pieces = [getattr(part, field.name) for _, part in found]
            assert pieces == [None] * len(sizes) if whole is None else torch.equal(torch.cat(pieces), whole)
        assert torch.equal(torch.cat([part.moments for part, _ in found]), batch.moments)
        assert torch.equal(torch.cat([part.weights for part, _ in found]), batch.weights)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_parts_add_up_to_the_batch(accumulation: int, start: Callable[..., RunStore], resident: Resident) -> None:
    """Stated tolerance: 1e-6 of the loss, 1e-4 of what plain SGD moved."""
    found = {}
    for split in (1, 2, 4):
        store = start(
            f"split-{split}",
            schedule={"accumulation": accumulation, "steps": 3},
            optim={"name": "sgd", "lr": 0.1},
            machine={"split": split},
        )
        events = list(train(store, resident))
        assert events[-1].kind == "finished"
        found[split] = losses(events), tiny.checkpoint(store, 3)[0]
    for split in (2, 4):
        assert found[split][0] == pytest.approx(found[1][0], abs=1e-6)
        for name, tensor in found[1][1].items():
            assert torch.allclose(found[split][1][name], tensor, atol=1e-6, rtol=1e-4)


class SmallDevice:
    """A device on which a step finds room only when ``fits`` says so of the learner and the pictures at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fits: Callable[[Learner, int], bool], since: int = 0) -> None:
        self.calls = 0
        self.together: list[int] = []
        really = Learner.forward

        def forward(learner: Learner, batch: Batch, chance: Draw) -> torch.Tensor:
            if torch.is_grad_enabled():
                self.calls += 1
                if self.calls > since and not fits(learner, len(batch.prompts)):
                    raise FULL
                self.together.append(len(batch.prompts))
            return really(learner, batch, chance)

        monkeypatch.setattr(Learner, "forward", forward)


def checkpointed(learner: Learner) -> bool:
    return bool(learner.parts["unet"].is_gradient_checkpointing)


def test_a_full_device_is_climbed_out_of_and_the_run_ends_as_it_would_have(
    start: Callable[..., RunStore], resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = start("plain", optim={"name": "sgd", "lr": 0.1})
    expected = losses(list(train(plain, resident)))
    device = SmallDevice(monkeypatch, lambda learner, count: checkpointed(learner) and count == 1, since=2)
    store = start(optim={"name": "sgd", "lr": 0.1})
    events = list(train(store, resident))
    assert events[-1].kind == "finished", events[-1]
    assert rungs(events) == ["gradient checkpointing", "smaller batch"]
    assert device.together == [4, 4, *[1] * 8]
    assert [event.step for event in events if isinstance(event, Started)] == [0, 2, 2, 2]
    assert losses(events) == pytest.approx(expected, abs=1e-6)
    assert losses(events)[1] == expected[1] and losses(events)[2] == expected[2]
    assert at_end(store).machine.gradient_checkpointing and at_end(store).machine.split == 4
    assert (at_end(store).schedule.batch_size, at_end(store).schedule.accumulation) == (4, 1)
    view = store.view()
    assert view.state == "finished" and [step for step, _ in view.losses] == [1, 2, 3, 4]
    # a later sitting begins on the rung that was reached, and another run of the same worker at the bottom
    extend(store, 6)
    more = list(train(store, resident))
    assert more[-1].kind == "finished" and rungs(more) == []
    assert device.together[-8:] == [1] * 8
    monkeypatch.undo()
    assert losses(list(train(start("again", optim={"name": "sgd", "lr": 0.1}), resident))) == expected


def test_the_last_good_state_is_kept_bit_for_bit(
    start: Callable[..., RunStore], resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = start("saved", save={"every": 2})
    list(train(saved, resident))
    device = SmallDevice(monkeypatch, lambda learner, count: checkpointed(learner), since=2)
    store = start()
    for event in train(store, resident):
        if isinstance(event, Decided) and event.what == "memory":
            break
    assert device.together == [4, 4]
    assert tiny.same(tiny.checkpoint(store, 2)[0], tiny.checkpoint(saved, 2)[0])
    assert tiny.same(tiny.checkpoint(store, 2)[1], tiny.checkpoint(saved, 2)[1])


def test_an_8_bit_optimizer_takes_over_with_a_memory_of_its_own(
    start: Callable[..., RunStore], resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    really = optim.create
    monkeypatch.setattr(optim, "create", lambda name, *args: made.append(name) or really(name, *args))
    SmallDevice(monkeypatch, lambda *_: made[-1] == "adamw8bit", since=2)
    store = start()
    events = list(train(store, resident))
    assert events[-1].kind == "finished", events[-1]
    assert rungs(events) == ["gradient checkpointing", "8-bit optimizer"]
    assert made == ["adamw", "adamw", "adamw8bit"] and at_end(store).optim.name == "adamw8bit"
    assert list(losses(events)) == [1, 2, 3, 4]


@pytest.mark.parametrize("every", [0, 1])
def test_an_update_that_broke_off_is_never_gone_on_from(
    every: int, start: Callable[..., RunStore], resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights are half old, half new: the run goes back to its last checkpoint, or begins again."""
    updates: list[int] = []
    really = torch.optim.AdamW.step

    def step(optimizer: Any, *args: Any) -> Any:
        updates.append(1)
        if len(updates) == 3:
            with torch.no_grad():
                optimizer.param_groups[0]["params"][0].add_(100)
            raise FULL
        return really(optimizer, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    store = start(save={"every": every})
    events = list(train(store, resident))
    assert events[-1].kind == "finished", events[-1]
    assert rungs(events) == ["8-bit optimizer"]
    assert [event.step for event in events if isinstance(event, Started)] == [0, 2 * every]
    assert all(float(tensor.abs().max()) < 50 for tensor in tiny.checkpoint(store, 4)[0].values())
    assert [step for step, _ in store.view().losses] == [1, 2, 3, 4]


def test_at_the_end_of_the_ladder_stands_the_error_and_the_run_can_go_on(
    start: Callable[..., RunStore], resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    SmallDevice(monkeypatch, lambda *_: False, since=1)
    store = start(optim={"name": "sgd", "lr": 0.1}, schedule={"batch_size": 2})
    events = list(train(store, resident))
    assert isinstance(events[-1], Failed) and "batch_size" in events[-1].text
    assert rungs(events) == ["gradient checkpointing", "smaller batch"]
    assert [step for step, _ in store.checkpoints()] == [1]
    monkeypatch.undo()
    rest = list(train(store, resident))
    assert rest[-1].kind == "finished" and list(losses(rest)) == [2, 3, 4]


@pytest.mark.parametrize(("world", "doing"), [(2, "step"), (1, "")])
def test_what_one_of_several_ranks_alone_knows_and_other_work_than_steps_do_not_climb(
    world: int, doing: str, spec: Make
) -> None:
    plan = decide(WORKS, spec("lora").machine, "adamw")
    machine = SimpleNamespace(world=world, plan=plan, agree=lambda value: value)
    run = SimpleNamespace(doing=doing, spec=spec("lora"), machine=machine, climbs=False, reached=[])
    with pytest.raises(torch.OutOfMemoryError):
        Climbing.look_up(run, FULL)  # type: ignore[arg-type]
    run.doing, run.machine.world = "step", 1
    Climbing.look_up(run, FULL)  # type: ignore[arg-type]
    assert run.climbs and run.reached[0].name == "gradient checkpointing"
    with pytest.raises(RuntimeError, match="shapes"):
        Climbing.look_up(run, RuntimeError("shapes do not fit"))  # type: ignore[arg-type]
