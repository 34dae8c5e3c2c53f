from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from studio import lock as locks
from studio import outgrown
from studio import store as module
from studio.errors import SpecError, StoreError
from studio.events import Failed, Finished, Note, RunView, Sampled, Started, Step, fold
from studio.outgrown import OUTGROWN, renewed
from studio.store import Cursor, ExperimentStore, RunStore, experiments, published, safe_name, write_text
from tests.test_events import SAYINGS
from tests.tiny import drafts

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def run(tmp_path: Path) -> RunStore:
    return RunStore.create(tmp_path / "run", "name = 'x'\n")


def lock(run: RunStore, **over: Any) -> None:
    sign = {"pid": os.getpid(), "born": locks.born(os.getpid()), "host": socket.gethostname(), "time": time.time()}
    write_text(run.path / "lock", json.dumps(sign | over))


def dead_pid() -> int:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    return child


def step(number: int) -> Step:
    return Step(step=number, loss=1.0, lr=0.1, grad_norm=1.0, seconds=0.1, memory=1)


def test_a_folder_holds_one_run(run: RunStore) -> None:
    assert run.spec_text() == "name = 'x'\n"
    with pytest.raises(StoreError, match="already holds a run"):
        RunStore.create(run.path, "")
    with pytest.raises(StoreError, match="not a run folder"):
        RunStore(run.path / "no").spec_text()
    assert run.view() == RunView()


def test_a_torn_last_line_is_not_read_and_is_cut_at_the_next_opening(run: RunStore) -> None:
    with run.writing():
        run.append(Started(step=0, total=3))
        run.append(step(1))
    whole = (run.path / "events.jsonl").read_bytes()
    with open(run.path / "events.jsonl", "ab") as file:
        file.write(b'{"kind":"step","step":2,"lo\xe5')
    assert run.read().view.step == 1
    with run.writing():
        assert (run.path / "events.jsonl").read_bytes() == whole
        run.append(step(2))
    assert run.read().view.step == 2


@pytest.mark.parametrize(
    "line", [b"", b"garbage", b"7", b"null", b"[1]", b'{"kind":"step"}', b"\xff\xfe", b'{"kind":5}']
)
def test_a_garbled_line_says_nothing(run: RunStore, line: bytes) -> None:
    run.append(step(1))
    with open(run.path / "events.jsonl", "ab") as file:
        file.write(line + b"\n")
    run.append(step(2))
    assert [number for number, _ in run.read().view.losses] == [1, 2]


def test_a_sentence_with_any_character_in_it_stays_one_line(run: RunStore) -> None:
    text = "one\u2028two\u2029three\x85four\x0bfive\x0csix\x1cseven\r\neight 狗 🐕"
    run.append(Note(text=text))
    run.append(Failed(step=1, text=text))
    view = run.read().view
    assert view.error == text and len(view.log) == 2


@settings(max_examples=40, deadline=None)
@given(SAYINGS, some.lists(some.integers(1, 400), max_size=6))
def test_reading_bit_by_bit_is_reading_at_once(
    tmp_path_factory: pytest.TempPathFactory, said: list[Any], cuts: list[int]
) -> None:
    run = RunStore(tmp_path_factory.mktemp("read"))
    for event in said:
        run.append(event)
    data = (run.path / "events.jsonl").read_bytes() if said else b""
    whole = run.read()
    assert whole.view == fold(RunView(), said)
    cursor, written = Cursor(), 0
    for cut in [*cuts, len(data)]:
        written = min(written + cut, len(data))
        (run.path / "events.jsonl").write_bytes(data[:written])
        cursor = run.read(cursor)
    assert cursor == whole == run.read(cursor)


def test_a_log_that_became_shorter_is_read_anew(run: RunStore) -> None:
    run.append(step(1))
    run.append(step(2))
    cursor = run.read()
    (run.path / "events.jsonl").write_bytes((run.path / "events.jsonl").read_bytes().splitlines(keepends=True)[0])
    assert run.read(cursor).view.step == 1


RACER = """
import sys, time
from pathlib import Path
from studio.errors import StoreError
from studio.store import RunStore
me, other, root = sys.argv[1], sys.argv[2], Path(sys.argv[3])
def meet(name):
    (root / f"{name}-{me}").touch()
    while not (root / f"{name}-{other}").exists():
        time.sleep(0)
for number in range(int(sys.argv[4])):
    meet(f"ready-{number}")
    try:
        with RunStore(root / f"run-{number}").writing():
            print("won")
            meet(f"tried-{number}")
    except StoreError:
        print("lost")
        meet(f"tried-{number}")
"""
ROUNDS = 50


def test_of_two_processes_that_want_a_run_exactly_one_gets_it(tmp_path: Path) -> None:
    """A free run and one whose engine died, by turns."""
    ended = dead_pid()
    for number in range(0, ROUNDS, 2):
        lock(RunStore(tmp_path / f"run-{number}"), pid=ended)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, me, other, str(tmp_path), str(ROUNDS)], cwd=ROOT, stdout=subprocess.PIPE
        )
        for me, other in ("ab", "ba")
    ]
    told = [racer.communicate(timeout=200)[0].decode().split() for racer in racers]
    assert [sorted(pair) for pair in zip(*told, strict=True)] == [["lost", "won"]] * ROUNDS
    assert not list(tmp_path.glob("run-*/lock"))


def test_signs_of_life_come_while_nothing_is_said(run: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "SIGN_OF_LIFE", 0.05)
    with run.writing():
        first = run.sign_of_life()
        wait_until(lambda: (run.sign_of_life() or {"time": 0})["time"] > first["time"] + 0.2)  # type: ignore[index]
        assert run.holder() == os.getpid()
        assert [thread.name for thread in threading.enumerate()].count("heartbeat") == 1
    assert "heartbeat" not in [thread.name for thread in threading.enumerate()]
    assert run.sign_of_life() is None


def test_who_lost_a_run_to_another_says_no_more(run: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine slept for an hour, and the run was taken up elsewhere meanwhile."""
    monkeypatch.setattr(locks, "SIGN_OF_LIFE", 0.05)
    with run.writing():
        run.append(step(1))
        lock(run, host="elsewhere", token="theirs")
        with pytest.raises(StoreError, match="taken over"):
            wait_until(lambda: run.append(step(2)))
    assert (run.sign_of_life() or {})["host"] == "elsewhere", "the other's lock stays"


def wait_until(true: Callable[[], object], patience: float = 20.0) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("what", module.WISHES)
def test_a_wish_is_taken_once(run: RunStore, what: str) -> None:
    assert run.take_wish() is None
    run.wish(what)
    assert run.take_wish() == what
    assert run.take_wish() is None


def test_wishes_of_before_the_start_and_unknown_ones_are_not_obeyed(run: RunStore) -> None:
    with pytest.raises(StoreError, match="use one of stop"):
        run.wish("explode")
    run.wish("stop")
    with run.writing():
        assert run.take_wish() is None
        for garbled in ("{", "[]", '{"wishes": ["explode"]}', '{"wishes": 3}', "null"):
            (run.path / "control.json").write_text(garbled)
            assert run.take_wish() is None


def test_wishes_queue_and_asking_twice_is_asking_once(run: RunStore) -> None:
    for what in ("sample", "save", "save", "pause", "resume", "pause"):
        run.wish(what)
    assert list(iter(run.take_wish, None)) == ["sample", "save", "pause", "resume", "pause"]
    assert not (run.path / "control.json").exists()


def test_of_wishes_and_an_engine_that_takes_them_at_once_none_is_lost(run: RunStore) -> None:
    failures: list[BaseException] = []
    taken: list[str] = []

    def wish(first: str, second: str) -> None:
        try:
            for number in range(40):
                run.wish((first, second)[number % 2])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=wish, args=pair) for pair in (("sample", "save"), ("pause", "resume"))]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += iter(run.take_wish, None)
    for thread in threads:
        thread.join()
    taken += iter(run.take_wish, None)
    assert not failures and not drafts(run.path)
    assert len(taken) == 80 and {taken.count(what) for what in ("sample", "save", "pause", "resume")} == {20}


def test_a_living_engine_keeps_others_out(run: RunStore) -> None:
    with run.writing():
        assert run.holder() == os.getpid()
        run.append(Started(step=0, total=3))
        assert run.view().state == "preparing"
        with pytest.raises(StoreError, match="in use by process"), RunStore(run.path).writing():
            pass
        assert run.holder() == os.getpid()
    assert run.holder() == 0 and run.view().state == "interrupted"


@pytest.mark.parametrize(
    ("sign", "alive"),
    [
        (lambda: {}, True),
        (lambda: {"pid": dead_pid()}, False),
        (lambda: {"born": locks.born(os.getpid()) - 3600}, False),  # the pid was given to another process
        (lambda: {"host": "elsewhere", "time": time.time() - 5}, True),
        (lambda: {"host": "elsewhere", "time": time.time() - 2 * locks.NO_SIGN}, False),
    ],
    ids=["alive", "dead", "reused pid", "other host", "other host, silent"],
)
def test_who_holds_a_run(run: RunStore, sign: Callable[[], dict[str, Any]], alive: bool) -> None:
    run.append(Started(step=0, total=3))
    lock(run, **sign())
    assert bool(run.holder()) == alive
    assert run.view().state == ("preparing" if alive else "interrupted")
    if not alive:
        with run.writing():
            assert run.holder() == os.getpid()


def test_a_clock_that_is_set_right_does_not_kill_an_engine(run: RunStore) -> None:
    lock(run, born=locks.born(os.getpid()) + 0.7)  # the boot time that psutil adds moves with the clock
    assert run.holder() == os.getpid()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pid": "x", "host": 1}'])
def test_a_garbled_lock_holds_nothing(run: RunStore, content: str) -> None:
    (run.path / "lock").write_text(content)
    assert run.holder() == 0


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    for _ in range(2):
        write_text(tmp_path / ("狗" * 85), "1")
    with published(tmp_path / ("x" * 255)) as draft:
        (draft / "a").touch()
    assert sorted(len(os.fsencode(path.name)) for path in tmp_path.iterdir()) == [255, 255]


def test_published_is_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    with published(folder) as draft:
        (draft / "a").write_text("1")
        assert not folder.exists()
    assert (folder / "a").read_text() == "1"
    with pytest.raises(RuntimeError), published(folder) as draft:
        (draft / "a").write_text("2")
        raise RuntimeError
    assert (folder / "a").read_text() == "1"
    with published(folder) as draft:
        (draft / "b").write_text("3")
    assert [path.name for path in folder.iterdir()] == ["b"]
    assert drafts(tmp_path) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_folder(tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "there"
    with published(folder) as draft:
        (draft / "a").write_text("old")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError), published(folder) as draft:
        (draft / "a").write_text("new")
        patch.setattr(os, call, full)
    assert (folder / "a").read_text() == "old"
    assert drafts(tmp_path) == []


def test_a_failure_between_the_two_renames_is_mended(run: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run.checkpoint_folder(3)
    with published(folder) as draft:
        (draft / "a").write_text("old")
    really = os.replace

    def first_only(source: Any, goal: Any) -> None:
        if Path(goal).name == folder.name:
            raise OSError(errno.EIO, "the disk is gone")
        really(source, goal)

    with monkeypatch.context() as patch, pytest.raises(OSError), published(folder) as draft:
        patch.setattr(os, "replace", first_only)
        (draft / "a").write_text("new")
    with run.writing():
        assert (folder / "a").read_text() == "old"
        assert run.checkpoints() == [(3, folder)]
    assert drafts(run.path) == []


def test_what_dead_writers_left_is_swept(run: RunStore) -> None:
    for name in ("checkpoints/.partial-77-0000004/weights", "samples/.partial-77-0000004/000.png"):
        path = run.path / name
        path.parent.mkdir(parents=True)
        path.write_text("half")
    (run.path / ".partial-77-plan.json").write_text("half")
    (run.path / "exports").mkdir()
    (run.path / "exports" / ".corgi.safetensors.a1b2.draft").write_text("half")
    (run.path / "exports" / ".corgi-diffusers.a1b2.draft").mkdir()
    with run.writing():
        assert drafts(run.path) == []
    assert run.checkpoints() == []


def test_checkpoints_are_found_by_number(run: RunStore) -> None:
    for name in ("0000010", "0000002", "9", "latest", ".partial-1-0000003"):
        (run.path / "checkpoints" / name).mkdir(parents=True)
    assert [number for number, _ in run.checkpoints()] == [2, 10]
    assert run.checkpoint_folder(2).is_dir()
    assert run.sample_folder(2) == run.path / "samples" / "0000002"


NASTY = [
    "..",
    "../../etc/passwd",
    "a/b",
    "a\\b",
    "con",
    "CON.txt",
    "x" * 300,
    "\U00020000" * 100,
    "a.",
    "~",
    "$HOME",
    "a\nb",
]


@given(some.text() | some.sampled_from(NASTY) | some.text(some.sampled_from("./\\a~-\0 "), max_size=100))
def test_a_name_stays_under_the_root_and_can_be_made(text: str) -> None:
    try:
        name = safe_name(text)
    except StoreError:
        return
    root = Path("/srv/outputs")
    assert Path(os.path.normpath(root / name)).parent == root
    assert not name.startswith((".", "-")) and not name.endswith((".", " "))
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert len(f".partial-1234567-{name}-12".encode()) <= 255
    assert name.partition(".")[0].lower() not in ("con", "nul", "prn", "aux", "com1")
    assert safe_name(name) == name


def test_experiments_take_the_next_free_name(tmp_path: Path) -> None:
    one, two = (ExperimentStore.create(tmp_path, "my corgi!", "name = 'x'\n") for _ in range(2))
    assert (one.path.name, two.path.name) == ("my-corgi", "my-corgi-2")
    assert one.exists and one.text() == "name = 'x'\n"
    RunStore.create(one.run("lora").path, "a")
    RunStore.create(one.run("../b").path, "b")
    assert [run.path.name for run in one.runs()] == ["b", "lora"]
    os.utime(one.path / "experiment.toml", (2e9, 2e9))
    os.utime(one.path, (2e9, 2e9))
    assert [found.path.name for found in experiments(tmp_path)] == ["my-corgi", "my-corgi-2"]
    with pytest.raises(StoreError, match="not an experiment"):
        ExperimentStore(tmp_path / "no").text()


def test_two_processes_never_share_an_experiment(tmp_path: Path) -> None:
    made: list[str] = []

    def make() -> None:
        made.append(ExperimentStore.create(tmp_path, "same", "x").path.name)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8


def test_the_view_after_a_whole_run(run: RunStore) -> None:
    with run.writing():
        for event in (Started(step=0, total=1), Sampled(step=0, pictures=()), step(1), Finished(step=1, seconds=1.0)):
            run.append(event)
    assert run.view().state == "finished"


OLD = """\
name = "x"

[schedule]
steps = 400
warmup = 20

[machine]
turbo = true
split = 2
"""


@pytest.fixture
def without_turbo(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = outgrown.Outgrown("machine", "turbo", lambda *_: None, "It is gone.")
    monkeypatch.setattr(outgrown, "OUTGROWN", (gone, *OUTGROWN))


@pytest.mark.usefixtures("without_turbo")
def test_a_spec_of_an_earlier_version_is_read_in_todays_settings(tmp_path: Path) -> None:
    run = RunStore.create(tmp_path / "old", OLD)
    now = tomllib.loads(run.spec_text())
    assert now == {"name": "x", "schedule": {"steps": 400, "warmup": 0.05}, "machine": {"split": 2}}
    first, second = run.outgrown()
    assert "machine.turbo = True" in first and "schedule.warmup = 20" in second
    run.replace_spec(run.spec_text())
    assert run.outgrown() == [] and tomllib.loads(run.spec_text()) == now
    assert (run.path / "spec.toml").read_text() == run.spec_text()


@pytest.mark.parametrize(
    "text", ["[schedule]\nwarmup = 0.5\n", "[schedule]\nwarmup = 0\n", "no toml", "schedule = 3\n"]
)
def test_what_is_of_today_or_nobodys_stays_as_it_is(text: str) -> None:
    assert renewed(text) == (text, [])


def test_the_table_of_outgrown_settings_names_none_of_today() -> None:
    """A removed setting that comes back must leave the table; a changed one must fit what it is now."""
    from studio.section import leaves
    from studio.spec import make_spec

    lora = {"method": {"kind": "lora"}}
    known = {key for key, _, _ in leaves(make_spec(lora))}
    for old in OUTGROWN:
        gone = old.now(20, {"steps": 400}) is None
        assert gone != (f"{old.section}.{old.key}" in known)
    assert make_spec({**lora, **tomllib.loads(renewed("[schedule]\nwarmup = 50\n")[0])}).schedule.warmup == 0.05
    with pytest.raises(SpecError, match="warmup"):  # typed by a user it is a mistake
        make_spec({**lora, "schedule": {"warmup": 50}})
