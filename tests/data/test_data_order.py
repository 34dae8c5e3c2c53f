from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as some

from studio.data.order import batch, grouped, plan, steps_per_epoch

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


@given(some.lists(some.integers(1, 5), min_size=1, max_size=12), some.integers(1, 5), some.integers(0, 99))
def test_an_epoch_shows_each_example_as_often_as_it_is_repeated(repeats: list[int], size: int, seed: int) -> None:
    shapes = [(index % 3, 1) for index in range(len(repeats))]
    buckets = grouped(shapes, repeats)
    per_epoch = int(steps_per_epoch(buckets, size))
    shown = [batch(buckets, size, seed, place) for place in range(per_epoch)]
    assert Counter(index for one in shown for index in one) == Counter(dict(enumerate(repeats)))
    assert all(len({shapes[index] for index in one}) == 1 for one in shown)
    assert steps_per_epoch(buckets, size, 2) == per_epoch / 2


def test_copies_of_a_repeated_picture_share_no_batch_where_that_can_be() -> None:
    buckets = grouped([0] * 8, [5] * 8)
    assert all(len(set(batch(buckets, 4, 7, place))) == 4 for place in range(10))


def test_the_order_is_a_function_of_seed_and_turn() -> None:
    buckets = [list(range(40))]

    def epoch(seed: int, number: int) -> list[list[int]]:
        return [batch(buckets, 4, seed, number * 10 + place) for place in range(10)]

    assert epoch(1, 0) == epoch(1, 0)
    assert epoch(1, 0) != epoch(2, 0)
    assert epoch(1, 0) != epoch(1, 1)


@given(COUNTS, some.integers(1, 12), some.integers(1, 4), some.integers(1, 3), some.integers(0, 2**63 - 1))
def test_on_any_number_of_ranks_no_picture_is_ever_seen_twice_more_often_than_another(
    counts: list[int], size: int, world: int, accumulation: int, seed: int
) -> None:
    """Whatever the buckets, the batch and the slots of a step, and wherever the run ends."""
    buckets = buckets_of(counts)
    seen = Counter(dict.fromkeys(range(sum(counts)), 0))
    slots = world * accumulation
    for step in range(1, 2 * len(plan(buckets, size)) // slots + 3):
        for slot in (turn * world + rank for rank in range(world) for turn in range(accumulation)):
            picked = batch(buckets, size, seed, (step - 1) * slots + slot)
            assert picked
            seen.update(picked)
        if slots == 1:
            assert max(seen.values()) - min(seen.values()) <= 1
    whole = Counter(
        index for turn in range(step * slots) for index in batch(buckets, size, seed, turn)
    )  # the slots of all steps are the turns of the run, each once
    assert seen == whole and max(seen.values()) - min(seen.values()) <= 1
