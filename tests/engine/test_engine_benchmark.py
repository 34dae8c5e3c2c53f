"""The benchmark measures with the engine that trains; without a card it says so."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

import pytest

from studio import cli
from studio.engine import benchmark
from studio.engine.benchmark import CASES, GIB, Case, Row, measure, require_card, to_csv, to_markdown
from studio.errors import UserError
from studio.hardware import Hardware, decide
from tests import tiny

CARD = Hardware(device="cuda", name="a card", memory=8 * GIB, versions={"torch": "9.9"})


def tiny_case(base: Path, pictures: Path, **machine: object) -> Case:
    return Case(
        "tiny",
        str(base),
        {
            "method": {"kind": "lora"},
            "data": {"folder": str(pictures), "resolution": tiny.SIDE},
            "machine": machine,
            "sample": {"steps": 1},
        },
    )


def test_a_case_is_trained_by_the_engine_without_any_weights(base: Path, pictures: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    for config in base.rglob("*.json"):
        place = bare / config.relative_to(base)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(config.read_text(encoding="utf-8"), encoding="utf-8")
    row = measure(tiny_case(bare, pictures), tmp_path / "work", 8)
    assert row.note == "" and row.rungs == []
    assert (row.precision, row.optimizer, row.attention) == ("fp32", "adamw", "sdpa")
    assert row.pace > 0 and row.peak > 0 and row.preview > 0 and 0 < row.estimated < 1


def test_what_fails_is_a_row_that_says_why(
    base: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> object:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(benchmark.Unlearnt, "models", full)
    row = measure(tiny_case(base, pictures), tmp_path, 2)
    assert "no room" in row.note and row.pace == 0.0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_is_a_run_that_can_begin(case: Case) -> None:
    spec = case.spec(25)
    assert spec.problems() == [] and spec.sample.prompts == ()
    assert spec.data.resolution == (1024 if "1024" in case.name else 512)
    assert spec.machine.gradient_checkpointing == ("checkpointed" in case.name)
    works = dict.fromkeys(("bitsandbytes", "xformers", "int8", "nf4", "compiler"), "")
    fitting = Hardware(device="cuda", bf16=True, fp16=True, probes=works)
    plan = decide(fitting, spec.machine, spec.optim.name)
    assert plan.compute == ("fp16" if "fp16" in case.name else "bf16")
    assert plan.optimizer == ("adamw8bit" if "8-bit" in case.name else "adamw")
    assert plan.quantize == next((kind for kind in ("int8", "nf4") if kind in case.name), "off")
    assert plan.compile == ("inductor" if "compiled" in case.name else "")
    assert bool(case.memory) == ("as on" in case.name)
    small = decide(dataclasses.replace(fitting, memory=case.memory), spec.machine, spec.optim.name)
    assert small.one_at_a_time == bool(case.memory)


def test_the_tables_say_the_same() -> None:
    row = Row("SDXL", "bf16", "sdpa", "adamw", 6.5, 10.1, 6.2, 1.25, "8 GB", "", ["8-bit optimizer"])
    (read,) = csv.DictReader(io.StringIO(to_csv([row])))
    assert (read["case"], read["peak"], read["pace"], read["rungs"]) == ("SDXL", "6.5", "1.25", "8-bit optimizer")
    text = to_markdown([row], CARD)
    assert "a card, 8 GiB, PyTorch 9.9" in text
    assert "| SDXL | bf16 | sdpa | adamw | 6.50 | 6.20 | 1.25 | 10.10 | 8 GB | 8-bit optimizer |" in text
    assert len({line.count("|") for line in text.splitlines() if "|" in line}) == 1


def test_without_a_card_it_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.engine.machine.this_hardware", lambda: Hardware())
    assert cli.main(["bench", "--gpu"]) == 2
    assert "no graphics card" in capsys.readouterr().err
    assert cli.main(["bench"]) == 2
    assert "bench --gpu" in capsys.readouterr().err
    with pytest.raises(UserError):
        require_card(Hardware())
    require_card(CARD)


def test_train_estimate_trains_nothing(
    base: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(tiny.spec("lora", base, pictures).to_toml(), encoding="utf-8")
    assert cli.main(["train", str(path), "--estimate", "--out", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out.startswith("This run needs about 0.0 GB")
    assert not (tmp_path / "run").exists()
