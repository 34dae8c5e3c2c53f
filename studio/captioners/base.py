"""The only file that knows what a captioner is: pictures in, a text for each out, with the scores of what it saw."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from PIL.Image import Image
from pydantic import Field

from studio.hardware import Hardware, Plan
from studio.section import Section


@dataclass(frozen=True)
class Tag:
    """One thing that was seen, with its ``score`` from 0 to 1; ``category`` is the tagger's own, such as character."""

    name: str
    score: float
    category: str = "general"


@dataclass(frozen=True)
class Caption:
    """What is said of one picture; ``text`` is empty where nothing is sure, and ``note`` says what was left open.

    ``listed``: the text is a list with commas between, of which parts may be added and left out.
    """

    text: str
    tags: tuple[Tag, ...] = ()
    note: str = ""
    listed: bool = False


@dataclass(frozen=True)
class Source:
    """Where a captioner's files come from: a hub ``model`` at one ``commit``, ``size`` bytes of weights or about so.

    ``weights`` are patterns of the file names that hold what was learnt. ``pickled``: the model's owner gives its
    weights as a pickle only, which is read without running code.
    """

    model: str
    commit: str
    size: int
    weights: tuple[str, ...] = ("*.safetensors",)
    pickled: bool = False


class Local(Section):
    """What may be set of every captioner whose files are downloaded."""

    folder: str = ""
    """Folder on this machine that holds the model's files; empty takes what was downloaded."""
    batch: int = Field(4, ge=1, le=64)
    """Pictures that are looked at together: more is faster on a graphics card and needs more of its memory."""


class Captioner(Protocol):
    """Looks at pictures and finds words for them. Made from its options; nothing is loaded before ``load``."""

    name: ClassVar[str] = ""
    """What it is called on the command line; empty for what is no captioner itself."""
    title: ClassVar[str]
    sentence: ClassVar[str]
    """What it is good for, in one sentence."""
    licence: ClassVar[str]
    source: ClassVar[Source | None] = None
    """What is downloaded, and only when asked for; None where nothing is."""
    rank: ClassVar[int] = 0
    """Place in the order of offer."""
    memory: ClassVar[int] = 0
    """Bytes that the device must have for it, at the least."""

    options: Section
    """Of this class's own ``Options``."""

    class Options(Section):
        """What may be set."""

    def __init__(self, options: Section) -> None:
        """``options`` are of this class's own ``Options``."""
        self.options = options

    @classmethod
    def missing(cls, hardware: Hardware) -> str:
        """Why this machine cannot run it, in one sentence with what to do; "" where it can."""
        if hardware.memory and hardware.memory < cls.memory:
            where = "this computer" if hardware.device == "cpu" else hardware.name
            return (
                f"{cls.title} needs {cls.memory / 1e9:.0f} GB of memory and {where} has {hardware.memory / 1e9:.0f}; "
                "choose a smaller captioner."
            )
        return ""

    @property
    def together(self) -> int:
        """How many pictures `caption` is best given at once."""
        return self.options.batch if isinstance(self.options, Local) else 16

    @abstractmethod
    def load(self, plan: Plan) -> None:
        """Bring what is needed into memory; raises ModelError where it is not here, damaged or of another kind."""

    @abstractmethod
    def caption(self, pictures: Sequence[Image]) -> list[Caption]:
        """One caption for each picture, which are RGB and of any size."""
