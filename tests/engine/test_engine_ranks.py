"""Two ranks of which one is killed, or full: the other knows it at once, and the run goes on, later or with less."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studio import cli
from studio.engine.learner import Learner
from studio.engine.run import begin, train
from studio.engine.worker import Resident
from studio.errors import SpecError
from studio.events import Failed
from studio.spec import RunSpec, spec_from_toml
from studio.store import RunStore
from tests import tiny

ROOT = Path(__file__).resolve().parents[2]
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


def ranks(*words: str) -> list[subprocess.Popen[bytes]]:
    """Both processes of a run, as a launcher would start them, but that nobody ends the other when one dies."""
    return [
        subprocess.Popen(
            [sys.executable, "-m", "studio.cli", *words],
            cwd=ROOT,
            env={**os.environ, **said},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for said in surroundings()
    ]


def one_rank(said: dict[str, str], run: str, cache: str, trouble: Trouble | None) -> None:
    """Train as one of two, which may have a ``trouble`` of its own."""
    os.environ |= said
    torch.set_num_threads(1)
    if trouble:
        trouble()
    code = 0
    for event in train(RunStore(run), Resident(Path(cache))):
        code = event.code if isinstance(event, Failed) else 0
    sys.exit(code)


def together(store: RunStore, cache: Path, *troubles: Trouble | None) -> list[int | None]:
    """Train with one process for each of two ``troubles``; their exit codes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["diffusers.loaders", "peft", "accelerate", "transformers", "studio.engine.run"])
    started = [
        context.Process(target=one_rank, args=(said, str(store.path), str(cache), trouble))
        for said, trouble in zip(surroundings(), troubles, strict=True)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(PATIENCE)
        if process.is_alive():  # as a rank is that waits for another one's gradients
            process.kill()
    return [process.exitcode for process in started]


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
    assert together(store, cache, None, full_in_backward_then_in_an_update) == [0, 0]
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
    assert together(store, cache, never_fits_again, None) == [1, 1]
    view = store.view()
    assert view.state == "failed" and "batch_size" in view.error and store.holder() == 0
    assert [step for step, _ in store.checkpoints()] == [1]
    assert spec_from_toml(store.spec_text()).machine.gradient_checkpointing


def test_a_lost_rank_ends_the_other_and_the_run_is_resumed(tmp_path: Path, base: Path, pictures: Path) -> None:
    wanted = tiny.spec(
        "lora",
        base,
        pictures,
        method={"train_text_encoder": False},
        schedule={"steps": 2000, "batch_size": 1},
        sample={"prompts": []},
        save={"every": 2, "formats": ["kohya"]},
    )
    (tmp_path / "mine.toml").write_text(wanted.to_toml())
    store = RunStore(tmp_path / "run")
    first, second = ranks("train", str(tmp_path / "mine.toml"), "--out", str(store.path))
    try:
        end = time.monotonic() + PATIENCE
        while store.read().view.step < 5:
            assert time.monotonic() < end and first.poll() is None and second.poll() is None
            time.sleep(0.05)
        second.send_signal(signal.SIGKILL)
        assert first.wait(60) == 1
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
    view = store.view()
    assert view.state == "failed" and "another process" in view.error.lower() and "resume" in view.error
    kept = store.checkpoints()[-1][0]
    assert 4 <= kept <= view.step and store.holder() == 0
    again = ranks("resume", str(store.path), "--steps", str(view.step + 2))
    assert [process.wait(PATIENCE) for process in again] == [0, 0]
    assert store.view().state == "finished" and store.view().step == view.step + 2
    assert [step for step, _ in store.view().losses] == list(range(1, view.step + 3))


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
