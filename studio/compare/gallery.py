"""The only file that knows which picture stands where: prompts and seeds across, the base and the methods down."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from studio.compare.guests import visitors
from studio.compare.members import (
    BASE,
    BASE_COLOUR,
    BASE_TITLE,
    groups,
    newest_samples,
    open_experiment,
    subject_prompts,
)
from studio.data.image import open_picture
from studio.data.scan import dataset
from studio.errors import DataError
from studio.events import RunView
from studio.spec import RunSpec
from studio.store import ExperimentStore, RunStore, published

LEARNT, KEPT, SIDE = "learnt", 24, 256


@dataclass(frozen=True)
class Column:
    """One prompt at one seed; ``subject`` tells whether the prompt calls the subject."""

    prompt: str
    seed: int
    subject: bool


@dataclass(frozen=True)
class Strip:
    """One row of pictures, a path or None for each column; ``step`` is that of the samples."""

    name: str
    title: str
    colour: str
    state: str
    step: int | None
    pictures: tuple[Path | None, ...]
    ring: bool = False


@dataclass(frozen=True)
class Gallery:
    """The grid: prompts that call the subject first; ``trained_on`` are the pictures that were learnt."""

    columns: tuple[Column, ...]
    strips: tuple[Strip, ...]
    trained_on: tuple[Path, ...]

    @property
    def first_without_subject(self) -> int | None:
        """The column before which a rule is drawn, or None where there is no change."""
        kinds = [column.subject for column in self.columns]
        return kinds.index(False) if kinds and kinds[0] and False in kinds else None


@dataclass(frozen=True)
class Film:
    """One run as it learnt: ``frames`` are a row of pictures, in the order of ``columns``, for each of ``steps``."""

    name: str
    title: str
    colour: str
    columns: tuple[Column, ...]
    steps: tuple[int, ...]
    frames: tuple[tuple[Path | None, ...], ...]
    ring: bool = False


def films(store: ExperimentStore) -> list[Film]:
    """Prompt x step of every row, by the run that stands for it; a row that has no samples yet is left out."""
    found = []
    for group in groups(store):
        run = group.shown
        columns, order = _columns(run.spec)
        steps = tuple(sorted(run.view.samples))
        frames = tuple(_pictures(run.store, run.view, step, order) for step in steps)
        if steps:
            found.append(Film(run.name, group.title, group.colour, columns, steps, frames, group.ring))
    return found


def build(store: ExperimentStore) -> Gallery:
    """The grid as far as it is drawn."""
    found = groups(store)
    experiment = open_experiment(store)
    columns, order = _columns(found[0].first.spec) if found else ((), ())
    base = store.run(BASE)
    strips = [_strip(base, BASE_TITLE, BASE_COLOUR, "", order)]
    strips += [replace(_strip(g.shown.store, g.title, g.colour, g.shown.state, order), ring=g.ring) for g in found]
    strips += [_strip(one.store, one.title, one.colour, one.state, order) for one in visitors(store)]
    try:
        learnt = tuple(example.path for example in dataset(experiment.data).train)
    except DataError:  # the pictures are elsewhere, as on another machine: small ones were kept
        learnt = tuple(sorted((store.path / LEARNT).glob("*.jpg")))
    return Gallery(columns, tuple(strips), learnt)


def keep_learnt(store: ExperimentStore) -> None:
    """Put small copies of the first training pictures into the experiment, so that it can be shown without them."""
    folder = store.path / LEARNT
    try:
        learnt = [example.path for example in dataset(open_experiment(store).data).train][:KEPT]
        if folder.is_dir():
            return
        with published(folder) as draft:
            for number, path in enumerate(learnt):
                picture = open_picture(path)
                picture.thumbnail((SIDE, SIDE))
                picture.save(draft / f"{number:03d}.jpg", quality=90)
    except DataError:
        return


def _columns(spec: RunSpec) -> tuple[tuple[Column, ...], tuple[int, ...]]:
    """The columns in the order of showing, and for each its place among the samples of a run."""
    calls = subject_prompts(spec)
    drawn = [
        Column(prompt, seed, subject)
        for prompt, subject in zip(spec.prompts(), calls, strict=True)
        for seed in spec.sample.seeds
    ]
    order = sorted(range(len(drawn)), key=lambda i: not drawn[i].subject)
    return tuple(drawn[i] for i in order), tuple(order)


def _strip(run: RunStore, title: str, colour: str, state: str, order: Sequence[int]) -> Strip:
    view = run.view()
    step = newest_samples(view)
    return Strip(run.path.name, title, colour, state, step, _pictures(run, view, step, order))


def _pictures(run: RunStore, view: RunView, step: int | None, order: Sequence[int]) -> tuple[Path | None, ...]:
    """The samples of ``step`` that are there, in the order of showing."""
    shown = view.samples[step] if step is not None else ()
    paths = [run.path / shown[i].path if i < len(shown) else None for i in order]
    return tuple(path if path and path.is_file() else None for path in paths)
