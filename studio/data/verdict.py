"""The only file that judges a picture and its caption: what is wrong, how bad that is, and how to mend it."""

from dataclasses import dataclass
from typing import Final, Literal

from studio.data.buckets import Fit
from studio.data.caption import trigger_pattern
from studio.data.measure import Measured
from studio.data.names import shown
from studio.data.setting import DataSpec
from studio.data.sidecar import PLAIN, Words
from studio.data.tokens import LIMIT, Length

Severity = Literal["stops", "loses", "warns", "fine"]
"""Not used at all; used, but part of it is lost; used as it is; nothing to do."""
Part = Literal["train", "held_out", "left_out", "unusable"]
SEVERITIES: Final = ("stops", "loses", "warns", "fine")
BLURRED: Final = 0.33
"""Sharpness below which a picture is blurred. Of the 28 embedded pictures and a dozen photographs all have 0.5 or more,
but for a plain gradient. A blur of 1 pixel takes none below this, one of 2 pixels 70 %, one of 3 pixels 95 %."""
ENLARGED: Final = 1.1  # times that a picture may be stretched before it is too small
FAR_TOO_SMALL: Final = 2.0
CUT: Final = 0.3  # share of a picture that may be cut away


@dataclass(frozen=True)
class Finding:
    """One thing found: its ``kind``, the ``reason`` and the ``mend``, a sentence each; ``other`` and ``lost`` are data.

    ``other`` names the picture that it is like, ``lost`` is the part of a caption that is not read.
    """

    kind: str
    severity: Severity
    reason: str
    mend: str = ""
    other: str = ""
    lost: str = ""


LEFT_OUT: Final = Finding("left_out", "fine", "It is left out, as data.leave_out says.")


@dataclass(frozen=True)
class Verdict:
    """All that is found of one picture, by its ``name`` in the folder.

    ``width`` and ``height`` are upright pixels, 0 where it cannot be read. ``fit`` is the size it is trained at and the
    part of it that is seen. ``tokens`` counts the prompt that training shows, None where no tokenizer was given.
    """

    name: str
    part: Part
    width: int = 0
    height: int = 0
    format: str = ""
    repeats: int = 1
    caption: str | None = None
    tokens: int | None = None
    fit: Fit | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def severity(self) -> Severity:
        """The worst that was found."""
        found = {finding.severity for finding in self.findings}
        return next((one for one in SEVERITIES if one in found), "fine")

    @property
    def kinds(self) -> tuple[str, ...]:
        """What was found, ``ok`` where nothing was."""
        return tuple(finding.kind for finding in self.findings) or ("ok",)


def of_picture(found: Measured, fit: Fit) -> list[Finding]:
    """What is wrong with a picture that can be read, trained as ``fit`` says."""
    wide, high = fit.size
    sides = f"{found.width} x {found.height}"
    said: list[Finding] = []
    if fit.enlarged > ENLARGED:
        far: Severity = "loses" if fit.enlarged >= FAR_TOO_SMALL else "warns"
        said.append(Finding(
            "small", far, f"It has {sides} pixels and is stretched {fit.enlarged:.1f} times to become {wide} x {high}.",
            "Take a larger copy, lower data.resolution, or leave it out.",
        ))  # fmt: skip
    cut = fit.cut(found.width, found.height)
    if cut > CUT:
        said.append(Finding(
            "aspect", "loses", f"{cut:.0%} of it is cut away: it has {sides} pixels and is trained at {wide} x {high}.",
            "Move its crop to what matters, or cut it into pieces of a usual shape.",
        ))  # fmt: skip
    if 0 <= found.sharp < BLURRED:
        said.append(Finding(
            "blurred", "warns", "It has no sharp edge, even when it is made smaller.",
            "Take a sharper picture, or leave it out: what is trained on blur draws blur.",
        ))  # fmt: skip
    if found.moving:
        said.append(Finding(
            "moving", "warns", "It has several frames or pages, and only the first is used.",
            "Save the others as pictures of their own, if they matter.",
        ))  # fmt: skip
    if found.turned:
        said.append(Finding("turned", "fine", "It is turned upright, as its camera says."))
    return said


def of_likeness(other: str, kept_back: bool) -> Finding:
    """A picture that is nearly the same as an earlier one; ``kept_back``: one of the two is judged by."""
    if kept_back:
        return Finding(
            "leak", "loses", f"It is nearly the same as '{shown(other)}', and only one of them is held back: "
            "copying would be praised.", "Hold both back, or leave one out.", other,
        )  # fmt: skip
    return Finding(
        "duplicate", "warns", f"It is nearly the same as '{shown(other)}', which then counts twice.",
        "Leave one of them out, unless that is meant.", other,
    )  # fmt: skip


def of_caption(words: Words | None, spec: DataSpec, prompt: str, length: Length | None) -> list[Finding]:
    """What is wrong with a caption; ``prompt`` is the longest that training shows for it, ``length`` that of it."""
    said: list[Finding] = []
    caption = words.text if words else ""
    if not caption:
        instead = f"'{prompt}'" if prompt else "no words at all"
        said.append(Finding(
            "no_caption", "warns", f"It has no caption and is shown with {instead}.",
            "Write what it shows, but not what shall be learnt, into name.txt beside it.",
        ))  # fmt: skip
    elif spec.trigger and not trigger_pattern(spec.trigger).search(caption):
        said.append(Finding(
            "no_trigger", "warns", f"Its caption does not say '{spec.trigger}', which is put in front.",
            f"Write '{spec.subject}' where it belongs, if the front is not the place.",
        ))  # fmt: skip
    if length and length.tokens > LIMIT:
        lost = prompt[length.fits :].strip(" ,")
        much = "; as the caption is shuffled, each time another part" if spec.shuffle else ""
        said.append(Finding(
            "long_caption", "loses", f"It has {length.tokens} tokens, of which {LIMIT} are read: lost is "
            f"'{_short(lost)}'{much}.", "Shorten it, the most important words first.", lost=lost,
        ))  # fmt: skip
    if words and words.encoding != PLAIN:
        said.append(Finding(
            "encoding", "warns", f"Its caption is saved as {words.encoding}; it is read as '{_short(caption)}'.",
            "Save it as UTF-8, so that every program reads the same.",
        ))  # fmt: skip
    return said


def unreadable(error: str) -> Finding:
    """A file that is no picture, with the sentence that says why."""
    return Finding("unreadable", "stops", error, "If you can do without it, leave it out (data.leave_out).")


def unread_caption(error: str) -> Finding:
    """A caption that is no text."""
    return Finding("caption_unreadable", "stops", error, "Save the caption as UTF-8, or remove it.")


def of_orphan() -> Finding:
    """A file named as a mask beside which there is no picture."""
    return Finding(
        "orphan_mask", "warns", "It is named as a mask, but the picture that it belongs to is not there.",
        "Bring the picture, or remove the mask; as it is, it is trained on as a picture.",
    )  # fmt: skip


def _short(text: str, most: int = 60) -> str:
    text = shown(text.replace("\n", " "))
    return text if len(text) <= most else f"{text[:most].rstrip()}..."
