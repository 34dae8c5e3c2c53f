from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as some

from studio.data.order import batch, plan

COUNTS = some.lists(some.integers(1, 9), min_size=1, max_size=4)


def buckets_of(counts: list[int]) -> list[list[int]]:
    numbers = iter(range(sum(counts)))
    return [[next(numbers) for _ in range(count)] for count in counts]


@given(COUNTS, some.integers(1, 12), some.integers(0, 2**63 - 1), some.integers(0, 5))
def test_an_epoch_shows_each_example_once_in_batches_of_one_shape(
    counts: list[int], size: int, seed: int, epoch: int
) -> None:
    buckets = buckets_of(counts)
    per_epoch = len(plan(buckets, size))
    shown = [batch(buckets, size, seed, epoch * per_epoch + place) for place in range(per_epoch)]
    assert Counter(index for one in shown for index in one) == Counter(range(sum(counts)))
    for one in shown:
        assert 1 <= len(one) <= size
        assert any(set(one) <= set(bucket) for bucket in buckets)
    for bucket in buckets:
        sizes = [len(one) for one in shown if set(one) <= set(bucket)]
        assert max(sizes) - min(sizes) <= 1


def test_the_order_is_a_function_of_seed_and_turn() -> None:
    buckets = [list(range(40))]

    def epoch(seed: int, number: int) -> list[list[int]]:
        return [batch(buckets, 4, seed, number * 10 + place) for place in range(10)]

    assert epoch(1, 0) == epoch(1, 0)
    assert epoch(1, 0) != epoch(2, 0)
    assert epoch(1, 0) != epoch(1, 1)
