"""The command line's words about comparisons."""

import argparse
from pathlib import Path

import pytest
from compare_doubles import Engine, spec

from studio import cli_compare
from studio.compare import experiment
from studio.compare.members import members, open_experiment
from studio.errors import SpecError
from studio.spec import RunSpec, make_spec
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
