"""The only file that knows what a run can say, and how its sayings add up to a picture of the run."""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, cast

SMOOTHING = 0.9  # weight of the past in the shown seconds per step
MOST_RATES = 400  # points kept of the learning rate, whose curve is smooth


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of ``events.jsonl``; ``time`` is seconds since the epoch."""

    kind: ClassVar[str] = ""
    known: ClassVar[dict[str, type["Event"]]] = {}
    time: float = field(default_factory=time.time)

    def __init_subclass__(cls) -> None:
        cls.kind = cls.__name__.lower()
        Event.known[cls.kind] = cls


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """The engine took up the run at ``step``: whatever was said of later steps never happened."""

    step: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Decided(Event):
    """A decision with its reason, such as fp16 instead of bf16."""

    what: str
    choice: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Note(Event):
    """A sentence for the log; ``level`` is info or warning."""

    text: str
    level: str = "info"


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """Long work outside the steps: ``stage`` such as loading, caching, sampling, measuring."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Step(Event):
    """One update done: ``seconds`` of wall time, peak ``memory`` in bytes so far, ``figures`` of the method's own."""

    step: int
    loss: float
    lr: float
    grad_norm: float
    seconds: float
    memory: int
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One sample drawn at fixed prompt and seed: ``path`` is relative to the run folder."""

    path: str
    prompt: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Sampled(Event):
    """Pictures were drawn with the weights of ``step``."""

    step: int
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Saved(Event):
    """A checkpoint of ``step`` stands whole at ``path``, relative to the run folder."""

    step: int
    path: str


@dataclass(frozen=True, kw_only=True)
class Validated(Event):
    """Mean denoising loss on the held-out pictures under fixed draws."""

    step: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class Exported(Event):
    """A file for another program was written and read back; ``usage`` is the line that a prompt needs."""

    step: int
    format: str
    path: str
    usage: str


@dataclass(frozen=True, kw_only=True)
class Measured(Event):
    """Figures of the finished run, by metric name."""

    values: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Stopped(Event):
    """The run ended early, saved at ``step``: by the user's wish, or by itself with the exit code ``code``."""

    step: int
    code: int = 0


@dataclass(frozen=True, kw_only=True)
class Paused(Event):
    """The engine waits after ``step`` by the user's wish, with everything in memory; the next step ends it."""

    step: int


@dataclass(frozen=True, kw_only=True)
class Finished(Event):
    """All steps are done; ``seconds`` is the training time summed over all sittings, without samples."""

    step: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    """The run ended by an error; ``text`` is for the user, ``detail`` for a bug report, ``code`` the exit code."""

    step: int
    text: str
    detail: str = ""
    code: int = 1


def to_line(event: Event) -> str:
    """One JSON object without a newline."""
    return json.dumps({"kind": event.kind, **asdict(event)}, ensure_ascii=False, separators=(",", ":"))


def from_line(line: str) -> Event | None:
    """Read one line back; a later version's kind or field is passed over (None), a broken line raises ValueError."""
    data: dict[str, Any] = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError("an event is a JSON object")
    if (cls := Event.known.get(str(data.pop("kind", "")))) is None:
        return None
    data = {f.name: data[f.name] for f in fields(cls) if f.name in data}
    if cls is Sampled:
        data["pictures"] = tuple(Picture(**picture) for picture in data["pictures"])
    return cls(**data)


@dataclass(frozen=True, kw_only=True)
class RunView:
    """What is true of a run now; the page, the CLI and the report show nothing else.

    ``state`` is one of new, preparing, training, sampling, saving, paused, stopped, finished, failed; the store adds
    interrupted, which no event can say.
    """

    state: str = "new"
    step: int = 0
    total: int = 0
    losses: tuple[tuple[int, float], ...] = ()
    validations: tuple[tuple[int, float], ...] = ()
    lr: float = 0.0
    rates: tuple[tuple[int, float], ...] = ()
    """The learning rate by step, thinned as it grows."""
    seconds_per_step: float = 0.0
    train_seconds: float = 0.0
    memory: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    stage: tuple[str, int, int] | None = None
    samples: dict[int, tuple[Picture, ...]] = field(default_factory=dict)
    saved: tuple[int, ...] = ()
    exports: tuple[Exported, ...] = ()
    decisions: tuple[Decided, ...] = ()
    log: tuple[Event, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    error: str = ""
    detail: str = ""
    updated: float = 0.0

    @property
    def busy(self) -> bool:
        """True while an engine should be at work on it."""
        return self.state in ("preparing", "training", "sampling", "saving", "paused")

    @property
    def seconds_left(self) -> float:
        """Expected training seconds to the last step, without samples."""
        return max(0, self.total - self.step) * self.seconds_per_step


class _Tally:
    """Mutable workspace of one fold, so that n events cost O(n)."""

    unlogged = (Progress, Step, Validated, Measured)  # too many to read, and shown as curves and figures

    def __init__(self, view: RunView) -> None:
        self.now: dict[str, Any] = {f.name: getattr(view, f.name) for f in fields(view)}
        for name in ("losses", "rates", "validations", "saved", "exports", "decisions", "log"):
            self.now[name] = list(self.now[name])
        self.now["samples"] = dict(view.samples)

    def take(self, event: Event) -> None:
        self.now["updated"] = event.time
        if work := getattr(self, event.kind, None):
            work(event)
        if not isinstance(event, self.unlogged):
            self.now["log"].append(event)

    def started(self, event: Started) -> None:
        now = self.now
        now.update(state="preparing", step=event.step, total=event.total, error="", detail="", stage=None)
        for curve in ("losses", "rates", "validations"):
            now[curve] = [point for point in now[curve] if point[0] <= event.step]
        now["samples"] = {step: shown for step, shown in now["samples"].items() if step <= event.step}
        now["saved"] = [step for step in now["saved"] if step <= event.step]
        now["exports"] = [export for export in now["exports"] if export.step <= event.step]
        now.update(decisions=[], train_seconds=now["seconds_per_step"] * event.step)

    def decided(self, event: Decided) -> None:
        self.now["decisions"].append(event)

    def progress(self, event: Progress) -> None:
        self.now["stage"] = (event.stage, event.done, event.total) if event.done < event.total else None
        if event.stage == "sampling":
            self.now["state"] = "sampling"

    def step(self, event: Step) -> None:
        now, past = self.now, self.now["seconds_per_step"]
        now["seconds_per_step"] = past * SMOOTHING + event.seconds * (1 - SMOOTHING) if past else event.seconds
        now.update(state="training", step=event.step, lr=event.lr, memory=max(now["memory"], event.memory), stage=None)
        now["train_seconds"] += event.seconds
        now["losses"].append((event.step, event.loss))
        now["rates"].append((event.step, event.lr))
        if len(now["rates"]) > MOST_RATES:
            del now["rates"][1:-1:2]
        now["figures"] = event.figures

    def sampled(self, event: Sampled) -> None:
        self.now["samples"][event.step] = event.pictures
        self.now.update(state="training", stage=None)

    def saved(self, event: Saved) -> None:
        self.now["saved"] += [] if event.step in self.now["saved"] else [event.step]

    def validated(self, event: Validated) -> None:
        self.now["validations"].append((event.step, event.loss))

    def exported(self, event: Exported) -> None:
        others = [e for e in self.now["exports"] if (e.format, e.step) != (event.format, event.step)]
        self.now["exports"] = [*others, event]

    def measured(self, event: Measured) -> None:
        self.now["metrics"] = {**self.now["metrics"], **event.values}

    def stopped(self, event: Stopped | Paused) -> None:
        self.now.update(state=event.kind, step=event.step, stage=None)

    paused = stopped

    def finished(self, event: Finished) -> None:
        self.now.update(state="finished", step=event.step, train_seconds=event.seconds, stage=None)

    def failed(self, event: Failed) -> None:
        self.now.update(state="failed", error=event.text, detail=event.detail, stage=None)

    def view(self) -> RunView:
        return RunView(**cast(Any, {k: tuple(v) if isinstance(v, list) else v for k, v in self.now.items()}))


def fold(view: RunView, events: Iterable[Event]) -> RunView:
    """Add ``events`` to ``view``; pure, and the same whether they come at once or one by one."""
    tally = _Tally(view)
    for event in events:
        tally.take(event)
    return tally.view()
