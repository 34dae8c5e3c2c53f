"""The start: what is wanted, what is there, and what an interrupted installation leaves for the next one."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import launch
from studio import environment, pins
from studio.environment import Stop, Venv, Wish, python_for
from studio.pins import STUDIO, TESTS, Pin

FILES = {
    "requirements.txt": """\
# words, even with == in them
-c constraints.txt
torch==2.13.0
rich==15.0.0  # a remark
nowhere==1.0; sys_platform == "plan9"
here==1.0; sys_platform in "linux win32 darwin"

# optional: not needed
bitsandbytes==0.50.2
xformers==0.0.35
""",
    "constraints.txt": "idna==3.20\n",
    "tests/requirements.txt": "pytest==9.2.0\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


class FakeShell:
    """Stands in for commands: makes a venv as a folder, notes what pip was asked for, and fails where it is told to."""

    def __init__(self, venv: Venv, refuse: str = "") -> None:
        self.venv, self.refuse, self.asked = venv, refuse, []

    def __call__(self, *words: str, hold: int | None = None) -> int:
        if "venv" in words:
            self.asked.append("venv")
            self.venv.python.parent.mkdir(parents=True)
            self.venv.python.touch()
            (self.venv.folder / "pyvenv.cfg").write_text("version = 3.11.7\n")
        elif "pip" in words:
            wanted = [word for word in words if "==" in word]
            self.asked += wanted
            return int(bool(self.refuse) and any(self.refuse in word for word in wanted))
        else:
            return 1
        return 0


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU; the running Python has none of the packages, and a venv folder counts as sound."""
    monkeypatch.setattr(environment, "missing", lambda wanted: wanted)
    monkeypatch.setattr(environment, "accelerator", lambda: "cpu")
    monkeypatch.setattr(environment, "answers", lambda python, *words: Path(python).exists())


def test_pins_are_read_with_markers_and_the_optional_part(root: Path) -> None:
    assert STUDIO.pins(root) == [
        Pin("torch", "2.13.0", False),
        Pin("rich", "15.0.0", False),
        Pin("here", "1.0", False),
        Pin("bitsandbytes", "0.50.2", True),
        Pin("xformers", "0.0.35", True),
    ]


def test_our_own_requirements_hold_what_the_studio_needs_and_all_of_it_is_exact() -> None:
    names = {pin.name for pin in STUDIO.pins(pins.ROOT) if not pin.optional}
    assert {"torch", "diffusers", "transformers", "peft", "accelerate", "gradio", "safetensors"} <= names
    for file in ("requirements.txt", "tests/requirements.txt", "constraints.txt"):
        lines = (pins.ROOT / file).read_text(encoding="utf-8").splitlines()
        assert all("==" in line for line in lines if line and not line.startswith(("#", "-"))), file


def test_this_environment_satisfies_our_own_requirements() -> None:
    assert pins.missing(STUDIO.pins(pins.ROOT)) == []


def test_what_is_missing() -> None:
    wanted = [Pin("torch", "2.13.0", False), Pin("rich", "15.0.0", False), Pin("xformers", "0.0.35", True)]
    assert pins.missing(wanted, {"torch": "2.13.0", "rich": "14.0.0"}.get) == [wanted[1]]
    assert pins.installed("no-such-package-anywhere") == ""
    assert "+" not in pins.installed("torch")


@pytest.mark.parametrize(
    ("kind", "index", "system", "words"),
    [
        ("cuda", "", "linux", "NVIDIA GPU found: the standard build"),
        ("cuda", "", "win32", "--torch-index"),
        ("rocm", "", "linux", "AMD GPU found, but"),
        ("rocm", "file:///wheels", "linux", "file:///wheels"),
        ("apple", "", "darwin", "Apple"),
        ("cpu", "", "linux", "no GPU"),
    ],
)
def test_the_choice_of_torch_comes_with_its_reason(kind: str, index: str, system: str, words: str) -> None:
    assert words in environment.torch_build(kind, index, system)


def test_the_accelerator_is_asked_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "exists", lambda path: False)
    for command, kind in (("nvidia-smi", "cuda"), ("rocminfo", "rocm"), ("neither", "cpu")):
        monkeypatch.setattr(environment, "answers", lambda *words, command=command: words[0] == command)
        assert environment.accelerator() == kind
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(environment.platform, "machine", lambda: "arm64")
    assert environment.accelerator() == "apple"


def test_the_first_start_installs_and_the_second_does_nothing(root: Path, bare: None) -> None:
    venv = Venv(root)
    first, second = FakeShell(venv), FakeShell(venv)
    assert python_for([STUDIO], Wish(), venv, first) == str(venv.python)
    assert first.asked == ["venv", "torch==2.13.0", "rich==15.0.0", "here==1.0", "bitsandbytes==0.50.2"]
    assert python_for([STUDIO], Wish(), venv, second) == str(venv.python)
    assert second.asked == []


def test_tests_are_added_to_what_stands(root: Path, bare: None) -> None:
    venv = Venv(root)
    python_for([STUDIO], Wish(), venv, FakeShell(venv))
    more = FakeShell(venv)
    python_for([STUDIO, TESTS], Wish(), venv, more)
    assert more.asked == ["pytest==9.2.0"]
    assert venv.ready(STUDIO) and venv.ready(TESTS)


def test_an_interrupted_installation_is_taken_up_again(root: Path, bare: None) -> None:
    venv = Venv(root)
    with pytest.raises(Stop):
        python_for([STUDIO], Wish(), venv, FakeShell(venv, refuse="rich"))
    assert not venv.ready(STUDIO)
    again = FakeShell(venv)
    python_for([STUDIO], Wish(), venv, again)
    assert again.asked[:2] == ["torch==2.13.0", "rich==15.0.0"]  # the folder itself is kept
    assert venv.ready(STUDIO)


def test_a_package_cut_off_while_it_was_installed_is_forgotten(root: Path, bare: None) -> None:
    venv = Venv(root)
    with pytest.raises(Stop):
        python_for([STUDIO], Wish(), venv, FakeShell(venv, refuse="rich"))
    packages = venv.folder / "lib" / "python3.11" / "site-packages"
    for name in ("whole-1.dist-info", "half-1.dist-info"):
        (packages / name).mkdir(parents=True)
        (packages / name / "METADATA").touch()
    (packages / "whole-1.dist-info" / "RECORD").touch()
    python_for([STUDIO], Wish(), venv, FakeShell(venv))
    assert [folder.name for folder in packages.iterdir()] == ["whole-1.dist-info"]


def test_an_optional_package_that_fails_is_remembered_and_stops_nothing(root: Path, bare: None) -> None:
    venv = Venv(root)
    python_for([STUDIO], Wish(), venv, FakeShell(venv, refuse="bitsandbytes"))
    assert venv.ready(STUDIO)
    assert json.loads(venv.stamp_file.read_text())["without"] == ["bitsandbytes"]


@pytest.mark.parametrize("file", ["requirements.txt", "constraints.txt", ".venv/pyvenv.cfg"])
def test_a_change_of_requirements_or_python_installs_again(root: Path, bare: None, file: str) -> None:
    venv = Venv(root)
    python_for([STUDIO], Wish(), venv, FakeShell(venv))
    (root / file).write_text((root / file).read_text() + "\n# changed\n")
    again = FakeShell(venv)
    python_for([STUDIO], Wish(), venv, again)
    assert "torch==2.13.0" in again.asked and "venv" not in again.asked


@pytest.mark.parametrize("stamp", ["", "[]", "{", '{"studio": "of another time"}'])
def test_a_stamp_that_says_nothing_counts_as_none(root: Path, stamp: str) -> None:
    venv = Venv(root)
    venv.python.parent.mkdir(parents=True)
    venv.python.touch()
    venv.stamp_file.write_text(stamp)
    assert not venv.ready(STUDIO)


def test_another_torch_index_makes_the_environment_anew(
    root: Path, bare: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = Venv(root)
    python_for([STUDIO], Wish(), venv, FakeShell(venv))
    monkeypatch.setattr(FakeShell, "__call__", lambda shell, *words, hold=None: shell.asked.append(words) or 0)
    again = FakeShell(venv)
    python_for([STUDIO], Wish(torch_index="file:///rocm"), venv, again)
    assert "--clear" in again.asked[0]
    assert "file:///rocm" in again.asked[1] and "file:///rocm" not in again.asked[2]
    assert venv.stamp()["torch_index"] == "file:///rocm"


def test_no_venv_installs_into_the_running_python(root: Path, bare: None) -> None:
    shell = FakeShell(Venv(root))
    assert python_for([STUDIO], Wish(active=True), shell.venv, shell) == sys.executable
    assert shell.asked[0] == "torch==2.13.0" and not shell.venv.folder.exists()


def test_an_active_environment_that_has_everything_is_used_as_it_is(
    root: Path, bare: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "missing", lambda wanted: [])
    shell = FakeShell(Venv(root))
    assert python_for([STUDIO], Wish(), shell.venv, shell) == sys.executable
    assert shell.asked == []


def test_two_starts_do_not_install_at_once(tmp_path: Path) -> None:
    order, file = [], tmp_path / "lock"

    def second() -> None:
        with environment.alone(file):
            order.append("second")

    with environment.alone(file):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], ["ui"]),
        (["--outputs", "mine", "train", "x"], ["--outputs", "mine", "train", "x"]),
        (["--no-venv", "train", "lora-starter", "--steps", "5"], ["train", "lora-starter", "--steps", "5"]),
        (["test", "-k", "launch", "--no-checks"], ["test", "-k", "launch", "--no-checks"]),
        (["--help"], ["--help"]),
    ],
)
def test_words_pass_through(argv: list[str], words: list[str]) -> None:
    wish, left = launch.read(argv)
    assert left == words
    assert wish.active == ("--no-venv" in argv)


def test_a_wrong_python_gets_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1, "final", 0))
    assert launch.main([]) == 2
    assert capsys.readouterr().err == "crucible: this is Python 3.9; Crucible needs Python 3.11, 3.12 or 3.13.\n"


def test_a_failed_installation_ends_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*words: object) -> str:
        raise Stop("pip could not finish.")

    monkeypatch.setattr(environment, "python_for", fail)
    assert launch.main(["doctor"]) == 1
    assert capsys.readouterr().err == "crucible: pip could not finish.\n"


def test_help_needs_no_environment(tmp_path: Path) -> None:
    # -S: without site-packages, so nothing but the standard library is there
    shown = subprocess.run(
        [sys.executable, "-S", str(pins.ROOT / "launch.py"), "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert shown.returncode == 0 and "--torch-index" in shown.stdout
    assert list(tmp_path.iterdir()) == []
