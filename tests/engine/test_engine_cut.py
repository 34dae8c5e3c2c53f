"""Captions that are longer than a text encoder reads are said when a run begins."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.engine.bench import Bench
from studio.engine.machine import Machine, this_hardware
from studio.events import Note
from studio.hardware import decide


def test_captions_that_are_cut_are_said(
    spec: Callable[..., Any], pictures: Path, resident: Any, cache: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for number, picture in enumerate(sorted(pictures.glob("*.png"))[:2]):
        (own / picture.name).write_bytes(picture.read_bytes())
        words = "a photo of a toy, " * (20 if number else 1)
        (own / picture.with_suffix(".txt").name).write_text(words, encoding="utf-8")
    run = spec("lora", data={"folder": str(own)})
    plan = decide(this_hardware(), run.machine, run.optim.name)
    bench = Bench(run, resident.models(run.base, plan), Machine(plan), cache)
    said = [event.text for event in bench.fill() if isinstance(event, Note)]
    bench.close()
    assert said == ["1 of 2 captions go beyond the 75 tokens that are read; `check` says what is lost."]
