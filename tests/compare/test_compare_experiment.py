"""How an experiment is made and carried out."""

from pathlib import Path

import pytest
from compare_doubles import ColourEye, Engine, spec

from studio.compare import experiment, table
from studio.compare.members import groups, members, open_experiment
from studio.errors import DataError, SpecError, StoreError
from studio.events import Failed, Finished, Measured, Note
from studio.store import ExperimentStore


def test_names_are_numbered_and_repeats_take_the_next_seeds(data: Path, tmp_path: Path) -> None:
    named = [spec(data), spec(data, name="base"), spec(data, "textual-inversion"), spec(data)]
    store = experiment.create(tmp_path, "a name", named, repeats=2)
    assert store.path.name == "a-name"
    assert open_experiment(store).runs == (
        "lora", "base-2", "textual-inversion", "lora-2", "lora-r2", "base-2-r2", "textual-inversion-r2", "lora-2-r2",
    )  # fmt: skip
    assert [m.spec.seed for m in members(store)] == [42] * 4 + [43] * 4
    assert [m.spec.name for m in members(store)] == [m.name for m in members(store)]
    assert [m.name for m in groups(store)[0].members] == ["lora", "lora-r2"]
    titles = [g.title for g in groups(store)]
    assert titles[2] == "Textual Inversion" and len(set(titles)) == 4


def test_a_second_experiment_of_that_name_gets_a_number(data: Path, tmp_path: Path) -> None:
    stores = [experiment.create(tmp_path, "x", [spec(data)]) for _ in range(2)]
    assert [s.path.name for s in stores] == ["x", "x-2"]


@pytest.mark.parametrize(
    "over", [{"seed": 7}, {"base": {"model": "other"}}, {"sample": {"prompts": ["x"]}}, {"sample": {"guidance": 2.0}}]
)
def test_what_must_be_equal_is_named(data: Path, tmp_path: Path, over: dict[str, object]) -> None:
    with pytest.raises(SpecError, match=next(iter(over))):
        experiment.create(tmp_path, "x", [spec(data), spec(data, "textual-inversion", **over)])
    assert not (tmp_path / "x").exists()


def test_what_could_not_start_is_refused_before_anything_is_made(data: Path, tmp_path: Path) -> None:
    gone = spec(data, data={"folder": "/nowhere"})
    with pytest.raises(SpecError, match="no folder '/nowhere'"):
        experiment.create(tmp_path, "x", [gone])
    with pytest.raises(SpecError, match="at least one run"):
        experiment.create(tmp_path, "x", [])
    with pytest.raises(SpecError, match="repeats"):
        experiment.create(tmp_path, "x", [spec(data)], repeats=0)
    assert not (tmp_path / "x").exists()


def test_all_is_done_and_written(carried_out, engine: Engine) -> None:
    store = carried_out("lora", "textual-inversion")
    assert engine.done[0] == ("base", 0)
    assert [name for name, step in engine.done if step == 1] == ["lora", "textual-inversion"]
    for name in ("table.csv", "table.md", "report.html", "grid.png", "base/metrics.json", "lora/metrics.json"):
        assert (store.path / name).is_file()


def _finished(store: ExperimentStore) -> dict[str, int]:
    found = [store.run("base"), *store.runs()]
    return {run.path.name: sum(isinstance(event, Finished) for event in run.view().log) for run in found}


def test_killed_anywhere_nothing_is_done_twice(data: Path, engine: Engine, tmp_path: Path) -> None:
    kinds = ("lora", "textual-inversion")
    calm = experiment.create(tmp_path, "calm", [spec(data, kind) for kind in kinds])
    events = sum(1 for _ in experiment.run(calm, None, eye=ColourEye()))
    steps, eye = list(engine.done), ColourEye()
    figures = (calm.path / "table.csv").read_text(encoding="utf-8")
    list(experiment.run(calm, None, eye=eye))
    assert eye.looked == 0 and engine.done == steps
    for killed_after in range(1, events, 4):
        engine.done.clear()
        store = experiment.create(tmp_path, f"killed-{killed_after}", [spec(data, kind) for kind in kinds])
        eye = ColourEye()
        going = experiment.run(store, None, eye=eye)
        for _ in range(killed_after):
            next(going)
        going.close()
        list(experiment.run(store, None, eye=eye))
        trained = [entry for entry in engine.done if entry[0] != "base"]
        assert trained == steps[1:], killed_after
        assert engine.done.count(("base", 0)) <= 2  # the base is one round of samples: it has no checkpoint
        assert set(_finished(store).values()) == {1}
        assert (store.path / "table.csv").read_text(encoding="utf-8") == figures


def test_killed_while_measuring_what_is_measured_stays(data: Path, engine: Engine, tmp_path: Path) -> None:
    store = experiment.create(tmp_path, "x", [spec(data), spec(data, "textual-inversion")])
    first, second = ColourEye(), ColourEye()
    going = experiment.run(store, None, eye=first)
    for name, event in going:
        if name == "lora" and isinstance(event, Measured) and "likeness" in event.values:
            going.close()
            break
    kept = {name: (store.path / name / "metrics.json").stat().st_mtime_ns for name in ("base", "lora")}
    list(experiment.run(store, None, eye=second))
    assert all((store.path / name / "metrics.json").stat().st_mtime_ns == then for name, then in kept.items())
    assert 0 < second.looked < first.looked


def test_a_failed_run_keeps_the_others_going_and_is_tried_again(data: Path, engine: Engine, tmp_path: Path) -> None:
    engine.fails["lora"] = 3
    store = experiment.create(tmp_path, "x", [spec(data), spec(data, "textual-inversion")])
    list(experiment.run(store, None, eye=ColourEye()))
    rows = {row.name: row for row in table.build(store).rows}
    assert rows["lora"].state == "failed at 2"
    assert rows["lora"].cells["likeness"].text == "failed at 2" and not rows["lora"].ranked
    assert rows["textual-inversion"].state == "" and rows["textual-inversion"].cells["likeness"].value is not None
    engine.fails.clear()
    engine.done.clear()
    list(experiment.run(store, None, eye=ColourEye()))
    assert engine.done == [("lora", 3)]
    assert table.build(store).rows[1].state == ""


def test_a_refused_run_keeps_the_others_going(data: Path, engine: Engine, tmp_path: Path) -> None:
    engine.refuses["lora"] = DataError("The pictures are gone.")
    store = experiment.create(tmp_path, "x", [spec(data), spec(data, "textual-inversion")])
    said = [event.text for name, event in experiment.run(store, None, eye=ColourEye()) if isinstance(event, Failed)]
    assert said == ["The pictures are gone."]
    assert [row.state for row in table.build(store).rows] == ["", "failed at 0", ""]


def test_a_run_that_another_process_holds_is_left_alone(data: Path, engine: Engine, tmp_path: Path) -> None:
    engine.refuses["lora"] = StoreError("'lora' is in use.")
    store = experiment.create(tmp_path, "x", [spec(data), spec(data, "textual-inversion")])
    with store.run("lora").writing():
        list(experiment.run(store, None, eye=ColourEye()))
        assert store.run("lora").view().state == "new"


def test_a_stopped_run_rests_until_it_is_asked_for(data: Path, engine: Engine, tmp_path: Path) -> None:
    engine.stops["lora"] = 2
    store = experiment.create(tmp_path, "x", [spec(data), spec(data, "textual-inversion")])
    list(experiment.run(store, None, eye=ColourEye()))
    row = table.build(store).rows[1]
    assert row.state == "stopped at 2, samples of 0" and not row.ranked and row.cells["likeness"].value is not None
    engine.stops.clear()
    engine.done.clear()
    list(experiment.run(store, None, eye=ColourEye()))
    assert engine.done == []
    list(experiment.run(store, None, resume_stopped=True, eye=ColourEye()))
    assert engine.done == [("lora", 3)]
    assert table.build(store).rows[1].state == ""


def test_without_an_eye_the_rest_is_still_measured(
    data: Path, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.compare.eye import StarterEye

    monkeypatch.setattr(experiment, "open_eye", lambda name: StarterEye(tmp_path / "none"))
    store = experiment.create(tmp_path, "x", [spec(data)])
    notes = [event.text for _, event in experiment.run(store, None) if isinstance(event, Note)]
    cells = table.build(store).rows[1].cells
    assert "not built" in notes[0]
    assert cells["likeness"].text == "n/a" and "eye" in cells["likeness"].reason
    assert cells["total_seconds"].value == 1.5
    list(experiment.run(store, None, eye=ColourEye()))
    assert table.build(store).rows[1].cells["likeness"].value is not None
