"""The only file that reads what the environment must hold: the pins of the requirements files.

Nothing but the standard library, and nothing that Python 3.7 cannot read: it runs before anything is installed.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parent.parent


class Pin(NamedTuple):
    """One line of a requirements file, e.g. `torch==2.13.0`."""

    name: str
    version: str
    optional: bool

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


class Part(NamedTuple):
    """Something to install as one: the studio's packages, or what its tests need beside them."""

    name: str
    files: tuple[str, ...]

    def pins(self, root: Path) -> list[Pin]:
        """What its file under ``root`` asks for on this platform."""
        return read_pins(root / self.files[0])


STUDIO = Part("studio", ("requirements.txt", "constraints.txt"))
TESTS = Part("tests", ("tests/requirements.txt", "constraints.txt"))


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
    from importlib import metadata

    try:
        return (metadata.version(name) or "").partition("+")[0]
    except metadata.PackageNotFoundError:
        return ""


def missing(pins: Sequence[Pin], version_of: Callable[[str], str] = installed) -> list[Pin]:
    """The pins, less the optional ones, that this interpreter has not or has in another version."""
    return [pin for pin in pins if not pin.optional and version_of(pin.name) != pin.version]
