"""Equal minutes with the real engine on the tiny base: the same draws at every step, and a whole end."""

from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

from compare_doubles import ColourEye

from studio.compare import experiment
from studio.compare.members import members
from studio.engine.worker import Resident
from studio.events import Saved, Step
from studio.spec import RunSpec, Terms

MINUTES = 0.6 / 60


def test_minutes_change_nothing_but_the_end(spec: Callable[..., RunSpec], resident: Resident, tmp_path: Path) -> None:
    wanted = spec("lora", schedule={"steps": 40, "batch_size": 1}, sample={"seeds": [1]}, save={"every": 3, "keep": 1})
    store = experiment.create(tmp_path, "x", [wanted], terms=Terms(budget="minutes", minutes=MINUTES))
    going = experiment.run(store, resident, eye=ColourEye())
    list(takewhile(lambda said: not (said[0] == "lora" and isinstance(said[1], Saved)), going))
    going.close()  # killed after the first checkpoint
    list(experiment.run(store, resident, eye=ColourEye()))
    (timed,) = members(store)
    steps = timed.view.step
    assert timed.view.state == "finished" and timed.spec.schedule.steps == steps
    assert 60 * MINUTES <= timed.view.train_seconds < 60 * MINUTES + 5
    assert steps in timed.view.samples and timed.store.checkpoints()[-1][0] == steps
    assert {export.step for export in timed.view.exports} == {steps}

    plain = experiment.create(tmp_path, "y", [wanted], terms=Terms(budget="steps", steps=steps))
    said: list[Any] = [event for _, event in experiment.run(plain, resident, eye=ColourEye())]
    losses = [(event.step, event.loss) for event in said if isinstance(event, Step)]
    assert list(timed.view.losses) == losses
