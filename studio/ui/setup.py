"""The only file that works out what the form shows of a draft: the runs it would make, what changed, what is wrong."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.section import leaves, merge, nest
from studio.spec import Preset, RunSpec, make_spec
from studio.ui import fields
from studio.ui.draft import Draft
from studio.ui.fields import Field

PICTURES = ("data.leave_out", "data.hold_back")  # chosen on the Dataset tab, and part of a run all the same
FAR = 5.0  # a learning rate this many times the preset's, or its inverse, is worth a word


@dataclass(frozen=True)
class Sheet:
    """One method's part of a draft.

    ``spec`` is the run as far as it can be read, ``plain`` that of its preset alone; ``errors`` says what is wrong by
    key, "" for all of it; ``doubts`` what is allowed and unusual.
    """

    kind: str
    preset: Preset
    spec: RunSpec
    plain: RunSpec
    errors: Mapping[str, str]
    doubts: Mapping[str, tuple[str, Mapping[str, Any]]]
    typed: Mapping[str, Any]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every setting of the method."""
        return fields.fields(self.plain)

    def value(self, key: str) -> Any:
        """What stands in the field: what was typed where that cannot be, else the run's own."""
        return self.typed[key] if key in self.errors and key in self.typed else fields.values(self.spec)[key]

    def changes(self) -> tuple[tuple[str, Any, Any], ...]:
        """Key, value in the preset and value now, of everything that differs from the preset, mistakes too."""
        now = {key: (before, value) for key, value, before in fields.differing(self.spec, self.plain)}
        plain = fields.values(self.plain)
        wrong = {key: (plain.get(key), self.typed[key]) for key in self.errors if key in self.typed}
        return tuple((key, *pair) for key, pair in {**now, **wrong}.items())

    @property
    def ready(self) -> bool:
        """True when a run could be made of it."""
        return not self.errors


def sheet(draft: Draft, kind: str, preset: Preset) -> Sheet:
    """What ``draft`` makes of ``kind`` with this preset; a value that cannot be is left at the preset's."""
    plain = make_spec(draft.settings_of_preset(preset.settings))
    over = {key: value for key, value in draft.changed(kind).items() if key in _known(plain)}
    spec, errors = fields.judged(draft.settings_of_preset(preset.settings), over)
    good = dict(over)
    while spec is None:
        wrong = [key for key in errors if key in good] or list(good)  # a fault between several: none of them counts
        good = {key: value for key, value in good.items() if key not in wrong}
        spec, more = fields.judged(draft.settings_of_preset(preset.settings), good)
        errors = {**more, **errors}
    return Sheet(kind, preset, spec, plain, errors, dict(doubts(spec, plain)), over)


def doubts(spec: RunSpec, plain: RunSpec) -> Iterator[tuple[str, tuple[str, Mapping[str, Any]]]]:
    """By key what is allowed and unusual: the name of a sentence of the page, and what it says."""
    usual, rate = plain.optim.lr, spec.optim.lr
    if spec.optim.name == plain.optim.name and not usual / FAR <= rate <= usual * FAR:
        yield "optim.lr", ("doubt_high" if rate > usual else "doubt_low", {"usual": f"{usual:g}"})
    rank, alpha = getattr(spec.method, "rank", 0), getattr(spec.method, "alpha", 0.0)
    if rank and alpha > 2 * rank:
        yield "method.alpha", ("doubt_alpha", {"rank": rank})
    if spec.schedule.warmup > 0.5:
        yield "schedule.warmup", ("doubt_warmup", {})
    if len(spec.sample.prompts) * len(spec.sample.seeds) > 24:
        count = len(spec.sample.prompts) * len(spec.sample.seeds)
        yield "sample.prompts", ("doubt_samples", {"n": count})


def visible(every: Sequence[Field], of: Sheet, mode: str, words: str, names: Mapping[str, str]) -> list[Field]:
    """The fields that the form shows: ``mode`` is basic, all or changed; ``words`` find over everything that applies.

    What was changed, or is wrong, is never hidden.
    """
    touched = {key for key, _, _ in of.changes()} | set(of.errors)
    if words.strip():
        return list(fields.found(every, words, names))
    if mode == "changed":
        return [field for field in every if field.key in touched]
    fit = [field for field in every if fields.applies(field.key, of.spec) or field.key in touched]
    return fit if mode == "all" else [field for field in fit if field.key in fields.BASIC or field.key in touched]


def taken_over(draft: Draft, kind: str, preset: Preset, spec: RunSpec) -> Draft:
    """The draft in which ``kind`` is trained exactly as ``spec`` says: what was written or pasted as TOML."""
    data = spec.data
    draft = draft.moved(
        base=spec.base.model, folder=data.folder, trigger=data.trigger, class_word=data.class_word
    ).without(kind)
    plain = make_spec(draft.settings_of_preset(preset.settings))
    chosen = [(key, value, None) for key, value in fields.values(spec).items() if key in PICTURES and value]
    for key, value, _ in (*fields.differing(spec, plain), *chosen):
        draft = draft.with_value(kind, key, list(value) if isinstance(value, tuple) else value)
    return draft


def own_settings(of: Sheet) -> dict[str, Any]:
    """The nested settings of a preset of one's own: the run without dataset, name and what belongs to this machine."""
    keep = {
        key: value
        for key, value, _ in fields.differing(of.spec, of.plain)
        if not key.startswith(("data.held_out", "machine.device", "method.start"))
    }
    return merge(dict(of.preset.settings), nest({key: _plain(value) for key, value in keep.items()}))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _known(spec: RunSpec) -> frozenset[str]:
    return frozenset(key for key, _, _ in leaves(spec))
