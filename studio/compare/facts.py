"""The only file that knows what is true of a method before anything is measured, as the article compares them.

The article (koiboi's comparison of Textual Inversion, Hypernetwork, LoRA and DreamBooth, retold with additions) asks
of each: what is trained, how large is the file, does it stand alone, how is it called, can it be stacked.
"""

from dataclasses import dataclass

from studio.methods import method

# what learns, and the usual size of the file for SD 1.5; what the classes know they are asked
_KNOWN: dict[str, tuple[str, str]] = {
    "textual-inversion": ("new words in the text encoder's vocabulary", "3 to 100 kB"),
    "hypernetwork": ("small networks before the keys and values of attention", "20 to 330 MB"),
    "lora": ("thin layers beside the weights of attention", "5 to 150 MB"),
    "locon": ("thin layers beside attention and convolutions", "10 to 200 MB"),
    "loha": ("products of thin layers beside the weights", "5 to 150 MB"),
    "lokr": ("Kronecker factors beside the weights", "0.5 to 50 MB"),
    "ia3": ("scales of keys, values and feed-forward layers", "0.2 to 1 MB"),
    "dylora": ("thin layers that can be cut to any rank", "5 to 150 MB"),
    "oft": ("rotations of what the layers say", "5 to 150 MB"),
    "boft": ("rotations that reach across a layer", "5 to 150 MB"),
    "glora": ("thin layers before and behind the weights", "5 to 150 MB"),
    "full": ("the whole difference of every weight", "1.7 to 5 GB"),
    "dreambooth": ("every weight of the UNet, on wish of the text encoder too", "2 to 5 GB"),
}


@dataclass(frozen=True)
class Facts:
    """A method in the article's columns."""

    kind: str
    title: str
    learns: str
    size: str
    alone: bool
    """Whether its file is a whole model; otherwise it needs the base beside it."""
    called: str
    """How it enters a prompt."""
    stacks: bool
    """Whether several can act at once."""
    readers: str


def facts(kind: str) -> Facts:
    """What is true of the method called ``kind``; raises SpecError for an unknown one."""
    cls = method(kind)
    learns, size = _KNOWN.get(kind, (cls.sentence.rstrip("."), ""))
    alone = "single-file" in cls.exports
    called = " ".join(cls.usage.format(name="NAME", trigger="TRIGGER", class_word="CLASS").split())
    return Facts(kind, cls.title, learns, size, alone, called, not alone, cls.readers)


HEADS = ("Learns", "Usual file", "Needs", "In a prompt", "Stacks")


def columns(one: Facts) -> tuple[str, ...]:
    """The facts under HEADS, in words."""
    needs = "nothing: it is a whole model" if one.alone else "its base model beside it"
    stacks = "yes" if one.stacks else "no, it replaces the base"
    return one.learns, one.size or "not known", needs, one.called, stacks
