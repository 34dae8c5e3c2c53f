"""The command line's words about comparisons."""

import argparse
from pathlib import Path

import pytest
from compare_doubles import Engine, spec

from studio import cli_compare
from studio.compare import experiment, scenes
from studio.compare.looks import plain_prompt
from studio.compare.members import members, open_experiment, subject_prompts
from studio.data.scan import DataSpec
from studio.errors import ModelError, SpecError
from studio.spec import RunSpec, make_spec
from studio.starter import world
from studio.store import ExperimentStore

from collections.abc import Mapping  # isort: skip
from typing import Any  # isort: skip


@pytest.fixture(autouse=True)
def no_eye(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is judged has tests of its own."""
    monkeypatch.setattr(experiment, "conclude", lambda store, eye=None: iter(()))


def said(*words: str) -> argparse.Namespace:
    """The options of ``compare``, parsed."""
    top = argparse.ArgumentParser()

    def settings(word: argparse.ArgumentParser) -> None:
        for option, key, kind in (("--steps", "schedule.steps", int), ("--out", "out", Path)):
            word.add_argument(option, dest=key, type=kind)
        word.add_argument("--json", action="store_true")

    cli_compare.add_words(top.add_subparsers().add_parser, settings)
    return top.parse_args(["compare", *words])


@pytest.fixture
def compared(data: Path, engine: Engine, tmp_path: Path):
    def go(*words: str) -> ExperimentStore:
        arguments = said(*words)

        def load(name: str, shared: Mapping[str, Any]) -> RunSpec:
            return make_spec({**spec(data, name).model_dump(mode="json"), "name": "", **shared})

        assert cli_compare.compare(arguments, load, tmp_path) == 0
        return ExperimentStore(arguments.add or tmp_path / "train")

    return go


def test_a_budget_is_kept_with_the_experiment(compared) -> None:
    terms = open_experiment(compared("lora", "--minutes", "0.05")).terms
    assert (terms.budget, terms.minutes, terms.steps) == ("minutes", 0.05, 0)


def test_steps_are_a_budget_of_equal_steps(compared) -> None:
    terms = open_experiment(compared("lora", "--steps", "4")).terms
    assert (terms.budget, terms.steps) == ("steps", 4)


def test_two_budgets_are_one_too_many(compared) -> None:
    with pytest.raises(SpecError, match="--minutes has no say"):
        compared("lora", "--budget", "steps", "--steps", "3", "--minutes", "1")


def test_runs_are_added_with_what_the_experiment_shares(compared, tmp_path: Path) -> None:
    store = compared("lora")
    compared("textual-inversion", "--add", str(store.path), "--repeats", "2")
    assert [one.name for one in members(store)] == ["lora", "textual-inversion", "textual-inversion-r2"]
    assert all(one.view.state == "finished" for one in members(store))


def test_scenes_take_the_prompts_places(compared) -> None:
    store = compared("lora", "--prompts", "live")
    prompts = members(store)[0].spec.sample.prompts
    assert "a {trigger} in the snow" in prompts and "a photo of a {class}" in prompts


def test_an_eye_that_is_not_here_is_said_before_anything_is_made(compared, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no eye 'nobody/here'"):
        compared("lora", "--eye", "nobody/here")
    assert not (tmp_path / "train").exists()


@pytest.mark.parametrize(
    ("word", "kind"),
    [("dog", "live"), ("Old Man", "live"), ("drawing", "style"), ("toy car", "object"), ("", "object")],
)
def test_the_class_word_tells_the_kind(word: str, kind: str) -> None:
    assert scenes.kind_of(DataSpec(class_word=word)) == kind


@pytest.mark.parametrize("kind", scenes.KINDS)
@pytest.mark.parametrize("base", ["starter", "some/model"])
@pytest.mark.parametrize("word", ["dog", ""])
def test_scenes_call_the_subject_and_leave_it_out(data: Path, kind: str, base: str, word: str) -> None:
    own = {"folder": str(data / "train"), "class_word": word}
    prompts = scenes.recontext(DataSpec(**own), base, kind)
    posed = spec(data, data=own, sample={"prompts": prompts, "seeds": [1]})
    calls = subject_prompts(posed)
    assert calls.count(False) == 3 and calls[:-3] == [True] * (len(calls) - 3) and len(set(prompts)) == len(prompts)
    assert len(calls) == (12 if base == "starter" else 23 if kind == "style" else 28)
    if base == "starter":  # nothing that its world has no word for
        known = " ".join(
            [*world.THINGS, *world.SCENES.values(), *world.BACKDROPS, "background a an on of photo"]
        ).split()
        said = [plain_prompt(posed, prompt).replace("sks", "") for prompt in prompts]
        strange = {w for text in said for w in text.replace(",", " ").split()} - {*known, word}
        assert not strange
