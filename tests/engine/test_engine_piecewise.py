"""Full fine-tunes on little memory: steps fused into the backward pass, and weights in bfloat16 rounded by chance."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.engine import checkpoint, piecewise, stepping
from studio.engine.draw import rounding
from studio.engine.ladder import next_rung
from studio.engine.optim import create, set_rates
from studio.engine.piecewise import OneByOne, rounded_, stand_ins, way
from studio.engine.run import train
from studio.engine.worker import Resident
from studio.errors import NonFiniteError
from studio.events import Decided, Event, Started
from studio.hardware import Hardware, decide
from studio.methods.base import ParamGroup
from studio.optimizer import OptimSpec
from studio.section import merge
from studio.store import RunStore
from tests import tiny
from tests.engine.test_engine_optim import OPTIMIZERS, RATES

Make = Callable[..., Any]
TOGETHER = [name for name in OPTIMIZERS if name != "prodigy"]
FUSED = {"fused_backward": True, "clip": 0.0}
QUICK = {
    "method": {"train_text_encoder": False},
    "data": {"held_out": ""},
    "schedule": {"steps": 4, "batch_size": 1},
    "sample": {"prompts": []},
    "save": {"formats": ["diffusers"]},
}
CARD = Hardware(device="cuda", name="a card", bf16=True, fp16=True, probes={"bitsandbytes": "", "xformers": ""})
BF16 = Hardware(bf16=True, probes={"bitsandbytes": "", "xformers": "it runs on CUDA cards only."})


def model(dtype: torch.dtype = torch.float32) -> tuple[torch.nn.Module, dict[str, Any], list[ParamGroup]]:
    torch.manual_seed(5)
    made = torch.nn.Sequential(torch.nn.Linear(96, 64), torch.nn.Tanh(), torch.nn.Linear(64, 80)).to(dtype)
    live = dict(made.named_parameters())
    first, last = ({key: p for key, p in live.items() if key[0] == part} for part in "02")
    return made, live, [ParamGroup("unet", first), ParamGroup("text", last)]


def walk(made: torch.nn.Module, optimizer: Any, hand: OneByOne, steps: range, fused: bool) -> list[float]:
    """Some steps towards other numbers; how long the gradient was at each."""
    found = []
    for step in steps:
        set_rates(optimizer, 1 / (step + 1))
        hand.begin(step)
        chance = torch.Generator().manual_seed(step)
        shown, wanted = (torch.randn(4, width, generator=chance) for width in (96, 80))
        loss = (made(shown.to(made[0].weight.dtype)).float() - wanted).square().mean()  # type: ignore[index]
        if fused:
            with hand.fused():
                loss.backward()
            found.append(hand.length())
            assert all(parameter.grad is None for parameter in made.parameters())
        else:
            loss.backward()
            found.append(
                float(torch.nn.utils.get_total_norm([p.grad for p in made.parameters() if p.grad is not None]))
            )
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return found


def ready(name: str, dtype: torch.dtype = torch.float32) -> tuple[torch.nn.Module, Any, OneByOne]:
    made, live, groups = model(dtype)
    seen, stands = stand_ins(groups)
    optimizer = create(name, seen, OptimSpec(name=name, lr=RATES.get(name, 1e-2), lr_text=2e-3))
    return made, optimizer, OneByOne(optimizer, live, stands, 7)


@pytest.mark.parametrize("name", TOGETHER)
def test_fused_steps_are_the_plain_ones_bit_for_bit_and_so_is_what_is_remembered(name: str) -> None:
    """One may go on where the other ended: their states are alike."""
    plain, fused = ready(name), ready(name)
    lengths = walk(*plain, range(5), False), walk(*fused, range(5), True)
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-5) and min(lengths[1]) > 0
    for one, other in zip(plain[0].parameters(), fused[0].parameters(), strict=True):
        assert torch.equal(one, other)
    one, other = (checkpoint._split(made[1].state_dict(), "optimizer") for made in (plain, fused))
    assert tiny.same(one[0], other[0]) and one[0] and plain[1].param_groups[0].keys() == fused[1].param_groups[0].keys()
    numbers = [[{k: v for k, v in g.items() if k != "params"} for g in made[1].param_groups] for made in (plain, fused)]
    assert numbers[0] == numbers[1]


def test_a_gradient_that_is_not_finite_moves_nothing_and_is_said() -> None:
    made, optimizer, hand = ready("adamw")
    before = {key: p.detach().clone() for key, p in made.named_parameters()}
    set_rates(optimizer, 1.0)
    hand.begin(1)
    made[0].bias.register_hook(lambda grad: grad * math.inf)  # type: ignore[index]
    with hand.fused(), pytest.raises(NonFiniteError, match=r"0\.bias"):
        made(torch.ones(1, 96)).sum().backward()
    after = dict(made.named_parameters())
    assert torch.equal(after["0.bias"], before["0.bias"])
    assert not torch.equal(after["2.weight"], before["2.weight"]), "the last layer's gradient comes first"


def test_a_pass_that_is_only_tried_moves_nothing_and_keeps_no_gradient() -> None:
    made, _, hand = ready("adamw")
    before = {key: p.detach().clone() for key, p in made.named_parameters()}
    with hand.dropping():
        made(torch.ones(1, 96)).sum().backward()
    assert all(p.grad is None and torch.equal(p, before[key]) for key, p in made.named_parameters())


def test_rounding_by_chance_is_exact_for_bfloat16_and_right_on_average() -> None:
    exact = torch.randn(1000).bfloat16().float()
    assert torch.equal(rounded_(exact.clone(), rounding(1, 2, "a", exact.device)), exact)
    values = torch.randn(50, generator=torch.Generator().manual_seed(1)) * 10
    many = torch.stack([rounded_(values.clone(), rounding(1, step, "a", values.device)) for step in range(4000)])
    assert torch.equal(many.bfloat16().float(), many)
    gap = many.amax(0) - many.amin(0)
    assert torch.all((many.amin(0) <= values) & (values <= many.amax(0)))
    assert torch.all(gap <= values.abs() * 2**-7)
    assert float(((many.mean(0) - values) / gap).abs().max()) < 0.04  # five deviations of a coin's mean of 4000


def test_chance_is_another_at_each_step_and_weight_and_the_same_when_asked_again() -> None:
    values = torch.full((400,), 1.0 + 2**-9)
    made = [
        rounded_(values.clone(), rounding(*key, values.device))
        for key in ((1, 2, "a"), (1, 2, "a"), (1, 3, "a"), (1, 2, "b"), (2, 2, "a"))
    ]
    assert torch.equal(made[0], made[1])
    assert all(not torch.equal(made[0], other) for other in made[2:])


def test_steps_that_plain_bfloat16_loses_arrive() -> None:
    """A rate of 1e-4 on weights of about 1, whose neighbours in bfloat16 are 0.4 to 0.8 % away."""
    start = 1.0 + torch.rand(2000, generator=torch.Generator().manual_seed(3)) * 0.5
    weight = torch.nn.Parameter(start.bfloat16())
    start = weight.detach().float().clone()
    plain = weight.detach().clone()
    seen, stands = stand_ins([ParamGroup("unet", {"w": weight})])
    optimizer = create("sgd", seen, OptimSpec(name="sgd", lr=1e-4, weight_decay=0.0, beta1=0.0))
    hand = OneByOne(optimizer, {"w": weight}, stands, 1)
    set_rates(optimizer, 1.0)
    for step in range(100):
        hand.begin(step)
        weight.grad = torch.ones_like(weight)
        hand.all()
        plain -= 1e-4
    assert torch.equal(plain.float(), start), "plain bfloat16 would have done"
    assert float((weight.detach().float() - start).mean()) == pytest.approx(-0.01, rel=0.03)
    assert weight.dtype == torch.bfloat16 and weight.grad is None and stands["w"].numel() == 0


@pytest.mark.parametrize("name", [name for name in TOGETHER if name != "schedule-free-adamw"])
@pytest.mark.parametrize("fused", [False, True])
def test_bfloat16_weights_go_on_bit_for_bit_from_a_checkpoint(name: str, fused: bool, tmp_path: Path) -> None:

    def go(made: torch.nn.Module, optimizer: Any, hand: OneByOne, steps: range) -> None:
        for step in steps:
            set_rates(optimizer, 1 / (step + 1))
            hand.begin(step)
            with hand.fused() if fused else hand._hooked(lambda name, parameter: None):
                (made(torch.full((2, 96), 0.3, dtype=torch.bfloat16)).float() - 1).square().mean().backward()
            if not fused:
                hand.all()

    whole, cut = ready(name, torch.bfloat16), ready(name, torch.bfloat16)
    go(*whole, range(6))
    go(*cut, range(3))
    weights = {key: p.detach().float() for key, p in cut[0].named_parameters()}
    store = RunStore.create(tmp_path / "run", "")
    folder = checkpoint.save(store, checkpoint.Place(3), weights, {"optimizer": cut[1]})
    again = ready(name, torch.bfloat16)
    with torch.no_grad():
        for key, parameter in again[0].named_parameters():
            parameter.copy_(checkpoint.weights_of(folder)[key])
    again[1].load_state_dict(checkpoint.machinery_of(folder)["optimizer"])
    go(*again, range(3, 6))
    for one, other, first in zip(*(made[0].parameters() for made in (whole, again, ready(name))), strict=True):
        assert one.dtype == torch.bfloat16 and torch.equal(one, other) and not torch.equal(one, first.bfloat16())


@pytest.fixture
def start(tmp_path: Path, spec: Make) -> Callable[..., RunStore]:
    """The folder of a new full fine-tune of four steps."""
    return lambda name="run", kind="dreambooth", **over: tiny.new_run(tmp_path / name, spec(kind, **merge(QUICK, over)))


def finished(store: RunStore, resident: Resident) -> list[Event]:
    events = list(train(store, resident))
    assert events[-1].kind == "finished", events[-1]
    return events


@pytest.mark.parametrize("kind", ["dreambooth", "full"])
def test_a_fused_run_is_the_plain_one_bit_for_bit_and_goes_on_as_it(
    kind: str, start: Callable[..., RunStore], resident: Resident
) -> None:
    formats = {"dreambooth": "diffusers", "full": "kohya"}
    over = {"save": {"every": 2, "formats": [formats[kind]]}}
    plain = start("plain", kind, optim={"clip": 0.0}, **over)
    fused = start("fused", kind, optim=FUSED, **over)
    events = finished(plain, resident)
    going = train(fused, resident)
    assert any(event.kind == "saved" for event in going)
    going.close()  # type: ignore[attr-defined]
    rest = finished(fused, resident)
    for one, other in zip(tiny.checkpoint(plain, 4)[:2], tiny.checkpoint(fused, 4)[:2], strict=True):
        assert one and tiny.same(one, other)
    assert plain.view().losses == fused.view().losses
    norms = [[event.grad_norm for event in found if event.kind == "step"] for found in (events, rest)]  # type: ignore[attr-defined]
    assert norms[0][2:] == pytest.approx(norms[1], rel=1e-4) and min(norms[1]) > 0


def test_a_fused_run_with_bfloat16_weights_learns_and_resumes_bit_for_bit(
    tmp_path: Path, spec: Make, pictures: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    for module in ("run", "course", "climb"):
        monkeypatch.setattr(f"studio.engine.{module}.this_hardware", lambda: BF16)
    same = shutil.copytree(pictures, tmp_path / "same")
    over = {
        "data": {"held_out": str(same)},
        "machine": {"precision": "bf16"},
        "optim": {"weights": "bf16", "lr": 5e-4, "ema": 0.5, **FUSED},
        "schedule": {"steps": 6},
        "save": {"every": 3},
    }
    resident = Resident(cache)
    wanted = spec("dreambooth", **merge(QUICK, over))
    whole, cut = tiny.new_run(tmp_path / "whole", wanted), tiny.new_run(tmp_path / "cut", wanted)
    seen: list[set[torch.dtype]] = []
    really = stepping.Stepping._update
    monkeypatch.setattr(
        stepping.Stepping,
        "_update",
        lambda run: seen.append({p.dtype for p in run.method.live.values()}) or really(run),  # type: ignore[func-returns-value]
    )
    finished(whole, resident)
    assert seen == [{torch.bfloat16}] * 6
    (_, before), (_, after) = whole.view().validations
    assert after < before * 0.99, (before, after)
    going = train(cut, resident)
    assert any(event.kind == "saved" for event in going)
    going.close()  # type: ignore[attr-defined]
    finished(cut, resident)
    for one, other in zip(tiny.checkpoint(whole, 6), tiny.checkpoint(cut, 6), strict=True):
        assert tiny.same(one, other) if one and isinstance(next(iter(one.values())), torch.Tensor) else one == other
    assert whole.view().losses == cut.view().losses


def broken_from(step: int, monkeypatch: pytest.MonkeyPatch, error: Callable[[], Exception]) -> None:
    """In the middle of ``step``'s backward pass, when some weights have moved, something happens."""
    really = OneByOne._checked
    count = {"now": 0}

    def checked(hand: OneByOne, name: str, parameter: Any) -> None:
        if hand._step == step:
            count["now"] += 1
            if count["now"] == 9:
                raise error()
        really(hand, name, parameter)

    monkeypatch.setattr(OneByOne, "_checked", checked)


@pytest.mark.parametrize("every", [0, 2])
def test_a_fused_step_that_broke_off_is_never_gone_on_from(
    every: int, start: Callable[..., RunStore], resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full, it goes back to its last checkpoint or begins again, and ends as if it had not been broken."""
    whole = start("whole", optim=FUSED, machine={"gradient_checkpointing": True})
    finished(whole, resident)
    store = start(optim=FUSED, save={"every": every})
    with monkeypatch.context() as patch:
        broken_from(3, patch, lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
        events = finished(store, resident)
    assert [event.choice for event in events if isinstance(event, Decided) and event.what == "memory"][:1] == [
        "gradient checkpointing"
    ]
    assert [event.step for event in events if isinstance(event, Started)] == [0, every]
    weights = tiny.checkpoint(store, 4)[0], tiny.checkpoint(whole, 4)[0]
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-5) for name in weights[0])


def test_a_bad_gradient_in_the_middle_of_a_fused_step_takes_the_run_back(
    start: Callable[..., RunStore], resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = start(optim=FUSED, save={"every": 2})
    broken_from(4, monkeypatch, lambda: NonFiniteError("bad"))
    events = list(train(store, resident))
    assert events[-1].kind == "stopped"
    (said,) = [event.text for event in events if event.kind == "note" and "infinite" in event.text]  # type: ignore[attr-defined]
    assert "The gradient became infinite at step 4" in said and "went back to step 2" in said
    assert [step for step, _ in store.checkpoints()] == [2]


def test_the_ladder_knows_that_a_fused_step_happens_among_activations(spec: Make) -> None:
    wanted = spec("dreambooth", **merge(QUICK, {"optim": FUSED, "schedule": {"batch_size": 4}}))
    rungs = []
    while rung := next_rung(wanted, decide(CARD, wanted.machine, wanted.optim.name), CARD, True):
        rungs.append(rung.name)
        wanted = rung.on(wanted)
    assert rungs == ["gradient checkpointing", "8-bit optimizer"] and wanted.problems() == []


def test_a_card_without_bfloat16_climbs_to_float32_for_the_fused_step_that_its_scaler_forbids(spec: Make) -> None:
    old = Hardware(device="cuda", name="an old card", fp16=True, probes={"bitsandbytes": ""})
    over = {"optim": {**FUSED, "weights": "bf16"}, "schedule": {"batch_size": 4}}
    wanted = spec("dreambooth", **merge(QUICK, over))
    assert not way(wanted, decide(old, wanted.machine, wanted.optim.name)).fused
    rungs = []
    while rung := next_rung(wanted, decide(old, wanted.machine, wanted.optim.name), old, False):
        rungs.append(rung.name)
        wanted = rung.on(wanted)
    assert rungs == ["gradient checkpointing", "8-bit optimizer", "fused step"] and wanted.problems() == []
    plan = decide(old, wanted.machine, wanted.optim.name)
    assert plan.compute == "fp32" and way(wanted, plan) == piecewise.Way(fused=True)


def test_the_ways_are_refused_where_they_cannot_keep_their_word(spec: Make) -> None:
    def problems(kind: str = "dreambooth", **over: Any) -> list[str]:
        return list(spec(kind, **over).problems())

    assert problems(optim=FUSED) == problems(optim={"weights": "bf16"}) == problems("full", optim=FUSED) == []
    for kind, said, over in (
        ("dreambooth", "optim.clip = 0 (now 1)", {"optim": {"fused_backward": True}}),
        ("dreambooth", "schedule.accumulation = 1 (now 3", {"optim": FUSED, "schedule": {"accumulation": 3}}),
        ("dreambooth", "machine.split = 1 (now 2)", {"optim": FUSED, "machine": {"split": 2}}),
        ("dreambooth", "loss scaler", {"optim": FUSED, "machine": {"precision": "fp16"}}),
        ("dreambooth", "prodigy needs all gradients", {"optim": {**FUSED, "name": "prodigy", "lr": 1.0}}),
        ("lora", "optim.fused_backward = true is for dreambooth and full", {"optim": FUSED}),
        ("textual-inversion", "optim.weights = bf16 is for dreambooth", {"optim": {"weights": "bf16"}}),
        ("full", "bf16 blurs", {"optim": {"weights": "bf16", "name": "schedule-free-adamw"}}),
        ("full", "prodigy needs all", {"optim": {"weights": "bf16", "name": "prodigy", "lr": 1.0}}),
        ("full", "machine.precision is fp32", {"optim": {"weights": "bf16"}, "machine": {"precision": "fp32"}}),
    ):
        (problem,) = problems(kind, **over)
        assert said in problem and problem.endswith((".", ")."))


def test_what_the_machine_cannot_keep_is_left_with_a_reason(spec: Make) -> None:
    wanted = spec("dreambooth", optim={**FUSED, "weights": "bf16"})
    plan = decide(CARD, wanted.machine, "adamw")
    assert way(wanted, plan) == piecewise.Way(True, torch.bfloat16) and way(spec("lora"), plan).usual
    ranks = way(wanted, plan, 2)
    assert not ranks.fused and "2 processes" in ranks.choices[0].reason
    old = way(wanted, decide(Hardware(device="cuda", name="an old card", fp16=True), wanted.machine, "adamw"))
    assert old.usual and [choice.what for choice in old.choices] == ["fused_backward", "weights"]
    assert "loss scaler" in old.choices[0].reason and "computes in fp16" in old.choices[1].reason
