"""The only file that knows what the environment must hold, how it comes there, and where that is written down.

Nothing but the standard library: it runs before anything is installed.
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
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
Run = Callable[[Sequence[str]], int]  # a command -> its exit code


class Stop(Exception):
    """Why the start ends, in one sentence; `code` is 2 for the user's mistake and 1 for ours."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code


class Pin(NamedTuple):
    """One line of a requirements file, e.g. `torch==2.13.0`."""

    name: str
    version: str
    optional: bool

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def say(sentence: str) -> None:
    print(f"crucible: {sentence}", file=sys.stderr, flush=True)


# What is wanted


def read_pins(file: Path) -> list[Pin]:
    """The pins of a requirements file that apply to this platform; those after `# optional` are optional."""
    pins, optional = [], False
    for line in file.read_text(encoding="utf-8").splitlines():
        optional = optional or line.startswith("# optional")
        spec, _, marker = line.partition(" #")[0].partition(";")
        name, exact, version = spec.partition("==")
        if exact and not name.startswith("#") and applies(marker):
            pins.append(Pin(name.strip(), version.strip(), optional))
    return pins


def applies(marker: str) -> bool:
    """Whether an environment marker holds here. The few names that our own files use; their syntax is Python's."""
    names = {
        "sys_platform": sys.platform,
        "platform_machine": platform.machine(),
        "python_version": "{}.{}".format(*sys.version_info[:2]),
    }
    return not marker.strip() or bool(eval(marker.strip(), {"__builtins__": {}}, names))


def installed(name: str) -> str:
    """The version of a package in this very interpreter, without a build's suffix (`+cpu`); empty when absent."""
    try:
        return (metadata.version(name) or "").partition("+")[0]
    except metadata.PackageNotFoundError:
        return ""


def missing(pins: Sequence[Pin], version_of: Callable[[str], str] = installed) -> list[Pin]:
    return [pin for pin in pins if not pin.optional and version_of(pin.name) != pin.version]


def accelerator() -> str:
    """Which kind of processor trains here: `cuda`, `rocm`, `apple` or `cpu`."""
    if sys.platform == "darwin":
        return "apple" if platform.machine() == "arm64" else "cpu"
    if Path("/proc/driver/nvidia/version").exists() or answers("nvidia-smi", "-L"):
        return "cuda"
    return "rocm" if answers("rocminfo") else "cpu"


def answers(*command: str) -> bool:
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
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
        return os.path.realpath(sys.prefix) == os.path.realpath(self.folder)

    def fingerprint(self, *names: str) -> str:
        """What the stamp must say: the requirements, the environment's Python and the platform, in one hash."""
        seal = hashlib.sha256(f"{sys.platform} {platform.machine()}\n".encode())
        for file in [self.folder / "pyvenv.cfg", *(self.root / name for name in names)]:
            seal.update(file.read_bytes() if file.exists() else b"-")
        return seal.hexdigest()

    def stamp(self) -> dict[str, str]:
        try:
            stamp = json.loads(self.stamp_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def write_stamp(self, stamp: dict[str, str]) -> None:
        draft = self.stamp_file.with_suffix(".draft")
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(stamp, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self.stamp_file)

    def ready(self, part: Part) -> bool:
        return self.python.exists() and self.stamp().get(part.name) == self.fingerprint(*part.files)

    def make(self, run: Run, anew: bool) -> None:
        """A folder whose python has a pip, from whatever an earlier start left behind."""
        python = str(self.python)
        if not anew and run([python, "-c", "import pip"]) == 0:
            return self.forget_halves()
        if not anew and run([python, "-m", "ensurepip"]) == 0:
            return self.forget_halves()
        say(f"making the environment {self.folder}")
        base = getattr(sys, "_base_executable", None) or sys.executable
        if run([base, "-m", "venv", "--clear", str(self.folder)]) != 0:
            raise Stop("Python could not make an environment; on Debian and Ubuntu, install python3-venv and start again.")
        return None

    def forget_halves(self) -> None:
        """A package cut off in the middle of its installation has no RECORD: pip must not take it for installed."""
        for record in self.folder.glob("[lL]ib*/**/site-packages/*.dist-info"):
            if not (record / "RECORD").exists():
                shutil.rmtree(record)


class Part(NamedTuple):
    """Something to install as one: the studio's packages, or what its tests need beside them."""

    name: str
    files: tuple[str, ...]

    def pins(self, root: Path) -> list[Pin]:
        return read_pins(root / self.files[0])


STUDIO = Part("studio", ("requirements.txt", "constraints.txt"))
TESTS = Part("tests", ("tests/requirements.txt", "constraints.txt"))


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
