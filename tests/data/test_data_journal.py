from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from studio import starter
from studio.data import deeds, journal
from studio.data.journal import Journal
from studio.data.scan import read_caption, scan
from studio.errors import DataError, StoreError

ROOT = Path(__file__).resolve().parent.parent.parent
ODD = ("a.png", "b c.jpeg", "名前 🐕.webp", "שלום.png", "new\nline.png", "sub/deep.x.png", f"{'n' * 251}.png", "1.gif")


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str, caption: bytes | None = None, ending: str = ".txt") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture")
        if caption is not None:
            path.with_suffix(ending).write_bytes(caption)
        return path

    return make


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the journal's own."""
    files = (path for path in folder.rglob("*") if path.is_file() and journal.HIDDEN not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_an_action_is_written_undone_and_done_again_in_another_session(
    tmp_path: Path, put: Callable[..., Path]
) -> None:
    pictures = [put(name, b"one\r\ntwo\r\n" if index % 2 else None) for index, name in enumerate(ODD)]
    before = contents(tmp_path)
    texts = {path: f"🐕 狗 שלום <{number}>" for number, path in enumerate(pictures)}
    done = Journal(tmp_path).write(texts, "caption all")
    assert (done.count, done.what, done.left, done.undone) == (len(ODD), "caption all", (), False)
    assert {example.path: example.caption for example in scan(tmp_path)} == texts  # the journal is no picture
    after = contents(tmp_path)
    assert after["b c.txt"] == "🐕 狗 שלום <1>\r\n".encode() and after["a.txt"] == "🐕 狗 שלום <0>".encode()
    undone = Journal(tmp_path).undo()
    assert undone and undone.undone and contents(tmp_path) == before
    assert Journal(tmp_path).undo() is None
    redone = Journal(tmp_path).redo()
    assert redone and not redone.undone and contents(tmp_path) == after
    assert Journal(tmp_path).redo() is None


@pytest.mark.parametrize(
    "old",
    [b"\xef\xbb\xbfbom", "一只".encode("gbk"), b"\xff\xfe\x00x", b"", b"a\n\n", b"\r", "\u2028\x85".encode()],
)
def test_whatever_bytes_there_were_come_back(tmp_path: Path, put: Callable[..., Path], old: bytes) -> None:
    picture = put("a.png", old, ".caption")
    book = Journal(tmp_path)
    book.write({picture: "new"}, "x")
    assert picture.with_suffix(".caption").read_bytes().rstrip() == b"new" and not picture.with_suffix(".txt").exists()
    book.undo()
    assert picture.with_suffix(".caption").read_bytes() == old
    book.redo()
    book.write({picture: None}, "x")
    assert contents(tmp_path) == {"a.png": b"picture"}


def test_line_ends_stay_those_of_the_file(tmp_path: Path, put: Callable[..., Path]) -> None:
    windows, plain, new = put("a.png", b"one\r\ntwo"), put("b.png", b"one\n"), put("c.png")
    Journal(tmp_path).write(dict.fromkeys((windows, plain, new), "x\r\ny\n"), "x")
    assert [path.with_suffix(".txt").read_bytes() for path in (windows, plain, new)] == [b"x\r\ny", b"x\ny\n", b"x\ny"]


def test_removing_hides_what_a_list_says_of_a_picture(tmp_path: Path, put: Callable[..., Path]) -> None:
    picture, both = put("a.png"), put("sub/b.png", b"x")
    both.with_suffix(".caption").write_bytes(b"y")
    Journal(tmp_path).write({both: None}, "x")
    assert read_caption(both) is None
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "of the list"}\n')
    Journal(tmp_path).write({picture: None}, "x")
    assert picture.with_suffix(".txt").read_bytes() == b""
    Journal(tmp_path).undo()
    assert not picture.with_suffix(".txt").exists()
    caption = scan(tmp_path)[0].caption
    assert caption == "of the list"
    assert Journal(tmp_path).write({picture: "own"}, "x", was={picture: caption}).left == ()
    assert scan(tmp_path)[0].caption == "own"


def test_endings_in_capitals_are_kept(tmp_path: Path, put: Callable[..., Path]) -> None:
    picture = put("A.PNG", b"old", ".TXT")
    Journal(tmp_path).write({picture: "new"}, "x", was={picture: "old"})
    assert contents(tmp_path) == {"A.PNG": b"picture", "A.TXT": b"new"} and scan(tmp_path)[0].caption == "new"


def test_what_was_changed_outside_is_never_overwritten(tmp_path: Path, put: Callable[..., Path]) -> None:
    pictures = [put(f"{name}.png", b"old") for name in "abcd"]
    book = Journal(tmp_path)
    book.write(dict.fromkeys(pictures, "new"), "x")
    (tmp_path / "b.txt").write_text("mine")
    (tmp_path / "d.txt").unlink()
    undone = book.undo()
    assert undone and undone.left == ("b.txt", "d.txt") and "'b.txt', 'd.txt' changed meanwhile" in undone.warning
    assert [read_caption(picture) for picture in pictures] == ["old", "mine", "old", None]
    redone = book.redo()
    assert redone and redone.left == ("b.txt", "d.txt")
    assert [read_caption(picture) for picture in pictures] == ["new", "mine", "new", None]


def test_a_change_thought_of_before_another_is_not_made(tmp_path: Path, put: Callable[..., Path]) -> None:
    one, two = put("a.png", b"red  dog\n"), put("b.png", b"red cat")
    seen = {one: "red dog", two: "red cat"}
    (tmp_path / "b.txt").write_text("a green cat")
    done = Journal(tmp_path).write({one: "blue dog", two: "blue cat"}, "x", was=seen)
    assert (done.count, done.left) == (1, ("b.png",))
    assert (read_caption(one), read_caption(two)) == ("blue dog", "a green cat")


def test_actions_are_told_newest_last_and_a_new_one_ends_what_could_be_redone(
    tmp_path: Path, put: Callable[..., Path]
) -> None:
    picture = put("a.png")
    book = Journal(tmp_path)
    for text in "abc":
        book.write({picture: text}, f"say {text}")
    book.undo()
    book.undo()
    told = Journal(tmp_path).actions()
    assert [(action.what, action.undone) for action in told] == [("say a", False), ("say b", True), ("say c", True)]
    assert told[0].when <= told[1].when and told[0].count == 1
    nothing = book.write({picture: "a"}, "nothing new")
    assert (nothing.number, nothing.count) == (0, 0) and len(book.actions()) == 3
    book.write({picture: "d"}, "say d")
    assert [action.what for action in book.actions()] == ["say a", "say d"] and book.redo() is None
    assert [book.undo() is None for _ in range(3)] == [False, False, True] and read_caption(picture) is None


def test_a_batch_written_piece_by_piece_is_one_action(tmp_path: Path, put: Callable[..., Path]) -> None:
    one, two, three = put("a.png", b"x"), put("b.png"), put("c.png")
    book = Journal(tmp_path)
    for path, text in ((one, "first"), (two, "y"), (one, "again")):
        Journal(tmp_path).write({path: text}, "captioner", group="run 1")
    book.write({three: "z"}, "captioner", group="run 2")
    assert [action.what for action in book.actions()] == ["captioner"] * 2
    book.undo()
    book.undo()
    assert [read_caption(path) for path in (one, two, three)] == ["x", None, None]
    book.redo()
    assert [read_caption(path) for path in (one, two, three)] == ["again", "y", None]


KILLED = """
import os, signal, sys
from pathlib import Path
from studio.data import journal
folder, after, word = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
put, count = journal._put, 0
def deadly(path, content):
    global count
    count += 1
    if count > after:
        os.kill(os.getpid(), signal.SIGKILL)
    put(path, content)
journal._put = deadly
book = journal.Journal(folder)
if word == "undo":
    book.undo()
else:
    book.write({picture: "new" for picture in sorted(folder.glob("*.png"))}, "x")
"""


@pytest.mark.parametrize("word", ["write", "undo"])
def test_what_was_killed_in_the_middle_is_brought_to_its_end(
    tmp_path: Path, put: Callable[..., Path], word: str
) -> None:
    pictures = [put(f"{name}.png", b"old") for name in "abcd"]
    if word == "undo":
        Journal(tmp_path).write(dict.fromkeys(pictures, "new"), "x")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), "2", word], cwd=ROOT)
    assert done.returncode != 0
    states = [read_caption(picture) for picture in pictures]
    assert sorted(set(states)) == ["new", "old"]  # it was in the middle
    (tmp_path / ".partial-1-2").write_bytes(b"draft")
    (tmp_path / "c.txt").write_bytes(b"\0\0\0")  # what a power cut can leave of a file
    (tmp_path / "d.txt").write_text("outside")
    book = Journal(tmp_path)
    assert not (tmp_path / ".partial-1-2").exists()
    goal, back = ("new", "old") if word == "write" else ("old", "new")
    assert [read_caption(picture) for picture in pictures] == [goal, goal, goal, "outside"]
    assert [action.undone for action in book.actions()] == [word == "undo"]
    again = book.undo() if word == "write" else book.redo()
    assert again and again.left == ("d.txt",)
    assert [read_caption(picture) for picture in pictures] == [back, back, back, "outside"]


def test_a_torn_or_garbled_line_says_nothing(tmp_path: Path, put: Callable[..., Path]) -> None:
    picture = put("a.png", b"old")
    Journal(tmp_path).write({picture: "new"}, "x")
    with open(tmp_path / ".crucible" / "captions.jsonl", "ab") as file:
        file.write(b'[1]\nnonsense\n{"do": 7}\n{"end": 9}\n{"do": 8, "files": {"a.t')
    book = Journal(tmp_path)
    book.write({picture: "newer"}, "y")
    assert [action.what for action in Journal(tmp_path).actions()] == ["x", "y"]
    assert Journal(tmp_path).undo() and read_caption(picture) == "new"


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "a.png", "x.sh", "sub/../../evil.txt"])
def test_a_journal_that_came_with_a_dataset_reaches_nothing_else(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "set"
    (folder / ".crucible").mkdir(parents=True)
    line = {"do": 1, "what": "x", "when": 0, "count": 1, "files": {name: [None, "evil"]}}
    (folder / ".crucible" / "captions.jsonl").write_text(json.dumps(line) + "\n")
    assert Journal(folder).actions() == ()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["captions.jsonl"]


def test_a_full_disk_changes_nothing(tmp_path: Path, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [put(f"{name}.png", b"old") for name in "abc"]
    real = journal._put

    def full(path: Path, content: bytes | None) -> None:
        if path.name == "c.txt":
            raise OSError(28, "No space left on device")
        real(path, content)

    book = Journal(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_put", full)
        with pytest.raises(StoreError, match=r"No space left on device.*no caption was changed"):
            book.write(dict.fromkeys(pictures, "new"), "x")
    assert [read_caption(picture) for picture in pictures] == ["old"] * 3 and book.actions() == ()
    book.write(dict.fromkeys(pictures, "new"), "x")
    assert [read_caption(picture) for picture in pictures] == ["new"] * 3


def test_what_cannot_be_a_caption_is_said_in_one_sentence(tmp_path: Path, put: Callable[..., Path]) -> None:
    one, other, elsewhere = put("set/a.png"), put("set/a.jpg"), put("b.png")
    book = Journal(tmp_path / "set")
    with pytest.raises(DataError, match=r"'a\.png', 'a\.jpg' share a caption file, 'a\.txt'"):
        book.write({one: "x", other: "y"}, "x")
    assert book.write({one: "x", other: "x"}, "x").count == 1
    with pytest.raises(DataError, match=r"'a\.png' is too long \(100001 bytes\)"):
        book.write({one: "x" * 100_001}, "x")
    with pytest.raises(DataError, match="half a character"):
        book.write({one: "\ud800"}, "x")
    with pytest.raises(DataError, match="does not lie in 'set'"):
        book.write({elsewhere: "x"}, "x")
    assert book.write({one.with_name("gone.png"): "x"}, "x").left == ("gone.png",)
    with pytest.raises(DataError, match="stay as they are; copy its folder"):
        Journal(starter.CORGI).write({next(starter.CORGI.glob("*.png")): "x"}, "x")
    assert Journal(starter.CORGI).actions() == () and not (starter.CORGI / ".crucible").exists()


def test_another_window_is_waited_for_and_then_said(
    tmp_path: Path, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = put("a.png")
    with (
        Journal(tmp_path)._locked(),
        pytest.raises(StoreError, match="being changed elsewhere; try again"),
        Journal(tmp_path)._locked(patience=0.05),
    ):
        pass
    monkeypatch.setattr(journal, "try_lock", lambda _: False)  # a file system without locks
    with Journal(tmp_path)._locked(patience=0.0):
        pass
    assert read_caption(picture) is None


def test_many_windows_at_once_lose_nothing(tmp_path: Path, put: Callable[..., Path]) -> None:
    pictures = [put(f"{number}.png") for number in range(12)]

    def work(picture: Path) -> None:
        for text in "ab":
            Journal(tmp_path).write({picture: f"{picture.stem}{text}"}, picture.stem)

    threads = [threading.Thread(target=work, args=(picture,)) for picture in pictures]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [read_caption(picture) for picture in pictures] == [f"{picture.stem}b" for picture in pictures]
    assert len(Journal(tmp_path).actions()) == 24
    book = Journal(tmp_path)
    while book.undo():
        pass
    assert all(read_caption(picture) is None for picture in pictures)


def test_the_oldest_actions_are_forgotten_when_the_journal_is_long(
    tmp_path: Path, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deeds, "LIMIT", 4000)
    picture = put("a.png")
    book = Journal(tmp_path)
    for number in range(30):
        book.write({picture: f"{number} " + "x" * 200}, str(number))
        assert (tmp_path / ".crucible" / "captions.jsonl").stat().st_size <= 4000
    told = [action.what for action in Journal(tmp_path).actions()]
    assert 3 <= len(told) < 12 and told == [str(number) for number in range(30 - len(told), 30)]
    assert book.undo() and (read_caption(picture) or "").startswith("28 ")
    book.write({picture: "x" * 9000}, "longer than the limit")
    assert [action.what for action in book.actions()] == ["longer than the limit"] and book.undo()


@given(some.lists(some.sampled_from(["write", "undo", "redo", "open"]), max_size=14))
@settings(max_examples=25, deadline=None)
def test_it_is_the_stack_that_everybody_knows(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    folder = tmp_path_factory.mktemp("stack")
    picture = folder / "a.png"
    picture.write_bytes(b"picture")
    book, states, place = Journal(folder), [None], 0
    for number, word in enumerate(words):
        if word == "write":
            book.write({picture: str(number)}, word)
            states, place = [*states[: place + 1], str(number)], place + 1  # type: ignore[list-item]
        elif word == "undo":
            assert (book.undo() is None) == (place == 0)
            place = max(0, place - 1)
        elif word == "redo":
            assert (book.redo() is None) == (place == len(states) - 1)
            place = min(len(states) - 1, place + 1)
        else:
            book = Journal(folder)
        assert read_caption(picture) == states[place]
        assert len(book.actions()) == len(states) - 1
    os.utime(picture)
