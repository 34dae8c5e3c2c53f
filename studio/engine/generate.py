"""The only file that draws one picture from a base and files stacked on it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from pydantic import ValidationError

from studio.data.caption import trigger_pattern
from studio.engine.machine import Machine, this_hardware
from studio.engine.sample import Easel, Wanted, draw_pictures
from studio.errors import ModelError, SpecError
from studio.families.base import BaseSpec, Models
from studio.families.calls import Placed, problems
from studio.families.detect import detect
from studio.families.prompt import NUMBER
from studio.formats.recognise import recognise
from studio.formats.shelf import Shelf
from studio.hardware import MachineSpec, decide
from studio.methods.lora import WORD
from studio.section import sentence
from studio.spec import SampleSpec, spec_from_toml
from studio.store import RunStore

if TYPE_CHECKING:
    from studio.engine.worker import Resident

PREFERRED = ("kohya", "a1111", "diffusers", "single-file")
WEIGHTED = re.compile(rf"(.+):({NUMBER})")


@dataclass(frozen=True)
class Used:
    """A file to stack: what it is (base, lora, hypernetwork, embedding), how much it counts, its run's ``trigger``."""

    path: Path
    what: str
    weight: float = 1.0
    trigger: str = ""

    @property
    def placed(self) -> Placed:
        """How it is put on the base."""
        word = self.path.stem if self.what == "embedding" else ""
        return Placed(self.path, self.what, self.weight, self.weight, word=word)


@dataclass(frozen=True)
class Place:
    """Where to draw and look: ``width`` and ``height`` in pixels (0: the base's own), ``folders`` of further files."""

    width: int = 0
    height: int = 0
    folders: tuple[Path, ...] = ()
    resident: "Resident | None" = None
    """What keeps a base in memory; without it one is loaded."""
    heard: Callable[[int, int], None] | None = None
    """Told the denoising steps done and in all; what it raises ends the drawing."""


def resolve(use: str) -> Used:
    """What ``--use`` names: a file, a diffusers folder, or a run whose exported file is taken, and ``:0.7`` behind it.

    Raises ModelError for what is not there or not known, SpecError for a weight where none can be.
    """
    name, weight = use, 1.0
    if not Path(use).expanduser().exists() and (match := WEIGHTED.fullmatch(use)):
        name, weight = match[1], float(match[2])
    path, trigger = Path(name).expanduser(), ""
    if (path / "spec.toml").is_file():
        run = RunStore(path)
        exports = {export.format: path / export.path for export in run.read().view.exports}
        found = [exports[name] for name in PREFERRED if name in exports and exports[name].exists()]
        if not found:
            raise ModelError(f"The run '{path}' has no exported file yet; `export {path}` writes one.")
        path, trigger = found[0], spec_from_toml(run.spec_text()).data.trigger
    if not path.exists():
        raise ModelError(f"There is no file or run '{name}'.")
    what = recognise(path).kind
    if what == "unknown":
        raise ModelError(f"'{path}' is neither a base model nor a file to stack on one; choose another.")
    if weight != 1 and what in ("base", "embedding"):
        raise SpecError(
            f"'{use}' takes no weight: a base counts whole, and an embedding as (its name:0.7) in the prompt."
        )
    return Used(path, what, weight, trigger)


def settings(negative: str, steps: int, guidance: float) -> SampleSpec:
    """How to draw; raises SpecError for a value out of its bounds."""
    try:
        return SampleSpec(negative=negative, steps=steps, guidance=guidance)
    except ValidationError as error:
        raise SpecError(sentence(error)) from error


def generate(base: str, uses: Sequence[str], order: Wanted, spec: SampleSpec, place: Place = Place()) -> Image.Image:
    """Draw ``order`` with ``base`` (or the last used file that is a base), the others and what the prompt calls on it.

    What the prompt calls itself counts as it says there, also where it is used besides. An embedding is called by its
    file's name; for a run's own, its trigger in the prompt is read as that name. Raises ModelError or SpecError.
    """
    stack = [resolve(use) for use in uses]
    bases = [used for used in stack if used.what == "base"]
    files = [used for used in stack if used.what != "base"]
    files += [word for used in files if (word := _word_beside(used))]
    shelf = Shelf(folders=place.folders, given=[used.path for used in files])
    for used in files:
        if used.what == "embedding" and used.trigger:
            order = Wanted(_named(order.prompt, used), order.seed)
            spec = spec.model_copy(update={"negative": _named(spec.negative, used)})
    for problem in problems([order.prompt], spec.negative, shelf):
        raise SpecError(problem)
    source = str(bases[-1].path) if bases else base
    machine = Machine(decide(this_hardware(), MachineSpec(), "adamw"))
    asked = BaseSpec(model=source)
    models = place.resident.models(asked, machine.plan) if place.resident else detect(source).load(asked, machine.plan)
    easel = Easel(_size(models, place), shelf, tuple(used.placed for used in files), place.heard)
    with machine.autocast():
        (picture,) = draw_pictures(models, None, [order], spec, easel)
    return picture


def _word_beside(used: Used) -> Used | None:
    """The word that was learnt together with a LoRA, which lies beside it."""
    path = used.path.with_name(f"{used.path.stem}{WORD}.safetensors")
    return Used(path, "embedding", trigger=used.trigger) if used.what == "lora" and path.is_file() else None


def _named(text: str, used: Used) -> str:
    return trigger_pattern(used.trigger).sub(lambda _: used.path.stem, text)


def _size(models: Models, place: Place) -> tuple[int, int]:
    for name, side in (("--width", place.width), ("--height", place.height)):
        if side < 0 or side % models.shrink:
            raise SpecError(f"{name} must be a multiple of {models.shrink}, not {side}.")
    return place.width or models.resolution, place.height or models.resolution
