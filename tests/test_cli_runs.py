"""Wishes from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio import cli, cli_runs
from studio.store import WISHES, RunStore


@pytest.fixture
def run(tmp_path: Path) -> RunStore:
    return RunStore.create(tmp_path / "run", "name = 'x'\n")


def test_a_run_is_told_every_wish_in_the_order_of_telling(run: RunStore, capsys: pytest.CaptureFixture[str]) -> None:
    with run.writing():
        for wish in WISHES:
            assert cli.main(["tell", str(run.path), wish, "--json"]) == 0
        assert cli.main(["tell", str(run.path), "stop"]) == 0
        assert tuple(iter(run.take_wish, None)) == (*WISHES, "stop")
    *told, last = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["wish"] for line in told] == list(WISHES)
    assert "told to stop" in last and set(cli_runs.MEANS) == set(WISHES)


def test_where_nobody_trains_nothing_is_left_and_the_user_hears_it(
    run: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["tell", str(run.path), "save"]) == 2
    assert "Nobody is training" in capsys.readouterr().err
    assert not (run.path / "control.json").exists()
    assert cli.main(["tell", str(run.path.parent), "save"]) == 2
    assert "not a run folder" in capsys.readouterr().err


def test_another_word_than_a_wish_is_refused(run: RunStore, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["tell", str(run.path), "hurry"])
    assert left.value.code == 2 and "discard" in capsys.readouterr().err
