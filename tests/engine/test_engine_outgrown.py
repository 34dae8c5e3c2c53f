"""A run of an earlier version goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.engine.run import train
from studio.engine.worker import Resident
from studio.store import RunStore
from tests import tiny


def test_a_run_whose_warm_up_was_counted_in_steps_goes_on_and_says_so_once(
    tmp_path: Path, spec: Callable[..., Any], resident: Resident
) -> None:
    wanted = spec("lora", schedule={"steps": 4, "warmup": 0.5}, sample={"prompts": []}, save={"formats": ["kohya"]})
    old = wanted.to_toml().replace("warmup = 0.5", "warmup = 2")
    assert old != wanted.to_toml()
    store = RunStore.create(tmp_path / "run", old)
    events = list(train(store, resident))
    assert events[0].kind == "started" and events[-1].kind == "finished"
    (note,) = [event.text for event in events if event.kind == "note"]  # type: ignore[attr-defined]
    assert "schedule.warmup = 2" in note
    assert (store.path / "spec.toml").read_text() == wanted.to_toml()
    assert not [event for event in train(store, resident) if event.kind == "note"]
    twin = tiny.new_run(tmp_path / "twin", wanted)
    list(train(twin, resident))
    assert store.view().losses == twin.view().losses
