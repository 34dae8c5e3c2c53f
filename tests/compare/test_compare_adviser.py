"""What is advised before training from facts, and afterwards from the table and the user's weights."""

from dataclasses import replace

import pytest

from studio.compare.adviser import Situation, before
from studio.compare.facts import columns, facts
from studio.compare.metrics import METRICS
from studio.compare.table import Cell, Row, Table
from studio.compare.verdict import after
from studio.errors import SpecError
from studio.methods import registry
from studio.spec import Preset, preset

GB = 10**9
ARTICLE = ["dreambooth", "lora", "hypernetwork", "textual-inversion"]


def made(kind: str, memory: int, steps: int, family: str = "sd15") -> Preset:
    settings = {"method": {"kind": kind}, "schedule": {"steps": steps}}
    return Preset(name=f"{kind}-{family}-{memory}gb", memory_gb=memory, settings=settings)


SHELF = [
    made("lora", 6, 1500), made("lora", 8, 1500), made("locon", 8, 1500), made("ia3", 8, 1500),
    made("dreambooth", 16, 800), made("hypernetwork", 8, 3000), made("textual-inversion", 8, 3000),
    made("lora", 12, 1500, "sdxl"), made("dreambooth", 40, 800, "sdxl"),
]  # fmt: skip


def place(situation: Situation, kind: str) -> int:
    return [advice.kind for advice in before(situation, SHELF)].index(kind)


def test_with_no_more_said_the_articles_order_stands() -> None:
    plain = Situation()
    order = [
        advice.kind
        for advice in before(plain)
        if advice.kind in ("dreambooth", "lora", "hypernetwork", "textual-inversion")
    ]
    assert order == ["dreambooth", "lora", "hypernetwork", "textual-inversion"]


@pytest.mark.parametrize(
    ("change", "kind", "first"),
    [
        ({"memory": 8 * GB}, "lora", True),
        ({"memory": 24 * GB}, "dreambooth", True),
        ({"stack": True}, "lora", True),
        ({"alone": True}, "dreambooth", True),
        ({"what": "many", "images": 5000}, "dreambooth", True),
        ({"images": 3}, "lora", True),
        ({"memory": 8 * GB, "family": "sdxl"}, "dreambooth", False),
    ],
)  # fmt: skip
def test_facts_decide(change: dict, kind: str, first: bool) -> None:
    assert (place(Situation(**change), kind) == 0) is first


def test_what_does_not_fit_is_said_with_its_numbers() -> None:
    advice = next(one for one in before(Situation(memory=8 * GB), SHELF) if one.kind == "dreambooth")
    assert advice.mark < 0 and any("16 GB" in text and "8 GB" in text for text in advice.against)
    assert advice.preset == "dreambooth-sd15-16gb"


def test_the_largest_preset_that_fits_is_taken() -> None:
    tiers = {memory: before(Situation(memory=memory * GB, stack=True), SHELF)[0].preset for memory in (6, 8, 24)}
    assert tiers[6] == "lora-sd15-6gb" and tiers[8] == tiers[24] == "lora-sd15-8gb"
    assert preset(before(Situation(family="starter"))[0].preset).family == "starter"


def test_a_program_that_cannot_read_it_speaks_against() -> None:
    advice = next(one for one in before(Situation(program="diffusers")) if one.kind == "hypernetwork")
    assert any(text == "diffusers does not read its files; A1111, ComfyUI do." for text in advice.against)
    assert place(Situation(program="diffusers"), "lora") < place(Situation(program="diffusers"), "ia3")


def test_a_style_lifts_what_is_good_at_style() -> None:
    for kind in ("hypernetwork", "locon"):
        assert mark(Situation(what="style"), kind) > mark(Situation(), kind)


def mark(situation: Situation, kind: str) -> float:
    return next(one.mark for one in before(situation, SHELF) if one.kind == kind)


def test_little_time_speaks_for_few_steps() -> None:
    hurried = next(one for one in before(Situation(minutes=5), SHELF) if one.kind == "textual-inversion")
    assert any("steps" in text and "5 minutes" in text for text in hurried.against)


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(SpecError, match="no preset for 'sd9'"):
        before(Situation(family="sd9"))


@pytest.mark.parametrize("kind", registry())
def test_every_method_has_its_facts(kind: str) -> None:
    one = facts(kind)
    assert one.alone is not one.stacks and one.size and len(columns(one)) == 5
    assert "NAME" in one.called and (one.alone or "checkpoint" not in one.called)
    assert facts("lora").called == "<lora:NAME:1> TRIGGER" and facts("dreambooth").alone


# -- afterwards


def table(**columns: tuple) -> Table:
    """Rows a, b, c and a base below zero; a figure is a value or (value, spread)."""
    rows = []
    for i, name in enumerate(["base", "a", "b", "c"]):
        cells = {metric.name: Cell(None, reason="Not here.") for metric in METRICS}
        for metric, figures in columns.items():
            value, spread = figures[i] if isinstance(figures[i], tuple) else (figures[i], None)
            cells[metric] = Cell(value, spread, "n/a" if value is None else f"{value:.2f}", "")
        seeds = () if i == 0 else (1, 2) if any(cell.spread for cell in cells.values()) else (1,)
        rows.append(Row(name, name.upper(), "#000", "", "", seeds, i > 0, cells))
    return Table(tuple(rows))


def test_the_weights_decide() -> None:
    measured = table(likeness=(0.1, 0.9, 0.8, 0.5), artifact_size=(None, 4e9, 4e6, 4e3))
    assert after(measured, {"likeness": 1}).ranked[0].name == "a"
    assert after(measured, {"artifact_size": 1}).ranked[0].name == "c"
    both = after(measured, {"likeness": 1, "artifact_size": 1})
    assert both.ranked[0].name == "b" and both.tied == ()
    assert both.ranked[0].reasons[0] == "Likeness 0.80, place 2 of 3; A has 0.90."


def test_what_lies_within_the_spread_is_a_tie() -> None:
    close = after(table(likeness=(0.1, (0.80, 0.05), (0.78, 0.05), (0.3, 0.05))), {"likeness": 1})
    assert close.tied == ("B",) and "cannot be told" in close.sentence
    apart = after(table(likeness=(0.1, (0.80, 0.01), (0.70, 0.01), (0.3, 0.01))), {"likeness": 1})
    assert apart.tied == () and apart.sentence == "A serves you best by these weights: Likeness 0.80, the best of 3."


def test_a_column_on_which_all_agree_decides_nothing() -> None:
    same = table(likeness=(0.1, 0.5, 0.5, 0.5), forgetting=(0, 0.3, 0.1, 0.2))
    verdict = after(same, {"likeness": 9, "forgetting": 1})
    assert verdict.ranked[0].name == "b" and verdict.ranked[0].score == 1


def test_a_missing_figure_is_said_and_not_held_against() -> None:
    verdict = after(
        table(likeness=(0.1, None, 0.5, 0.6), forgetting=(0, 0.1, 0.2, 0.3)), {"likeness": 1, "forgetting": 1}
    )
    first = next(one for one in verdict.ranked if one.name == "a")
    assert any(text.startswith("Likeness is not known") for text in first.reasons) and first.score == 1


def test_cautions_come_with_the_verdict() -> None:
    weak = after(
        table(likeness=(0.5, (0.51, 0.05), (0.3, 0.05), (0.2, 0.05)), memorisation=(0, 0.67, 0, 0)), {"likeness": 1}
    )
    assert any("not above the untrained base" in text for text in weak.cautions)
    assert any("67%" in text for text in weak.cautions)
    lone = after(table(likeness=(0.1, 0.5, 0.4, 0.3)), {"likeness": 1})
    assert lone.cautions == ("Each method ran with one seed, so small differences may be chance.",)


def test_senseless_weights_are_refused() -> None:
    measured = table(likeness=(0.1, 0.9, 0.8, 0.5))
    for weights, said in (
        ({"beauty": 1}, "not measured"),
        ({"likeness": -1}, "0 or more"),
        ({"likeness": 0}, "All weights"),
    ):
        with pytest.raises(SpecError, match=said):
            after(measured, weights)
    assert "at least two" in after(replace(measured, rows=measured.rows[:2])).sentence
