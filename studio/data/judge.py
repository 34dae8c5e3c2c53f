"""The only file that puts together what was found of a dataset: verdicts, buckets, tags, what is unused."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.data.buckets import CENTRE, Fit, Focus, fit, size_of
from studio.data.caption import longest
from studio.data.crop import focuses
from studio.data.image import hides_all, open_mask
from studio.data.listing import MASK, Listing, listing
from studio.data.measure import Measured
from studio.data.names import key, natural, relative, repeats_of
from studio.data.order import grouped, steps_per_epoch
from studio.data.scan import held_folder, held_names, table_captions
from studio.data.setting import DataSpec
from studio.data.sidecar import Words, read_table, read_words
from studio.data.similar import across, near_duplicates
from studio.data.tags import Tally, tally
from studio.data.tokens import Length, Meter
from studio.data.verdict import (
    LEFT_OUT,
    Finding,
    Part,
    Verdict,
    of_caption,
    of_likeness,
    of_orphan,
    of_picture,
    unread_caption,
    unreadable,
)
from studio.errors import DataError


@dataclass(frozen=True)
class Asked:
    """What a dataset is judged for: the side in pixels and the step of a base, its tokenizer's meter.

    ``fast`` reads no picture beyond its header: then nothing is known of blur, likeness and damage.
    """

    resolution: int = 512
    step: int = 64
    meter: Meter | None = None
    fast: bool = False


@dataclass(frozen=True)
class Bucket:
    """How many pictures are trained at one ``size``, and how often an epoch shows them in all."""

    size: tuple[int, int]
    pictures: int
    shown: int


@dataclass(frozen=True)
class Report:
    """The whole answer. ``problems`` are sentences about tables of captions; ``unused`` must be empty to train."""

    folder: str
    verdicts: tuple[Verdict, ...]
    buckets: tuple[Bucket, ...]
    tags: Tally
    problems: tuple[str, ...] = ()
    fast: bool = False

    @property
    def unused(self) -> tuple[str, ...]:
        """Names of pictures that will not be used, though nobody said so in data.leave_out."""
        return tuple(one.name for one in self.verdicts if one.severity == "stops")

    def of(self, part: Part) -> tuple[Verdict, ...]:
        """The pictures that are trained on, held out, left out, or unusable."""
        return tuple(one for one in self.verdicts if one.part == part)

    def counts(self) -> dict[str, int]:
        """How many pictures each kind of finding has, the most frequent first; `ok` where nothing was found."""
        found: dict[str, int] = {}
        for verdict in self.verdicts:
            for kind in dict.fromkeys(verdict.kinds):
                found[kind] = found.get(kind, 0) + 1
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def steps_per_epoch(self, batch_size: int, slots: int = 1) -> float:
        """Optimizer updates of one epoch, repeats and the shapes of the buckets counted; ``slots`` as in `order`."""
        used = [one for one in self.of("train") if one.fit]
        shapes = [one.fit.size for one in used if one.fit]
        return steps_per_epoch(grouped(shapes, [one.repeats for one in used]), batch_size, slots)


def fit_of(width: int, height: int, spec: DataSpec, asked: Asked, focus: Focus = CENTRE) -> Fit:
    """The bucket and the very crop that training takes from an upright ``width`` x ``height`` picture."""
    side = spec.resolution or asked.resolution
    return fit(width, height, size_of(width, height, side, asked.step, spec.buckets), focus)


@dataclass
class _Heard:
    """The captions of a dataset, the longest that training shows for them, and why some cannot be read."""

    words: dict[Path, Words]
    troubles: dict[Path, str]
    prompts: dict[Path, str]
    lengths: dict[Path, Length]


def judged(folder: Path, found: Listing, measured: Mapping[Path, Measured], by: tuple[DataSpec, Asked]) -> Report:
    """The report on ``found`` in ``folder``, from what was ``measured`` of its pictures, and of others to judge by."""
    spec, asked = by
    heard = _heard(found, spec, asked.meter)
    masks = _masks(found, measured, spec)
    parts = _parts(folder, found, measured, (spec, {*heard.troubles, *masks}))
    likeness = _likeness(folder, found.pictures, measured, parts) | _copied(found, measured, (spec, parts))
    focus = focuses(folder)
    verdicts = [_unusable(folder, path, reason, spec) for path, reason in found.left.items()]
    for path in found.pictures:
        name, one = relative(path, folder), measured[path]
        where = focus.get(key(name), CENTRE)
        fitting = None if one.error else fit_of(one.width, one.height, spec, asked, where)
        said = of_picture(one, fitting) if fitting else [unreadable(one.error)]
        said += [likeness[path]] if path in likeness else []
        said += [of_orphan()] if path.stem.lower().endswith(MASK) else []
        said += [unreadable(masks[path])] if path in masks else []
        said += _of_words(path, heard, spec) if fitting else []
        caption, length = heard.words.get(path), heard.lengths.get(path)
        verdicts.append(
            Verdict(
                name, parts[path], one.width, one.height, one.format,
                repeats_of(name.split("/")[:-1]) if spec.repeats else 1,
                caption.text if caption else None, length.tokens if length else None, fitting,
                (LEFT_OUT,) if parts[path] == "left_out" else tuple(said),
            )
        )  # fmt: skip
    verdicts.sort(key=lambda verdict: natural(verdict.name))
    used = {path: heard.words[path].text for path in heard.words if parts[path] == "train"}
    problems = tuple(problem for path in found.tables for problem in read_table(path).problems)
    tags = tally(used, spec.separator)
    return Report(str(folder), tuple(verdicts), _buckets(verdicts), tags, problems, asked.fast)


def _heard(found: Listing, spec: DataSpec, measure: Meter | None) -> _Heard:
    words = {path: Words(text) for path, text in table_captions(found).items()}
    troubles: dict[Path, str] = {}
    for path, beside in found.captions.items():
        try:
            words[path] = read_words(beside)
        except DataError as error:
            troubles[path] = str(error)
    prompts = {path: longest(words[path].text if path in words else None, spec) for path in found.pictures}
    texts = list(dict.fromkeys(prompts.values()))
    known = dict(zip(texts, measure(texts), strict=True)) if measure else {}
    return _Heard(words, troubles, prompts, {path: known[text] for path, text in prompts.items()} if known else {})


def _masks(found: Listing, measured: Mapping[Path, Measured], spec: DataSpec) -> dict[Path, str]:
    """Why masks that are asked for cannot be used, by their pictures."""
    troubles = {}
    for path, mask in found.masks.items() if spec.masks == "file" else ():
        one = measured[mask]
        if one.error:
            troubles[path] = one.error
        elif one.colours and not one.colours.strip("0"):  # dark as a whole, perhaps but for a spot
            with contextlib.suppress(DataError):
                if not open_mask(mask).getbbox():
                    troubles[path] = hides_all(path.name)
    return troubles


def _of_words(path: Path, heard: _Heard, spec: DataSpec) -> list[Finding]:
    if path in heard.troubles:
        return [unread_caption(heard.troubles[path])]
    return of_caption(heard.words.get(path), spec, heard.prompts[path], heard.lengths.get(path))


def _parts(
    folder: Path, found: Listing, measured: Mapping[Path, Measured], by: tuple[DataSpec, set[Path]]
) -> dict[Path, Part]:
    """What each picture is used for; of some the caption or the mask is in trouble."""
    spec, troubled = by
    out = {key(name) for name in spec.leave_out}
    names = {relative(path, folder): path for path in found.pictures}
    used = [name for name in names if key(name) not in out]
    held = {names[name] for name in held_names(used, spec)}
    place = held_folder(spec)
    if place:  # whatever name it has there: `dataset` compares as here
        judged_by = {path.resolve() for path in listing(place).pictures}
        held |= {path for path in found.pictures if path.resolve() in judged_by}
    parts: dict[Path, Part] = {}
    for name, path in names.items():
        bad = bool(measured[path].error) or path in troubled
        parts[path] = "left_out" if key(name) in out else "unusable" if bad else "held_out" if path in held else "train"
    return parts


def _likeness(
    folder: Path, pictures: Sequence[Path], measured: Mapping[Path, Measured], parts: Mapping[Path, Part]
) -> dict[Path, Finding]:
    """What is nearly the same as an earlier picture that is used."""
    used = [path for path in pictures if parts[path] in ("train", "held_out")]
    pairs = near_duplicates([measured[path].look for path in used], [measured[path].colours for path in used])
    return {
        used[index]: of_likeness(relative(used[other], folder), parts[used[index]] != parts[used[other]])
        for index, other in pairs.items()
    }


def _copied(
    found: Listing, measured: Mapping[Path, Measured], by: tuple[DataSpec, Mapping[Path, Part]]
) -> dict[Path, Finding]:
    """Of pictures that are learnt: what is nearly the same as one to judge by that lies in another folder."""
    spec, parts = by
    place = held_folder(spec)
    if place is None:
        return {}
    own = {path.resolve() for path in found.pictures}
    apart = [path for path in listing(place).pictures if path in measured and path.resolve() not in own]
    learnt = [path for path in found.pictures if parts[path] == "train"]
    prints = [[(measured[path].look, measured[path].colours) for path in some] for some in (learnt, apart)]
    pairs = across(prints[0], prints[1])
    names = {index: f"{place.name}/{relative(apart[at], place)}" for at, index in pairs.items()}
    return {learnt[index]: of_likeness(name, True) for index, name in names.items()}


def _unusable(folder: Path, path: Path, reason: str, spec: DataSpec) -> Verdict:
    name = relative(path, folder)
    if key(name) in {key(one) for one in spec.leave_out}:
        return Verdict(name, "left_out", findings=(LEFT_OUT,))
    return Verdict(name, "unusable", findings=(unreadable(reason),))


def _buckets(verdicts: Sequence[Verdict]) -> tuple[Bucket, ...]:
    """The sizes that are trained at, the most frequent first."""
    found: dict[tuple[int, int], list[int]] = {}
    for verdict in verdicts:
        if verdict.part == "train" and verdict.fit:
            found.setdefault(verdict.fit.size, []).append(verdict.repeats)
    made = [Bucket(size, len(times), sum(times)) for size, times in found.items()]
    return tuple(sorted(made, key=lambda bucket: (-bucket.pictures, bucket.size)))
