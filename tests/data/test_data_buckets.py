from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from studio.data.buckets import bucket, cover

SIDES = some.integers(1, 20_000)


@given(SIDES, SIDES, some.integers(1, 64), some.sampled_from([8, 16, 64]))
def test_sides_are_multiples_and_the_area_is_bounded(width: int, height: int, cells: int, step: int) -> None:
    resolution = cells * step
    wide, tall = bucket(width, height, resolution, step)
    assert wide % step == tall % step == 0 and min(wide, tall) >= step
    assert wide * tall <= resolution**2 or min(wide, tall) == step
    # at least what a whole cell of rounding leaves
    assert (wide + step) * (tall + step) > resolution**2 * 0.5


@given(some.integers(64, 4096), some.integers(64, 4096))
def test_the_shape_of_the_picture_is_kept_at_512(width: int, height: int) -> None:
    wide, tall = bucket(width, height, 512, 64)
    aspect = min(max(width / height, 0.5), 2.0)
    assert 0.75 < (wide / tall) / aspect < 1.34
    assert bucket(width, width, 512, 64) == (512, 512)


@given(SIDES, SIDES, some.integers(1, 40), some.integers(1, 40))
def test_what_is_cut_out_lies_inside_and_is_not_empty(width: int, height: int, wide: int, tall: int) -> None:
    left, top, right, bottom = cover(width, height, (wide * 8, tall * 8))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert right - left >= width - 1 or bottom - top >= height - 1
