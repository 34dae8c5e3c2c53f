"""Plots, films and the record; and a finished experiment that is opened elsewhere."""

import csv
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from compare_doubles import Engine

from studio.compare import experiment, gallery, plots, report, table, votes
from studio.compare.plots import Axes, Mark, Trace
from studio.store import ExperimentStore

ROOT = Path(__file__).resolve().parents[2]
AXES = Axes("a label", "x", "y")


def numbers(svg: str) -> list[float]:
    drawing = ElementTree.fromstring(svg)
    places = [
        float(part.get(key)) for part in drawing.iter() for key in ("cx", "cy", "x1", "x2", "y1", "y2") if part.get(key)
    ]
    lines = " ".join(part.get("points", "") for part in drawing.iter("polyline"))
    return [*places, *(float(n) for n in re.findall(r"-?[\d.]+", lines))]


def test_the_front_is_of_those_that_none_beats() -> None:
    assert plots.front([(1, 0.2), (2, 0.5), (3, 0.4), (4, 0.9), (2, 0.3)]) == [0, 1, 3]
    assert plots.front([(1, 0.5), (1, 0.7), (2, 0.7)]) == [1] and plots.front([]) == []


def test_points_and_lines_lie_inside_their_frame() -> None:
    marks = [Mark("A & B", "#2F9E58", False, 4e3, 0.5, y_spread=0.1), Mark("C", "#000", True, 2e9, -0.2)]
    for axes in (AXES, Axes("l", "x", "y", log=True)):
        svg = plots.scatter(marks, axes, [0, 1])
        assert all(0 <= n <= plots.WIDTH for n in numbers(svg)) and "A &amp; B" in svg and 'class="front"' in svg
    drawn = plots.lines([Trace("A", "#000", True, ((0.0, 0.1), (10.0, 0.9)))], AXES)
    assert all(0 <= n <= plots.WIDTH for n in numbers(drawn)) and "stroke-dasharray" in drawn
    assert plots.lines([], AXES) == plots.scatter(marks[:1], AXES) == ""


def test_names_do_not_lie_on_each_other() -> None:
    marks = [Mark(f"method {i}", "#000", False, 0.5, 0.5 + i / 1000) for i in range(5)] + [
        Mark("far", "#000", False, 1, 1)
    ]
    texts = [
        t
        for t in ElementTree.fromstring(plots.scatter(marks, AXES)).iter("text")
        if (t.text or "").startswith("method")
    ]
    heights = sorted(float(text.get("y")) for text in texts)
    assert all(b - a >= 11.9 for a, b in itertools.pairwise(heights))


def test_likeness_over_time_has_a_line_for_each_method(carried_out, engine: Engine) -> None:
    engine.seconds["textual-inversion"] = 2.0
    store = carried_out("lora", "textual-inversion")
    drawing = ElementTree.fromstring(plots.over_time(store, table.build(store)))
    ends = {
        line.find("title").text: float(line.get("points").split()[-1].split(",")[0])
        for line in drawing.iter("polyline")
    }
    assert ends["LoRA"] < ends["Textual Inversion"]  # 1.5 s against 6 s
    figures = table.build(store)
    assert plots.against_size(figures) and "Base" in plots.against_prompts(figures)


def test_a_film_has_a_row_of_pictures_for_every_step(carried_out) -> None:
    (film,) = gallery.films(carried_out("lora"))
    assert film.steps == (0, 3) and len(film.frames) == 2
    assert all(len(frame) == len(film.columns) == 6 and all(frame) for frame in film.frames)
    assert [path.parent.name for path in (film.frames[0][0], film.frames[1][0])] == ["0000000", "0000003"]


def test_the_record_holds_all_and_leads_nowhere(carried_out, tmp_path: Path) -> None:
    store = carried_out("lora", "textual-inversion")
    votes.vote(store, votes.ask(store).key, "left")
    report.write(store)
    text = (store.path / "experiment.json").read_text(encoding="utf-8")
    record = json.loads(text)
    assert str(tmp_path) not in text
    assert record["data"] == {"name": "train", "trigger": "sks", "class_word": "red"} and record["seed"] == 42
    assert [row["run"] for row in record["table"]["rows"]] == ["base", "lora", "textual-inversion"]
    assert record["series"]["lora"]["3"]["likeness"] > 0.9 and len(record["votes"]) == 2
    assert record["settings"]["method.kind"] == {"lora": "lora", "textual-inversion": "textual-inversion"}
    assert all((store.path / one["path"]).is_file() for row in record["pictures"] for one in row["samples"])
    assert {one["kind"]: one["alone"] for one in record["methods"]} == {"lora": False, "textual-inversion": False}


@pytest.fixture
def moved(carried_out, data: Path, tmp_path: Path) -> tuple[ExperimentStore, ExperimentStore]:
    """A finished experiment, and its folder elsewhere after pictures and place are gone."""
    store = carried_out("lora", "textual-inversion")
    votes.vote(store, votes.ask(store).key, "left")
    report.write(store)
    there = tmp_path / "elsewhere" / "mine"
    shutil.copytree(store.path, there)
    shutil.rmtree(data)
    return store, ExperimentStore(there)


def test_a_finished_experiment_opens_elsewhere(moved: tuple[ExperimentStore, ExperimentStore]) -> None:
    old, new = moved
    before = {
        name: (new.path / name).read_text(encoding="utf-8") for name in ("table.csv", "table.md", "experiment.json")
    }
    measured = (new.path / "lora" / "metrics.json").read_text(encoding="utf-8")
    shutil.rmtree(old.path)
    report.write(new)
    assert before == {name: (new.path / name).read_text(encoding="utf-8") for name in before}
    shown = gallery.build(new)
    assert len(shown.trained_on) == 3 and all(path.is_file() for path in shown.trained_on)
    assert all(path for strip in shown.strips for path in strip.pictures)
    assert len(gallery.films(new)) == 2 and votes.ask(new) and len(votes.tally(new)) == 2
    page = (new.path / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") == 3 * 6 + 3 and page.count('class="plot"') == 3 and "Blind votes" in page
    assert (new.path / "lora" / "metrics.json").read_text(encoding="utf-8") == measured


def test_an_eye_that_is_not_here_takes_no_figure_away(
    moved: tuple[ExperimentStore, ExperimentStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.compare.eye import open_eye

    _, new = moved
    figures = (new.path / "table.csv").read_text(encoding="utf-8")
    monkeypatch.setattr(experiment, "open_eye", lambda name: open_eye("nobody/here"))
    said = [event for _, event in experiment.conclude(new) if event.kind == "note"]
    assert "no eye" in said[0].text
    assert (new.path / "table.csv").read_text(encoding="utf-8") == figures


def test_two_processes_give_the_same_table(carried_out, tmp_path: Path) -> None:
    """With the starter's own eye, and another number of threads: figures agree to 1e-4, marks and all else exactly."""
    store = carried_out("lora", "textual-inversion")
    for file in store.path.glob("*/metrics.json"):
        file.unlink()
    other = tmp_path / "other"
    shutil.copytree(store.path, other)
    list(experiment.conclude(store))
    words = [sys.executable, "launch.py", "report", str(other)]
    subprocess.run(words, check=True, capture_output=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "2"})
    tables = [list(csv.reader(io.StringIO((path / "table.csv").read_text("utf-8")))) for path in (store.path, other)]
    assert tables[0][0] == tables[1][0] and len(tables[0]) == 4
    compared = 0
    for one, two in zip(*(rows[1:] for rows in tables), strict=True):
        for ours, theirs in zip(one, two, strict=True):
            try:
                assert float(ours) == pytest.approx(float(theirs), abs=1e-4)
                compared += 1
            except ValueError:
                assert ours == theirs
    assert compared > 20
