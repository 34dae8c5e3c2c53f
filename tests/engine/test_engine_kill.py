"""Real processes, really killed: what is on disk afterwards is whole, and the run goes on as if nothing had been."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.engine.checkpoint import place_of, weights_of
from studio.engine.run import train
from studio.engine.worker import Resident
from studio.store import RunStore
from tests import tiny

ROOT = Path(__file__).resolve().parents[2]
STEPS = 6
PATIENCE = 120  # seconds to wait for a child on a machine that has other things to do


def child(run: str, cache: str, failpoint: tuple[str, str, int]) -> None:
    """Train, and at the nth ``os.<call>`` on a path with ``part`` in it be killed, before the call or after it."""
    torch.set_num_threads(1)
    call, part, number = failpoint
    if call:
        name, _, after = call.partition("+")
        really = getattr(os, name)
        left = [number]

        def dying(first: Any, *rest: Any) -> Any:
            path = os.readlink(f"/proc/self/fd/{first}") if isinstance(first, int) else f"{first} {rest}"
            left[0] -= part in path
            if left[0] == 0 and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = really(first, *rest)
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        setattr(os, name, dying)
    for _ in train(RunStore(run), Resident(Path(cache))):
        pass


@pytest.fixture(scope="module")
def spawn(cache: Path) -> Iterator[Any]:
    """Start a child that has everything imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["diffusers.loaders", "peft", "accelerate", "transformers", "studio.engine.run"])

    def start(store: RunStore, failpoint: tuple[str, str, int] = ("", "", 0)) -> Any:
        process = context.Process(target=child, args=(str(store.path), str(cache), failpoint))
        process.start()
        return process

    yield start


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, base: Path, pictures: Path, resident: Resident) -> RunStore:
    """The run without a break."""
    store = tiny.new_run(tmp_path_factory.mktemp("expected") / "run", wanted(base, pictures))
    assert list(train(store, resident))[-1].kind == "finished"
    return store


@pytest.fixture
def store(tmp_path: Path, base: Path, pictures: Path) -> RunStore:
    """The same run, not yet begun."""
    return tiny.new_run(tmp_path / "run", wanted(base, pictures))


def wanted(base: Path, pictures: Path) -> Any:
    return tiny.spec(
        "lora",
        base,
        pictures,
        method={"train_text_encoder": False},
        schedule={"steps": STEPS, "batch_size": 1},
        sample={"every": 2},
        save={"every": 2, "keep": 1, "formats": ["kohya"]},
    )


def wait_for_step(store: RunStore, step: int, alive: Any) -> None:
    end = time.monotonic() + PATIENCE
    while store.read().view.step < step:
        assert time.monotonic() < end and alive(), "the child did not come so far"
        time.sleep(0.01)


def assert_whole(store: RunStore) -> None:
    """What a killed engine may leave: no half checkpoint, and a run that says it was interrupted."""
    view = store.view()
    assert view.state == "interrupted" and store.holder() == 0
    for step, folder in store.checkpoints():
        assert place_of(folder).step == step
        assert all(torch.isfinite(tensor).all() for tensor in weights_of(folder).values())
    for pictures in view.samples.values():
        assert all((store.path / picture.path).is_file() for picture in pictures)


def assert_ends_as(store: RunStore, expected: RunStore) -> None:
    (step, _), (other, _) = store.checkpoints()[-1], expected.checkpoints()[-1]
    assert step == other == STEPS and store.view().state == "finished"
    for mine, theirs in zip(tiny.checkpoint(store, STEPS)[:2], tiny.checkpoint(expected, STEPS)[:2], strict=True):
        assert tiny.same(mine, theirs)
    assert store.view().losses == expected.view().losses
    assert set(store.view().samples) == set(expected.view().samples)
    assert tiny.drafts(store.path) == []


FAILPOINTS = [
    ("replace", "checkpoints", 1),  # all written, not yet renamed
    ("replace+", "checkpoints", 2),  # renamed, not yet said, the older one not yet removed
    ("fsync", ".partial-", 2),  # while a checkpoint is flushed
    ("replace", "samples/", 2),
]


@pytest.mark.parametrize("failpoint", FAILPOINTS, ids=lambda point: f"{point[0]}-{point[1].strip('/.')}-{point[2]}")
def test_killed_within_a_publication(
    failpoint: tuple[str, str, int], store: RunStore, spawn: Any, resident: Resident, expected: RunStore
) -> None:
    process = spawn(store, failpoint)
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    assert_whole(store)
    assert list(train(store, resident))[-1].kind == "finished"
    assert_ends_as(store, expected)


def test_killed_again_and_again_at_any_moment(
    store: RunStore, spawn: Any, resident: Resident, expected: RunStore
) -> None:
    chance = random.Random(os.urandom(4))
    for step in (1, 3):
        process = spawn(store)
        wait_for_step(store, step, process.is_alive)
        time.sleep(chance.random() * 0.3)
        os.kill(process.pid, signal.SIGKILL)
        process.join(PATIENCE)
        if process.exitcode == -signal.SIGKILL and store.view().state != "finished":
            assert_whole(store)
    assert list(train(store, resident))[-1].kind == "finished"
    assert_ends_as(store, expected)


def test_the_command_line_killed_and_resumed(tmp_path: Path, base: Path, pictures: Path, expected: RunStore) -> None:
    (tmp_path / "mine.toml").write_text(wanted(base, pictures).to_toml())
    store = RunStore(tmp_path / "run")
    command = [sys.executable, "-m", "studio.cli"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [*command, "train", str(tmp_path / "mine.toml"), "--out", str(store.path)]
    with subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        wait_for_step(store, 3, lambda: process.poll() is None)
        process.kill()
    assert_whole(store)
    done = subprocess.run(
        [*command, "resume", str(store.path), "--json"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told[0]["kind"] == "started" and told[0]["step"] == 2 and {line["run"] for line in told} == {"run"}
    assert told[-1]["kind"] == "finished"
    assert_ends_as(store, expected)


def test_two_ranks_make_the_run_that_one_makes_with_accumulation(
    tmp_path: Path, base: Path, pictures: Path, resident: Resident
) -> None:
    """Equal but for the order in which floats are added.

    With --cpu accelerate starts one process whatever number it is told; --multi_gpu starts them, here without a card.
    """
    from studio.spec import make_spec

    plain = wanted(base, pictures).model_dump()
    plain["schedule"] |= {"steps": 3}
    plain["sample"] |= {"prompts": []}
    plain["save"] |= {"every": 0}
    (tmp_path / "two.toml").write_text(make_spec(plain).to_toml())
    plain["schedule"] |= {"accumulation": 2}
    one = tiny.new_run(tmp_path / "one", make_spec(plain))
    assert list(train(one, resident))[-1].kind == "finished"
    two = RunStore(tmp_path / "two")
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launcher += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launcher += ["--num_cpu_threads_per_process", "1", "--main_process_port", "0", "-m", "studio.cli"]
    done = subprocess.run(
        [*launcher, "train", str(tmp_path / "two.toml"), "--out", str(two.path), "--json"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [line["step"] for line in told if line["kind"] == "step"] == [1, 2, 3]  # one of the two speaks
    assert [step for step, _ in two.read().view.losses] == [1, 2, 3]
    for (_, mine), (_, theirs) in zip(two.read().view.losses, one.read().view.losses, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4)
    mine, theirs = tiny.checkpoint(two, 3)[0], tiny.checkpoint(one, 3)[0]
    assert mine.keys() == theirs.keys()
    moved = max(float(tensor.abs().max()) for name, tensor in theirs.items() if "lora_B" in name)
    for name in mine:
        assert float((mine[name] - theirs[name]).abs().max()) < 0.02 * moved, name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two", "two.toml"]
    assert tiny.drafts(two.path) == [] and len(two.checkpoints()) == 1
