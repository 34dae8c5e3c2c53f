"""Budgets: each preset's advice, equal steps, equal minutes; and runs that are added later."""

import json
from pathlib import Path

import pytest
from compare_doubles import ColourEye, Engine, spec

from studio.compare import clock, experiment, table
from studio.compare.members import groups, members, open_experiment
from studio.errors import SpecError
from studio.events import Finished, Sampled
from studio.schedule import ScheduleSpec
from studio.spec import Terms
from studio.store import ExperimentStore

SECOND = 1 / 60
KINDS = ("lora", "textual-inversion")


def timed(data: Path, folder: Path, minutes: float, **over: object) -> ExperimentStore:
    specs = [spec(data, kind, **over) for kind in KINDS]
    return experiment.create(folder, "x", specs, terms=Terms(budget="minutes", minutes=minutes))


def steps(engine: Engine, name: str) -> list[int]:
    return [step for run, step in engine.done if run == name]


def test_equal_steps_take_the_presets_steps_away(data: Path, tmp_path: Path) -> None:
    given = [spec(data), spec(data, "textual-inversion", schedule={"steps": 9})]
    store = experiment.create(tmp_path, "x", given, terms=Terms(budget="steps", steps=5))
    assert [one.spec.schedule.steps for one in members(store)] == [5, 5]
    advised = experiment.create(tmp_path, "y", given)
    assert [one.spec.schedule.steps for one in members(advised)] == [3, 9]


@pytest.mark.parametrize("budget", ["steps", "minutes"])
def test_an_equal_budget_needs_its_number(data: Path, tmp_path: Path, budget: str) -> None:
    with pytest.raises(SpecError, match=f"--{budget}"):
        experiment.create(tmp_path, "x", [spec(data)], terms=Terms(budget=budget))
    assert not (tmp_path / "x").exists()


def test_equal_minutes_let_the_quick_take_more_steps(data: Path, engine: Engine, tmp_path: Path) -> None:
    engine.seconds = {"lora": 0.5, "textual-inversion": 0.25}
    store = timed(data, tmp_path, 12 * SECOND)
    list(experiment.run(store, None, eye=ColourEye()))
    found = {one.name: one for one in members(store)}
    assert {name: one.view.step for name, one in found.items()} == {"lora": 24, "textual-inversion": 48}
    for one in found.values():
        assert one.view.state == "finished" and one.view.train_seconds == 12
        assert max(one.view.samples) == one.view.step == one.spec.schedule.steps
        assert [export.step for export in one.view.exports] == [one.view.step]
        assert one.store.checkpoints()[-1][0] == one.view.step
    assert not list(store.path.glob(".pace*"))
    assert [row.cells["total_seconds"].value for row in table.build(store).rows[1:]] == [12, 12]


def test_a_rate_that_falls_ends_with_the_clock(data: Path, engine: Engine, tmp_path: Path) -> None:
    store = timed(data, tmp_path, 12 * SECOND, schedule={"kind": "cosine", "steps": 3})
    list(experiment.run(store, None, eye=ColourEye()))
    assert [one.view.step for one in members(store)] == [24, 24]
    assert clock.planned(0.5, 0.2, ScheduleSpec(kind="cosine")) == 24
    assert clock.planned(0.5, 0.2, ScheduleSpec(warmup=0.1)) == 24
    assert clock.planned(0.5, 0.2, ScheduleSpec()) == 240  # more than the clock allows


def test_a_run_that_slows_down_is_ended_by_the_clock(data: Path, engine: Engine, tmp_path: Path) -> None:
    store = timed(data, tmp_path, 12 * SECOND, schedule={"kind": "cosine", "steps": 3})
    (store.path / "lora" / "pace.json").write_text(json.dumps({"seconds_per_step": 0.25}))
    engine.seconds["lora"] = 2.0
    list(experiment.run(store, None, eye=ColourEye()))
    assert [one.view.step for one in members(store)] == [6, 24]
    assert members(store)[0].view.train_seconds == 12


def test_killed_anywhere_equal_minutes_stay_equal(data: Path, engine: Engine, tmp_path: Path) -> None:
    calm = timed(data, tmp_path / "calm", 4 * SECOND)
    events = sum(1 for _ in experiment.run(calm, None, eye=ColourEye()))
    csv = (calm.path / "table.csv").read_text(encoding="utf-8")
    for killed_after in range(1, events, 13):
        engine.done.clear()
        store = timed(data, tmp_path / f"{killed_after}", 4 * SECOND)
        going = experiment.run(store, None, eye=ColourEye())
        for _ in range(killed_after):
            next(going)
        going.close()
        list(experiment.run(store, None, eye=ColourEye()))
        assert (store.path / "table.csv").read_text(encoding="utf-8") == csv, killed_after
        for one in members(store):
            assert sum(isinstance(event, Finished) for event in one.view.log) == 1
            assert len([event for event in one.view.log if isinstance(event, Sampled) and event.step == 8]) <= 2


def test_a_run_that_its_user_stopped_rests_before_its_minutes_are_over(data: Path, engine: Engine, tmp_path: Path):
    store = timed(data, tmp_path, 6 * SECOND)
    engine.stops["lora"] = 5  # beyond what its trial takes
    list(experiment.run(store, None, eye=ColourEye()))
    assert [one.view.state for one in members(store)] == ["stopped", "finished"]
    engine.stops.clear()
    list(experiment.run(store, None, resume_stopped=True, eye=ColourEye()))
    assert [(one.view.state, one.view.step) for one in members(store)] == [("finished", 12), ("finished", 12)]


def test_repeats_of_a_timed_run_stand_in_one_row(data: Path, engine: Engine, tmp_path: Path) -> None:
    terms = Terms(budget="minutes", minutes=6 * SECOND)
    store = experiment.create(tmp_path, "x", [spec(data)], 2, terms=terms)
    engine.seconds["lora-r2"] = 1.0
    list(experiment.run(store, None, eye=ColourEye()))
    assert [one.view.step for one in members(store)] == [12, 6]
    assert len(groups(store)) == 1


def test_runs_are_added_to_a_finished_experiment(carried_out, data: Path, engine: Engine) -> None:
    store = carried_out("lora")
    engine.done.clear()
    assert experiment.add(store, [spec(data, "textual-inversion"), spec(data, method={"kind": "lora", "rank": 2})]) == (
        "textual-inversion", "lora-2",
    )  # fmt: skip
    assert experiment.left(store) == ["textual-inversion", "lora-2"]
    list(experiment.run(store, None, eye=ColourEye()))
    assert {run for run, _ in engine.done} == {"textual-inversion", "lora-2"}
    assert [row.state for row in table.build(store).rows] == ["", "", "", ""]
    assert experiment.left(store) == []


def test_further_seeds_of_a_run_join_its_row(carried_out, data: Path, engine: Engine) -> None:
    store = carried_out("lora")
    assert experiment.add(store, [spec(data)], repeats=3) == ("lora-r2", "lora-r3")
    list(experiment.run(store, None, eye=ColourEye()))
    assert table.build(store).rows[1].seeds == (42, 43, 44)
    with pytest.raises(SpecError, match="already with 3 seeds"):
        experiment.add(store, [spec(data)], repeats=3)


def test_what_is_added_must_share_data_and_prompts(carried_out, data: Path) -> None:
    store = carried_out("lora")
    before = store.text()
    with pytest.raises(SpecError, match="guidance"):
        experiment.add(store, [spec(data, "textual-inversion", sample={"guidance": 2.0})])
    with pytest.raises(SpecError, match="seed is 42 and 7"):
        experiment.add(store, [spec(data, "textual-inversion", seed=7, sample=open_experiment(store).sample)])
    assert store.text() == before


def test_an_added_run_gets_the_experiments_budget(data: Path, engine: Engine, tmp_path: Path) -> None:
    store = experiment.create(tmp_path, "x", [spec(data)], terms=Terms(budget="steps", steps=4))
    experiment.add(store, [spec(data, "textual-inversion", schedule={"steps": 900})])
    assert [one.spec.schedule.steps for one in members(store)] == [4, 4]


def test_runs_added_while_others_train_are_taken_up(data: Path, engine: Engine, tmp_path: Path) -> None:
    store = experiment.create(tmp_path, "x", [spec(data)])
    for name, event in experiment.run(store, None, eye=ColourEye()):
        if name == "lora" and isinstance(event, Finished):
            experiment.add(store, [spec(data, "textual-inversion")])
    assert [one.view.state for one in members(store)] == ["finished", "finished"]


def test_the_order_is_kept_on_disk(data: Path, engine: Engine, tmp_path: Path) -> None:
    store = experiment.create(tmp_path, "x", [spec(data, kind) for kind in KINDS])
    experiment.reorder(store, KINDS[::-1])
    list(experiment.run(ExperimentStore(store.path), None, eye=ColourEye()))
    assert [run for run, step in engine.done if step == 1] == list(KINDS[::-1])
    with pytest.raises(SpecError, match="each of"):
        experiment.reorder(store, ("lora",))
