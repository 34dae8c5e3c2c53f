from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from studio import cli
from studio.data.scan import scan

Say = Callable[..., tuple[int, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"a": "sks, red dog, grass", "b": "sks, Red dog", "sub/c": None}.items():
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"picture")
        if text:
            path.with_suffix(".txt").write_text(text)
    return tmp_path


@pytest.fixture
def say(folder: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    def run(*words: str) -> tuple[int, str]:
        code = cli.main(["captions", str(folder), *words])
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


def held(folder: Path) -> list[str | None]:
    return [example.caption for example in scan(folder)]


def test_edits_are_previewed_written_and_taken_back(folder: Path, say: Say) -> None:
    before = held(folder)
    words = ["--rename-tag", "red dog", "blue dog", "--add-tag", "4k", "--sort", "name"]
    code, told = say(*words, "--dry-run")
    assert code == 0 and "a.png\n  - sks, red dog, grass\n  + 4k, blue dog, grass, sks\n" in told
    assert "sub/c.png\n  + 4k\n" in told and "3 captions would change; nothing is written." in told
    assert held(folder) == before and not (folder / ".crucible").exists()
    assert "3 captions written: rename-tag red dog blue dog, add-tag 4k, sort name." in say(*words)[1]
    assert held(folder) == ["4k, blue dog, grass, sks", "4k, blue dog, sks", "4k"]
    (folder / "b.txt").write_text("mine")
    code, told = say("--undo")
    assert code == 0 and "taken back" in told and "'b.txt' changed meanwhile" in told
    assert held(folder) == [before[0], "mine", None]
    assert "(taken back)" in say("--history")[1] and "done again" in say("--redo")[1]
    code, told = say("--redo")
    assert (code, told) == (2, "There is nothing to redo in this folder.\n")


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["--replace", "DOG", "cat", "--ignore-case"], "sks, red cat, grass"),
        (["--replace", r"(\w+), (\w+)", r"\2-\1", "--pattern"], "red-sks grass-dog"),
        (["--remove-tag", "sks", "--prefix", "photo of"], "photo of red dog, grass"),
        (["--suffix", ", 4k", "--trigger", "xyz"], "xyz, sks, red dog, grass, 4k"),
        (["--add-tag", "x, sks", "--first", "--unique"], "x, sks, red dog, grass"),
        (["--sort", "count"], "red dog, sks, grass"),
        (["--separator", " ", "--remove-tag", "dog,"], "sks, red grass"),
    ],
)
def test_each_edit(folder: Path, say: Say, words: list[str], first: str) -> None:
    assert say(*words)[0] == 0
    assert held(folder)[0] == first


def test_what_is_there_is_shown(say: Say) -> None:
    lines = [json.loads(line) for line in say("--tags", "--json")[1].splitlines()]
    assert lines[:2] == [{"tag": "red dog", "count": 2}, {"tag": "sks", "count": 2}]
    assert lines[-1] == {"captions": 2, "pictures": 3, "kind": "tags"}
    assert "sub/c.png\n  (no caption)" in say("--list")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Give either edits"),
        (["--undo", "--add-tag", "x"], "Give either edits"),
        (["--undo"], "nothing to undo"),
        (["--replace", "(", "x", "--pattern"], "is wrong"),
        (["--trigger", "x" * 61], "'trigger' cannot be"),
        (["--sort", "colour"], "--sort takes name or count"),
    ],
)
def test_a_mistake_is_one_sentence(folder: Path, say: Say, words: list[str], said: str) -> None:
    before = held(folder)
    code, told = say(*words)
    assert code == 2 and said in told and told.count("\n") == 1 and held(folder) == before


def test_the_example_is_only_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["captions", "corgi", "--add-tag", "x", "--dry-run"]) == 0
    assert cli.main(["captions", "corgi", "--add-tag", "x"]) == 2
    assert "copy its folder" in capsys.readouterr().err


def test_names_of_any_bytes_are_printed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / os.fsdecode(b"\xff\n.png")).write_bytes(b"picture")
    for words, line in ((["--list"], r"\udcff\n.png"), (["--add-tag", "狗", "--dry-run", "--json"], r"\udcff\n.png")):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="gbk" if "--json" in words else "utf-8")
        monkeypatch.setattr("sys.stdout", stream)
        assert cli.main(["captions", str(folder), *words]) == 0
        stream.flush()
        told = stream.buffer.getvalue().decode(stream.encoding).splitlines()
        assert any(line in one for one in told)
        assert "--json" not in words or {"path": "sub/c.png", "old": None, "new": "狗"} in map(json.loads, told)
