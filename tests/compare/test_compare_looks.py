"""Metrics do what they must: on planted copies, mixes, identical pictures and the untrained base."""

from pathlib import Path

import numpy as np
import pytest
import torch
from compare_doubles import COLOURS, ColourEye, Engine, paint, spec

from studio.compare import experiment, table
from studio.compare.evidence import Value
from studio.compare.looks import apart, nearest
from studio.compare.measure import measure, series
from studio.compare.members import members
from studio.events import Measured, Picture, Sampled, Step
from studio.spec import Terms
from studio.store import ExperimentStore

SAMPLES = "samples/0000003/{:03d}.png"  # sks red, two seeds; a red, two seeds; green sks red, two seeds


@pytest.fixture
def shades(tmp_path: Path) -> Path:
    """Training pictures in shades of red, held-out ones in others."""
    for folder, greens in (("train", (0, 60, 120)), ("held", (20, 90))):
        for i, green in enumerate(greens):
            paint(tmp_path / "data" / folder / f"{i}.png", (220, green, 30))
    return tmp_path / "data"


@pytest.fixture
def store(shades: Path, engine: Engine, tmp_path: Path) -> ExperimentStore:
    store = experiment.create(tmp_path / "out", "x", [spec(shades)])
    list(experiment.run(store, None, eye=ColourEye()))
    return store


def anew(store: ExperimentStore, colours: dict[int, tuple[int, int, int] | str]) -> dict[str, Value]:
    """The figures with other pictures in the places of some samples."""
    run, one = store.run("lora"), members(store)[0]
    for place, colour in colours.items():
        paint(run.path / SAMPLES.format(place), colour)
    (run.path / "metrics.json").unlink(missing_ok=True)
    return measure(run, store.run("base"), one.spec, ColourEye())


def test_likeness_is_top_for_held_out_pictures_and_lower_for_another_subject(store: ExperimentStore) -> None:
    subject = (0, 1, 4, 5)
    own = anew(store, dict.fromkeys(subject, (220, 20, 30)))["likeness"].value
    other = anew(store, dict.fromkeys(subject, "blue"))["likeness"].value
    assert own == pytest.approx(1, abs=1e-6) and other < 0


def test_likeness_grows_along_a_mix_of_two_subjects(store: ExperimentStore) -> None:
    ends = np.array(COLOURS["blue"]), np.array((220, 20, 30))
    along = []
    for share in np.linspace(0, 1, 6):
        mixed = tuple(int(part) for part in (1 - share) * ends[0] + share * ends[1])
        along.append(anew(store, dict.fromkeys((0, 1, 4, 5), mixed))["likeness"].value)
    assert along == sorted(along) and len(set(along)) == 6


def test_a_planted_copy_is_found_and_named(store: ExperimentStore) -> None:
    honest = anew(store, dict.fromkeys((0, 1, 4, 5), (220, 180, 30)))["memorisation"]
    planted = anew(store, {4: (220, 120, 30)})["memorisation"]
    assert honest.value == 0
    assert planted.value == 0.25
    assert "'green sks red' to 2.png, 1.000" in planted.reason and "held-out pictures reach 0.9" in planted.reason


def test_without_held_out_pictures_copies_cannot_be_told(shades: Path, engine: Engine, tmp_path: Path) -> None:
    own = {"folder": str(shades / "train"), "trigger": "sks", "class_word": "red"}
    store = experiment.create(tmp_path / "out", "x", [spec(shades, data=own)])
    list(experiment.run(store, None, eye=ColourEye()))
    cell = table.build(store).rows[1].cells["memorisation"]
    assert cell.value is None and "held out" in cell.reason
    copied = {"folder": str(shades / "train"), "held_out": str(shades / "held"), "trigger": "sks", "class_word": "red"}
    (shades / "held" / "0.png").write_bytes((shades / "train" / "0.png").read_bytes())
    store = experiment.create(tmp_path / "out", "y", [spec(shades, data=copied)])
    list(experiment.run(store, None, eye=ColourEye()))
    assert "also trained on" in table.build(store).rows[1].cells["memorisation"].reason


def test_identical_pictures_have_no_variety_and_different_ones_have(store: ExperimentStore) -> None:
    same = anew(store, dict.fromkeys((0, 1, 4, 5), "red"))["diversity"].value
    some = anew(store, {1: "grey"})["diversity"].value
    more = anew(store, {1: "blue", 5: "blue"})["diversity"].value
    assert same == pytest.approx(0, abs=1e-6) and same < some < more
    rows = torch.eye(3)
    assert apart(rows) == 1 and apart(rows[:1].repeat(4, 1)) == 0


def test_variety_is_of_prompts_where_each_has_one_seed(shades: Path, engine: Engine, tmp_path: Path) -> None:
    store = experiment.create(
        tmp_path / "out", "x", [spec(shades, sample={"prompts": ["{trigger}", "green {trigger}"], "seeds": [1]})]
    )
    list(experiment.run(store, None, eye=ColourEye()))
    cell = table.build(store).rows[1].cells["diversity"]
    assert cell.value == pytest.approx(0, abs=1e-6) and cell.reason.startswith("Variety is taken across prompts")


def test_what_the_class_takes_from_the_subject_is_drift(store: ExperimentStore) -> None:
    base = measure(store.run("base"), store.run("base"), members(store)[0].spec, ColourEye())
    still = anew(store, dict.fromkeys((2, 3), "grey"))
    towards = anew(store, dict.fromkeys((2, 3), "red"))
    away = anew(store, dict.fromkeys((2, 3), "blue"))
    assert base["drift"].value == base["forgetting"].value == 0
    assert still["drift"].value == pytest.approx(0, abs=1e-6)
    assert towards["drift"].value > 0.5 and away["drift"].value == 0
    assert towards["forgetting"].value > 0.5 and away["forgetting"].value > 0.5  # either way it moved


def test_the_time_to_most_of_the_likeness_is_read_off_the_samples(store: ExperimentStore) -> None:
    run = store.run("lora")
    with run.writing():  # samples of step 2 that are halfway there
        for place in range(6):
            paint(run.path / f"samples/0000002/{place:03d}.png", (174, 84, 79) if place in (0, 1, 4, 5) else "grey")
        shown = run.view().samples[3]
        two = tuple(Picture(path=p.path.replace("3/", "2/"), prompt=p.prompt, seed=p.seed) for p in shown)
        run.append(Sampled(step=2, pictures=two))
    found = anew(store, dict.fromkeys((0, 1, 4, 5), (220, 20, 30)))["time_to_likeness"]
    curve = {step: figures["likeness"] for step, figures in series(run, run.view(), "colour eye").items()}
    assert list(curve) == [0, 2, 3] and curve[0] < curve[2] < curve[3]
    goal = curve[0] + 0.9 * (curve[3] - curve[0])
    left, right = (0, 2) if curve[2] >= goal else (2, 3)
    step = left + (right - left) * (goal - curve[left]) / (curve[right] - curve[left])
    assert found.value == pytest.approx(0.5 * step)  # half a second a step
    assert found.reason == f"Between the samples of steps {left} and {right}."


def test_who_never_came_nearer_has_no_such_time(shades: Path, engine: Engine, tmp_path: Path) -> None:
    engine.paints["lora"] = "blue"
    store = experiment.create(tmp_path / "out", "x", [spec(shades)])
    list(experiment.run(store, None, eye=ColourEye()))
    cell = table.build(store).rows[1].cells["time_to_likeness"]
    assert cell.value is None and "never came nearer" in cell.reason


def test_stepwise_figures_hang_on_the_pictures_alone(store: ExperimentStore) -> None:
    run, base, wanted = store.run("lora"), store.run("base"), members(store)[0].spec
    before = series(run, run.view(), "colour eye")
    paint(run.path / SAMPLES.format(0), "green")
    (run.path / "metrics.json").write_text((run.path / "metrics.json").read_text().replace('"finished"', '"stopped"'))
    measure(run, base, wanted, ColourEye())
    after = series(run, run.view(), "colour eye")
    assert after[0] == before[0] and after[3]["likeness"] < before[3]["likeness"]
    assert series(run, run.view(), "another eye") == {}


def test_killed_between_two_metrics_only_one_is_lost(store: ExperimentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.compare import measure as room
    from studio.compare.metrics import METRICS

    run, base, wanted = store.run("lora"), store.run("base"), members(store)[0].spec
    whole = anew(store, {})
    (run.path / "metrics.json").unlink()
    taken: list[tuple[str, int | None]] = []
    plain, allowed = room._take, [0]

    def counted(metric, evidence):
        if len(taken) == allowed[0]:
            raise KeyboardInterrupt
        found = plain(metric, evidence)
        taken.append((metric.name, evidence.step))
        return found

    monkeypatch.setattr(room, "_take", counted)
    figures = 2 * 3 + len(METRICS)  # two sampled steps with three figures each
    for number in range(figures):
        allowed[0] = number
        with pytest.raises(KeyboardInterrupt):
            measure(run, base, wanted, ColourEye())
    allowed[0] = -1
    assert measure(run, base, wanted, ColourEye()) == whole
    lost = {name for name, value in whole.items() if value.value is None}  # a gap is looked into again each time
    again = [entry for entry in set(taken) if taken.count(entry) > 1 and entry[0] not in lost]
    assert not [entry for entry in again if entry[1] is None]
    assert len(again) <= 4  # of a step's three figures those before the kill


def test_energy_is_read_between_steps_alone(
    shades: Path, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.compare import meter

    joules = iter(range(1000, 9000, 50))
    monkeypatch.setattr(meter, "energy_spent", lambda: float(next(joules)))
    events = [Step(step=n, loss=1, lr=1, grad_norm=1, seconds=1, memory=0) for n in (1, 2, 3)]
    store = experiment.create(tmp_path / "out", "x", [spec(shades)], terms=Terms(budget="steps", steps=6))
    list(experiment.run(store, None, eye=ColourEye()))
    cell = table.build(store).rows[1].cells["energy"]
    assert cell.value is None and "NVIDIA" in cell.reason  # each of the double's steps ends in a checkpoint
    run = store.run("lora")
    with run.writing():
        from studio.events import Saved

        said = list(meter.metered(run, iter([*events, Saved(step=3, path="x")])))
    assert said[-1].values == {"energy": 100.0} and isinstance(said[-1], Measured)
    assert measure(run, store.run("base"), members(store)[0].spec, ColourEye())["energy"].value == 100


def test_noise_is_nearest_to_nothing() -> None:
    rows = torch.nn.functional.normalize(torch.randn(50, 256, generator=torch.Generator().manual_seed(0)), dim=1)
    assert nearest(rows[:25], rows[25:]) < 0.3 and nearest(rows, rows) == pytest.approx(1, abs=1e-5)
