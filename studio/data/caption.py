"""The only file that knows what text a picture is shown with at a given step."""

import functools
import random
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Final

from studio.data.scan import Example
from studio.data.setting import DataSpec
from studio.errors import DataError

FILLED: Final = ", [filewords]"
TEMPLATES: Final = {
    "subject": tuple(
        f"{what} of {which} [name]{FILLED}"
        for what, which in product(
            ("a photo", "a close-up photo", "a cropped photo", "a bright photo", "a dark photo", "a good photo",
             "a picture", "a rendering"),
            ("a", "the", "one"),
        )
    ),
    "style": tuple(
        f"{which} {what}, {by} [name]{FILLED}"
        for which, what, by in product(
            ("a", "the"),
            ("painting", "close-up painting", "cropped painting", "bright painting", "dark painting", "picture",
             "rendering"),
            ("art by", "in the style of"),
        )
    ),
}  # fmt: skip
"""Sentences in the manner of Textual Inversion's own (Gal et al., 2022), without its clean, dirty, small and weird."""
CHOICE: Final = re.compile(r"\{([^{}]*\|[^{}]*)\}")  # innermost; braces without a bar are plain text

Pick = Callable[[list[str]], str]  # one of several


def caption(example: Example, spec: DataSpec, rng: random.Random) -> str:
    """The prompt for one showing of ``example``: its caption with the trigger, shuffled, chosen and dropped as told.

    Every call takes two values from ``rng``, and each setting has chances of its own that follow from the second: one
    setting does not move another's. Raises DataError for a template that cannot be read.
    """
    dropped = rng.random() < spec.caption_dropout
    luck = rng.random()
    if dropped:
        return ""
    text = _one(example.caption or "", spec, _picking(luck, "choice"))
    lines = () if text and spec.template_for == "uncaptioned" else templates(spec)
    if not lines:
        return _mixed(_triggered(text, spec), spec, luck)
    line = _picking(luck, "template")(list(lines))
    return _triggered(_filled(line, _mixed(_besides(text, line, spec), spec, luck), spec), spec)


def with_trigger(text: str | None, spec: DataSpec) -> str:
    """``text`` with the trigger in front where it is missing; without caption it is `a photo of TRIGGER CLASS`.

    Without a trigger captions stay as they are, and a picture without one is `a photo of CLASS`, or nothing at all.
    Of what is chosen anew each time it has the first.
    """
    return _triggered(_one(text or "", spec, lambda options: options[0]), spec)


def longest(text: str | None, spec: DataSpec) -> str:
    """The longest prompt that training may show for ``text``; `with_trigger` unless something is chosen each time."""
    found = _one(text or "", spec, _by_length)
    lines = () if found and spec.template_for == "uncaptioned" else templates(spec)
    if not lines:
        return _triggered(found, spec)
    line = _by_length(list(lines))
    return _triggered(_filled(line, _besides(found, line, spec), spec), spec)


def _by_length(options: list[str]) -> str:
    return max(options, key=len)


def varies(spec: DataSpec) -> bool:
    """Whether a picture's prompt may be another at the next showing, beside its being dropped."""
    return bool(spec.shuffle or spec.tag_dropout or spec.wildcards or spec.template != "off")


def templates(spec: DataSpec) -> tuple[str, ...]:
    """The lines of the template, none where it is off; raises DataError for a file that is missing or empty."""
    if spec.template == "off":
        return ()
    if spec.template in TEMPLATES:
        return TEMPLATES[spec.template]
    path = Path(spec.template).expanduser()
    try:
        lines = _lines(path, path.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        raise DataError(
            f"The template '{spec.template}' cannot be read; use off, subject, style, or a UTF-8 text file."
        ) from error
    if not lines:
        raise DataError(
            f"The template '{spec.template}' has no line; write one such as: a photo of [name], [filewords]"
        )
    return lines


@functools.lru_cache(maxsize=4)
def _lines(path: Path, _changed: int) -> tuple[str, ...]:
    return tuple(line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip())


def parts(text: str, separator: str = ",") -> list[str]:
    """The parts of a caption, without the space around them; empty ones are left out."""
    return [part.strip() for part in text.split(separator) if part.strip()]


def joined(found: list[str], separator: str = ",") -> str:
    """Parts as one caption."""
    return f"{separator.rstrip()} ".join(found)


def _picking(luck: float, what: str) -> Pick:
    return random.Random(f"{luck!r} {what}").choice


def _one(text: str, spec: DataSpec, pick: Pick) -> str:
    """One line of ``text`` and one of each `{a|b}` where wildcards are on; else all of it, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] if "\n" in text else [text]
    if not spec.wildcards or not lines:
        return " ".join(lines)
    text = pick(lines)
    found = 1
    while found:  # each round lessens the bars
        text, found = CHOICE.subn(lambda match: pick(match[1].split("|")), text)
    return text.strip()


def _triggered(text: str, spec: DataSpec) -> str:
    if not text:
        return f"a photo of {spec.subject}" if spec.subject else ""
    if not spec.trigger or trigger_pattern(spec.trigger).search(text):
        return text
    return joined([spec.subject, text], spec.separator)


def _mixed(text: str, spec: DataSpec, luck: float) -> str:
    """``text`` with its parts shuffled and some left out, except the first ones; the trigger is never left out."""
    if not (spec.shuffle or spec.tag_dropout):
        return text
    found = parts(text, spec.separator) or [text]
    kept, rest = found[: spec.keep_tokens], found[spec.keep_tokens :]
    order = list(range(len(rest)))
    if spec.shuffle:
        random.Random(luck).shuffle(order)
    chance = random.Random(f"{luck!r} tags")
    stays = [chance.random() >= spec.tag_dropout for _ in rest]  # by place before the shuffle
    trigger = trigger_pattern(spec.trigger)
    rest = [rest[index] for index in order if stays[index] or trigger.search(rest[index])]
    return joined([*kept, *rest], spec.separator)


def _besides(text: str, line: str, spec: DataSpec) -> str:
    """``text`` without the parts that only say what [name] in ``line`` says already."""
    said = {spec.trigger.casefold(), spec.subject.casefold()} if "[name]" in line else set()
    found = parts(text, spec.separator)
    rest = [part for part in found if part.casefold() not in said]
    return text if len(rest) == len(found) else joined(rest, spec.separator)


def _filled(line: str, words: str, spec: DataSpec) -> str:
    """A template's line with [name] and [filewords] put in, and no comma where there are no words."""
    text = line.replace("[filewords]", words).replace("[name]", spec.subject)
    return text.strip() if words or "[filewords]" not in line else joined(parts(text))


def trigger_pattern(trigger: str) -> re.Pattern[str]:
    """Finds ``trigger`` as a word of its own, in capitals or not: `sks`, but not the end of `masks`; no word, never."""
    if not trigger:
        return re.compile(r"(?!)")
    return re.compile(rf"(?<!\w){re.escape(trigger)}(?!\w)", re.IGNORECASE)
