"""The Methods tab: a diagram is what attach touched, cards say what is known, the draft is what is asked for."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.errors import SpecError
from studio.spec import preset
from studio.ui import cards, diagram, touched
from studio.ui.behind import Behind
from studio.ui.cards import Known
from studio.ui.desk import Desk
from studio.ui.draft import Draft
from studio.ui.forecast import Forecast, Forecasts
from studio.ui.looks import Look, Looks
from studio.ui.offers import Offer
from studio.ui.order import order
from studio.ui.touched import Places, Touched, bars_of, places
from tests.ui.doubles import NoWorker

ALL = frozenset(range(touched.BARS))


def spec(name: str, base: Path, **method: Any) -> Any:
    data = {"folder": "corgi", "trigger": "sks", "class_word": "dog"}
    return preset(name).spec(base={"model": str(base)}, data=data, method=method)


def test_where_a_method_learns_is_where_attach_touched_the_base(base: Path) -> None:
    lora = places(spec("lora-sd15-8gb", base, targets="attn"))
    assert (lora.kv, lora.rims, lora.bars, lora.before) == (lora.attention, frozenset(), frozenset(), frozenset())
    assert lora.kv and lora.learning > 0 and not lora.encoder
    both = places(spec("lora-sd15-8gb", base, targets="attn", train_text_encoder=True))
    assert both.encoder and both.learning > lora.learning
    hyper = places(spec("hypernetwork-sd15-8gb", base))
    assert hyper.before == hyper.attention and not hyper.kv
    word = places(spec("textual-inversion-sd15-8gb", base))
    assert word.tokens and word.parts == ("tokens",)
    whole = places(spec("dreambooth-sd15-16gb", base, train_text_encoder=False))
    assert whole.bars == ALL and whole.size > 2 * whole.learning  # the file holds what did not learn too


@pytest.mark.parametrize(
    ("path", "bars"),
    [
        ("down_blocks.0.resnets.0.conv1", [0]), ("down_blocks.3.resnets.0", [2]), ("mid_block.attentions.0", [2, 3]),
        ("up_blocks.0.resnets.0", [3]), ("up_blocks.3.attentions.2", [5]), ("conv_in", [0]), ("conv_out", [5]),
        ("time_embedding.linear_1", []), ("", []),
    ],
)  # fmt: skip
def test_every_part_of_a_unet_has_its_bar(path: str, bars: list[int]) -> None:
    assert list(bars_of(path, 4, 4)) == bars


def test_a_diagram_draws_and_says_what_was_touched() -> None:
    one = Places(kv=frozenset({1}), attention=frozenset({1, 2}))
    drawn = diagram.diagram("lora", "LoRA", "en", one)
    assert 'aria-label="LoRA learns: thin layers at attention"' in drawn
    assert drawn.count('class="on"') == 1
    assert drawn.count('y="66" width="8"') == 2  # two bars have attention
    assert diagram.diagram("lora", "LoRA", "en", Places(rims=ALL)).count('class="on"') == 6
    waiting = diagram.diagram("lora", "LoRA", "en")
    assert "looking where it learns" in waiting and 'class="on"' not in waiting
    assert "rotations at attention" in diagram.said("oft", "OFT", "en", Places(kv=ALL))
    assert "thin layers" in diagram.said("lora", "LoRA", "en", Places(kv=ALL, encoder=True))
    assert "the text encoder" in diagram.said("lora", "LoRA", "en", Places(kv=ALL, encoder=True))


def test_what_was_seen_is_kept_and_a_failure_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def seen(one: Any) -> Places:
        asked.append(one.method)
        if one.method == "bad":
            raise ValueError("no such base")
        return Places(learning=7)

    monkeypatch.setattr(touched, "places", seen)
    looked, wanted = Touched(), {name: SimpleNamespace(base="b", method=name) for name in ("good", "bad")}
    assert looked.of(wanted) == {"good": None, "bad": None}
    while looked.count < 2:
        time.sleep(0.01)
    known = looked.of(wanted)
    assert known["good"] == Places(learning=7) and known["bad"] == Places(error="no such base")
    assert sorted(asked) == ["bad", "good"]


def test_a_card_says_what_is_known_and_leaves_open_what_is_not() -> None:
    offer = Offer(Look("lora", "LoRA", sentence="Thin.", usage="<lora:{name}:1>", readers="A1111"), "lora-starter", 200)
    about = SimpleNamespace(title="SD")
    assert cards.card(offer, False, about, "en").count(cards.MISSING) >= 4
    known = Known(400, Places(learning=3_200_000, size=9_000_000), Forecast(training=10**9, pace=0.5))
    drawn = cards.card(offer, True, about, "en", known)
    for text in ("3.2 M", "9.0 MB", "1.0 GB", "3 min 20 s", "lora-starter, 400 steps"):
        assert text in drawn
    assert cards.total([(offer, known)], 3) == 600 and cards.total([(offer, known), (offer, Known(5))], 3) == 0
    assert "10 min × 3" in cards.rail([(offer, Known(5, minutes=10))], 3, "en")


def test_the_advice_is_given_with_its_reasons() -> None:
    one = SimpleNamespace(kind="lora", title="LoRA", mark=2.0, reasons=("It is small.",), against=())
    two = SimpleNamespace(kind="full", title="Full", mark=-1.0, reasons=(), against=("It needs 24 GB.",))
    drawn = cards.which([one, two], Looks(), "style", "Forge", "10 pictures", "en")
    assert "10 pictures: LoRA first." in drawn and "It is small." in drawn and "It needs 24 GB." in drawn
    assert 'data-id="style"' in drawn and '<option value="Forge" selected>' in drawn and "Then" not in drawn


def test_the_draft_says_for_how_long_and_how_often(tmp_path: Path) -> None:
    draft = Draft(budget="steps", steps="12", minutes="x", repeats=2)
    asked = order(draft, ("lora",))
    assert (asked.steps, asked.minutes, asked.repeats) == (12, None, 2)
    asked = order(draft.moved(budget="minutes", minutes="1,5"), ("lora",))
    assert (asked.steps, asked.terms().minutes) == (None, 1.5)
    assert order(draft.moved(budget="advice"), ("lora",)).terms().budget == "advice"
    with pytest.raises(SpecError, match="not a number of minutes"):
        order(draft.moved(budget="minutes"), ("lora",))
    desk = Desk(tmp_path, NoWorker())
    store = desk.compare(order(draft.moved(picked=("lora",)), ("lora",)))
    assert store is not None and [run.path.name for run in store.runs()] == ["lora", "lora-r2"]
    assert all("steps = 12" in run.spec_text() for run in store.runs())


def test_what_one_asks_for_does_not_starve_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.ui.behind.threading.Thread", lambda **_: SimpleNamespace(start=lambda: None))
    looked: list[str] = []
    made = Behind("test", str, lambda spec, known: looked.append(spec) or spec.upper())
    assert made.of(["a", "b"]) == [None, None] and made.of(["c"]) == [None]
    made._work()
    assert looked == ["c", "a", "b"] and made.of(["a", "b", "c"]) == ["A", "B", "C"] and made.count == 3


def test_a_forecast_is_told_once_and_its_pace_when_a_run_has_told_it(monkeypatch: pytest.MonkeyPatch) -> None:
    trained, told, spec = [(0, 0)], [], SimpleNamespace(method=SimpleNamespace(kind="a"), model_dump=dict)
    monkeypatch.setattr("studio.ui.forecast._key", repr)
    monkeypatch.setattr("studio.ui.forecast.pace_of", lambda *_: 2.0 if trained[0][1] else None)
    monkeypatch.setattr(Forecasts, "_estimated", lambda _, spec: told.append(spec) or Forecast(learning=1))
    made, seen = Forecasts(SimpleNamespace(finished=lambda: trained[0])), {}
    for paced, stamp in enumerate([(0, 0), (1, 1)]):
        trained[0] = stamp
        made.of([spec])
        while made.count < paced + 1:
            time.sleep(0.01)
        assert made.of([spec]) == {"a": Forecast(learning=1, pace=2.0 if paced else None)}
        assert made.fresh(seen) and not made.fresh(seen)
    assert told == [spec]
