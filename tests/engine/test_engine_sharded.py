"""Two ranks that share one model (FSDP): equal to one process, each with half of it, and back through disk."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from studio.engine.descent import ScheduleFreeAdamW
from studio.engine.launch import OPTIMIZERS, launch_problems
from studio.engine.learner import Learner
from studio.engine.machine import Machine
from studio.engine.optim import create, set_rates
from studio.engine.run import _explain, begin, train
from studio.engine.state import _share_out
from studio.engine.worker import Resident
from studio.errors import SpecError
from studio.formats.tensors import load_tensors
from studio.hardware import Hardware, MachineSpec, decide
from studio.methods.base import ParamGroup
from studio.methods.shards import all_of, everywhere, own, shared_out, split, whole
from studio.optimizer import OptimSpec
from studio.spec import RunSpec
from studio.store import RunStore
from tests import tiny
from tests.engine.test_engine_ranks import both, ends, full, one_rank, together

WISHES = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_CPU_RAM_EFFICIENT_LOADING": "true"}
WEIGHTS = 2e-5  # the most that a weight may be off after four steps of 1e-3 each, by another order of adding


def wanted(base: Path, pictures: Path, **over: Any) -> RunSpec:
    plain: dict[str, Any] = {
        "method": {"train_text_encoder": False},
        "schedule": {"steps": 4, "batch_size": 1},
        "validation": {"every": 2},
        "save": {"every": 2, "formats": ["single-file"]},
    }
    return tiny.spec("dreambooth", base, pictures, **plain | over)


def memory_of(tensors: list[torch.Tensor]) -> int:
    """Bytes that lie in this process for them, shared ones counted once."""
    places = {own(tensor).untyped_storage().data_ptr(): own(tensor).untyped_storage() for tensor in tensors}
    return sum(place.nbytes() for place in places.values())


def with_fsdp() -> None:
    """What accelerate's launcher says, and a note of what this rank holds when the last step is done."""
    os.environ |= WISHES
    really, calls = torch.optim.AdamW.step, [0]

    def step(optimizer: Any, *args: Any) -> Any:
        calls[0] += 1
        answer = really(optimizer, *args)
        weights = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        memory = [value for state in optimizer.state.values() for value in state.values() if value.ndim]
        gradients = [parameter.grad for parameter in weights if parameter.grad is not None]
        held = {
            name: [memory_of(tensors), 4 * sum(tensor.numel() for tensor in tensors)]
            for name, tensors in {"weights": weights, "gradients": gradients, "memory": memory}.items()
        }
        Path(os.environ["HELD"]).with_suffix(f".{os.environ['RANK']}").write_text(json.dumps(held))
        return answer

    torch.optim.AdamW.step = step  # type: ignore[method-assign]


def two(store: RunStore, cache: Path, held: Path) -> list[dict[str, list[int]]]:
    """Train as two ranks that share the model; what each of them held, and what the whole is."""
    os.environ["HELD"] = str(held)
    started = both(one_rank_of_two, *((str(store.path), str(cache), str(held)),) * 2)
    assert ends(started) == [0, 0]
    return [json.loads(held.with_suffix(f".{rank}").read_text()) for rank in (0, 1)]


def one_rank_of_two(said: dict[str, str], run: str, cache: str, held: str) -> None:
    os.environ["HELD"] = held
    one_rank(said, run, cache, with_fsdp, None)


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, base: Path, pictures: Path, cache: Path
) -> Iterator[tuple[RunStore, RunStore, list[dict[str, list[int]]]]]:
    """A run of two ranks, the same of one process, and what the two held."""
    place = tmp_path_factory.mktemp("sharded")
    shared = tiny.new_run(place / "two", wanted(base, pictures))
    held = two(shared, cache, place / "held")
    alone = tiny.new_run(place / "one", alone_spec(base, pictures))
    assert list(train(alone, Resident(cache)))[-1].kind == "finished"
    yield shared, alone, held


def alone_spec(base: Path, pictures: Path) -> RunSpec:
    return wanted(base, pictures, schedule={"steps": 4, "batch_size": 1, "accumulation": 2})


def furthest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name].float() - other[name].float()).abs().max()) for name in one)


def test_two_that_share_are_equal_to_one(runs: Any) -> None:
    shared, alone, _ = runs
    mine, theirs = shared.view(), alone.view()
    assert mine.state == theirs.state == "finished"
    assert [step for step, _ in mine.losses] == [1, 2, 3, 4]
    for (_, loss), (_, other) in zip(mine.losses, theirs.losses, strict=True):
        assert loss == pytest.approx(other, rel=1e-5)
    assert [step for step, _ in mine.validations] == [0, 2, 4]
    for (_, loss), (_, other) in zip(mine.validations, theirs.validations, strict=True):
        assert loss == pytest.approx(other, rel=1e-5)
    for step in (2, 4):
        here, there = tiny.checkpoint(shared, step), tiny.checkpoint(alone, step)
        assert furthest(here[0], there[0]) < WEIGHTS
        assert furthest(here[1], there[1]) < 1e-7


def test_each_rank_holds_half(runs: Any) -> None:
    _, _, held = runs
    for rank in held:
        for name, (here, all_of_it) in rank.items():
            assert 0.45 * all_of_it < here < 0.6 * all_of_it, (name, here, all_of_it)
    for name in ("weights", "memory", "gradients"):
        assert sum(rank[name][0] for rank in held) >= held[0][name][1] > 0


def test_previews_and_files_are_those_of_one(runs: Any) -> None:
    pictures, files = [], []
    for store in runs[:2]:
        drawn = sorted((store.path / "samples").rglob("*.png"))
        assert [path.parent.name for path in drawn] == ["0000000", "0000004"]
        pictures.append([np.asarray(Image.open(path)).astype(int) for path in drawn])
        (file,) = (store.path / "exports").glob("*.safetensors")
        files.append(load_tensors(file))
    assert np.array_equal(pictures[0][0], pictures[1][0])
    assert np.abs(pictures[0][1] - pictures[1][1]).max() <= 2
    assert not np.array_equal(pictures[0][0], pictures[0][1])
    assert furthest(files[0], files[1]) < 2e-3  # float16 has so many digits
    assert {tensor.dtype for name, tensor in files[0].items() if name.startswith("model.diffusion")} == {torch.float16}


def test_one_process_goes_on_from_two_and_two_from_one(
    runs: Any, tmp_path: Path, base: Path, pictures: Path, cache: Path
) -> None:
    shared, alone, _ = runs
    back = tiny.new_run(tmp_path / "one", alone_spec(base, pictures))
    shutil.copytree(shared.checkpoint_folder(2), back.checkpoint_folder(2))
    assert list(train(back, Resident(cache)))[-1].kind == "finished"
    spared = wanted(base, pictures, machine={"gradient_checkpointing": True}, sample={"prompts": []})
    forth = tiny.new_run(tmp_path / "two", spared)
    shutil.copytree(alone.checkpoint_folder(2), forth.checkpoint_folder(2))
    two(forth, cache, tmp_path / "held")
    for store in (back, forth):
        assert [step for step, _ in store.view().losses] == [3, 4]
        for (_, loss), (_, other) in zip(store.view().losses, alone.view().losses[2:], strict=True):
            assert loss == pytest.approx(other, rel=1e-5)
        here, there = tiny.checkpoint(store, 4), tiny.checkpoint(alone, 4)
        assert furthest(here[0], there[0]) < WEIGHTS
        assert furthest(here[1], there[1]) < 1e-7


def with_fsdp_and_little_room() -> None:
    """In the backward pass of the second step."""
    os.environ |= WISHES
    really, calls = Learner.forward, [0]

    def forward(learner: Learner, *given: Any) -> torch.Tensor:
        losses = really(learner, *given)
        calls[0] += torch.is_grad_enabled()
        if calls[0] == 2:
            losses.register_hook(lambda _: full())
        return losses

    Learner.forward = forward  # type: ignore[method-assign]


def with_fsdp_alone() -> None:
    os.environ |= WISHES


def test_a_full_rank_ends_both(runs: Any, tmp_path: Path, base: Path, pictures: Path, cache: Path) -> None:
    """Ranks that wait for each other within a step cannot climb the ladder: the run stands at its last checkpoint."""
    store = tiny.new_run(tmp_path / "two", wanted(base, pictures, sample={"prompts": []}, data={"held_out": ""}))
    shutil.copytree(runs[0].checkpoint_folder(2), store.checkpoint_folder(2))
    assert ends(together(store, cache, with_fsdp_alone, with_fsdp_and_little_room)) == [1, 1]
    view = store.view()
    assert view.state == "failed" and "another process" in view.error.lower() and "resume" in view.error
    assert [step for step, _ in store.checkpoints()] == [2] and store.holder() == 0


# -- optimizers -------------------------------------------------------------------------------------------------------


def small_model() -> torch.nn.Module:
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.SiLU(), torch.nn.Linear(7, 3))


def steps(name: str, model: Any, split_up: bool, ranks: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """Three clipped steps, the last one after a trip of the memory through whole tensors: weights, means, memory."""
    rates = {"lion": 1e-3, "sgd": 1e-1}
    spec = OptimSpec(name=name, lr=rates.get(name, 1e-2), weight_decay=0.01)
    groups = [ParamGroup("unet", dict(model.named_parameters()))]
    optimizer = create(name, groups, spec)
    for step in range(3):
        if step == 2:
            kept = all_kept(optimizer) if split_up else optimizer.state_dict()
            optimizer = create(name, groups, spec)
            _share_out(kept["state"], optimizer)
            optimizer.load_state_dict(kept)
        set_rates(optimizer, 1.0)
        for rank in ranks:
            chance = torch.Generator().manual_seed(10 * step + rank)
            asked, said = torch.randn(4, 5, generator=chance), torch.randn(4, 3, generator=chance)
            (torch.nn.functional.mse_loss(model(asked), said) / len(ranks)).backward()
        Machine.clip(model.parameters(), 0.3)
        optimizer.step()
        optimizer.zero_grad()
    weights = [everywhere(parameter.detach()).clone() for parameter in model.parameters()]
    means = weights
    if isinstance(optimizer, ScheduleFreeAdamW):
        with optimizer.averaged():
            means = [everywhere(parameter.detach()).clone() for parameter in model.parameters()]
    return weights, means, everywhere_in(optimizer)


def everywhere_in(optimizer: Any) -> list[torch.Tensor]:
    return [
        everywhere(value).clone()
        for state in optimizer.state_dict()["state"].values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    ]


def all_kept(optimizer: Any) -> Any:
    """The first rank's whole state on both, as through a checkpoint."""
    box = [all_of(optimizer.state_dict())]
    torch.distributed.broadcast_object_list(box, 0)
    return box[0]


def one_moving(said: dict[str, str], out: str) -> None:
    os.environ |= said | WISHES
    here = Machine(decide(Hardware(), MachineSpec(), "adamw"))
    assert here.sharded and os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] == "false"
    found = {}
    for name in OPTIMIZERS:
        model = small_model()
        split(model, "cpu")
        found[name] = steps(name, model, True, (here.rank,))
    tensor = torch.arange(15.0).view(5, 3)
    like = next(iter(model.parameters()))
    shared = shared_out(torch.ones(7, 5), like)
    assert whole(shared).shape == ((7, 5) if here.rank == 0 else (0,)) and len(own(shared)) in (3, 4)
    assert whole(tensor) is tensor and own(tensor) is tensor and shared_out(tensor, tensor) is tensor
    torch.save(found, f"{out}{here.rank}")


def test_optimizers_move_shares_as_they_move_wholes(tmp_path: Path) -> None:
    assert ends(both(one_moving, *[(str(tmp_path / "rank"),)] * 2)) == [0, 0]
    found = [torch.load(tmp_path / f"rank{rank}") for rank in (0, 1)]
    for name in OPTIMIZERS:
        alone = steps(name, small_model(), False, (0, 1))
        for mine, other, theirs in zip(found[0][name], found[1][name], alone, strict=True):
            for one, two_, three in zip(mine, other, theirs, strict=True):
                assert torch.equal(one, two_) and torch.allclose(one, three, atol=1e-6), name


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {**WISHES, "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"method": {"train_text_encoder": True}}, "train_text_encoder = true"),
        ({"optim": {"name": "adafactor"}}, "adafactor; take one of adamw"),
        ({"optim": {"name": "prodigy", "lr": 1.0}}, "prodigy"),
        ({"optim": {"name": "adamw8bit"}}, "adamw8bit"),
        ({"optim": {"ema": 0.99}}, "optim.ema = 0.99"),
        ({"optim": {"fused_backward": True, "clip": 0.0}}, "fused_backward"),
        ({"optim": {"weights": "bf16"}}, "optim.weights = bf16"),
        ({"machine": {"split": 2}}, "machine.split = 2"),
        ({"machine": {"compile": True}}, "machine.compile"),
        ({"machine": {"channels_last": True}}, "machine.channels_last"),
        ({"machine": {"precision": "fp16"}}, "machine.precision = fp16"),
        ({"sample": {"prompts": ["a toy <lora:other:1>", "a <lora:toys-dreambooth>"]}}, "sample prompts (other)"),
    ],
)
def test_what_was_not_seen_to_hold_is_refused(
    over: dict[str, Any], said: str, base: Path, pictures: Path, launched: Any
) -> None:
    assert launch_problems(wanted(base, pictures)) == []
    (sentence,) = launch_problems(wanted(base, pictures, **over))
    assert sentence.startswith("FSDP does not go with ") and said in sentence


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FSDP_VERSION", "1", "--fsdp_version 2"),
        ("WORLD_SIZE", "1", "--num_processes"),
        ("FSDP_OFFLOAD_PARAMS", "true", "--fsdp_offload_params false"),
        ("FSDP_RESHARD_AFTER_FORWARD", "false", "--fsdp_reshard_after_forward true"),
        ("FSDP_ACTIVATION_CHECKPOINTING", "true", "machine.gradient_checkpointing = true"),
        ("FSDP_IGNORED_MODULES", "conv.*", "--fsdp_ignored_modules"),
        ("ACCELERATE_USE_DEEPSPEED", "true", "DeepSpeed"),
    ],
)
def test_configurations_that_are_otherwise_are_refused(
    name: str, value: str, said: str, base: Path, pictures: Path, launched: Any
) -> None:
    launched.setenv(name, value)
    (sentence,) = launch_problems(wanted(base, pictures))
    assert said in sentence


def test_a_full_rank_says_what_to_do(launched: Any) -> None:
    assert "optim.name = lion or sgd" in _explain(torch.OutOfMemoryError("CUDA out of memory"))


def test_a_refused_launch_leaves_no_folder(tmp_path: Path, base: Path, pictures: Path, launched: Any) -> None:
    for over, said in (({"optim": {"ema": 0.9}}, "optim.ema"), ({}, "--fsdp_version 2")):
        launched.setenv("FSDP_VERSION", "2" if over else "1")
        with pytest.raises(SpecError, match=said):
            begin(wanted(base, pictures, **over), tmp_path / "run", tmp_path)
    assert not list(tmp_path.iterdir())
