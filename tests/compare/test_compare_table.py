"""Marks, spread, and the table as text."""

import csv
import io
from dataclasses import replace

import pytest
from compare_doubles import ColourEye

from studio.compare import amounts, table
from studio.compare.measure import measure
from studio.compare.members import members
from studio.compare.metrics import METRICS
from studio.compare.table import Cell, marked, tied

LIKENESS = next(metric for metric in METRICS if metric.name == "likeness")
LOWER = next(metric for metric in METRICS if metric.name == "forgetting")


def cells(*pairs: tuple[float | None, float | None]) -> list[Cell | None]:
    """Cells of (value, spread); None for a row that is not ranked."""
    return [Cell(v, s, "n/a" if v is None else f"{v:.2f}") for v, s in pairs]


@pytest.mark.parametrize(
    ("metric", "given", "marks"),
    [
        (LIKENESS, cells((0.58, 0.02), (0.80, 0.02), (0.86, 0.02), (0.87, 0.02)), "▼ =▲"),
        (LOWER, cells((0.0, 0.0), (0.21, 0.02), (0.26, 0.03), (0.38, 0.04)), "▲  ▼"),
        (LIKENESS, cells((0.5, None), (0.7, None), (0.6, None)), "▼▲ "),
        (LIKENESS, cells((0.701, None), (0.702, None), (0.6, None)), "=▲▼"),
        (LIKENESS, cells((0.701, None), (0.702, None)), "  "),
        (LIKENESS, cells((0.70, 0.1), (0.72, 0.1), (0.75, 0.1)), "   "),
        (LIKENESS, cells((0.9, 0.01), (0.5, 0.02), (0.51, 0.02)), "▲  "),
        (LIKENESS, cells((None, None), (0.5, None), (0.6, None)), " ▼▲"),
        (LIKENESS, cells((0.5, None)), " "),
        (replace(LIKENESS, direction="none"), cells((0.5, None), (0.6, None)), "  "),
    ],
)
def test_marks(metric, given, marks: str) -> None:
    assert "".join(mark or " " for mark in marked(metric, given)) == marks


def test_a_row_that_is_not_ranked_has_no_mark() -> None:
    assert marked(LIKENESS, [None, *cells((0.5, None), (0.6, None))]) == ["", "▼", "▲"]


def test_a_tie_is_symmetric_and_needs_figures() -> None:
    one, other = cells((0.5, 0.2), (0.6, 0.01))
    assert tied(one, other) and tied(other, one)
    assert not tied(one, Cell(None))


@pytest.mark.parametrize(
    ("value", "unit", "digits", "spread", "shown"),
    [
        (0.8649, "score", 2, 0.02, ("0.86", "±0.02")),
        (0.4211, "s", 3, None, ("0.421 s", "")),
        (84.4, "time", 0, 6.0, ("1:24", "±6.0 s")),
        (3723, "time", 0, None, ("1:02:03", "")),
        (59.7, "time", 0, None, ("1:00", "")),
        (3.14, "time", 0, None, ("3.1 s", "")),
        (3.1e9, "bytes", 1, 4e7, ("3.1 GB", "")),
        (3.1e9, "bytes", 1, 2e8, ("3.1 GB", "±0.2")),
        (25_312, "bytes", 1, None, ("25.3 kB", "")),
        (999_999, "bytes", 1, None, ("1.0 MB", "")),
        (120e6, "bytes", 1, None, ("120 MB", "")),
        (3.2e6, "count", 1, 0.0, ("3.2 M", "")),
        (768, "count", 1, None, ("768", "")),
        (0, "bytes", 1, None, ("0 B", "")),
    ],
)
def test_figures_as_text(value: float, unit: str, digits: int, spread: float | None, shown: tuple[str, str]) -> None:
    assert tuple(amounts.show(value, unit, digits, spread)) == shown


def test_repeats_become_mean_and_spread(carried_out, engine) -> None:
    engine.paints["lora-r2"] = "green"
    store = carried_out("lora", "textual-inversion", repeats=2)
    built = table.build(store)
    assert [row.name for row in built.rows] == ["base", "lora", "textual-inversion"]
    assert built.rows[1].seeds == (42, 43)
    spread, sure = (row.cells["likeness"] for row in built.rows[1:])
    assert spread.spread > 0.1 and spread.spread_text.startswith("±")
    assert sure.spread == pytest.approx(0, abs=1e-6)
    assert spread.mark == sure.mark == ""  # within the spread


def test_a_failed_repeat_is_said_and_the_others_count(carried_out, engine) -> None:
    engine.fails["lora-r2"] = 2
    row = table.build(carried_out("lora", "textual-inversion", repeats=2)).rows[1]
    assert row.state == "1 of 2 seeds; failed at 1"
    assert row.ranked and row.cells["likeness"].value is not None and row.cells["likeness"].spread is None


def test_before_anything_is_done_there_is_a_table(data, tmp_path) -> None:
    from compare_doubles import spec

    from studio.compare import experiment

    built = table.build(experiment.create(tmp_path, "x", [spec(data)]))
    assert [row.state for row in built.rows] == ["not sampled yet", "not started"]
    assert built.rows[1].cells["likeness"].text == "not started"
    assert len(table.to_markdown(built).splitlines()) > 4


def test_figures_of_two_eyes_are_never_mixed(carried_out) -> None:
    store = carried_out("lora", "textual-inversion")
    one = members(store)[0]
    measure(one.store, store.run("base"), one.spec, ColourEye("another"))
    rows = table.build(store).rows
    assert rows[1].cells["likeness"].value is None and "another eye" in rows[1].cells["likeness"].reason
    assert rows[2].cells["likeness"].value is not None


def test_the_base_is_first_and_never_marked(carried_out) -> None:
    base = table.build(carried_out("lora", "textual-inversion")).rows[0]
    assert base.name == "base" and not base.ranked
    assert not any(cell.mark for cell in base.cells.values())


def test_csv_and_markdown_hold_the_same_rows(carried_out) -> None:
    built = table.build(carried_out("lora", "textual-inversion"))
    rows = list(csv.DictReader(io.StringIO(table.to_csv(built))))
    assert [row["run"] for row in rows] == ["base", "lora", "textual-inversion"]
    assert float(rows[1]["peak_memory"]) == 3e9 and rows[0]["peak_memory"] == ""
    assert rows[1]["state"] == "finished" and rows[1]["seeds"] == "42"
    figures, facts = table.to_markdown(built).split("The base is not ranked.")
    for text, count in ((figures, 5), (facts, 4)):
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert len(lines) == count and len({line.count("|") for line in lines}) == 1
    assert "| LoRA | thin layers beside the weights of attention |" in facts
