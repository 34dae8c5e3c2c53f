"""What is tried and made ready before the first step, and who leaves the card meanwhile."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from studio.data.order import batch as batch_of
from studio.engine import course, preflight, stepping
from studio.engine import learner as learning_memory
from studio.engine.bench import Bench
from studio.engine.course import Run
from studio.engine.estimate import foretold
from studio.engine.learner import Learner
from studio.engine.machine import Machine, this_hardware
from studio.engine.preflight import hardest, steady_prompts
from studio.engine.worker import Resident
from studio.families.base import DTYPES, Models
from studio.hardware import Hardware, MachineSpec, decide
from studio.section import merge
from tests import tiny

Make = Callable[..., Any]
PLAIN: Any = SimpleNamespace(prompt=lambda text: text)  # a method that leaves prompts alone
QUICK = {"schedule": {"steps": 4}, "sample": {"prompts": []}, "data": {"held_out": ""}}


@pytest.fixture
def bench(spec: Make, resident: Resident, cache: Path) -> Callable[..., Bench]:
    def make(**over: Any) -> Bench:
        wanted = spec("lora", **merge({"method": {"train_text_encoder": False}}, over))
        machine = Machine(decide(this_hardware(), wanted.machine, "adamw"))
        made = Bench(wanted, resident.models_for(wanted, machine.plan), machine, cache)
        list(made.fill())
        return made

    return make


def test_the_hardest_batch_has_the_most_cells(bench: Callable[..., Bench]) -> None:
    made = bench(schedule={"batch_size": 2})
    sizes = {0: (8, 8), 1: (4, 8), 2: (16, 8), 3: (8, 8), 4: (16, 8)}
    made.train = [SimpleNamespace(shape=sizes[index]) for index in range(5)]  # type: ignore[misc]
    made.buckets = [[1], [0, 3], [2, 4]]
    for slots in (1, 2, 3):
        step, slot = hardest(made, made.spec, slots)
        assert 0 <= slot < slots and step >= 1
        picked = batch_of(made.buckets, 2, made.spec.seed, (step - 1) * slots + slot)
        assert sorted(picked) == [2, 4]


def test_steady_prompts_are_all_that_the_steps_show(bench: Callable[..., Bench]) -> None:
    for over in ({}, {"caption_dropout": 0.5}):
        made = bench(data=over)
        learning = PLAIN
        told = set(steady_prompts(made, made.spec, learning))
        shown = {prompt for step in range(1, 30) for prompt in made.batch(step, 0, 1, learning)[0].prompts}
        made.close()
        assert shown == told and ("" in told) == bool(over)
    shuffled = bench(data={"shuffle": True})
    assert steady_prompts(shuffled, shuffled.spec, learning) == []


def test_prompts_that_are_too_many_to_remember_are_not_steady(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text encoders that leave all the same would come back at every other step, and all prompts be asked again."""
    made = bench()
    learner = Learner(made.models, made.spec.objective, False)
    prompts = steady_prompts(made, made.spec, PLAIN)
    size = preflight._size(made.models)
    for most in (len(prompts), len(prompts) - 1):
        for module in (preflight, learning_memory):
            monkeypatch.setattr(module, "REMEMBERED", most * size)
        told = steady_prompts(made, made.spec, PLAIN)
        assert told == (prompts if most == len(prompts) else [])
        learner._memory.clear()
        for prompt in told:
            learner.conditioning([prompt])
        assert list(learner._memory) == told  # what was steady is all remembered


def test_the_tried_step_leaves_no_trace(
    spec: Make, resident: Resident, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a card, with a processor in its place: the run's own steps are bit for bit what they are without it."""
    wanted = spec("lora", **QUICK)
    found = []
    for tried in (False, True):
        store = tiny.new_run(tmp_path / f"run-{tried}", wanted)
        machine = Machine(decide(this_hardware(), wanted.machine, wanted.optim.name))
        run = Run(store, wanted, machine, resident)
        calls: list[str] = []
        really = Run._backward
        monkeypatch.setattr(Run, "_backward", lambda *args: calls.append("step") or really(*args))  # noqa: B023
        if tried:
            machine.plan = dataclasses.replace(machine.plan, device="card", offload=True)
            monkeypatch.setattr(Models, "rest", lambda models, text: calls.append("rest"))  # noqa: B023
            monkeypatch.setattr(Machine, "autocast", lambda machine: torch.autocast("cpu", enabled=False))
            monkeypatch.setattr(stepping, "memory_peak", lambda device: 0)
            monkeypatch.setattr(course, "reset_memory_peak", lambda device: None)
            monkeypatch.setattr(resident, "models_for", lambda spec, plan: resident._models)
        events = list(run.events())
        assert calls[:2] == ["rest" if tried else "step", "step"]  # who rests in the steps does so in the tried one
        assert calls.count("step") == (5 if tried else 4)
        assert any("This run needs about" in getattr(event, "text", "") for event in events) == tried
        found.append(([event.loss for event in events if event.kind == "step"], tiny.checkpoint(store, 4)[0]))  # type: ignore[attr-defined]
        monkeypatch.undo()
    assert found[0][0] == found[1][0] and tiny.same(found[0][1], found[1][1])


class Guest(nn.Module):
    """Counts its moves."""

    def __init__(self) -> None:
        super().__init__()
        self.moves: list[str] = []

    def to(self, device: Any) -> Guest:  # type: ignore[override]
        self.moves.append(str(device))
        return self


def on_a_card(models: Models, device: str = "cuda") -> tuple[Models, Guest, Guest]:
    text, vae = Guest(), Guest()
    fake = dataclasses.replace(
        models, text_encoders={"text_encoder": text}, vae=vae, device=torch.device(device), _away=set()
    )
    return fake, text, vae


def test_guests_leave_the_card_once_and_come_back_when_asked(bench: Callable[..., Bench]) -> None:
    models, text, vae = on_a_card(bench().models)
    models.rest(text=False)
    models.rest(text=False)
    assert (text.moves, vae.moves) == ([], ["cpu"]) and not models.at_rest
    models.rest(text=True)
    assert models.at_rest and text.moves == ["cpu"]
    models.wake("text_encoder")
    models.wake("text_encoder")
    assert text.moves == ["cpu", "cuda"] and vae.moves == ["cpu"] and not models.at_rest
    models.wake()
    assert vae.moves[-1] == "cuda" and text.moves == ["cpu", "cuda"]


def test_on_a_processor_nobody_moves(bench: Callable[..., Bench]) -> None:
    models, text, vae = on_a_card(bench().models, "cpu")
    models.rest(text=True)
    models.wake()
    assert text.moves == vae.moves == [] and not models.at_rest


def test_whoever_asks_wakes(bench: Callable[..., Bench]) -> None:
    real = bench().models
    models = dataclasses.replace(real, _away=set())
    woken: list[tuple[str, ...]] = []
    models.wake = lambda *names: woken.append(names)  # type: ignore[method-assign]
    models.decode(torch.zeros(1, 4, 8, 8))
    models.moments(torch.zeros(1, 3, 64, 64))
    models.family.encode(models, ["a"])
    models.family.encode_prompt(models, "a")
    assert woken == [("vae",), ("vae",), ("text_encoder",), ("text_encoder",)]


@pytest.mark.parametrize("text_learns", [False, True])
def test_the_text_side_leaves_only_while_it_is_frozen(text_learns: bool, bench: Callable[..., Bench]) -> None:
    made = bench()
    asked: list[str] = []
    rested: list[bool] = []
    precise: list[str] = []
    autocast = lambda: precise.append("as steps ask") or contextlib.nullcontext()  # noqa: E731
    run = SimpleNamespace(
        machine=SimpleNamespace(plan=SimpleNamespace(offload=True), autocast=autocast),
        text_learns=text_learns,
        bench=made,
        spec=made.spec,
        method=PLAIN,
        learner=SimpleNamespace(
            conditioning=asked.extend, knows=lambda prompts: text_learns or set(prompts) <= set(asked)
        ),
        eased=False,
    )
    made.models = dataclasses.replace(made.models, _away={"text_encoder", "vae"})  # as on a small card from the start
    made.models.rest = lambda text: rested.append(text)  # type: ignore[method-assign]
    Run._ease(run)  # type: ignore[arg-type]
    once = ["as steps ask"] * (not text_learns)
    assert rested == [not text_learns] and len(asked) == 5 * (not text_learns) and precise == once
    Run._ease(run)  # type: ignore[arg-type]
    assert len(rested) == 1 and precise == once
    run.machine.plan.offload = False
    Run._ease(run)  # type: ignore[arg-type]
    assert len(rested) == 1


@pytest.mark.parametrize("learns", [False, True])
def test_text_encoders_that_learn_are_awake_when_what_moves_them_is_made(
    learns: bool, spec: Make, resident: Resident, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may rest since the pictures were encoded; the optimizer's state would lie where they do, and stay there."""
    wanted = spec("lora", **merge(QUICK, {"method": {"train_text_encoder": learns}}))
    machine = Machine(decide(this_hardware(), wanted.machine, wanted.optim.name))
    run = Run(tiny.new_run(tmp_path / "run", wanted), wanted, machine, resident)
    said: list[Any] = []
    monkeypatch.setattr(Models, "wake", lambda models, *names: said.append(names))
    really = course.stand_ins
    monkeypatch.setattr(course, "stand_ins", lambda groups: said.append("made") or really(groups))
    events: Any = run.events()
    with contextlib.closing(events):
        assert any(event.kind == "measured" for event in events)
    assert (("text_encoder",) in said[: said.index("made")]) == learns


@pytest.mark.parametrize("small", [False, True])
def test_nobody_is_called_to_a_small_card_for_a_picture_before_its_turn(small: bool) -> None:
    calls: list[str] = []
    models = SimpleNamespace(one_at_a_time=small, wake=lambda: calls.append("all"))
    run: Any = SimpleNamespace(bench=SimpleNamespace(models=models))
    assert list(Run._if_it_fits(run, "preview", iter(()))) == []
    assert calls == ([] if small else ["all"])


def test_the_vae_computes_in_float32_whatever_the_run_does(bench: Callable[..., Bench]) -> None:
    """SDXL's overflows in half precision."""
    models = bench().models
    latents, pixels = torch.randn(1, 4, 8, 8), torch.rand(1, 3, 64, 64)
    exact = models.decode(latents), models.moments(pixels)
    with torch.autocast("cpu", DTYPES["bf16"]):
        assert torch.equal(models.decode(latents), exact[0]) and torch.equal(models.moments(pixels), exact[1])


def test_one_worker_keeps_one_model_with_and_without_checkpointing(spec: Make, cache: Path) -> None:
    worker = Resident(cache)
    wanted = spec("lora")
    found = []
    for on in (False, True, False):
        plan = decide(Hardware(), MachineSpec(gradient_checkpointing=on), "adamw")
        models = worker.models_for(wanted, plan)
        assert models.unet.is_gradient_checkpointing == on
        found.append(models)
    assert found[0] is found[1] is found[2]


def test_what_cannot_be_foretold_ends_no_run(spec: Make, tmp_path: Path) -> None:
    wanted = spec("lora", base={"model": str(tmp_path)})
    assert "could not be told" in foretold(wanted, decide(Hardware(), wanted.machine, "adamw"), 5 << 30)


def test_a_step_in_channels_last_is_the_same_step(spec: Make, cache: Path, resident: Resident) -> None:
    """Stated tolerance: 1e-5."""
    wanted = spec("lora", **QUICK)
    losses = []
    for on in (False, True):
        plan = decide(Hardware(), MachineSpec(channels_last=on), "adamw")
        models = Resident(cache).models_for(wanted, plan)
        weight = models.unet.conv_in.weight
        assert weight.is_contiguous(memory_format=torch.channels_last) == on
        made = Bench(wanted, models, Machine(plan), cache)
        list(made.fill())
        learning = PLAIN
        batch, chance = made.batch(1, 0, 1, learning)
        made.close()
        with torch.no_grad():
            losses.append(Learner(models, wanted.objective, False)(batch, chance))
    assert torch.allclose(*losses, atol=1e-5)
