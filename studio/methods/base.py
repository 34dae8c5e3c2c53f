"""The only file that says what a training method must bring."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from studio.data.scan import DataSpec
from studio.errors import ModelError
from studio.families.base import Models
from studio.formats.metadata import About
from studio.methods.shards import shared_out, whole
from studio.section import Section

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class ParamGroup:
    """Parameters that share a learning rate; ``part`` is unet, text or tokens, names are canonical."""

    part: str
    params: Mapping[str, nn.Parameter]


@dataclass(frozen=True)
class Target:
    """Where an export goes: ``folder / name`` plus the format's ending, in ``dtype``, and what it says of itself."""

    folder: Path
    name: str
    dtype: torch.dtype
    about: About


Writer = Callable[["Method", Target], Path]


class Method(ABC):
    """One way to teach a frozen base model: which tensors learn, and where they touch it.

    A subclass is declared as ``class LoRA(Method, kind="lora")``. It may not assume that a batch is its own.
    """

    kind: ClassVar[str] = ""
    title: ClassVar[str]
    colour: ClassVar[str]
    ring: ClassVar[bool] = False  # the rarer methods share a hue with their nearest kin, and are drawn as a ring
    sentence: ClassVar[str]
    usage: ClassVar[str]
    readers: ClassVar[str] = "A1111, Forge, ComfyUI, diffusers"
    """The programs that load its files, as tried with their own code; names that need no translation."""
    families: ClassVar[frozenset[str]]
    exports: ClassVar[Mapping[str, Writer]]

    class Options(Section):
        """What can be set for the method; ``kind`` names it."""

        kind: str

    partial: ClassVar[bool] = False
    """Whether a step may leave some of what learns without a gradient."""
    whole: ClassVar[bool] = False
    """Whether every weight learns, so that gradients and weights in bfloat16 are worth sparing."""
    learns_in: torch.dtype = torch.float32
    """What learns is attached in this; only a method that is ``whole`` may be given another one, before ``attach``."""
    splits: ClassVar[bool] = False
    """Whether processes can share out what learns between them, for it is the UNet's own weights."""
    spends: bool = False
    """Whether the base is dropped afterwards, so that ``attach`` keeps nothing of it and ``detach`` puts nothing back;
    only for a method that ``splits``, before ``attach``."""

    def __init_subclass__(cls, kind: str = "") -> None:
        cls.kind = kind

    def __init__(self, models: Models, options: Any, data: DataSpec, seed: int) -> None:
        self.models = models
        self.options = options
        self.data = data
        self.seed = seed
        self.live: dict[
            str, nn.Parameter
        ] = {}  # what learns, by canonical name; ``attach`` fills it, ``detach`` empties it

    @abstractmethod
    def attach(self) -> list[ParamGroup]:
        """Touch the frozen model; what learns is in ``learns_in`` and requires gradients. Deterministic in ``seed``."""

    @abstractmethod
    def detach(self) -> None:
        """Take everything back: the base model is again what it was, bit for bit."""

    @abstractmethod
    def detached(self) -> contextlib.AbstractContextManager[None]:
        """While open, the model answers as the base model, bit for bit."""

    def prompt(self, text: str) -> str:
        """The prompt that the text encoder shall see for the user's ``text``."""
        return text

    def asked(self, prompt: str, negative: str) -> tuple[str, str]:
        """What a sample is drawn with for the user's ``prompt`` and ``negative`` prompt."""
        return self.prompt(prompt), self.prompt(negative)

    def figures(self) -> dict[str, float]:
        """Numbers worth watching while it learns, by a name to show; cheap, for every step asks."""
        return {}

    def settle(self) -> None:  # noqa: B027 - most have nothing to do
        """After each optimizer update: put right what an update may not leave as it is."""

    def reaches(self, name: str) -> bool:
        """Whether any answer depends on the module or weight with this canonical name; elsewhere nothing can learn."""
        idle = self.models.family.idle(self.models)
        return not f"{name}.".startswith(tuple(f"{part}." for part in idle))

    def state(self) -> Weights:
        """What was learnt, by canonical name, float32 on the CPU; what is split over processes on the first alone."""
        found = {}
        for name, parameter in self.live.items():
            found[name] = whole(parameter.detach()).to("cpu", torch.float32, copy=True)
        return found

    def restore(self, weights: Weights) -> None:
        """Put back what ``state`` gave, exactly; raises ModelError when names or shapes differ."""
        shapes = {name: parameter.shape for name, parameter in self.live.items()}
        if shapes != {name: tensor.shape for name, tensor in weights.items()}:
            raise ModelError(f"The saved weights do not fit these {self.title} settings; continue them with their own.")
        with torch.no_grad():
            for name, parameter in self.live.items():
                parameter.copy_(shared_out(weights[name], parameter))

    @classmethod
    def problems(cls, options: Any, data: DataSpec) -> list[str]:
        """What of these settings would stop a run before any work, one sentence each."""
        start = getattr(options, "start", "")
        if not start:
            return []
        try:
            cls.examine(Path(start).expanduser(), options)
        except ModelError as error:
            return [str(error)]
        return []

    @classmethod
    def examine(cls, path: Path, options: Any) -> None:
        """Raise ModelError unless ``path`` is a finished file that ``options`` can go on from, as far as it tells."""
        raise ModelError(f"{cls.title} goes on from no file; leave method.start empty.")

    def begun(self, path: Path) -> Weights:
        """What ``state`` was when ``path`` was written, by us or another; needs ``attach``. Raises ModelError."""
        raise ModelError(f"{self.title} goes on from no file; leave method.start empty.")

    def begin(self) -> None:
        """Before the first step of a run: go on from the file in ``options.start``, where there is one."""
        start = getattr(self.options, "start", "")
        if start:
            self.restore(self.begun(Path(start).expanduser()))

    def remarks(self) -> list[str]:
        """What a user should hear before the first step, one sentence each."""
        return []

    def usage_line(self, name: str, form: str = "") -> str:
        """How the file called ``name``, written in ``form``, is used, in one line."""
        filled = self.usage.format(name=name, trigger=self.data.subject, class_word=self.data.class_word)
        return " ".join(filled.split())

    @contextlib.contextmanager
    def attached(self) -> Iterator[list[ParamGroup]]:
        """Attach for the length of a block, and detach whatever happens in it."""
        try:
            yield self.attach()
        finally:
            self.detach()


class FromFile(Method.Options):
    """Settings of every method whose finished file can be trained further."""

    start: str = ""
    """A finished file of the same kind to go on from, ours or another program's; empty begins anew."""
