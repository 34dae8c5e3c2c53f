"""The only file that knows how the environment comes to be, and where it is written down that it stands.

Nothing but the standard library, as it runs before anything is installed, and nothing that Python 3.7 cannot read,
so that a wrong Python can be told so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from studio.pins import ROOT, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from studio.pins import Part, Pin

    Run = Callable[..., int]  # the words of a command -> its exit code

OLDEST, NEWEST = (3, 11), (3, 13)
ONLY_WITH = {"xformers": "cuda"}  # optional packages that do nothing without this kind of processor
WHOLE = f"import sys, pip._internal.cli.main; sys.exit(not {OLDEST} <= sys.version_info[:2] <= {NEWEST})"


class Stop(Exception):
    """Why the start ends, in one sentence; `code` is 2 for the user's mistake and 1 for ours."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code


def say(sentence: str) -> None:
    """Tell the user on stderr, apart from what a command answers on stdout."""
    print(f"crucible: {sentence}", file=sys.stderr, flush=True)


# Which torch


def accelerator() -> str:
    """Which kind of processor trains here: `cuda`, `rocm`, `apple` or `cpu`."""
    if sys.platform == "darwin":
        return "apple" if platform.machine() == "arm64" else "cpu"
    if Path("/proc/driver/nvidia/version").exists() or answers("nvidia-smi", "-L"):
        return "cuda"
    return "rocm" if answers("rocminfo") else "cpu"


def answers(*command: str) -> bool:
    """Whether a command exists and ends well, out of the user's sight."""
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def torch_build(kind: str, index: str, system: str = sys.platform) -> str:
    """One sentence: which build of torch comes, and why."""
    if index:
        return f"torch comes from {index}, as you asked"
    if kind == "apple":
        return "Apple silicon found: the standard build of torch drives its GPU"
    if kind == "cuda" and system == "linux":
        return "NVIDIA GPU found: the standard build of torch drives it"
    if kind in ("cuda", "rocm"):
        maker = "NVIDIA" if kind == "cuda" else "AMD"
        return (
            f"{maker} GPU found, but the standard build of torch for this system runs on the CPU only; "
            "to use the GPU, start again with --reinstall --torch-index URL (see --help)"
        )
    return "no GPU found: the standard build of torch runs on the CPU"


# Where it stands


class Venv:
    """The environment `.venv` beside this file, and its stamp, which is written last: no stamp, not whole."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.stamp_file = self.folder / "crucible.json"

    def is_active(self) -> bool:
        """Whether this very Python runs in it."""
        return os.path.realpath(sys.prefix) == os.path.realpath(self.folder)

    def fingerprint(self, *names: str) -> str:
        """What the stamp must say: the requirements, the environment's Python and the platform, in one hash."""
        seal = hashlib.sha256(f"{sys.platform} {platform.machine()}\n".encode())
        for file in [self.folder / "pyvenv.cfg", *(self.root / name for name in names)]:
            seal.update(file.read_bytes() if file.exists() else b"-")
        return seal.hexdigest()

    def stamp(self) -> dict[str, Any]:
        """What was installed: a `fingerprint` for each part; empty where nothing was, or the stamp is torn."""
        try:
            stamp = json.loads(self.stamp_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def write_stamp(self, stamp: dict[str, Any]) -> None:
        """Replace the stamp, whole or not at all."""
        draft = self.stamp_file.with_suffix(".draft")
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(stamp, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self.stamp_file)

    def ready(self, part: Part) -> bool:
        """Whether ``part`` was installed to the end, as its files now want it."""
        return self.python.exists() and self.stamp().get(part.name) == self.fingerprint(*part.files)

    def make(self, run: Run, anew: bool) -> None:
        """A folder whose python has a pip, from whatever an earlier start left behind."""
        python = str(self.python)
        if not anew and (answers(python, "-c", WHOLE) or run(python, "-m", "ensurepip") == 0):
            self.forget_halves()
            if answers(python, "-c", WHOLE):
                return
        say(f"making the environment {self.folder}")
        with contextlib.suppress(FileNotFoundError):
            self.stamp_file.unlink()  # first: an old environment half deleted must not look whole
        base = getattr(sys, "_base_executable", None) or sys.executable
        if run(base, "-m", "venv", "--clear", str(self.folder)) != 0:
            raise Stop("Python could not make an environment; Debian and Ubuntu need the package python3-venv for it.")

    def forget_halves(self) -> None:
        """A package cut off in the middle of its installation has no RECORD: pip must not take it for installed."""
        for record in self.folder.glob("[lL]ib*/**/site-packages/*.dist-info"):
            if not (record / "RECORD").exists():
                shutil.rmtree(record)


# How it comes there


@contextlib.contextmanager
def alone(file: Path) -> Iterator[int]:
    """One installation at a time. pip inherits the lock, so one that outlives a killed start is waited for too."""
    with open(file, "a+b") as lock:
        waited = False
        while not try_lock(lock.fileno()):
            if not waited:
                say("another start is installing; waiting for it")
            waited = True
            time.sleep(0.5)
        yield lock.fileno()


def try_lock(handle: int) -> bool:
    """Lock an open file for this process alone; False where another holds it, or its file system knows no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def call(*command: str, hold: int | None = None) -> int:
    """Runs a command in sight of the user; it inherits the handle `hold` and so keeps it open."""
    keep = () if hold is None or os.name == "nt" else (hold,)
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, pass_fds=keep).returncode
    except OSError:
        return 127


def install(pip: Run, pins: Sequence[Pin], torch_index: str) -> list[str]:
    """Puts the pins in place, torch first; the optional packages that could not be had are the answer."""
    kind, core = accelerator(), [pin for pin in pins if not pin.optional]
    torch, rest = [pin for pin in core if pin.name == "torch"], [pin for pin in core if pin.name != "torch"]
    if torch:
        say(torch_build(kind, torch_index))
        extra = ["--extra-index-url", torch_index] if torch_index else []
        demand(pip, [str(torch[0]), *extra])
    if rest:
        say(f"installing {', '.join(pin.name for pin in rest)}")
        demand(pip, [str(pin) for pin in rest])
    without = []
    for pin in pins:
        if pin.optional and ONLY_WITH.get(pin.name, kind) == kind:
            say(f"installing {pin.name} (optional)")
            if pip("--no-deps", str(pin)) != 0:
                say(f"{pin} could not be installed; the studio works without it, and `doctor` says more")
                without.append(pin.name)
    return without


def demand(pip: Run, words: Sequence[str]) -> None:
    """Run pip; raises Stop where it fails."""
    if pip(*words) != 0:
        raise Stop("pip could not finish (its own words are above); start again to go on from here.")


class Wish(NamedTuple):
    """What the user said about the environment on the command line."""

    active: bool = False
    anew: bool = False
    torch_index: str = ""


def python_for(parts: Sequence[Part], wish: Wish, venv: Venv, run: Run = call) -> str:
    """The python that has these parts, the studio's first; they are installed where they are missing."""
    active = wish.active or not (wish.anew or venv.is_active() or missing(parts[0].pins(venv.root)))
    whole = whole_active if active else whole_venv
    if not whole(parts, wish, venv):
        with alone(venv.root / ".install.lock") as lock:
            if not whole(parts, wish, venv):  # another start may have seen to it while this one waited
                (fill_active if active else fill_venv)(parts, wish, venv, lambda *words: run(*words, hold=lock))
    return sys.executable if active or venv.is_active() else str(venv.python)


def whole_active(parts: Sequence[Part], wish: Wish, venv: Venv) -> bool:
    """Whether the Python that runs now has all ``parts``."""
    return not wish.anew and not any(missing(part.pins(venv.root)) for part in parts)


def fill_active(parts: Sequence[Part], wish: Wish, venv: Venv, run: Run) -> None:
    """Install into the Python that runs now what it lacks of ``parts``; raises Stop."""
    for part in parts:
        if wish.anew or missing(part.pins(venv.root)):
            install(pip_of(sys.executable, venv.root, run), part.pins(venv.root), wish.torch_index)


def whole_venv(parts: Sequence[Part], wish: Wish, venv: Venv) -> bool:
    """Whether `.venv` has all ``parts``, with the torch that is wished for."""
    same_torch = wish.torch_index in ("", venv.stamp().get("torch_index", ""))
    return not wish.anew and same_torch and all(venv.ready(part) for part in parts)


def fill_venv(parts: Sequence[Part], wish: Wish, venv: Venv, run: Run) -> None:
    """Make `.venv` where it is missing and install what it lacks of ``parts``; raises Stop.

    A part's stamp goes before it is touched and comes back after it, so a start that was cut off is seen.
    """
    stamp = venv.stamp()
    index = wish.torch_index or stamp.get("torch_index", "")
    anew = wish.anew or index != stamp.get("torch_index", "")
    venv.make(run, anew)
    stamp = {"torch_index": index} if anew else {**stamp, "torch_index": index}
    for part in parts:
        if not venv.ready(part):
            stamp.pop(part.name, None)
            venv.write_stamp(stamp)
            without = install(pip_of(str(venv.python), venv.root, run), part.pins(venv.root), index)
            stamp.update({part.name: venv.fingerprint(*part.files), "without": without or stamp.get("without", [])})
            venv.write_stamp(stamp)


def pip_of(python: str, root: Path, run: Run) -> Run:
    """`pip install` of that python, held to our constraints; its progress bars only where somebody looks."""
    words = [python, "-m", "pip", "install", "--disable-pip-version-check", "-c", str(root / "constraints.txt")]
    bars = [] if sys.stdout.isatty() else ["--progress-bar", "off"]
    return lambda *wanted: run(*words, *bars, *wanted)
