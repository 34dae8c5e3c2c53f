"""The only file that knows what the studio keeps inside a dataset's own folder, out of sight."""

import contextlib
import json
from pathlib import Path
from typing import Any, Final

from studio import starter
from studio.disk import write_text
from studio.errors import DataError

HIDDEN: Final = ".crucible"


def embedded(folder: Path) -> bool:
    """Whether ``folder`` is one of the examples that come with the program, which stay as they are."""
    return folder.resolve().is_relative_to(starter.ROOT)


def read_note(folder: Path, name: str) -> dict[str, Any]:
    """What was kept under ``name`` for the dataset in ``folder``; nothing where it is missing or damaged."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / HIDDEN / name).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def write_note(folder: Path, name: str, content: dict[str, Any], durable: bool = True) -> None:
    """Keep ``content`` under ``name``; raises DataError where the folder cannot be written."""
    if embedded(folder):
        raise DataError("The embedded example stays as it is; copy its folder to change something.")
    try:
        write_text(folder / HIDDEN / name, json.dumps(content, separators=(",", ":")), durable)
    except OSError as error:
        raise DataError(f"'{folder}' cannot be written ({error.strerror}); make room, or take a copy.") from error
