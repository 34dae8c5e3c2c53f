"""The only file that knows what is measured of pictures: likeness, prompt fit, forgetting, drift, variety, copies."""

import filecmp
import itertools
from pathlib import Path

from torch import Tensor

from studio.compare.evidence import Evidence, Unmeasurable, Value
from studio.data.caption import trigger_pattern
from studio.data.scan import Dataset
from studio.spec import RunSpec

NONE_HELD_OUT = "No pictures were held out: likeness is judged by the training pictures, which favours copies."
NO_YARDSTICK = "No pictures were held out, so nothing tells how near a new picture of the subject comes."
SLACK = 1e-4  # cosines that differ by less are equal


def nearest(rows: Tensor, references: Tensor) -> float:
    """Mean over ``rows`` (N, d) of the cosine to the nearest of ``references`` (M, d)."""
    return float((rows @ references.T).amax(1).mean())


def apart(rows: Tensor) -> float:
    """Mean of one minus the cosine over all pairs of ``rows`` (N, d), of which there are at least two."""
    cosines = rows @ rows.T
    pairs = [float(cosines[i, j]) for i, j in itertools.combinations(range(len(rows)), 2)]
    return max(0.0, 1 - sum(pairs) / len(pairs))


def likeness(of: Evidence) -> Value:
    """How near the samples of the subject come to pictures of it that were never trained on."""
    return Value(nearest(of.looks(subject=True), of.references()), "" if of.data.held_out else NONE_HELD_OUT)


def prompt_fidelity(of: Evidence) -> Value:
    """How well the samples of the subject show what else their prompts say."""
    reader = of.seeing.reader
    if reader is None:
        raise Unmeasurable(f"The {of.seeing.name} cannot read; name a CLIP model behind it, as in DINO+CLIP.")
    texts = [plain_prompt(of.spec, typed) for typed, _ in of.samples(subject=True)]
    distinct = list(dict.fromkeys(texts))
    read = dict(zip(distinct, reader.texts(distinct), strict=True))
    seen = of.looks(subject=True, eye=reader)
    found = sum(float(row @ read[text]) for row, text in zip(seen, texts, strict=True)) / len(texts)
    return Value(found, "" if reader is of.eye else f"Prompts are read by the {reader.name}.")


def plain_prompt(spec: RunSpec, typed: str) -> str:
    """The prompt as one would say it who does not know the trigger: ``a photo of {trigger}`` -> ``a photo of dog``."""
    known = spec.data.class_word
    plain = typed.replace("{trigger}", known).replace("{class}", known)
    plain = trigger_pattern(spec.data.trigger).sub(lambda _: known, plain)
    if known:
        plain = plain.replace(f"{known} {known}", known)
    return " ".join(plain.split()).replace(" ,", ",").strip(", ")


def forgetting(of: Evidence) -> Value:
    """How far the pictures without the subject moved from the base's at equal seeds."""
    ours, theirs = _beside_the_base(of)
    return Value(0.0 if of.is_base else max(0.0, 1 - float((ours * theirs).sum(1).mean())))


def drift(of: Evidence) -> Value:
    """How much more than the base's the pictures without the subject look like the subject."""
    ours, theirs = _beside_the_base(of)
    references = of.references()
    return Value(0.0 if of.is_base else max(0.0, nearest(ours, references) - nearest(theirs, references)))


def _beside_the_base(of: Evidence) -> tuple[Tensor, Tensor]:
    ours, theirs = of.looks(subject=False), of.looks(subject=False, store=of.base)
    if ours.shape != theirs.shape:
        raise Unmeasurable("The base was sampled with other prompts or seeds.")
    return ours, theirs


def diversity(of: Evidence) -> Value:
    """How different the samples of the subject are from each other: across seeds, or else across prompts."""
    rows, typed = of.looks(subject=True), [prompt for prompt, _ in of.samples(subject=True)]
    if len(rows) < 2:
        raise Unmeasurable("One picture has nothing to differ from; add seeds or prompts.")
    places = [[i for i, prompt in enumerate(typed) if prompt == one] for one in dict.fromkeys(typed)]
    if len(places[0]) < 2:
        return Value(apart(rows), "Variety is taken across prompts, for each was drawn with one seed.")
    return Value(sum(apart(rows[found]) for found in places) / len(places))


def memorisation(of: Evidence) -> Value:
    """The share of the samples that are nearer to a training picture than any held-out picture is."""
    if not of.data.held_out:
        raise Unmeasurable(NO_YARDSTICK)
    if _any_same(of.data):
        raise Unmeasurable("A held-out picture is also trained on, so copies cannot be told; hold out others.")
    learnt = of.rows([example.path for example in of.data.train])
    limit = float((of.references() @ learnt.T).max())
    cosines = of.looks(subject=True) @ learnt.T
    closest, which = cosines.max(1)
    first = int(closest.argmax())
    prompt, file = of.samples(subject=True)[first][1].prompt, of.data.train[int(which[first])].path.name
    said = f"Nearest: '{prompt}' to {file}, {float(closest[first]):.3f}; held-out pictures reach {limit:.3f}."
    return Value(float((closest > limit + SLACK).float().mean()), said)


def _any_same(data: Dataset) -> bool:
    """True when a held-out file and a training file hold the same bytes."""
    by_size: dict[int, list[Path]] = {}
    for example in data.train:
        by_size.setdefault(example.path.stat().st_size, []).append(example.path)
    return any(
        filecmp.cmp(example.path, path, shallow=False)
        for example in data.held_out
        for path in by_size.get(example.path.stat().st_size, [])
    )
