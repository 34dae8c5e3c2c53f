from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio import cli
from studio.store import RunStore
from tests import tiny

WORDS = [
    "ui", "train", "resume", "compare", "report", "generate", "export", "extract", "download", "trigger", "doctor",
    "check", "prepare", "caption", "captions", "tell", "grid", "find-lr", "bench",
]  # fmt: skip


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cli, "OUTPUTS", tmp_path / "outputs")
    return tmp_path / "outputs"


@pytest.fixture
def file(tmp_path: Path, base: Path, pictures: Path) -> str:
    """A spec file of one step that draws nothing."""
    spec = tiny.spec("textual-inversion", base, pictures, schedule={"steps": 1}, sample={"prompts": []}, name="word")
    (tmp_path / "mine.toml").write_text(spec.to_toml())
    return str(tmp_path / "mine.toml")


@pytest.mark.parametrize("word", WORDS)
def test_every_word_has_a_help(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([word, "--help"])
    assert left.value.code == 0
    assert "usage: launch.py" in capsys.readouterr().out


def test_the_words_are_those(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert all(f"    {word} " in text for word in WORDS)


MISTAKES: list[tuple[list[str], str]] = [
    (["train", "lora-startre"], "did you mean lora-starter"),
    (["train", "none.toml"], "There is no file 'none.toml'"),
    (["train", "lora-starter", "--data", "/nowhere"], "/nowhere"),
    (["train", "lora-starter", "--base", "/nowhere"], "/nowhere"),
    (["train", "lora-starter", "--steps", "0"], "schedule.steps"),
    (["train", "lora-starter", "--set", "optim.lr"], "section.field=value"),
    (["train", "lora-starter", "--set", "optim.rate=1"], "optim.rate"),
    (["train", "lora-starter", "--set", "optim.lr.x=1"], "optim.lr"),
    (["train", "lora-starter", "--set", "method.rank=many"], "method.rank"),
    (["resume", "/nowhere"], "not a run folder"),
    (["export", "/nowhere"], "not a run folder"),
    (["report", "/nowhere"], "not an experiment"),
    (["compare", "lora-starter", "nonsense"], "nonsense"),
    (["generate", "--base", "/nowhere", "--prompt", "x"], "/nowhere"),
    (["generate", "--use", "/nowhere", "--prompt", "x"], "/nowhere"),
    (["ui", "--listen"], "--token"),
]


@pytest.mark.parametrize(
    ("words", "said"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_mistake_is_one_sentence_and_the_exit_code_2(
    words: list[str], said: str, outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    output = capsys.readouterr()
    (line,) = output.err.strip().splitlines()
    assert said in line and line.endswith((".", "?")) and output.out == ""
    assert not outputs.exists()


@pytest.mark.parametrize("words", [["juggle"], ["train"], ["train", "x", "--steps", "many"], ["train", "x", "--fast"]])
def test_words_that_do_not_parse_end_with_2_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(words)
    assert left.value.code == 2


def test_what_is_said_on_the_line_goes_over_the_preset() -> None:
    words = [
        "train",
        "x",
        "--base",
        "b",
        "--data",
        "d",
        "--trigger",
        "t",
        "--class-word",
        "c",
        "--steps",
        "5",
        "--seed",
        "0",
    ]
    for text in ("optim.lr=1e-3", "data.flip = true", 'sample.prompts=["a=b", "c"]'):
        words += ["--set", text]
    arguments = cli.parser().parse_args(words)
    assert cli._overrides(arguments) == {
        "base.model": "b",
        "data.folder": "d",
        "data.trigger": "t",
        "data.class_word": "c",
        "schedule.steps": 5,
        "seed": 0,
        "optim.lr": 1e-3,
        "data.flip": True,
        "sample.prompts": ["a=b", "c"],
    }


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_train_resume_and_export_from_the_line(
    file: str, outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--outputs", str(tmp_path / "mine"), "train", file, "--json", "--set", "save.formats=[]"]) == 0
    told = lines(capsys.readouterr().out)
    store = RunStore(tmp_path / "mine" / "toys-word" / "word")
    assert not outputs.exists()
    assert {line["run"] for line in told} == {"word"} and told[-1]["kind"] == "finished"
    assert cli.main(["resume", str(store.path), "--steps", "2"]) == 0
    output = capsys.readouterr()
    assert "finished at step 2" in output.out + output.err and str(store.path) in output.out
    assert cli.main(["resume", str(store.path), "--steps", "1"]) == 2
    assert cli.main(["train", file, "--out", str(store.path)]) == 2
    assert cli.main(["export", str(store.path), "--as", "gguf"]) == 2
    capsys.readouterr()
    assert cli.main(["export", str(store.path), "--json"]) == 0
    assert lines(capsys.readouterr().out)[-1]["kind"] in ("exported", "progress")


def test_a_run_that_fails_by_itself_ends_with_1(
    file: str, outputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from studio.engine.learner import Learner

    def broken(*_: Any) -> Any:
        raise RuntimeError("a bolt is loose")

    monkeypatch.setattr(Learner, "forward", broken)
    assert cli.main(["train", file]) == 1
    output = capsys.readouterr()
    assert "a bolt is loose" in output.out + output.err


def test_interrupting_ends_with_130_and_the_run_can_go_on(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from studio.engine.learner import Learner

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "forward", interrupted)
        assert cli.main(["train", file, "--out", str(tmp_path / "run")]) == 130
    assert "resume" in capsys.readouterr().err
    assert RunStore(tmp_path / "run").view().state == "interrupted"
    assert cli.main(["resume", str(tmp_path / "run")]) == 0


def test_a_picture_from_the_line(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", "--base", str(base), "--prompt", "a dog", "--steps", "1", "--json", "--out"]
    for name in ("a/one.png", "two.png"):
        assert cli.main([*words, str(tmp_path / name)]) == 0
        (told,) = lines(capsys.readouterr().out)
        assert told == {"path": str(tmp_path / name), "seed": 42}
    assert (tmp_path / "a" / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_the_doctor_speaks_and_writes_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    assert "PyTorch" in capsys.readouterr().out
    assert cli.main(["doctor", "--json"]) == 0
    (told,) = lines(capsys.readouterr().out)
    assert {found["part"] for found in told["findings"]} >= {"Python", "PyTorch", "device", "disk"}


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from studio import cli; cli.parser(); print({'torch', 'gradio', 'diffusers'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=cli.OUTPUTS.parent
    )
    assert done.stdout.strip() == "set()"
