"""The only file that knows which examples come at which step: a pure function, nothing random is stored."""

import functools
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np


def grouped(shapes: Sequence[Hashable], repeats: Sequence[int]) -> list[list[int]]:
    """Indices of examples by their shape, shapes in order; each index as often as an epoch shows it."""
    found: dict[Hashable, list[int]] = {}
    for index, (shape, times) in enumerate(zip(shapes, repeats, strict=True)):
        found.setdefault(shape, []).extend([index] * times)
    return [found[shape] for shape in sorted(found)]  # type: ignore[type-var]


def plan(buckets: Sequence[Sequence[int]], batch_size: int) -> list[list[int]]:
    """Chop each bucket into batches as equal as can be; every index occurs once, none is dropped or padded."""
    batches: list[list[int]] = []
    for bucket in buckets:
        count = -(-len(bucket) // batch_size)
        batches += [part.tolist() for part in np.array_split(np.asarray(bucket, dtype=int), count)]
    return batches


def batches_per_epoch(buckets: Sequence[Sequence[int]], batch_size: int) -> int:
    """How many batches an epoch has; no batch holds pictures of two shapes."""
    return sum(-(-len(bucket) // batch_size) for bucket in buckets)


def steps_per_epoch(buckets: Sequence[Sequence[int]], batch_size: int, slots: int = 1) -> float:
    """Optimizer updates until every picture was shown as often as it should: ``slots`` batches make one.

    ``slots`` is accumulation times machines. Class images ride along in the same batches and cost no steps.
    """
    return batches_per_epoch(buckets, batch_size) / slots


def batch(buckets: Sequence[Sequence[int]], batch_size: int, seed: int, turn: int) -> list[int]:
    """The example indices of the ``turn``-th batch since the start, over all epochs, ranks and accumulation.

    In each epoch every example comes as often as its bucket names it; what shares a batch, and the order, are drawn
    anew from (seed, epoch).
    """
    epoch, place = divmod(turn, batches_per_epoch(buckets, batch_size))
    return list(_epoch(tuple(tuple(bucket) for bucket in buckets), batch_size, seed, epoch)[place])


@functools.lru_cache(maxsize=4)  # a step would otherwise shuffle all of it anew: 2 ms for 2000 pictures
def _epoch(buckets: tuple[tuple[int, ...], ...], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    rng = np.random.default_rng([seed, epoch, 0x0D])
    shuffled = [_spread(bucket, rng) for bucket in buckets]
    batches = plan(shuffled, batch_size)
    return [batches[index] for index in rng.permutation(len(batches))]


def _spread(bucket: tuple[int, ...], rng: np.random.Generator) -> list[int]:
    """``bucket`` shuffled in rounds, so that the copies of a repeated picture share no batch where that can be."""
    times = Counter(bucket)
    rounds = max(times.values(), default=0)
    found: list[int] = []
    for number in range(rounds):
        once = [index for index, count in times.items() if count > number]
        found += rng.permutation(np.asarray(once, dtype=int)).tolist()
    return found
