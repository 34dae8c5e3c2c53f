"""The only file that advises which method to train with, from what is known before anything is trained."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from studio.compare.facts import Facts, facts
from studio.errors import SpecError
from studio.methods import registry
from studio.spec import Preset, ScheduleSpec, presets

# The article: "by training time and usefulness, on average, DreamBooth > LoRA > HyperNetwork > Embedding".
_MARKS = {"dreambooth": 4.0, "lora": 3.5, "hypernetwork": 2.0, "textual-inversion": 1.0}
_KIN = 3.0  # LyCORIS and its kin are LoRA's, a little less usual
_MANY, _FEW, _SOON = 1000, 5, 15


@dataclass(frozen=True)
class Situation:
    """What is known before training; ``memory`` in bytes and ``minutes`` may be 0 for not known or no matter."""

    images: int = 10
    what: Literal["subject", "style", "many"] = "subject"
    """One subject, one style, or many things at once: a fine-tune of the model itself."""
    memory: int = 0
    minutes: float = 0
    program: str = ""
    """Where it will be used: A1111, Forge, ComfyUI or diffusers; empty for no matter."""
    stack: bool = False
    """Whether it shall act together with others."""
    alone: bool = False
    """Whether the file shall be a whole model, without a base beside it."""
    family: str = "sd15"
    """The family in the presets' names: starter, sd15 or sdxl."""


@dataclass(frozen=True)
class Advice:
    """A method with its mark, the preset to take, and what speaks for it and against it, in sentences."""

    kind: str
    title: str
    mark: float
    preset: str
    reasons: tuple[str, ...]
    against: tuple[str, ...]


_Point = tuple[float, str]


def before(situation: Situation, known: Sequence[Preset] = ()) -> list[Advice]:
    """Every method that has a preset for the family, the most advisable first; raises SpecError where there is none.

    ``known`` are the presets to choose from; without them, all that the studio has.
    """
    known = [one for one in known or presets() if one.family == situation.family]
    found = [_advice(kind, mine, situation, known) for kind in registry() if (mine := _of(kind, known))]
    if not found:
        raise SpecError(f"There is no preset for '{situation.family}'; use starter, sd15 or sdxl.")
    return sorted(found, key=lambda advice: (-advice.mark, advice.title))


def _of(kind: str, known: Sequence[Preset]) -> list[Preset]:
    return [one for one in known if one.settings.get("method", {}).get("kind") == kind and one.name.startswith(kind)]


def _advice(kind: str, mine: Sequence[Preset], situation: Situation, known: Sequence[Preset]) -> Advice:
    about = facts(kind)
    fitting = [one for one in mine if not situation.memory or one.memory_gb * 1e9 <= situation.memory * 1.05]
    chosen = max(fitting, key=lambda one: one.memory_gb) if fitting else min(mine, key=lambda one: one.memory_gb)
    points = [*_by_article(kind, situation), *_by_use(about, situation), *_by_means(chosen, bool(fitting), situation)]
    points += _by_time(chosen, situation, known)
    mark = _MARKS.get(kind, _KIN) + sum(weight for weight, _ in points)
    ranked = sorted(points, key=lambda point: -abs(point[0]))
    reasons = tuple(text for weight, text in ranked if weight > 0)
    return Advice(kind, about.title, mark, chosen.name, reasons, tuple(text for weight, text in ranked if weight < 0))


def _by_article(kind: str, situation: Situation) -> list[_Point]:
    """What the method is good at, by the article and its makers."""
    images, style = situation.images, situation.what == "style"
    whole, small = kind in ("dreambooth", "full"), kind in ("textual-inversion",)
    many, few = situation.what == "many" or images >= _MANY, images < _FEW
    rules = (
        (many and whole, 3.0, f"With {images} pictures of many things it is the most exact: every weight may learn."),
        (many and not whole, -1.5, f"{images} pictures of many things are more than its few numbers hold."),
        (few and whole, -1.5, f"With {images} pictures it soon knows them by heart."),
        (few and small, 0.5, f"{images} pictures are enough: a word has no room to learn them by heart."),
        (kind == "dreambooth" and not many, 0.5, "It changes the model most, so it is the most faithful."),
        (kind == "lora", 0.5, "It is the usual choice today: small, quick, and read by every program."),
        (kind == "hypernetwork", -0.5, "It is going out of use: a forerunner of LoRA that does the same with more."),
        (kind == "hypernetwork" and style, 0.75, "It is better at a style than at a subject."),
        (kind == "locon" and style, 0.75, "It reaches the convolutions too, where texture and stroke are."),
        (small and not style, -0.5, "A word can only name what the base can draw, so likeness stays the weakest."),
    )
    return [(weight, text) for holds, weight, text in rules if holds]


def _by_use(about: Facts, situation: Situation) -> list[_Point]:
    found = list[_Point]()
    if situation.stack:
        found.append((0.75, "Several of its files act together.") if about.stacks else
                     (-4.0, "It is a whole model: two of them cannot act together."))  # fmt: skip
    if situation.alone:
        found.append((3.0, "Its file stands alone.") if about.alone else
                     (-3.0, "Its file needs the base model beside it."))  # fmt: skip
    if situation.program and situation.program.lower() not in about.readers.lower():
        found.append((-6.0, f"{situation.program} does not read its files; {about.readers} do."))
    return found


def _by_means(chosen: Preset, fits: bool, situation: Situation) -> list[_Point]:
    if not situation.memory:
        return []
    has = f"{situation.memory / 1e9:.0f} GB"
    if fits:
        needs = f"{chosen.memory_gb:.0f} GB" if chosen.memory_gb else "any machine"
        return [(0.1, f"Its preset is made for {needs}, and there are {has}.")]
    short = 1e9 * chosen.memory_gb / situation.memory
    return [(-8.0 - short, f"Its smallest preset needs {chosen.memory_gb:.0f} GB, and there are {has}.")]


def _by_time(chosen: Preset, situation: Situation, known: Sequence[Preset]) -> list[_Point]:
    """Little time is better spent on a preset of few steps."""
    steps, fewest = _steps(chosen), min(_steps(one) for one in known)
    if not 0 < situation.minutes <= _SOON:
        return []
    weight = 0.5 - 0.5 * math.log2(steps / fewest)
    said = f"Its preset takes {steps} steps, the quickest {fewest}; there are {situation.minutes:g} minutes."
    return [(weight, said)]


def _steps(one: Preset) -> int:
    return int(one.settings.get("schedule", {}).get("steps", ScheduleSpec().steps))
