from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from studio.engine import checkpoint
from studio.engine.checkpoint import OPTIMIZER, PLACE, WEIGHTS, Place, _join, _split
from studio.engine.optim import create, rate, set_rates
from studio.errors import NonFiniteError, StoreError
from studio.methods.base import ParamGroup
from studio.spec import OptimSpec
from studio.store import RunStore
from tests.tiny import drafts, same

LEAVES = some.none() | some.booleans() | some.integers(-5, 5) | some.floats(allow_nan=False) | some.text(max_size=3)
STATES = some.recursive(
    LEAVES | some.builds(torch.ones, some.integers(1, 3)),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.lists(inner, max_size=3).map(tuple)
        | some.dictionaries(some.integers(0, 9) | some.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(alike, one, other))
    return type(one) is type(other) and bool(one == other)


@given(STATES)
def test_a_state_is_taken_apart_and_put_together_through_json(state: Any) -> None:
    import json

    tensors, rest = _split(state, "x")
    back = _join(json.loads(json.dumps(rest)), "x", tensors)
    assert alike(state, back)


class Thing:
    """An object with a state, as optimizers are."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def state_dict(self) -> Any:
        return self.state

    def load_state_dict(self, state: Any) -> None:
        self.state = state


@pytest.fixture
def run(tmp_path: Path) -> RunStore:
    return RunStore.create(tmp_path / "run", "")


def test_what_was_saved_comes_back(run: RunStore) -> None:
    weights = {"a.b": torch.randn(2, 3)}
    folder = checkpoint.save(run, Place(7, 1.5), weights, {"thing": Thing({1: torch.ones(2), "lr": 0.1})})
    assert folder == run.checkpoint_folder(7) and run.checkpoints() == [(7, folder)]
    assert checkpoint.place_of(folder) == Place(7, 1.5)
    assert same(checkpoint.weights_of(folder), weights)
    thing, newer = Thing(None), Thing("kept")
    checkpoint.restore_machinery(folder, {"thing": thing, "newer": newer})
    assert torch.equal(thing.state[1], torch.ones(2)) and thing.state["lr"] == 0.1
    assert newer.state == "kept"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("where", ["weights", "optimizer"])
def test_what_is_not_finite_is_never_written(run: RunStore, bad: float, where: str) -> None:
    broken, sound = torch.tensor([1.0, bad]), torch.ones(2)
    weights = {"a": broken if where == "weights" else sound}
    thing = Thing({"state": {0: {"exp_avg": broken if where == "optimizer" else sound}}})
    with pytest.raises(NonFiniteError, match="learning rate"):
        checkpoint.save(run, Place(1), weights, {"optimizer": thing})
    assert run.checkpoints() == [] and drafts(run.path) == []


@pytest.mark.parametrize("name", [WEIGHTS, OPTIMIZER, PLACE])
@pytest.mark.parametrize("damage", ["cut", "gone", "empty"])
def test_a_damaged_checkpoint_says_which_folder_to_remove(run: RunStore, name: str, damage: str) -> None:
    folder = checkpoint.save(run, Place(7), {"a": torch.ones(8)}, {"thing": Thing({"x": torch.ones(8)})})
    path = folder / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) - 10] if damage == "cut" else b"")
    with pytest.raises(StoreError, match="remove that folder") as caught:
        checkpoint.place_of(folder)
        checkpoint.weights_of(folder)
        checkpoint.restore_machinery(folder, {"thing": Thing(None)})
    assert "0000007" in str(caught.value)


def test_old_checkpoints_are_removed_and_the_newest_stay(run: RunStore) -> None:
    for step in (1, 2, 3, 10):
        checkpoint.save(run, Place(step), {"a": torch.ones(1)}, {})
    checkpoint.prune(run, 2)
    assert [step for step, _ in run.checkpoints()] == [3, 10]


def parameters() -> list[ParamGroup]:
    generator = torch.Generator().manual_seed(1)
    made = [torch.nn.Parameter(torch.randn(4, generator=generator)) for _ in range(3)]
    return [ParamGroup("unet", {"a": made[0], "b": made[1]}), ParamGroup("text", {"c": made[2]})]


def steps(optimizer: Any, groups: list[ParamGroup], first: int, last: int) -> None:
    for number in range(first, last):
        set_rates(optimizer, 1 / (number + 1))
        for group in groups:
            for parameter in group.params.values():
                parameter.grad = torch.full_like(parameter, 0.1 * number) + parameter.detach() * 0.3
        optimizer.step()


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_an_optimizer_goes_on_bit_for_bit_from_a_checkpoint(run: RunStore, name: str) -> None:
    spec = OptimSpec(lr=0.1, lr_text=0.01)
    whole = parameters()
    steps(create(name, whole, spec), whole, 0, 6)
    cut = parameters()
    optimizer = create(name, cut, spec)
    steps(optimizer, cut, 0, 3)
    weights = {key: p.detach().clone() for group in cut for key, p in group.params.items()}
    folder = checkpoint.save(run, Place(3), weights, {"optimizer": optimizer})
    again = parameters()
    optimizer = create(name, again, spec)
    with torch.no_grad():
        for group in again:
            for key, parameter in group.params.items():
                parameter.copy_(weights[key])
    checkpoint.restore_machinery(folder, {"optimizer": optimizer})
    steps(optimizer, again, 3, 6)
    for one, other in zip(whole, again, strict=True):
        assert all(torch.equal(one.params[key], other.params[key]) for key in one.params)


def test_each_part_has_its_own_rate() -> None:
    groups = parameters()
    optimizer = create("adamw", groups, OptimSpec(lr=0.5, lr_text=0.25))
    assert set_rates(optimizer, 0.5) == 0.25
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.125]
    assert rate("text", OptimSpec(lr=0.5)) == 0.5 and rate("tokens", OptimSpec(lr=0.5, lr_text=0.1)) == 0.5
