"""A run that was cut off and went on is, bit for bit, the run that was not; and runs of a comparison see the same."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.engine.bench import Bench
from studio.engine.estimate import estimate
from studio.engine.run import train
from studio.engine.worker import Resident
from studio.events import Event
from studio.hardware import Hardware, decide
from studio.spec import RunSpec
from studio.store import RunStore
from studio.ui.touched import places
from tests import tiny

STEPS = 6  # two batches a step, three an epoch: an epoch ends within step 2 and with steps 3 and 6
EVERYTHING: dict[str, Any] = {
    "data": {"caption_dropout": 0.3, "flip": True, "shuffle": True},
    "objective": {"noise_offset": 0.05, "min_snr_gamma": 5.0},
    "optim": {"lr_text": 1e-3},
    "schedule": {"steps": STEPS, "accumulation": 2, "kind": "cosine", "warmup": 0.3},
    "sample": {"prompts": []},
    "save": {"every": 1},
}
KINDS = ("lora", "textual-inversion", "hypernetwork", "lokr", "dylora", "dreambooth")
"""One for each way to learn, and DyLoRA, which draws by itself; that what the rest learnt is put back exactly is in the
methods' contract."""
MORE: dict[str, dict[str, Any]] = {"lora": {"method": {"dropout": 0.2}}}

Seen = dict[tuple[int, int], tuple[torch.Tensor, ...]]


class Whole:
    """Runs of six steps without a break, one a method, each with what every batch of it held."""

    def __init__(self, folder: Path, base: Path, pictures: Path, resident: Resident) -> None:
        self.resident = resident
        self._folder, self._base, self._pictures = folder, base, pictures
        self._done: dict[str, tuple[RunStore, Seen, list[list[str]]]] = {}

    def told(self, kind: str, **over: Any) -> RunSpec:
        from studio.section import merge

        return tiny.spec(kind, self._base, self._pictures, **merge(merge(EVERYTHING, MORE.get(kind, {})), over))

    def new(self, kind: str, **over: Any) -> RunStore:
        wanted = self.told(kind, **over)
        number = len(list(self._folder.iterdir()))
        return tiny.new_run(self._folder / f"{number}-{kind}", wanted)

    def run(self, kind: str) -> tuple[RunStore, Seen, list[list[str]]]:
        if kind not in self._done:
            self._done[kind] = (store := self.new(kind), *self.watch(store))
        return self._done[kind]

    def watch(self, store: RunStore) -> tuple[Seen, list[list[str]]]:
        seen: Seen = {}
        prompts: list[list[str]] = []
        really = Bench.batch

        def spy(bench: Bench, step: int, slot: int, slots: int, method: Any) -> Any:
            batch, chance = really(bench, step, slot, slots, method)
            seen[step, slot] = (batch.moments, chance.noise, chance.timesteps, chance.posterior)
            prompts.append(list(batch.prompts))
            return batch, chance

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Bench, "batch", spy)
            assert list(train(store, self.resident))[-1].kind == "finished"
        return seen, prompts


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, base: Path, pictures: Path, resident: Resident) -> Whole:
    return Whole(tmp_path_factory.mktemp("whole"), base, pictures, resident)


def cut_off(store: RunStore, resident: Resident, when: Callable[[Event], bool]) -> None:
    """Train until ``when`` says so, and then no further, as if the power had gone."""
    events = train(store, resident)
    assert any(when(event) for event in events), "it ended before"
    events.close()  # type: ignore[attr-defined]
    assert store.view().state == "interrupted"


@pytest.mark.parametrize("kind", KINDS)
def test_cut_off_within_an_epoch_and_at_its_end_a_run_ends_as_if_it_had_not_been(kind: str, whole: Whole) -> None:
    expected, _, _ = whole.run(kind)
    store = whole.new(kind)
    cut_off(store, whole.resident, lambda event: event.kind == "step" and event.step == 3)  # type: ignore[attr-defined]
    assert store.checkpoints()[-1][0] == 2  # within the second epoch
    cut_off(store, whole.resident, lambda event: event.kind == "saved" and event.step == 3)  # type: ignore[attr-defined]
    assert store.checkpoints()[-1][0] == 3  # at the end of the second epoch
    assert list(train(store, whole.resident))[-1].kind == "finished"
    for step in (4, STEPS):
        for one, other in zip(tiny.checkpoint(store, step), tiny.checkpoint(expected, step), strict=True):
            assert tiny.same(one, other) if one and isinstance(next(iter(one.values())), torch.Tensor) else one == other
    mine, theirs = store.view(), expected.view()
    assert mine.losses == theirs.losses and mine.validations == theirs.validations
    assert [export.format for export in mine.exports] == [export.format for export in theirs.exports]


def test_all_methods_see_the_same_pictures_noise_and_timesteps_at_each_step(whole: Whole) -> None:
    _, first, _ = whole.run("lora")
    assert set(first) == {(step, slot) for step in range(1, STEPS + 1) for slot in (0, 1)}
    for kind in KINDS:
        _, seen, _ = whole.run(kind)
        assert seen.keys() == first.keys()
        for key, tensors in seen.items():
            assert all(torch.equal(a, b) for a, b in zip(tensors, first[key], strict=True)), (kind, key)


def test_all_methods_are_told_the_same_captions(whole: Whole) -> None:
    told = {kind: whole.run(kind)[2] for kind in KINDS}
    assert told["lora"] == told["dreambooth"]
    word = " ".join(f"<crucible-{index}>" for index in range(4))
    assert [[text.replace(word, "sks") for text in one] for one in told["textual-inversion"]] == told["lora"]
    assert any("" in one for one in told["lora"]) and any("sks" in text for one in told["lora"] for text in one)


def test_another_seed_is_another_run_and_the_same_seed_the_same(whole: Whole) -> None:
    _, first, _ = whole.run("textual-inversion")
    store = whole.new("textual-inversion", seed=43, schedule={"steps": 2})
    again = whole.new("textual-inversion", seed=43, schedule={"steps": 2})
    (seen, _), (repeated, _) = whole.watch(store), whole.watch(again)
    assert all(not torch.equal(seen[key][1], first[key][1]) for key in seen)
    assert all(torch.equal(seen[key][1], repeated[key][1]) for key in seen)
    one, other = tiny.checkpoint(store, 2), tiny.checkpoint(again, 2)
    assert tiny.same(one[0], other[0]) and tiny.same(one[1], other[1])


def test_what_the_page_works_out_beside_a_run_disturbs_none_of_its_chances(whole: Whole) -> None:
    expected, _, _ = whole.run("lora")  # with dropout, which draws from torch's own chance
    store = whole.new("lora")
    asked = [whole.told(kind) for kind in ("dylora", "lora")]
    ended = threading.Event()
    looked: list[Any] = []

    def page() -> None:
        while not ended.is_set():
            wanted = asked[len(looked) % len(asked)]
            looked.append((places(wanted).error, estimate(wanted, decide(Hardware(), wanted.machine, "adamw"))))

    beside = threading.Thread(target=page)
    beside.start()
    try:
        assert list(train(store, whole.resident))[-1].kind == "finished"
    finally:
        ended.set()
        beside.join()
    assert looked and not any(error for error, _ in looked)
    assert store.view().losses == expected.view().losses
    before = random.getstate()  # DyLoRA draws its rank from Python's own chance
    estimate(asked[0], decide(Hardware(), asked[0].machine, "adamw"))
    assert random.getstate() == before
