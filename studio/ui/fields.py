"""The only file that turns a run's settings into fields of a form: which there are, which apply, what they take."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from studio.errors import SpecError
from studio.section import SHARED, Section, leaves, merge, nest
from studio.spec import RunSpec, make_spec, parse_value

Kind = Literal["switch", "choice", "integer", "number", "text", "lines"]
ELSEWHERE = frozenset(
    {
        "name",
        "base.model",
        "data.folder",
        "data.trigger",
        "data.class_word",
        "data.leave_out",
        "data.hold_back",
        "method.kind",
    }
)
"""What has its own place on the page, and so no field in the form."""
BASIC = frozenset(
    {
        "seed", "data.resolution", "data.class_images", "data.flip", "sample.every", "sample.prompts", "sample.seeds",
        "method.rank", "method.alpha", "method.vectors", "method.init", "method.layers", "method.targets",
        "method.train_text_encoder", "method.factor", "method.constraint", "optim.name", "optim.lr", "optim.lr_text",
        "schedule.steps", "schedule.batch_size", "schedule.kind", "schedule.warmup", "machine.precision",
        "machine.gradient_checkpointing",
    }
)  # fmt: skip
"""What a newcomer may want to set; everything else stands under All."""
GROUPS: Mapping[str, tuple[str, ...]] = {
    "learns": ("method.", "base."),
    "how": ("schedule.", "optim.", "objective."),
    "data": ("seed", "data."),
    "samples": ("sample.", "validation.", "save."),
    "machine": ("machine.",),
}
"""The groups of the form in their order, each with the beginnings of its keys."""


@dataclass(frozen=True)
class Field:
    """One setting: ``choices`` of a choice, ``low`` and ``high`` of a number (None: no bound), ``help`` in English."""

    key: str
    kind: Kind
    help: str
    default: Any
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    @property
    def name(self) -> str:
        """The last part of the key as words: ``lr_text`` -> ``lr text``."""
        return self.key.rpartition(".")[2].replace("_", " ")

    @property
    def element(self) -> str:
        """The name of its element on the page."""
        return "f_" + self.key.replace(".", "_")

    @property
    def shared(self) -> bool:
        """True when every run of an experiment has the same value."""
        return self.key.startswith(SHARED)

    @property
    def group(self) -> str:
        """The group in which it stands."""
        return next(name for name, beginnings in GROUPS.items() if self.key.startswith(beginnings))


def fields(spec: RunSpec) -> tuple[Field, ...]:
    """Every setting of a run of this method, in the order in which the sections declare them."""
    return tuple(_field(key, info) for key, info, _ in leaves(spec) if key not in ELSEWHERE)


def values(spec: RunSpec) -> dict[str, Any]:
    """The value of every setting by its key."""
    return {key: value for key, _, value in leaves(spec)}


def plainly(spec: RunSpec, key: str) -> Any:
    """One setting as a file holds it: a list for a tuple."""
    value = values(spec)[key]
    return list(value) if isinstance(value, tuple) else value


def found(every: Sequence[Field], words: str, names: Mapping[str, str] | None = None) -> tuple[Field, ...]:
    """The fields whose key, name or help hold all ``words``; ``names`` are titles and helps in another language."""
    wanted = words.casefold().split()
    more = names or {}

    def text(field: Field) -> str:
        return f"{field.key} {field.name} {field.help} {more.get(field.key, '')}".casefold()

    return tuple(field for field in every if all(word in text(field) for word in wanted))


def applies(key: str, spec: RunSpec) -> bool:
    """Whether the setting can change anything in this run as it stands."""
    rule = _RULES.get(key)
    return rule is None or rule(spec)


def read(field: Field, text: str | bool) -> Any:
    """What was typed into the field, as a value; raises SpecError with what it takes.

    Numbers in any usual spelling (1e-4, 0.5); lines one a line; a switch is a bool already.
    """
    if isinstance(text, bool) or field.kind == "switch":
        return text in (True, "true", "on")
    if field.kind == "lines":
        parts = [line.strip() for line in text.splitlines() if line.strip()]
        return [parse_value(part) if part.isdecimal() else part for part in parts]
    if field.kind in ("integer", "number"):
        return _number(field, text.strip())
    return text.strip() if field.kind == "choice" else text


def shown(value: Any) -> str:
    """A value as it stands in its field."""
    if isinstance(value, (tuple, list)):
        return "\n".join(str(part) for part in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def judged(settings: Mapping[str, Any], over: Mapping[str, Any]) -> tuple[RunSpec | None, dict[str, str]]:
    """The run of nested ``settings`` with dotted ``over`` on it, or what is wrong by key; "" is for all of it."""
    try:
        return make_spec(merge(dict(settings), nest(dict(over)))), {}
    except SpecError as error:
        cause = error.__cause__
        if not isinstance(cause, ValidationError):
            return None, {"": str(error)}
        return None, {_place(one["loc"]): _said(one) for one in cause.errors()}


def differing(spec: RunSpec, other: RunSpec) -> Iterator[tuple[str, Any, Any]]:
    """Key, value here and value there of each setting that has its field and differs."""
    there = values(other)
    for key, value in values(spec).items():
        if key not in ELSEWHERE and value != there.get(key):
            yield key, value, there.get(key)


def _field(key: str, info: FieldInfo) -> Field:
    kind, choices = _kind(info.annotation)
    made = Field(key, kind, " ".join((info.description or "").split()), info.get_default(), choices)
    for bound in info.metadata:
        low = getattr(bound, "ge", None) if getattr(bound, "gt", None) is None else bound.gt
        high = getattr(bound, "le", None) if getattr(bound, "lt", None) is None else bound.lt
        made = replace(made, low=low if low is not None else made.low, high=high if high is not None else made.high)
    return made


def _kind(annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    if get_origin(annotation) is Literal:
        return "choice", tuple(str(choice) for choice in get_args(annotation))
    if get_origin(annotation) is tuple:
        return "lines", ()
    plain: dict[Any, Kind] = {bool: "switch", int: "integer", float: "number"}
    return plain.get(annotation, "text"), ()


def _number(field: Field, text: str) -> int | float:
    try:
        return int(text) if field.kind == "integer" else float(text)
    except ValueError:
        kind = "a whole number" if field.kind == "integer" else "a number"
        raise SpecError(f"'{text}' is not {kind}; write one{_range(field)}.") from None


def _range(field: Field) -> str:
    low, high = (None if bound is None else f"{bound:g}" for bound in (field.low, field.high))
    if low and high:
        return f" from {low} to {high}"
    return f" of at least {low}" if low else ""


def _place(loc: Sequence[Any]) -> str:
    """The key that pydantic means; an index in a list is none."""
    return ".".join(part for part in loc if isinstance(part, str))


def _said(error: Any) -> str:
    """What is wrong with one value, as a sentence that says what it takes."""
    bound = next((value for value in (error.get("ctx") or {}).values() if isinstance(value, (int, float))), 0)
    sentences = {
        "greater_than_equal": f"It must be at least {bound:g}.",
        "greater_than": f"It must be above {bound:g}.",
        "less_than_equal": f"It must be at most {bound:g}.",
        "less_than": f"It must be below {bound:g}.",
        "multiple_of": f"It must be a multiple of {bound:g}.",
        "int_parsing": "Write a whole number.",
        "int_from_float": "Write a whole number.",
        "int_type": "Write a whole number.",
        "float_parsing": "Write a number, such as 0.5 or 1e-4.",
        "float_type": "Write a number, such as 0.5 or 1e-4.",
    }
    text = str(error["msg"]).removeprefix("Value error, ")
    return sentences.get(error["type"]) or f"{text[0].upper()}{text[1:]}."


def _schedule_moves(spec: RunSpec) -> bool:
    return not spec.schedule.rates


_RULES: dict[str, Callable[[RunSpec], bool]] = {
    "data.keep_tokens": lambda spec: spec.data.shuffle or spec.data.tag_dropout > 0,
    "data.template_for": lambda spec: spec.data.template != "off",
    "objective.mask_rest": lambda spec: spec.data.masks != "off",
    "objective.prior_weight": lambda spec: spec.data.class_images > 0,
    "objective.huber_c": lambda spec: spec.objective.loss != "mse",
    "optim.lr_text": lambda spec: _text_learns(spec),
    "optim.lr_text_2": lambda spec: _text_learns(spec),
    "optim.lr_tokens": lambda spec: spec.method.kind == "textual-inversion" or bool(_option(spec, "new_words")),
    "optim.ema_on": lambda spec: spec.optim.ema > 0,
    "optim.fused_backward": lambda spec: _method(spec).whole,
    "optim.weights": lambda spec: _method(spec).whole,
    "machine.quantize": lambda spec: not _method(spec).whole,
    "machine.compile": lambda spec: not _method(spec).partial,
    "schedule.kind": _schedule_moves,
    "schedule.warmup": _schedule_moves,
    "schedule.cycles": lambda spec: _schedule_moves(spec) and spec.schedule.kind == "cosine-restarts",
    "schedule.power": lambda spec: _schedule_moves(spec) and spec.schedule.kind == "polynomial",
    "validation.patience": lambda spec: bool(spec.validation.every or spec.sample.every),
}


def _method(spec: RunSpec) -> Any:
    from studio.methods import method  # it needs torch, which whoever has a spec has brought in

    return method(spec.method.kind)


def _text_learns(spec: RunSpec) -> bool:
    return bool(_option(spec, "train_text_encoder"))


def _option(spec: RunSpec, name: str) -> Any:
    options: Section = spec.method
    return getattr(options, name, None)
