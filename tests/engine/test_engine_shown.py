"""What is told beforehand of a run's prompts and steps is what the run then sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from studio.engine.bench import Bench
from studio.engine.machine import Machine, this_hardware
from studio.engine.preflight import steady_prompts
from studio.engine.shown import Epoch, epoch, prompts_shown
from studio.engine.worker import Resident
from studio.errors import DataError, ModelError
from studio.hardware import decide
from studio.spec import RunSpec, load_spec
from tests import tiny

Make = Callable[..., Any]
PLAIN: Any = SimpleNamespace(prompt=lambda text: text)  # a method that leaves prompts alone
GRAMMAR = {
    "shuffle": True, "tag_dropout": 0.3, "caption_dropout": 0.2, "wildcards": True, "template": "style", "flip": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures of three shapes, two of them in a folder that is shown three times."""
    place = tmp_path_factory.mktemp("shown")
    sizes = ((64, 64), (128, 64), (64, 128), (64, 64), (128, 64))
    for index, size in enumerate(sizes):
        name = place / ("3_toys" if index > 2 else ".") / f"{index}.png"
        name.parent.mkdir(exist_ok=True)
        Image.new("RGB", size, (40 * index, 90, 10)).save(name)
        name.with_suffix(".txt").write_text(f"sks, number {index}, {{red|blue}}, b, c\nsks line {index}")
    return place


@pytest.fixture
def bench(resident: Resident, cache: Path) -> Iterator[Callable[[RunSpec], Bench]]:
    made: list[Bench] = []

    def make(wanted: RunSpec) -> Bench:
        machine = Machine(decide(this_hardware(), wanted.machine, "adamw"))
        made.append(Bench(wanted, resident.models_for(wanted, machine.plan), machine, cache))
        list(made[-1].fill())
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize(("size", "accumulation"), [(1, 1), (2, 1), (4, 3)])
def test_what_is_told_is_what_the_training_sees(
    base: Path, folder: Path, bench: Callable[[RunSpec], Bench], size: int, accumulation: int
) -> None:
    schedule = {"steps": 9, "batch_size": size, "accumulation": accumulation}
    wanted = tiny.spec(
        "lora", base, folder, data={"held_out": "", "hold_back": ("0.png",), **GRAMMAR}, schedule=schedule
    )
    made = bench(wanted)
    turns = [(step, slot) for step in range(1, 10) for slot in range(accumulation)]
    batches = [(step, made.batch(step, slot, accumulation, PLAIN)[0]) for step, slot in turns]
    seen = [(step, prompt) for step, batch in batches for prompt in batch.prompts]
    told = prompts_shown(wanted, len(seen) + 50)
    assert [(one.step, one.prompt) for one in told] == seen  # and no more than the run has
    by_path = {encoded.example.path: encoded for encoded in made.train}
    views = torch.cat([by_path[one.picture].view(int(one.mirrored)).flatten() for one in told])
    assert torch.equal(views, torch.cat([batch.moments.flatten() for _, batch in batches]))
    assert {one.mirrored for one in told} == {True, False} and "" in {one.prompt for one in told}
    assert prompts_shown(wanted, 3) == told[:3]

    reckoned = epoch(wanted)
    once = told[: reckoned.shown]
    assert (reckoned.pictures, reckoned.shown, reckoned.total) == (4, 8, 9)
    assert len({(one.picture) for one in once}) == 4 and reckoned.batches == len(made_batches(made, size))
    assert reckoned.steps == reckoned.batches / accumulation
    counts = [sum(one.picture == path for one in once) for path in by_path]
    assert accumulation > 1 or sorted(counts) == [1, 1, 3, 3]


def made_batches(made: Bench, size: int) -> list[int]:
    """Where each batch of an epoch begins, in its bucket."""
    return [first for bucket in made.buckets for first in range(0, len(bucket), size)]


@pytest.mark.parametrize("over", [{"tag_dropout": 0.1}, {"wildcards": True}, {"template": "subject"}])
def test_prompts_that_vary_are_not_remembered(
    base: Path, folder: Path, bench: Callable[[RunSpec], Bench], over: dict[str, Any]
) -> None:
    made = bench(tiny.spec("lora", base, folder, data={"held_out": "", **over}))
    assert steady_prompts(made, made.spec, PLAIN) == []


def test_methods_are_told_the_same(base: Path, folder: Path) -> None:
    told = [
        prompts_shown(tiny.spec(kind, base, folder, data={"held_out": "", **GRAMMAR}))
        for kind in ("lora", "textual-inversion", "dreambooth")
    ]
    assert len(told[0]) == 5 and told[0] == told[1] == told[2]


def test_the_example_is_told_without_its_base() -> None:
    spec = load_spec("lora-starter", {})
    told = prompts_shown(spec)
    assert len(told) == 5 and all("sks" in one.prompt and one.picture.is_file() for one in told)
    assert epoch(spec).pictures == 10


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((10, 10, 10, 1, 1, 10.0, 1000), "10 pictures / 1 at once = 10 steps an epoch; 1000 steps are 100 epochs."),
        (
            (1, 40, 10, 4, 4, 2.5, 100, 200),
            "1 picture, shown 40 times with repeats, / 4 at once x 4 batches a step = 2.5 steps an epoch; "
            "100 steps are 40 epochs. Each batch has as many of the 200 class images beside.",
        ),
        (
            (5, 5, 4, 2, 1, 4.0, 10),
            "5 pictures / 2 at once = 4 steps an epoch (a batch holds one shape only); 10 steps are 2.5 epochs.",
        ),
    ],
)
def test_an_epoch_is_reckoned_in_a_sentence(numbers: tuple[Any, ...], said: str) -> None:
    assert str(Epoch(*numbers)) == said


def test_what_cannot_be_trained_on_is_said(base: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        prompts_shown(tiny.spec("lora", base, tmp_path / "gone"))
    with pytest.raises(ModelError):
        prompts_shown(tiny.spec("lora", tmp_path / "gone", folder, data={"held_out": ""}))
    (tmp_path / "a.png").write_bytes(b"<html>")
    with pytest.raises(DataError, match=r"a\.png"):
        epoch(tiny.spec("lora", base, tmp_path, data={"held_out": ""}))
