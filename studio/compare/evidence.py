"""The only file that knows what a metric is given to judge by: samples, references, and how they look to the eye."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from studio.compare.eye import Eye
from studio.compare.members import newest_samples, subject_prompts
from studio.data.image import open_picture
from studio.data.scan import Dataset, dataset
from studio.events import Picture, RunView
from studio.spec import RunSpec
from studio.store import RunStore

NO_EYE = "There is no eye to judge pictures with; `python -m studio.starter.build` makes it."
UNTRAINED = "The base was not trained."
BROUGHT = "The file was not trained here."
Seen = dict[tuple[str, str], Tensor]
"""Rows of pictures by eye and path, so that none is looked at twice by one process."""


@dataclass(frozen=True)
class Value:
    """A figure, or None; ``reason`` says why there is none, or what to know about the one that is there."""

    value: float | None
    reason: str = ""
    spread: float | None = None


class Unmeasurable(Exception):
    """Raised inside a metric: this figure cannot be had, and the text says why."""


@dataclass(frozen=True)
class Metric:
    """One column of the comparison; ``of`` computes it.

    ``unit`` is score, loss, s, time, bytes, energy or count. ``stepwise`` figures are taken at every sampled step.
    """

    name: str
    title: str
    unit: str
    direction: Literal["higher", "lower", "none"]
    digits: int
    why: str
    misleads: str
    of: Callable[["Evidence"], Value]
    stepwise: bool = False


@dataclass(frozen=True)
class Evidence:
    """What a run left behind, and the base to hold it against; ``step`` is that of the samples, None the newest.

    ``series`` are the stepwise figures that are known already: step -> metric -> figure.
    """

    run: RunStore
    base: RunStore
    spec: RunSpec
    eye: Eye | None
    step: int | None = None
    series: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    seen: Seen = field(default_factory=dict)

    def at(self, step: int) -> "Evidence":
        """The same run at the samples of ``step``."""
        return replace(self, step=step)

    @property
    def is_base(self) -> bool:
        """True for the row of the untrained base."""
        return self.run.path == self.base.path

    @functools.cached_property
    def view(self) -> RunView:
        """The run as it is now."""
        return self.run.view()

    @functools.cached_property
    def data(self) -> Dataset:
        """The pictures that were learnt and those held out; raises DataError."""
        return dataset(self.spec.data)

    @property
    def seeing(self) -> Eye:
        """The eye; without one nothing that needs looking can be measured."""
        if self.eye is None:
            raise Unmeasurable(NO_EYE)
        return self.eye

    def trained(self) -> RunView:
        """The run, if it trained here: raises Unmeasurable for the base and for a file that was brought."""
        if self.is_base:
            raise Unmeasurable(UNTRAINED)
        if not self.view.step:
            raise Unmeasurable(BROUGHT)
        return self.view

    def samples(self, subject: bool, store: RunStore | None = None) -> list[tuple[str, Picture]]:
        """Samples whose prompts call the subject, or that do not, each with its prompt as typed; raises Unmeasurable.

        Pictures lie prompt by prompt, then seed by seed. Of another ``store`` than the run's own the newest are taken.
        """
        view = store.view() if store else self.view
        step = newest_samples(view) if store or self.step is None else self.step
        if step is None or not view.samples.get(step):
            raise Unmeasurable("The base was not sampled." if store or self.is_base else "There are no samples.")
        calls = subject_prompts(self.spec)
        kinds = [pair for pair in zip(self.spec.sample.prompts, calls, strict=True) for _ in self.spec.sample.seeds]
        pairs = zip(kinds, view.samples[step], strict=False)
        found = [(typed, shown) for (typed, called), shown in pairs if called == subject]
        if not found:
            which = "calls the subject" if subject else "leaves the subject out"
            raise Unmeasurable(f"There is no sample of a prompt that {which}; add such a prompt.")
        return found

    def looks(self, subject: bool, store: RunStore | None = None, eye: Eye | None = None) -> Tensor:
        """Rows of `samples`, (N, d), as ``eye`` or the experiment's own sees them."""
        home = store or self.run
        paths = [home.path / shown.path for _, shown in self.samples(subject, store)]
        gone = next((path for path in paths if not path.is_file()), None)
        if gone:
            raise Unmeasurable(f"The sample '{gone.relative_to(home.path).as_posix()}' is gone.")
        return self.rows(paths, eye)

    def rows(self, paths: Sequence[Path], eye: Eye | None = None) -> Tensor:
        """One row for each picture, (N, d); raises DataError for one that cannot be read."""
        eye = eye or self.seeing
        fresh = [path for path in dict.fromkeys(paths) if (eye.name, str(path)) not in self.seen]
        if fresh:
            for path, row in zip(fresh, eye.images([open_picture(path) for path in fresh]), strict=True):
                self.seen[eye.name, str(path)] = row
        return torch.stack([self.seen[eye.name, str(path)] for path in paths])

    def references(self) -> Tensor:
        """Rows of the held-out pictures, else of the training pictures: (M, d)."""
        return self.rows([example.path for example in self.data.held_out or self.data.train])
