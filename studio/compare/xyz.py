"""The only file that draws sheets of any runs, prompts, seeds and weights: what A1111 calls X/Y/Z."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from studio.compare import sheet
from studio.compare.members import BASE_COLOUR
from studio.data.caption import trigger_pattern
from studio.data.scan import DataSpec
from studio.errors import SpecError
from studio.events import Progress
from studio.families.base import BaseSpec
from studio.formats import infotext
from studio.formats.shelf import Shelf
from studio.hardware import MachineSpec, decide
from studio.methods import method
from studio.methods.lora import WORD
from studio.spec import SampleSpec, spec_from_toml
from studio.store import RunStore

if TYPE_CHECKING:
    from studio.engine.generate import Used
    from studio.engine.worker import Resident

AXES = ("run", "weight", "prompt", "seed")
CELLS = "cells"


@dataclass(frozen=True)
class Order:
    """What is drawn: every run (or finished file) at every weight with every prompt and seed.

    ``x``, ``y`` and ``z`` share the four AXES out: columns, rows, and a sheet for each. In a prompt {trigger} and
    {class} are each run's own. ``sample`` says how to draw; its own prompts and seeds do not count.
    """

    runs: tuple[str, ...]
    prompts: tuple[str, ...]
    seeds: tuple[int, ...] = (42,)
    weights: tuple[float, ...] = (1.0,)
    sample: SampleSpec = SampleSpec()
    base: str = ""
    """The base below finished files; a run has its own."""
    x: tuple[str, ...] = ("prompt", "seed")
    y: tuple[str, ...] = ("run", "weight")
    z: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Source:
    """A run or file as it is drawn: ``weighs`` tells whether a weight has a meaning for it."""

    title: str
    colour: str
    ring: bool
    base: str
    data: DataSpec
    used: "Used"

    @property
    def weighs(self) -> bool:
        return self.used.what not in ("base", "embedding")


class _Cell(NamedTuple):
    """One picture; ``run`` is the place of its source."""

    run: int
    weight: float
    prompt: str
    seed: int


def draw(order: Order, resident: "Resident", out: Path) -> Iterator[Progress | Path]:
    """Draw what is not yet drawn into ``out``, saying how far it is, then yield each sheet's path.

    A cell hangs on its file, prompt, seed, weight and sampling alone and is kept, so a second call draws only what is
    new. Raises SpecError or ModelError before anything is drawn.
    """
    _refuse(order)
    sources = _sources(order)
    cells = [
        cell
        for cell in map(_Cell._make, itertools.product(range(len(sources)), order.weights, order.prompts, order.seeds))
        if sources[cell.run].weighs or cell.weight == order.weights[-1]
    ]
    paths = {cell: out / CELLS / f"{_key(cell, sources[cell.run], order)}.png" for cell in cells}
    yield from _draw_missing(order, sources, paths, resident)
    for name, picture in _sheets(order, sources, paths):
        place = out / f"{name}.png"
        picture.save(place)
        yield place


def _refuse(order: Order) -> None:
    if not order.runs or not order.prompts or not order.seeds or not order.weights:
        raise SpecError("A sheet needs at least one run, prompt, seed and weight.")
    shared = [*order.x, *order.y, *order.z]
    if sorted(shared) != sorted(AXES):
        raise SpecError(f"x, y and z must share out {', '.join(AXES)}, each once; they have {', '.join(shared)}.")


def _sources(order: Order) -> list[_Source]:
    from studio.engine.generate import resolve

    found: list[_Source] = []
    for name in order.runs:
        used, folder = resolve(name), Path(name).expanduser()
        if used.weight != 1:
            raise SpecError(f"'{name}' brings a weight of its own; name the weights of a sheet apart.")
        if (folder / "spec.toml").is_file():
            spec = spec_from_toml(RunStore(folder).spec_text())
            kind = method(spec.method.kind)
            found.append(_Source(folder.name, kind.colour, kind.ring, spec.base.model, spec.data, used))
        else:
            base = order.base or "starter"
            own = DataSpec(trigger=used.path.stem if used.what == "embedding" else "")
            found.append(_Source(used.path.stem, BASE_COLOUR, False, base, own, used))
    called = next((one.data for one in found if one.data.trigger), DataSpec(trigger=""))
    found = [one if one.data.trigger else replace(one, data=called) for one in found]
    if not called.trigger and any("{trigger}" in prompt for prompt in order.prompts):
        raise SpecError("None of these files says what {trigger} is; write the word itself into the prompt.")
    titles = [one.title for one in found]
    return [
        replace(one, title=f"{one.title} {titles[: i + 1].count(one.title)}") if titles.count(one.title) > 1 else one
        for i, one in enumerate(found)
    ]


def _key(cell: _Cell, source: _Source, order: Order) -> str:
    """A name that changes with whatever changes the picture."""
    stamp = source.used.path.stat()
    file = (str(source.used.path.resolve()), stamp.st_size, stamp.st_mtime_ns, source.base, _stamp(source.base))
    drawn = (order.sample.negative, order.sample.steps, order.sample.guidance)
    said = (file, cell.weight, _said(cell.prompt, source), cell.seed, drawn)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:24]


def _stamp(base: str) -> tuple[int, int] | None:
    """Size and time of a base that is one file, for it may be overwritten in place; a folder's or hub id's is None."""
    path = Path(base)
    if not path.is_file():
        return None
    stamp = path.stat()
    return stamp.st_size, stamp.st_mtime_ns


def _said(prompt: str, source: _Source) -> str:
    """The prompt with trigger and class of the run, and an embedding under its file's name."""
    text = source.data.fill(prompt)
    for used in _files(source, 1.0):
        if used.what == "embedding" and used.trigger:
            text = trigger_pattern(used.trigger).sub(used.path.stem.replace("\\", r"\\"), text)
    return text


def _files(source: _Source, weight: float) -> list["Used"]:
    """What is stacked on the base: the file at its weight, and the word that a LoRA learnt beside it."""
    used = replace(source.used, weight=weight) if source.weighs else source.used
    if used.what == "base":
        return []
    word = used.path.with_name(f"{used.path.stem}{WORD}.safetensors")
    if used.what == "lora" and word.is_file():
        return [used, replace(used, path=word, what="embedding", weight=1.0)]
    return [used]


def _draw_missing(
    order: Order, sources: Sequence[_Source], paths: dict[_Cell, Path], resident: "Resident"
) -> Iterator[Progress]:
    from studio.engine.machine import Machine, this_hardware
    from studio.engine.sample import Easel, Wanted, draw_pictures
    from studio.families.calls import problems

    for index, prompt in itertools.product(range(len(sources)), order.prompts):
        shelf = Shelf(given=[used.path for used in _files(sources[index], 1.0)])
        for problem in problems([_said(prompt, sources[index])], order.sample.negative, shelf):
            raise SpecError(problem)
    missing = [cell for cell, path in paths.items() if not path.is_file()]
    machine = Machine(decide(this_hardware(), MachineSpec(), "adamw"))
    done = len(paths) - len(missing)
    for _, group in itertools.groupby(missing, key=lambda cell: cell[:2]):
        cells = list(group)
        source, weight = sources[cells[0].run], cells[0].weight
        own = str(source.used.path) if source.used.what == "base" else source.base
        models = resident.models(BaseSpec(model=own), machine.plan)
        files = _files(source, weight)
        size = (models.resolution, models.resolution)
        easel = Easel(size, Shelf(given=[used.path for used in files]), tuple(used.placed for used in files))
        orders = [Wanted(_said(cell.prompt, source), cell.seed) for cell in cells]
        with machine.autocast():
            for cell, picture in zip(cells, draw_pictures(models, None, orders, order.sample, easel), strict=True):
                paths[cell].parent.mkdir(parents=True, exist_ok=True)
                draft = paths[cell].with_name(f".{paths[cell].name}")
                infotext.save(picture, draft)
                draft.replace(paths[cell])
                done += 1
                yield Progress(stage="sampling", done=done, total=len(paths))


def _sheets(
    order: Order, sources: Sequence[_Source], paths: dict[_Cell, Path]
) -> Iterator[tuple[str, "sheet.Image.Image"]]:
    """Name and picture of every sheet; a row without any picture is left out."""
    for number, depth in enumerate(_places(order, sources, order.z), 1):
        columns = _places(order, sources, order.x)
        said = [[*_told(order, sources, depth), *_told(order, sources, place)] for place in columns]
        heads = [[part for line in lines for part in sheet.wrapped(line, sheet.SIDE, 3)] for lines in said]
        rows = []
        for place in _places(order, sources, order.y):
            found = tuple(paths.get(_Cell(**{**depth, **place, **column})) for column in columns)
            title, *notes = _told(order, sources, place) or [""]
            one = sources[place["run"]] if "run" in place else None
            colour, ring = (one.colour, one.ring) if one else (BASE_COLOUR, False)
            if any(found):
                rows.append(sheet.Row(title, ", ".join(notes), colour, found, ring))
        yield (f"sheet-{number}" if order.z else "sheet"), sheet.laid(heads, rows)


def _values(order: Order, sources: Sequence[_Source]) -> dict[str, Sequence[Any]]:
    return {"run": range(len(sources)), "weight": order.weights, "prompt": order.prompts, "seed": order.seeds}


def _places(order: Order, sources: Sequence[_Source], axes: Sequence[str]) -> list[dict[str, Any]]:
    """Every combination of the values of ``axes``; the last of them changes first."""
    values = _values(order, sources)
    return [dict(zip(axes, found, strict=True)) for found in itertools.product(*(values[axis] for axis in axes))]


def _told(order: Order, sources: Sequence[_Source], place: dict[str, Any]) -> list[str]:
    """A line for each value that is not the same everywhere."""
    several = {axis: len(set(found)) > 1 for axis, found in _values(order, sources).items()}
    lines = {
        "run": lambda value: sources[value].title,
        "prompt": lambda value: str(value),
        "weight": lambda value: f"weight {value:g}",
        "seed": lambda value: f"seed {value}",
    }
    return [lines[axis](value) for axis, value in place.items() if several[axis] or axis in ("run", "prompt")]
