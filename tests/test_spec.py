from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from studio.errors import CrucibleError, SpecError
from studio.methods import registry
from studio.section import Section, leaves, merge
from studio.spec import Experiment, Preset, RunSpec, load_spec, make_spec, parse_value, preset, spec_from_toml

LORA: dict[str, Any] = {"method": {"kind": "lora"}}


def sections(cls: type[Section]) -> set[type[Section]]:
    found = {cls}
    for field in cls.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found |= sections(field.annotation)
    return found


EVERY = sorted(
    sections(RunSpec) | sections(Experiment) | {Preset} | {method.Options for method in registry().values()},
    key=lambda cls: f"{cls.__module__}.{cls.__qualname__}",
)


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__qualname__)
def test_every_setting_is_explained(cls: type[Section]) -> None:
    for name, field in cls.model_fields.items():
        group = isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        if group or name in ("kind", "method"):
            continue
        assert field.description and field.description.rstrip().endswith("."), f"{cls.__qualname__}.{name}"


@pytest.mark.parametrize("kind", registry())
def test_a_spec_is_equal_to_its_toml(kind: str) -> None:
    spec = make_spec({"method": {"kind": kind}, "optim": {"lr": 1e-7}, "seed": 2**63 - 1, "sample": {"seeds": [1, 2]}})
    text = spec.to_toml()
    assert spec_from_toml(text) == spec
    assert type(spec_from_toml(text).method) is registry()[kind].Options
    written = {key for key, _, _ in leaves(spec)}
    assert written == {key for key, _, _ in leaves(spec_from_toml(text))}
    assert set(tomllib.loads(text)) == set(RunSpec.model_fields)  # defaults written out


TEXT = some.text(some.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(TEXT, some.lists(TEXT, max_size=3), some.floats(1e-12, 100), some.integers(0, 2**63 - 1))
def test_any_words_and_numbers_survive_the_file(trigger: str, prompts: list[str], lr: float, seed: int) -> None:
    data = {"trigger": trigger, "folder": trigger}
    spec = make_spec(LORA | {"data": data, "sample": {"prompts": prompts}, "optim": {"lr": lr}, "seed": seed})
    assert spec_from_toml(spec.to_toml()) == spec


@pytest.mark.parametrize(
    ("over", "named"),
    [
        ({"optim": {"lr": -1}}, "optim.lr"),
        ({"optim": {"lr": "fast"}}, "optim.lr"),
        ({"optim": {"rate": 1}}, "optim.rate"),
        ({"schedule": {"steps": 0}}, "schedule.steps"),
        ({"schedule": 3}, "schedule"),
        ({"machine": {"precision": "fp8"}}, "machine.precision"),
        ({"data": {"resolution": 65}}, "data.resolution"),
        ({"seed": -1}, "seed"),
        ({"speed": 9}, "speed"),
        ({"method": {"kind": "alchemy"}}, "alchemy"),
        ({"method": {"kind": 3}}, "method"),
        ({"method": {"kind": ["lora"]}}, "method"),
        ({"method": {"rank": 0}}, "method.rank"),
        ({"method": {"targets": "everything"}}, "method.targets"),
        ({"method": {"vectors": 4}}, "method.vectors"),
        ({"method": 4}, "method"),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(over: dict[str, Any], named: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_spec(merge(LORA, over))
    text = str(caught.value)
    assert named in text
    assert text.endswith(".") and "\n" not in text and "validation error" not in text and len(text) < 300


@pytest.mark.parametrize("settings", [{}, {"method": {}}])
def test_a_spec_without_a_method_says_what_it_needs(settings: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="method") as caught:
        make_spec(settings)
    assert "\n" not in str(caught.value)


def test_broken_toml_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("a = = 1")
    with pytest.raises(SpecError, match=r"mine\.toml is not valid TOML"):
        load_spec(str(tmp_path / "mine.toml"))
    with pytest.raises(SpecError, match="There is no file"):
        load_spec(str(tmp_path / "other.toml"))
    with pytest.raises(SpecError, match="did you mean lora-starter"):
        load_spec("lora-startre")


def test_a_file_is_read_like_a_preset_and_what_is_said_goes_over_it(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[preset]\ntitle = "x"\n[method]\nkind = "lora"\nrank = 4\n[optim]\nlr = 0.5\n')
    spec = load_spec(str(tmp_path / "mine.toml"), {"optim.lr": 0.25, "method.alpha": 2.0})
    assert (spec.optim.lr, spec.method.model_dump()["rank"], spec.method.model_dump()["alpha"]) == (0.25, 4, 2.0)
    assert load_spec("lora-starter", {"schedule.steps": 7}).schedule.steps == 7


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("3", 3),
        ("true", True),
        ('["a", "b"]', ["a", "b"]),
        ('"x"', "x"),
        ("corgi", "corgi"),
        ("/data/my dogs", "/data/my dogs"),
        ("a, b", "a, b"),
        ("", ""),
        ("1\nb = 2", "1\nb = 2"),
    ],
)
def test_the_right_side_of_set_is_toml_or_plain_text(text: str, value: Any) -> None:
    assert parse_value(text) == value


def test_names_and_words_of_the_examples_are_filled_in() -> None:
    spec = make_spec(LORA)
    assert spec.name == "lora" and spec.data.class_word == "dog"
    assert spec.prompts()[0] == "a photo of sks dog"
    own = make_spec(LORA | {"name": "mine", "data": {"class_word": "hound"}})
    assert own.name == "mine" and own.data.class_word == "hound"


def test_what_would_stop_a_run_is_said_before_any_work(tmp_path: Path, base: Path) -> None:
    def problems(over: dict[str, Any]) -> list[str]:
        found = make_spec(merge(LORA | {"base": {"model": str(base)}}, over)).problems()
        assert all(text.endswith(".") and "\n" not in text for text in found)
        return found

    assert problems({}) == []
    (tmp_path / "empty").mkdir()
    for over, said in (
        ({"data": {"folder": str(tmp_path / "none")}}, "none"),
        ({"data": {"folder": str(tmp_path / "empty")}}, "holds no pictures"),
        ({"data": {"held_out": str(tmp_path / "none")}}, "none"),
        ({"save": {"formats": ["kohya", "gguf"]}}, "gguf"),
        ({"base": {"model": str(tmp_path / "no-model")}}, "no-model"),
        ({"base": {"model": str(tmp_path / "empty")}}, "not a diffusers model"),
    ):
        (text,) = problems(over)  # type: ignore[arg-type]
        assert said in text
    assert len(problems({"data": {"folder": "nowhere"}, "base": {"model": "nothing"}})) == 2


def test_an_experiment_is_equal_to_its_toml() -> None:
    experiment = Experiment(name="x", created=1.5, runs=("lora", "dreambooth"))
    assert Experiment.from_toml(experiment.to_toml()) == experiment
    with pytest.raises(CrucibleError, match="runz"):
        Experiment.from_toml('name = "x"\nrunz = 1\n')


def test_a_preset_that_is_not_there_names_near_ones() -> None:
    with pytest.raises(SpecError, match="lora-starter"):
        preset("lora-start")
