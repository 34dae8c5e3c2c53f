"""X/Y/Z sheets of runs, prompts, seeds and weights, drawn by real runs on the tiny base."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio import cli
from studio.compare import xyz
from studio.compare.xyz import Order
from studio.engine.run import begin, train
from studio.engine.worker import Resident
from studio.errors import SpecError
from studio.spec import SampleSpec
from tests import tiny


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, base: Path, pictures: Path, resident: Resident) -> dict[str, str]:
    """A LoRA and a word, trained for two steps."""
    folder, found = tmp_path_factory.mktemp("runs"), {}
    for kind in ("lora", "textual-inversion"):
        spec = tiny.spec(kind, base, pictures, schedule={"steps": 2}, sample={"prompts": []})
        store = begin(spec, folder / kind, folder)
        assert list(train(store, resident))[-1].kind == "finished"
        found[kind] = str(store.path)
    return found


def ordered(made: dict[str, str], /, **over: Any) -> Order:
    sample = SampleSpec(steps=1, guidance=1)
    return replace(Order(tuple(made.values()), ("a {trigger}", "a {class}"), (1, 2), (0.5, 1.0), sample), **over)


def drawn(order: Order, resident: Resident, out: Path) -> tuple[list[int], list[Path]]:
    """How far it was at each saying, and the sheets."""
    said = list(xyz.draw(order, resident, out))
    return [one.done for one in said if not isinstance(one, Path)], [one for one in said if isinstance(one, Path)]


def test_a_sheet_is_drawn_once_and_goes_on_after_a_kill(
    runs: dict[str, str], resident: Resident, tmp_path: Path
) -> None:
    order = ordered(runs)
    going = xyz.draw(order, resident, tmp_path)
    for _ in range(5):
        next(going)
    going.close()
    done, sheets = drawn(order, resident, tmp_path)
    assert done == list(range(6, 13))  # two weights of the LoRA and one word, two prompts, two seeds
    assert drawn(order, resident, tmp_path) == ([], sheets)
    assert [path.name for path in sheets] == ["sheet.png"]
    whole = Image.open(sheets[0])
    assert whole.width > 4 * 128 and 3 * 128 < whole.height < 4 * 134 + 60
    cells = {path.read_bytes() for path in (tmp_path / "cells").glob("*.png")}
    assert len(cells) >= 10  # the class prompt looks the same with a word that it does not call
    assert not list((tmp_path / "cells").glob(".*"))
    more = replace(order, seeds=(1, 2, 3))
    assert drawn(more, resident, tmp_path)[0] == list(range(13, 19))


def test_the_third_axis_makes_a_sheet_each(runs: dict[str, str], resident: Resident, tmp_path: Path) -> None:
    order = ordered(runs, x=("seed",), y=("prompt", "run"), z=("weight",))
    _, sheets = drawn(order, resident, tmp_path)
    assert [path.name for path in sheets] == ["sheet-1.png", "sheet-2.png"]
    low, full = (Image.open(path) for path in sheets)
    assert low.width == full.width and low.height < full.height  # the word stands on the last sheet alone


def test_what_cannot_be_drawn_is_refused_before_anything_is(
    runs: dict[str, str], resident: Resident, tmp_path: Path
) -> None:
    wrong = (
        ({"x": ("run",)}, "share out"),
        ({"x": ("prompt", "seed", "model")}, "share out"),
        ({"prompts": ()}, "at least one"),
        ({"runs": (f"{runs['lora']}:0.5",)}, "weight of its own"),
        ({"prompts": ("a {trigger} <lora:nobody:1>",)}, "nobody"),
    )
    for over, said in wrong:
        with pytest.raises(Exception, match=said) as raised:
            list(xyz.draw(ordered(runs, **over), resident, tmp_path / "none"))
        assert raised.value.exit_code == 2
    file = next(Path(runs["lora"]).glob("exports/*.safetensors"))
    with pytest.raises(SpecError, match="None of these files says"):
        list(xyz.draw(ordered(runs, runs=(str(file),)), resident, tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_the_word_grid(runs: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["grid", runs["lora"], "--prompt", "a {trigger}", "--seeds", "1,2", "--steps", "1", "--json"]
    assert cli.main([*words, "--out", str(tmp_path)]) == 0
    (sheet,) = json.loads(capsys.readouterr().out)["sheets"]
    assert Image.open(sheet).width > 2 * 128
    assert cli.main([*words, "--out", str(tmp_path), "--weights", "1;2"]) == 2
    assert "--weights takes numbers" in capsys.readouterr().err
