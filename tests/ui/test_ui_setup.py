"""The form says of each setting what it is, keeps what was typed, and starts nothing that cannot be."""

import re
import threading
from pathlib import Path

import pytest

from studio.errors import SpecError
from studio.methods import registry
from studio.own_presets import any_preset, keep, own
from studio.spec import PRESETS, make_spec, preset, presets, spec_from_toml
from studio.ui import carry, fields, form, setup, view, waiting
from studio.ui.desk import Desk
from studio.ui.draft import Draft, Drafts
from studio.ui.i18n import help_zh, labels, presets_zh
from studio.ui.order import Order
from studio.ui.queue import Queue
from tests.ui.doubles import NoWorker


@pytest.mark.parametrize("kind", sorted(registry()))
def test_every_setting_has_a_title_and_a_help_in_both_languages(kind: str) -> None:
    for field in fields.fields(make_spec({"method": {"kind": kind}})):
        assert field.help, field.key
        assert field.key in labels.TITLES, f"{field.key} has no title"
        assert field.help in help_zh.HELP, f"{field.key} has no Chinese help: {field.help}"
        assert field.group in fields.GROUPS


def test_no_translation_outlives_its_setting() -> None:
    every = [field for kind in registry() for field in fields.fields(make_spec({"method": {"kind": kind}}))]
    assert set(labels.TITLES) == {field.key for field in every}
    assert set(help_zh.HELP) == {field.help for field in every}
    assert set(presets_zh.WHEN) == {one.when for one in presets()}
    assert {field.key for field in every} >= fields.BASIC
    assert {field.key for field in every} >= set(fields._RULES)


@pytest.mark.parametrize("name", [one.name for one in presets()])
def test_every_setting_of_every_preset_comes_back_from_form_and_file(name: str) -> None:
    one = preset(name)
    spec = one.spec()
    for field in fields.fields(spec):
        value = fields.values(spec)[field.key]
        typed: str | bool = value if isinstance(value, bool) else fields.shown(value)
        again, errors = fields.judged(spec.model_dump(), {field.key: fields.read(field, typed)})
        assert not errors, (field.key, errors)
        assert again == spec, field.key
    assert spec_from_toml(spec.to_toml()) == spec


def test_a_mistake_stays_as_it_was_typed_and_stops_the_start() -> None:
    draft = Draft().with_value("lora", "optim.lr", "quick").with_value("lora", "method.rank", 32)
    of = setup.sheet(draft, "lora", preset("lora-starter"))
    assert of.errors == {"optim.lr": "Write a number, such as 0.5 or 1e-4."}
    assert not of.ready
    assert of.value("optim.lr") == "quick"
    assert of.spec.method.rank == 32
    assert {key for key, _, _ in of.changes()} == {"optim.lr", "method.rank"}
    drawn = form.drawn(of, setup.visible(of.fields, of, "basic", "", {}), "en")
    assert 'value="quick"' in drawn
    assert 'aria-invalid="true"' in drawn


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("method.rank", 0, "It must be at least 1."),
        ("optim.clip", -1, "It must be at least 0."),
        ("data.resolution", 511, "It must be a multiple of 8."),
        ("schedule.steps", 2.5, "Write a whole number."),
        ("optim.lr", 0, "It must be above 0."),
        ("schedule.rates", "1:2:3", "'1:2:3' is no rate with its last step, such as 0.005:100."),
    ],
)
def test_what_a_field_takes_is_said_under_it(key: str, value: object, said: str) -> None:
    spec, errors = fields.judged(preset("lora-starter").settings, {key: value})
    assert spec is None
    assert errors == {key: said}


def test_a_fault_between_settings_is_said_and_costs_no_other_change() -> None:
    draft = Draft().with_value("lora", "objective.timestep_low", 900).with_value("lora", "objective.timestep_high", 100)
    of = setup.sheet(draft, "lora", preset("lora-starter"))
    assert list(of.errors.values()) == ["Timestep_low must not be above timestep_high."]


def test_the_form_shows_what_applies_and_finds_everything() -> None:
    of = setup.sheet(Draft(), "lora", preset("lora-starter"))
    basic = {field.key for field in setup.visible(of.fields, of, "basic", "", {})}
    every = {field.key for field in setup.visible(of.fields, of, "all", "", {})}
    assert basic < every
    assert "schedule.cycles" not in every
    whole = setup.sheet(Draft(), "dreambooth", preset("dreambooth-starter"))
    of_all = {field.key for field in setup.visible(whole.fields, whole, "all", "", {})}
    assert of_all & {"optim.weights", "optim.fused_backward", "machine.quantize"} == {
        "optim.weights", "optim.fused_backward"
    } and every & {"optim.weights", "optim.fused_backward", "machine.quantize"} == {"machine.quantize"}  # fmt: skip
    assert [field.key for field in setup.visible(of.fields, of, "basic", "cosine-restarts starts", {})] == [
        "schedule.cycles"
    ]
    names = {field.key: " ".join(labels.of(field.key, field.help, "zh")) for field in of.fields}
    assert "optim.lr" in {field.key for field in setup.visible(of.fields, of, "basic", "学习率", names)}
    turned = setup.sheet(Draft().with_value("lora", "schedule.kind", "cosine-restarts"), "lora", preset("lora-starter"))
    assert "schedule.cycles" in {field.key for field in setup.visible(turned.fields, turned, "all", "", {})}
    assert [field.key for field in setup.visible(turned.fields, turned, "changed", "", {})] == ["schedule.kind"]


def test_what_a_comparison_holds_equal_is_changed_for_all_its_runs() -> None:
    draft = Draft().with_value("lora", "sample.every", 20).with_value("lora", "optim.lr", 0.1)
    other = setup.sheet(draft, "loha", preset("loha-starter"))
    assert other.spec.sample.every == 20
    assert other.spec.optim.lr != 0.1
    assert draft.without("loha", "sample.every").changed("lora") == {"optim.lr": 0.1}
    assert not draft.without("lora").changed("lora")


def test_a_rate_far_from_the_presets_is_doubted() -> None:
    def doubts(**over: float) -> dict[str, str]:
        draft = Draft()
        for key, value in over.items():
            draft = draft.with_value("lora", key.replace("__", "."), value)
        return {key: name for key, (name, _) in setup.sheet(draft, "lora", preset("lora-starter")).doubts.items()}

    assert doubts() == {}
    assert doubts(optim__lr=0.1) == {"optim.lr": "doubt_high"}
    assert doubts(optim__lr=1e-6) == {"optim.lr": "doubt_low"}
    assert doubts(method__alpha=64.0) == {"method.alpha": "doubt_alpha"}


def test_a_pasted_text_becomes_the_draft_whole() -> None:
    wanted = preset("lora-starter").spec(
        optim={"lr": 5e-4}, data={"folder": "starter-style", "flip": True}, method={"rank": 3}
    )
    draft = setup.taken_over(Draft(), "lora", preset("lora-starter"), wanted)
    assert make_spec(draft.settings("lora", preset("lora-starter").settings)) == wanted


def test_a_draft_outlives_its_page(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path / "outputs")
    assert drafts.read() == Draft()
    kept = drafts.write(Draft(name="rex", picked=("lora",)).with_value("lora", "method.rank", 4))
    assert Drafts(tmp_path / "outputs").read() == kept
    drafts.path.write_text("{ torn", encoding="utf-8")
    assert drafts.read() == Draft()


def test_of_two_visitors_at_once_neither_undoes_what_the_other_did(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path / "outputs")
    other = threading.Thread(target=drafts.change, kwargs={"trigger": "rex"})

    def meanwhile(draft: Draft) -> Draft:
        other.start()
        other.join(0.2)  # for as long as it takes where it need not wait
        return draft.moved(name="mine")

    drafts.edit(meanwhile)
    other.join()
    assert (drafts.read().name, drafts.read().trigger) == ("mine", "rex")


def test_a_preset_of_ones_own(tmp_path: Path) -> None:
    of = setup.sheet(Draft().with_value("lora", "method.rank", 4), "lora", preset("lora-starter"))
    made = keep(tmp_path, "my corgi", setup.own_settings(of))
    assert [one.name for one in own(tmp_path)] == [made.name]
    again = setup.sheet(Draft(), "lora", any_preset(made.name, tmp_path))
    assert again.spec.method.rank == 4
    assert not again.changes()
    assert any_preset("lora-starter", tmp_path) == preset("lora-starter", PRESETS)
    with pytest.raises(SpecError, match="preset of the studio"):
        keep(tmp_path, "lora-starter", of.preset.settings)
    with pytest.raises(SpecError, match="no name"):
        keep(tmp_path, "  ", of.preset.settings)


def test_what_a_visitor_wrote_is_harmless_in_the_form() -> None:
    evil = '"><script>alert(1)</script>'
    draft = Draft().with_value("lora", "sample.prompts", [evil]).with_value("lora", "optim.lr", evil)
    of = setup.sheet(draft, "lora", preset("lora-starter"))
    page = form.drawn(of, of.fields, "en") + form.changes(of, "en")
    assert not re.search(r"<script", page)


def test_the_queue_outlives_its_program(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    for name in ("one", "two", "one", "three"):
        queue.add(name)
    queue.drop("two")
    queue.add("one", "lora")
    queue.add("four", "lora")
    assert Queue(tmp_path).names() == ["one", "three", "four"]
    assert (queue.alone("one"), queue.alone("four")) == ((), ("lora",))
    queue.drop("one", "")
    assert queue.alone("one") == ("lora",)
    queue.path.write_text("torn", encoding="utf-8")
    assert queue.names() == []


def test_pasted_text_a_preset_of_ones_own_and_an_import(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "outputs", NoWorker())
    wanted = preset("lora-starter").spec(optim={"lr": 5e-4}, data={"folder": "corgi"})
    assert carry.text(desk, wanted.to_toml()) == "lora"
    assert "lora" in (desk.drafts.read().picked or ())
    offer = next(one for one in carry.offered(desk, desk.drafts.read()) if one.look.kind == "lora")
    assert carry.sheet(desk, desk.drafts.read(), offer).spec.optim.lr == 5e-4
    name = carry.preset(desk, "lora", "slow lora")
    assert desk.drafts.read().presets["lora"] == name
    assert not carry.sheet(desk, desk.drafts.read(), offer).changes()
    file = tmp_path / "kohya.json"
    file.write_text('{"LoRA_type": "LyCORIS/LoHa", "network_dim": 6, "train_data_dir": "x"}', encoding="utf-8")
    assert carry.file(desk, file).kind == "loha"
    assert desk.drafts.read().over["loha"]["method.rank"] == 6
    with pytest.raises(SpecError, match="not valid TOML"):
        carry.text(desk, "x = = 1")


def test_the_queue_gives_again_what_a_restart_left(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "outputs", NoWorker())
    store = desk.compare(Order("mine", ("lora", "loha"), "corgi", "sks", "dog", 3))
    assert store is not None
    again = Desk(tmp_path / "outputs", NoWorker())
    (left,) = again.waiting()
    name, runs = store.path.name, left.runs
    assert left.experiment is not None and left.experiment.path.name == name and not left.comes
    page = waiting.drawn(again.waiting(), again.looks, "en")
    assert 'data-act="queue_on"' in page
    first, second = [run.name for run in runs if not run.is_base]
    again.move(name, second, -1)
    assert [run.name for run in again.watch.runs(store) if not run.is_base] == [second, first]
    again.go_on()
    assert again.worker.jobs == [name]
    again.withdraw(name)
    assert again.waiting() == []
    again.resume(name, second)  # and of what was asked for by itself nothing else goes on
    third = Desk(tmp_path / "outputs", NoWorker())
    page = waiting.drawn(third.waiting(), third.looks, "en")
    assert view.title(runs[-1], third.looks, "en") in page and view.title(runs[-2], third.looks, "en") not in page
    third.go_on()
    assert third._alone == [(name, second)]
