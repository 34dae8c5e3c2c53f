"""The only file that keeps presets of the user's own: where they lie, what they may be called, how one is written."""

from pathlib import Path
from typing import Any

import tomlkit

from studio.errors import SpecError
from studio.section import merge
from studio.spec import PRESETS, Preset, make_spec, preset, presets
from studio.store import safe_name, write_text

FOLDER = "presets"  # in outputs


def own(outputs: Path) -> list[Preset]:
    """Every preset of the user's own in an ``outputs`` folder, by name; what cannot be read is left out."""
    found = []
    for path in sorted((outputs / FOLDER).glob("*.toml")):
        try:
            found.append(preset(path.stem, path.parent))
        except SpecError:
            continue
    return found


def any_preset(name: str, outputs: Path) -> Preset:
    """The preset of that name, the user's own or one that comes with the studio; raises SpecError."""
    folder = outputs / FOLDER
    return preset(name, folder if (folder / f"{name}.toml").is_file() else PRESETS)


def keep(outputs: Path, name: str, settings: dict[str, Any], when: str = "") -> Preset:
    """Write nested ``settings`` as a preset called ``name``, over an own one of that name; returns it.

    Raises SpecError for a name that a preset of the studio has, and for settings that make no run.
    """
    called = safe_name(name.strip()) if name.strip() else ""
    if not called:
        raise SpecError("The preset has no name; give it one, such as my-lora.")
    if any(called == other.name for other in presets()):
        raise SpecError(f"'{called}' is a preset of the studio; choose another name.")
    made = make_spec(settings)
    about = {"title": called, "when": when or f"A preset of your own, for {made.method.kind}."}
    document = tomlkit.document()
    document.update({"preset": about})
    document.update(merge(settings, {"method": {"kind": made.method.kind}}))
    folder = outputs / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{called}.toml", tomlkit.dumps(document))
    return preset(called, folder)
