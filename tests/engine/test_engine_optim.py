"""Every optimizer learns, follows its paper, and goes on from a checkpoint as if it had not been cut off."""

from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
import torch

from studio.engine import checkpoint
from studio.engine.checkpoint import Place
from studio.engine.descent import Lion, Prodigy, ScheduleFreeAdamW
from studio.engine.optim import create, recall, set_rates
from studio.engine.run import train
from studio.engine.worker import Resident
from studio.methods.base import ParamGroup
from studio.optimizer import OptimSpec
from studio.schedule import ScheduleSpec
from studio.store import RunStore
from tests import tiny

OPTIMIZERS = get_args(OptimSpec.model_fields["name"].annotation)
RATES = {"prodigy": 1.0, "sgd": 1.0, "lion": 3e-3, "lion8bit": 3e-3, "schedule-free-adamw": 3e-2}
Make = Callable[..., Any]


def gradients(count: int, size: int = 5) -> list[np.ndarray]:
    chance = np.random.default_rng(3)
    return [chance.normal(size=size) * 0.3 + 1.0 for _ in range(count)]


def follow(optimizer: Any, parameter: torch.nn.Parameter, along: list[np.ndarray]) -> None:
    for gradient in along:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()


def test_lion_is_the_papers_algorithm() -> None:
    parameter = torch.nn.Parameter(torch.linspace(-1, 1, 5, dtype=torch.float64))
    x, m = parameter.detach().numpy().copy(), np.zeros(5)
    optimizer = Lion([parameter], lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    for g in gradients(7):
        follow(optimizer, parameter, [g])
        x -= 0.01 * (np.sign(0.9 * m + 0.1 * g) + 0.1 * x)
        m = 0.99 * m + 0.01 * g
    assert np.allclose(parameter.detach().numpy(), x, rtol=0, atol=1e-12)


def test_prodigy_is_the_papers_algorithm() -> None:
    parameter = torch.nn.Parameter(torch.linspace(-1, 1, 5, dtype=torch.float64))
    x0 = parameter.detach().numpy().copy()
    x, m, v, s, r, d, b1, b2 = x0.copy(), np.zeros(5), np.zeros(5), np.zeros(5), 0.0, 1e-6, 0.9, 0.999
    optimizer = Prodigy([parameter], lr=0.8, betas=(b1, b2))
    b3 = math.sqrt(b2)
    for g in gradients(40):
        follow(optimizer, parameter, [g])
        m = b1 * m + (1 - b1) * d * g
        v = b2 * v + (1 - b2) * d * d * g * g
        r = b3 * r + (1 - b3) * 0.8 * d * d * float(g @ (x0 - x))
        s = b3 * s + (1 - b3) * 0.8 * d * d * g
        x = x - 0.8 * d * m / (np.sqrt(v) + d * 1e-8)
        d = max(d, r / np.abs(s).sum())
        assert optimizer.param_groups[0]["d"] == pytest.approx(d, rel=1e-9)
    assert d > 1e-3, "the estimate has not grown"
    assert np.allclose(parameter.detach().numpy(), x, rtol=1e-9)


def test_each_part_finds_its_own_distance() -> None:
    near, far = (torch.nn.Parameter(torch.zeros(3)) for _ in range(2))
    optimizer = Prodigy([{"params": [near]}, {"params": [far]}])
    for _ in range(200):
        near.grad, far.grad = near.detach() - 0.01, far.detach() - 100.0
        optimizer.step()
    small, large = (group["d"] for group in optimizer.param_groups)
    assert 1e-3 < small < 0.1 and 10 < large < 1000


def test_schedule_free_is_the_papers_algorithm() -> None:
    parameter = torch.nn.Parameter(torch.linspace(-1, 1, 5, dtype=torch.float64))
    z = parameter.detach().numpy().copy()
    x, v, total, b1, b2 = z.copy(), np.zeros(5), 0.0, 0.9, 0.999
    optimizer = ScheduleFreeAdamW([parameter], betas=(b1, b2), weight_decay=0.1)
    for t, g in enumerate(gradients(12), 1):
        optimizer.param_groups[0]["lr"] = 0.1 * min(1.0, t / 5)  # the warm-up is the schedule's
        y = (1 - b1) * z + b1 * x
        assert np.allclose(parameter.detach().numpy(), y, rtol=0, atol=1e-12)
        v = b2 * v + (1 - b2) * g * g
        rate = 0.1 * math.sqrt(1 - b2**t) * min(1.0, t / 5)
        z = z - rate * g / (np.sqrt(v) + 1e-8) - rate * 0.1 * y
        total += rate**2
        x = (1 - rate**2 / total) * x + rate**2 / total * z
        follow(optimizer, parameter, [g])
    trained = parameter.detach().clone()
    with optimizer.averaged():
        assert np.allclose(parameter.detach().numpy(), x, rtol=0, atol=1e-12)
    assert torch.equal(parameter, trained)


def test_what_is_shown_before_the_first_step_is_where_it_starts() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    with ScheduleFreeAdamW([parameter]).averaged():
        assert torch.equal(parameter, torch.ones(3))


def test_what_is_shown_needs_no_room_and_may_rest_on_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text encoders that learn wait in the computer's memory after a small card has drawn pictures."""
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = ScheduleFreeAdamW([parameter])
    asked: list[torch.device] = []
    here = SimpleNamespace(to=lambda device: asked.append(device) or torch.full((3,), 2.0))
    optimizer.state[parameter] = {"z": here}
    monkeypatch.setattr(torch.Tensor, "clone", lambda tensor: pytest.fail("a copy on the device of what may fill it"))
    with optimizer.averaged():
        assert asked == [parameter.device] and not torch.equal(parameter, torch.ones(3))
    assert torch.equal(parameter, torch.ones(3))


def parts() -> list[ParamGroup]:
    chance = torch.Generator().manual_seed(1)
    made = [torch.nn.Parameter(torch.randn(64, 80, generator=chance)) for _ in range(4)]
    text = {"text_encoder.a": made[1], "text_encoder_2.a": made[2]}
    return [ParamGroup("unet", {"unet.a": made[0]}), ParamGroup("text", text), ParamGroup("tokens", {"t": made[3]})]


def learn(optimizer: Any, groups: list[ParamGroup], first: int, last: int) -> None:
    """Pull everything towards 0.5, at a rate that changes with every step."""
    for number in range(first, last):
        set_rates(optimizer, 1 / (number + 1))
        for group in groups:
            for parameter in group.params.values():
                parameter.grad = parameter.detach() - 0.5
        optimizer.step()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_on_bit_for_bit_from_a_checkpoint(name: str, tmp_path: Path) -> None:
    spec = OptimSpec(name=name, lr=0.1, lr_text=0.01)
    store = RunStore.create(tmp_path / "run", "")
    whole = parts()
    learn(create(name, whole, spec), whole, 0, 6)
    cut = parts()
    optimizer = create(name, cut, spec)
    learn(optimizer, cut, 0, 3)
    weights = {key: p.detach().clone() for group in cut for key, p in group.params.items()}
    folder = checkpoint.save(store, Place(3), weights, {"optimizer": optimizer})
    again = parts()
    with torch.no_grad():
        for group in again:
            for key, parameter in group.params.items():
                parameter.copy_(weights[key])
    optimizer = create(name, again, spec)
    optimizer.load_state_dict(checkpoint.machinery_of(folder)["optimizer"])
    learn(optimizer, again, 3, 6)
    for one, other, start in zip(whole, again, parts(), strict=True):
        assert all(torch.equal(one.params[key], other.params[key]) for key in one.params)
        assert not any(torch.equal(one.params[key], start.params[key]) for key in one.params)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_teaches_the_tiny_model(
    name: str, tmp_path: Path, spec: Make, pictures: Path, resident: Resident
) -> None:
    """Judged by the pictures that it learns, under draws that are the same before and after."""
    steps = 24 if name == "prodigy" else 12  # its first steps find the rate, from a millionth up
    same = shutil.copytree(pictures, tmp_path / "same")
    wanted = spec(
        "lora",
        data={"held_out": str(same)},
        optim={"name": name, "lr": RATES.get(name, 1e-2), "weight_decay": 0.0},
        schedule={"steps": steps, "batch_size": 4},
        sample={"prompts": []},
        save={"formats": ["kohya"]},
    )
    store = tiny.new_run(tmp_path / "run", wanted)
    events = list(train(store, resident))
    assert events[-1].kind == "finished", events[-1]
    (_, before), (_, after) = store.view().validations
    assert after < before * 0.98, (before, after)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_resumes_a_run_bit_for_bit(name: str, tmp_path: Path, spec: Make, resident: Resident) -> None:
    lr = RATES.get(name, 1e-2)
    settings = {"schedule": {"steps": 4, "batch_size": 1, "warmup": 0.5}, "sample": {"prompts": []}}
    optim = {"name": name, "lr": lr, "lr_text": lr / 2}
    wanted = spec("dreambooth", **settings, optim=optim, save={"every": 2, "formats": ["diffusers"]})
    whole, cut = tiny.new_run(tmp_path / "whole", wanted), tiny.new_run(tmp_path / "cut", wanted)
    assert list(train(whole, resident))[-1].kind == "finished"
    events = train(cut, resident)
    assert any(event.kind == "saved" for event in events)
    events.close()  # type: ignore[attr-defined]
    assert list(train(cut, resident))[-1].kind == "finished"
    for one, other in zip(tiny.checkpoint(whole, 4), tiny.checkpoint(cut, 4), strict=True):
        assert tiny.same(one, other) if one and isinstance(next(iter(one.values())), torch.Tensor) else one == other
    assert whole.view().losses == cut.view().losses


def test_a_paged_optimizer_gets_its_large_memory_back_in_pages() -> None:
    """A card has them; on a processor bitsandbytes gives plain tensors in their place, which are marked here."""
    large, small = (torch.nn.Parameter(torch.ones(size)) for size in ((400, 256), (64, 64)))
    groups = [ParamGroup("unet", {"large": large, "small": small})]

    def made() -> Any:
        return create("paged-adamw8bit", groups, OptimSpec(name="paged-adamw8bit"))

    saved, again, pages = made(), made(), []
    set_rates(saved, 1.0)
    large.grad, small.grad = torch.randn_like(large), torch.randn_like(small)
    saved.step()
    expected = copy.deepcopy(saved.state_dict()["state"])
    real = again.get_state_buffer
    again.get_state_buffer = lambda like, dtype: pages.append(real(like, dtype)) or pages[-1]
    stand, whole = large.data.new_empty(0), large.data
    large.data = stand  # as weights in bfloat16 have it while nothing moves
    recall(again, saved.state_dict())
    large.data = whole
    assert {id(page) for page in pages} == {id(again.state[large][name]) for name in ("state1", "state2")}
    found = again.state_dict()["state"]
    assert all(
        torch.equal(found[number][name], value)
        for number, remembered in expected.items()
        for name, value in remembered.items()
        if isinstance(value, torch.Tensor)
    )


def test_each_part_has_its_own_rate() -> None:
    groups = parts()
    optimizer = create("adamw", groups, OptimSpec(lr=0.5, lr_text=0.25, lr_text_2=0.125, lr_tokens=2.0))
    assert set_rates(optimizer, 0.5) == 0.25
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.125, 0.0625, 1.0]
    plain = create("adamw", groups, OptimSpec(lr=0.5, lr_text=0.25))
    assert [group["base_lr"] for group in plain.param_groups] == [0.5, 0.25, 0.25, 0.5]


def test_the_second_memory_is_the_optimizers_own_unless_set() -> None:
    assert OptimSpec(name="lion").betas == OptimSpec(name="lion8bit").betas == (0.9, 0.99)
    assert OptimSpec().betas == (0.9, 0.999) and OptimSpec(name="lion", beta2=0.95).betas == (0.9, 0.95)


def test_a_rate_that_was_lowered_before_resuming_stays_low() -> None:
    groups = parts()
    saved = create("prodigy", groups, OptimSpec(name="prodigy", lr=1.0))
    learn(saved, groups, 0, 20)
    lower = create("prodigy", groups, OptimSpec(name="prodigy", lr=0.5, weight_decay=0.3))
    recall(lower, saved.state_dict())
    group = lower.param_groups[0]
    assert group["base_lr"] == 0.5 and group["weight_decay"] == 0.3
    assert group["d"] == saved.param_groups[0]["d"] > 1e-6


def test_the_shown_rate_of_prodigy_is_what_it_found() -> None:
    groups = parts()
    optimizer = create("prodigy", groups, OptimSpec(name="prodigy", lr=1.0))
    assert set_rates(optimizer, 1.0) == 1e-6
    learn(optimizer, groups, 0, 30)
    assert set_rates(optimizer, 0.5) == 0.5 * optimizer.param_groups[0]["d"] > 1e-4


@pytest.mark.parametrize(
    "optim, schedule, said",
    [
        ({"name": "prodigy", "lr": 1e-4}, {}, "optim.lr only multiplies it: set it to 1 (now 0.0001)"),
        ({"name": "prodigy", "lr": 1.0, "lr_text": 1e-5}, {}, "optim.lr_text only multiplies"),
        ({"name": "prodigy", "lr": 1.0}, {"rates": "0.005:100, 1e-3"}, "schedule.rates only multiplies"),
        ({"name": "schedule-free-adamw"}, {"kind": "cosine"}, "set schedule.kind = constant"),
        ({"name": "schedule-free-adamw"}, {"rates": "0.005"}, "set schedule.rates empty"),
        ({"name": "schedule-free-adamw", "ema": 0.99}, {}, "set optim.ema to 0"),
        ({"name": "schedule-free-adamw", "beta1": 0.0}, {}, "optim.beta1 above 0"),
    ],
)
def test_what_contradicts_is_said_before_a_start(optim: Any, schedule: Any, said: str, spec: Make) -> None:
    (problem,) = OptimSpec(**optim).problems(ScheduleSpec(**schedule))
    assert said in problem
    assert problem in spec("lora", optim=optim, schedule=schedule).problems()


def test_what_goes_together_is_not_refused() -> None:
    assert OptimSpec(name="prodigy", lr=1.0).problems(ScheduleSpec(rates="1:100, 0.1:200")) == []
    assert OptimSpec(name="prodigy", lr=1.0, lr_text=0.5).problems(ScheduleSpec(kind="cosine")) == []
    assert OptimSpec(name="schedule-free-adamw").problems(ScheduleSpec(warmup=0.1)) == []
    assert OptimSpec(name="lion", ema=0.99).problems(ScheduleSpec(kind="linear")) == []
