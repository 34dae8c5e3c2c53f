"""The only file that tells whose settings a file holds: those of kohya's scripts and their GUI, or OneTrainer's."""

import json
import tomllib
from pathlib import Path
from typing import Any

from studio.errors import SpecError
from studio.foreign import kohya, onetrainer
from studio.foreign.table import Foreign

__all__ = ["Foreign", "read"]


def read(path: Path) -> Foreign:
    """What of the file's settings has a correspondence here, and what not; raises SpecError for any other file."""
    settings = _parsed(path)
    for program in (onetrainer, kohya):
        if program.knows(settings):
            return program.read(settings)
    raise SpecError(
        f"'{path.name}' holds no settings of kohya's scripts (TOML or the GUI's JSON) or of OneTrainer (JSON); "
        "choose such a file."
    )


def _parsed(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise SpecError(f"'{path.name}' cannot be read as {path.suffix[1:].upper() or 'JSON'}: {error}.") from error
    if not isinstance(found, dict):
        raise SpecError(f"'{path.name}' holds no table of settings; choose a preset or configuration file.")
    return found
