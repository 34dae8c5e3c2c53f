"""The only file that says which pictures a step sees, with what words: to the training, and to whoever looks ahead."""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio import starter
from studio.data.buckets import size_of
from studio.data.caption import caption
from studio.data.image import facts
from studio.data.order import batch, batches_per_epoch, grouped, steps_per_epoch
from studio.data.scan import Example, dataset
from studio.engine.draw import caption_rng
from studio.families import loading
from studio.families.about import about
from studio.spec import RunSpec

Place = tuple[int, int, int]  # a step from 1, a slot in it, of so many slots


@dataclass(frozen=True)
class Showing:
    """The example ``index`` in a batch, under its ``prompt``; ``side`` 1 is the mirrored view."""

    index: int
    prompt: str
    side: int


def showings(
    spec: RunSpec, example: Callable[[int], Example], buckets: Sequence[Sequence[int]], place: Place
) -> list[Showing]:
    """What the batch at ``place`` shows; a function of the spec, whatever the method. Raises DataError."""
    step, slot, slots = place
    found = []
    for index in batch(buckets, spec.schedule.batch_size, spec.seed, (step - 1) * slots + slot):
        rng = caption_rng(spec.seed, step, index)
        prompt = caption(example(index), spec.data, rng)
        found.append(Showing(index, prompt, rng.randrange(2 if spec.data.flip else 1)))
    return found


# -- looking ahead ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """A picture that a run will see at ``step``; where ``prompt`` has the trigger a method may put new words."""

    step: int
    picture: Path
    prompt: str
    mirrored: bool


@dataclass(frozen=True)
class Epoch:
    """How ``pictures`` become steps: ``shown`` so often in an epoch, in ``batches``, of which ``slots`` are one step.

    ``beside``: class images of which each batch has as many again; they cost no steps. ``total`` is the run's steps.
    """

    pictures: int
    shown: int
    batches: int
    batch_size: int
    slots: int
    steps: float
    total: int
    beside: int = 0

    @property
    def epochs(self) -> float:
        """How often the run sees everything."""
        return self.total / self.steps

    def __str__(self) -> str:
        """The whole reckoning, in two sentences."""
        repeated = f", shown {self.shown} times with repeats," if self.shown != self.pictures else ""
        together = f" x {self.slots} batches a step" if self.slots > 1 else ""
        shapes = " (a batch holds one shape only)" if self.batches > -(-self.shown // self.batch_size) else ""
        beside = f" Each batch has as many of the {self.beside} class images beside." if self.beside else ""
        many = "picture" if self.pictures == 1 else "pictures"
        return (
            f"{self.pictures} {many}{repeated} / {self.batch_size} at once{together} = {self.steps:.4g} steps an "
            f"epoch{shapes}; {self.total} steps are {self.epochs:.3g} epochs.{beside}"
        )


def prompts_shown(spec: RunSpec, count: int = 5, world: int = 1) -> tuple[Shown, ...]:
    """The first ``count`` pictures that a run of ``spec`` on ``world`` devices sees, with the words that it sees.

    The base is not loaded and of pictures only the headers are read. Raises DataError for a dataset that cannot be
    trained on, and ModelError for a base that is not there.
    """
    train, buckets = _laid(spec)
    slots = spec.schedule.accumulation * world
    found: list[Shown] = []
    for turn in range(max(0, count)):  # a batch holds one picture at least
        step, slot = turn // slots + 1, turn % slots
        if len(found) >= count or step > spec.schedule.steps:
            break
        for one in showings(spec, train.__getitem__, buckets, (step, slot, slots)):
            found.append(Shown(step, train[one.index].path, one.prompt, bool(one.side)))
    return tuple(found[:count])


def epoch(spec: RunSpec, world: int = 1) -> Epoch:
    """How the pictures of ``spec`` become steps on ``world`` devices; raises as `prompts_shown` does."""
    train, buckets = _laid(spec)
    size, slots = spec.schedule.batch_size, spec.schedule.accumulation * world
    return Epoch(
        pictures=len(train),
        shown=sum(len(bucket) for bucket in buckets),
        batches=batches_per_epoch(buckets, size),
        batch_size=size,
        slots=slots,
        steps=steps_per_epoch(buckets, size, slots),
        total=spec.schedule.steps,
        beside=spec.data.class_images,
    )


def _laid(spec: RunSpec) -> tuple[tuple[Example, ...], list[list[int]]]:
    """The pictures to train on, and their indices by shape, as they will be once they are encoded."""
    train = dataset(spec.data).train
    native, step = _grid(spec.base.model)
    side = spec.data.resolution or native
    sizes = [size_of(*_size(one.path), side, step, spec.data.buckets) for one in train]
    return train, grouped([(high, wide) for wide, high in sizes], [one.repeats for one in train])


def _grid(model: str) -> tuple[int, int]:
    """The native side of a base, and what sides must be multiples of, from its settings alone."""
    known, place = about(model), loading.locate(model)
    if not place.is_dir():
        place = starter.BASE if known.side <= starter.SIZE else loading.CONFIGS / known.family
    halvings = sum(len(_settings(place / part)["block_out_channels"]) - 1 for part in ("unet", "vae"))
    return known.side, 2**halvings


def _settings(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return found


def _size(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return facts(path)[:2]  # which says what is wrong
    return _measured(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=65536)
def _measured(path: Path, _bytes: int, _changed: int) -> tuple[int, int]:
    wide, high, _ = facts(path)
    return wide, high
