"""Two ranks of which one is killed, or full: the other knows it at once, and the run goes on, later or with less."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studio import cli
from studio.engine import machine
from studio.engine.learner import Learner
from studio.engine.run import begin, extend, train
from studio.engine.worker import Resident
from studio.errors import SpecError
from studio.events import Failed
from studio.hardware import Hardware, MachineSpec, decide
from studio.spec import RunSpec, spec_from_toml
from studio.store import RunStore
from tests import tiny

PATIENCE = 240  # seconds, on a machine that has other things to do
Trouble = Callable[[], None]


def surroundings() -> list[dict[str, str]]:
    """What a launcher says to each of two processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in (0, 1)]


def one_rank(said: dict[str, str], run: str, cache: str, trouble: Trouble | None, steps: int | None) -> None:
    """Train as one of two, which may have a ``trouble`` of its own."""
    os.environ |= said
    torch.set_num_threads(1)
    if trouble:
        trouble()
    code = 0
    extend(RunStore(run), steps)
    for event in train(RunStore(run), Resident(Path(cache))):
        code = event.code if isinstance(event, Failed) else 0
    sys.exit(code)


def both(call: Callable[..., None], *given: tuple[Any, ...]) -> list[Any]:
    """Two processes that have everything imported already, each with its surroundings and its own ``given``."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["diffusers.loaders", "peft", "accelerate", "transformers", "studio.engine.run"])
    started = [
        context.Process(target=call, args=(said, *words)) for said, words in zip(surroundings(), given, strict=True)
    ]
    for process in started:
        process.start()
    return started


def ends(started: list[Any]) -> list[int | None]:
    """The exit codes; a process that still waits for another one's gradients after long is killed."""
    for process in started:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()
    return [process.exitcode for process in started]


def together(store: RunStore, cache: Path, *troubles: Trouble | None, steps: int | None = None) -> list[Any]:
    """Train with one process for each of two ``troubles``."""
    return both(one_rank, *((str(store.path), str(cache), trouble, steps) for trouble in troubles))


def full() -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


def in_backward(fits: Callable[[Learner, int], bool]) -> None:
    """From now on a backward pass finds no room, late in it, unless ``fits`` says so of learner and number of calls."""
    really, calls = Learner.forward, [0]

    def forward(learner: Learner, *given: Any) -> torch.Tensor:
        losses = really(learner, *given)
        if torch.is_grad_enabled():
            calls[0] += 1
            if not fits(learner, calls[0]):
                last = next(parameter for parameter in learner.parts["unet"].parameters() if parameter.requires_grad)
                last.register_hook(lambda _: full())
        return losses

    Learner.forward = forward  # type: ignore[method-assign]


def checkpointed(learner: Learner) -> bool:
    return bool(learner.parts["unet"].is_gradient_checkpointing)


def full_in_backward_then_in_an_update() -> None:
    in_backward(lambda learner, call: call < 3 or checkpointed(learner))
    really, calls = torch.optim.AdamW.step, [0]

    def step(optimizer: Any, *args: Any) -> Any:
        calls[0] += 1
        if calls[0] == 4:  # two before the backward pass that broke off, and one after
            with torch.no_grad():
                optimizer.param_groups[0]["params"][0].add_(100)
            full()
        return really(optimizer, *args)

    torch.optim.AdamW.step = step  # type: ignore[method-assign]


def never_fits_again() -> None:
    in_backward(lambda _, call: call < 2)


def wanted(base: Path, pictures: Path, **over: Any) -> RunSpec:
    plain = {
        "method": {"train_text_encoder": False},
        "schedule": {"steps": 5, "batch_size": 1},
        "sample": {"prompts": []},
        "data": {"held_out": ""},
        "save": {"every": 3, "formats": ["kohya"]},
    }
    return tiny.spec("lora", base, pictures, **plain | over)


def test_one_full_rank_is_climbed_out_of_by_both(
    tmp_path: Path, base: Path, pictures: Path, cache: Path, resident: Resident
) -> None:
    """First in the backward pass of step 3, from which the last good state is saved; then amid the update of step 4,
    which the other one has made by then: both go back to the checkpoint of step 3. Equal to one process until there,
    but for the order in which floats are added."""
    store = tiny.new_run(tmp_path / "two", wanted(base, pictures))
    assert ends(together(store, cache, None, full_in_backward_then_in_an_update)) == [0, 0]
    view = store.view()
    assert view.state == "finished" and [step for step, _ in view.losses] == [1, 2, 3, 4, 5]
    said = [event for event in view.log if event.kind == "started"]
    assert [event.step for event in said] == [0, 2, 3]  # type: ignore[attr-defined]
    climbed = [event.choice for event in view.decisions if event.what == "memory"]
    assert climbed == ["gradient checkpointing", "8-bit optimizer"]
    ended = spec_from_toml(store.spec_text())
    assert ended.machine.gradient_checkpointing and ended.optim.name == "adamw8bit"
    assert all(float(tensor.abs().max()) < 50 for tensor in tiny.checkpoint(store, 5)[0].values())

    one = tiny.new_run(
        tmp_path / "one", wanted(base, pictures, schedule={"steps": 5, "batch_size": 1, "accumulation": 2})
    )
    for event in train(one, resident):
        if event.kind == "step" and event.step == 4:  # type: ignore[attr-defined]
            break
    theirs = dict(one.read().view.losses)
    for step, loss in view.losses[:4]:
        assert loss == pytest.approx(theirs[step], rel=1e-4)
    for name, tensor in tiny.checkpoint(one, 3)[0].items():
        assert torch.allclose(tiny.checkpoint(store, 3)[0][name], tensor, atol=1e-4)


def test_at_the_end_of_the_ladder_all_ranks_end_and_the_run_can_go_on(
    tmp_path: Path, base: Path, pictures: Path, cache: Path
) -> None:
    small = wanted(base, pictures, optim={"name": "sgd", "lr": 0.1})
    store = tiny.new_run(tmp_path / "two", small)
    assert ends(together(store, cache, never_fits_again, None)) == [1, 1]
    view = store.view()
    assert view.state == "failed" and "batch_size" in view.error and store.holder() == 0
    assert [step for step, _ in store.checkpoints()] == [1]
    assert spec_from_toml(store.spec_text()).machine.gradient_checkpointing


def test_a_lost_rank_ends_the_other_and_the_run_is_resumed(
    tmp_path: Path, base: Path, pictures: Path, cache: Path
) -> None:
    store = tiny.new_run(
        tmp_path / "run",
        wanted(base, pictures, schedule={"steps": 2000, "batch_size": 1}, save={"every": 2, "formats": ["kohya"]}),
    )
    first, second = started = together(store, cache, None, None)
    try:
        end = time.monotonic() + PATIENCE
        while store.read().view.step < 5:
            assert time.monotonic() < end and first.is_alive() and second.is_alive()
            time.sleep(0.05)
        os.kill(second.pid, signal.SIGKILL)
        first.join(60)
        assert first.exitcode == 1
    finally:
        for process in started:
            process.kill()
            process.join()
    view = store.view()
    assert view.state == "failed" and "another process" in view.error.lower() and "resume" in view.error
    kept = store.checkpoints()[-1][0]
    assert 4 <= kept <= view.step and store.holder() == 0
    assert ends(together(store, cache, None, None, steps=view.step + 2)) == [0, 0]
    assert store.view().state == "finished" and store.view().step == view.step + 2
    assert [step for step, _ in store.view().losses] == list(range(1, view.step + 3))


def gradients_of(rank: int) -> list[torch.Tensor | None]:
    """What one rank has: a row, channels last, bfloat16, nothing, more than goes in one call; what it alone lacks."""
    chance = torch.Generator().manual_seed(rank)
    shapes: list[tuple[int, ...]] = [(3,), (4, 2, 3, 3), (5, 2), (2,), (50,), (7,)]
    found: list[torch.Tensor | None] = [torch.randn(shape, generator=chance) for shape in shapes]
    found[1] = found[1].to(memory_format=torch.channels_last)  # type: ignore[union-attr]
    found[2] = found[2].bfloat16()  # type: ignore[union-attr]
    found[3] = None
    return found if rank else [*found[:5], None]


def one_adding(said: dict[str, str], out: str) -> None:
    os.environ |= said
    machine.TOGETHER = 20
    rank = int(said["RANK"])
    mine = gradients_of(rank)
    live = []
    for tensor, other in zip(mine, gradients_of(1), strict=True):
        like = other if tensor is None else tensor
        live.append(torch.nn.Parameter(torch.full_like(torch.empty(2) if like is None else like, float(rank))))
        live[-1].grad = tensor
    here = machine.Machine(decide(Hardware(), MachineSpec(), "adamw"))
    here.join(live)
    here.complete()
    here.mean_gradients()
    assert here.most(rank * 3) == 3
    group = torch.distributed.distributed_c10d._get_default_group()
    assert group._get_backend(torch.device("cpu")).options._timeout == machine.PATIENCE
    with pytest.raises(SpecError, match="same spec"):
        here.join([torch.nn.Parameter(torch.zeros(3 + rank))])
    torch.save([(parameter.detach(), parameter.grad) for parameter in live], f"{out}{rank}")


def test_two_ranks_train_dylora(spec: Callable[..., Any], tmp_path: Path, cache: Path) -> None:
    """Each of them may miss other gradients than its neighbour, in the same step."""
    store = tiny.new_run(tmp_path / "run", spec("dylora", schedule={"steps": 3}, save={"formats": ["kohya"]}))
    assert ends(together(store, cache, None, None)) == [0, 0]
    assert len(list((store.path / "exports").glob("*.safetensors"))) == 1


def test_gradients_of_two_ranks_are_added_up_whatever_their_shape(tmp_path: Path) -> None:
    assert ends(both(one_adding, *[(str(tmp_path / "rank"),)] * 2)) == [0, 0]
    found = [torch.load(tmp_path / f"rank{rank}") for rank in (0, 1)]
    for first, second, mine, theirs in zip(*found, gradients_of(0), gradients_of(1), strict=True):
        assert not first[0].any() and not second[0].any()  # rank 0's weights on both
        if theirs is None:
            assert first[1] is None and second[1] is None
            continue
        mean = ((torch.zeros_like(theirs) if mine is None else mine).float() + theirs.float()) / 2
        assert torch.equal(first[1], second[1]) and first[1].stride() == theirs.stride()
        assert torch.allclose(first[1].float(), mean, rtol=1e-2 if theirs.dtype == torch.bfloat16 else 1e-6)


def test_a_launcher_that_would_split_the_model_is_refused_before_anything_is_made(
    tmp_path: Path, base: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FSDP", "DEEPSPEED"):
        with monkeypatch.context() as said:
            said.setenv(f"ACCELERATE_USE_{name}", "true")
            with pytest.raises(SpecError, match=r"--multi_gpu"):
                begin(wanted(base, pictures), tmp_path / "run", tmp_path)
    assert list(tmp_path.iterdir()) == []
    store = begin(wanted(base, pictures), tmp_path / "run", tmp_path)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(SpecError, match="FSDP"):
        next(train(store, Resident()))


@pytest.mark.parametrize("words", [["find-lr", "lora-starter"], ["compare", "lora-starter"], ["doctor"]])
def test_words_for_one_process_are_refused_to_several(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert cli.main(words) == 2
    assert "without a launcher" in capsys.readouterr().err
