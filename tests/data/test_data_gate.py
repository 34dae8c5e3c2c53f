from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.data.order import steps_per_epoch
from studio.engine.bench import Bench
from studio.engine.machine import Machine, this_hardware
from studio.engine.worker import Resident
from studio.errors import DataError
from studio.events import Note, Progress
from studio.hardware import decide
from tests.data.nasty import PHOTO, encoded


@pytest.fixture
def bench(spec: Callable[..., Any], resident: Resident, pictures: Path, tmp_path: Path) -> Callable[..., Bench]:
    """A bench over a copy of the pictures, in a folder that a test may spoil."""
    place = tmp_path / "toys"
    shutil.copytree(pictures, place)
    (place / "2_more").mkdir()
    for name in ("0.png", "0.txt"):
        shutil.move(place / name, place / "2_more" / name)

    def make(**data: Any) -> Bench:
        wanted = spec("lora", data={"folder": str(place), "held_out": "", **data})
        plan = decide(this_hardware(), wanted.machine, wanted.optim.name)
        return Bench(wanted, resident.models(wanted.base, plan), Machine(plan), tmp_path / "latents")

    return make


def test_repeated_pictures_come_as_often_in_an_epoch(bench: Callable[..., Bench]) -> None:
    with_more = bench(hold_back=("1.png", "3.png"))
    list(with_more.fill())
    assert [one.example.path.name for one in with_more.held_out] == ["1.png", "3.png"]
    shown = [with_more.train[index].example.path.name for bucket in with_more.buckets for index in bucket]
    assert sorted(shown) == ["0.png", "0.png", "2.png", "4.png"] and steps_per_epoch(with_more.buckets, 2) == 2
    plain = bench(repeats=False)
    list(plain.fill())
    assert sorted(index for bucket in plain.buckets for index in bucket) == list(range(len(plain.train)))


def test_what_cannot_be_used_is_named_before_anything_is_encoded(bench: Callable[..., Bench], tmp_path: Path) -> None:
    place = tmp_path / "toys"
    (place / "page.jpg").write_bytes(b"<html>")
    (place / "empty.png").touch()
    (place / "phone.heic").write_bytes(b"ftyp")
    with pytest.raises(DataError, match="3 pictures cannot be used") as caught:
        list(bench().fill())
    assert all(name in str(caught.value) for name in ("page.jpg", "empty.png", "phone.heic", "data.leave_out"))
    assert not list((tmp_path / "latents").glob("*.safetensors"))
    list(bench(leave_out=("page.jpg", "empty.png", "phone.heic")).fill())
    for name in ("page.jpg", "empty.png", "phone.heic"):
        (place / name).unlink()
    (place / "1-mask.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"1 picture cannot be used: '1-mask\.png'"):
        list(bench(masks="file").fill())


def test_what_is_broken_behind_its_header_is_named_once_all_others_are_kept(
    bench: Callable[..., Bench], tmp_path: Path
) -> None:
    for name in ("cut1.jpg", "cut2.jpg"):
        (tmp_path / "toys" / name).write_bytes(encoded(PHOTO, "JPEG")[:-900])
    seen: list[Progress] = []
    with pytest.raises(DataError, match=r"2 pictures cannot be used: 'cut1\.jpg', 'cut2\.jpg'"):
        seen += [event for event in bench(hold_back=("1.png",)).fill() if isinstance(event, Progress)]
    assert len(list((tmp_path / "latents").glob("*.safetensors"))) == 4
    good = bench(leave_out=("cut1.jpg", "cut2.jpg"), hold_back=("1.png",))
    copy = tmp_path / "toys" / "8.png"
    shutil.copy(tmp_path / "toys" / "1.png", copy)
    notes = [event.text for event in good.fill() if isinstance(event, Note)]
    assert len(good.train) == 5
    assert [text[:31] for text in notes] == ["1 of 1 pictures to judge by loo"] and "'1.png' as '8.png'" in notes[0]
