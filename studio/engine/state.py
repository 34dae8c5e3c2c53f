"""The only file that holds where a run stands - what learns, what moves it, what is shown - and takes it to disk."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from studio.engine import checkpoint
from studio.engine.checkpoint import Place
from studio.engine.descent import ScheduleFreeAdamW
from studio.engine.ema import Average
from studio.engine.optim import recall
from studio.hardware import Plan
from studio.methods.base import Method, Weights
from studio.methods.shards import all_of, is_split, shared_out
from studio.spec import RunSpec
from studio.store import RunStore
from studio.validation import Watch


@dataclass(frozen=True)
class Taken:
    """What goes into a checkpoint; of what is split over ranks the first has everything, and the others nothing."""

    weights: Weights
    trained: Weights | None
    machinery: dict[str, Any]


@dataclass(frozen=True)
class _Told:
    """A state that has been asked for already."""

    state: dict[str, Any]

    def state_dict(self) -> dict[str, Any]:
        return self.state


class State:
    """A method that learns, its optimizer and scaler, the average of its weights, and what held-out pictures said."""

    def __init__(self, spec: RunSpec, method: Method, optimizer: torch.optim.Optimizer, scaler: Any) -> None:
        self.spec = spec
        self.method = method
        self.optimizer = optimizer
        self.scaler = scaler
        self.average = Average(method.live, spec.optim) if spec.optim.ema else None
        self.watch = Watch()

    def updated(self) -> None:
        """After each optimizer update."""
        if self.average:
            self.average.step()

    def shown(self) -> contextlib.AbstractContextManager[None]:
        """While open, the weights are those to draw, judge and export: an average, where one is kept."""
        if self.average:
            return self.average.shown()
        if isinstance(self.optimizer, ScheduleFreeAdamW):
            return self.optimizer.averaged()
        return contextlib.nullcontext()

    def _machinery(self) -> dict[str, Any]:
        found = {"optimizer": self.optimizer, "scaler": self.scaler, "watch": self.watch}
        return found | {"average": self.average} if self.average else found

    def over(self) -> bool:
        """Whether held-out pictures have said that it is enough."""
        return self.watch.over(self.spec.validation.patience)

    def why_over(self) -> str:
        """One sentence for the user."""
        watch = self.watch
        return (
            f"The held-out loss has not improved {watch.since} times in a row; it was lowest at step {watch.step} "
            f"({watch.loss:.4f}), so the run ends here."
        )

    def taken(self) -> Taken:
        """Everything to save, as it is now; where it is split over ranks, all of them must ask at once."""
        apart = self.average or isinstance(self.optimizer, ScheduleFreeAdamW)
        trained = self.method.state() if apart else None
        with self.shown():
            weights = self.method.state()
        machinery = self._machinery()
        if any(map(is_split, self.method.live.values())):
            machinery |= {"optimizer": _Told(all_of(self.optimizer.state_dict()))}
        return Taken(weights, trained, machinery)

    def save(self, store: RunStore, place: Place, taken: Taken) -> Path:
        """Publish a checkpoint and remove older ones; raises NonFiniteError before anything is written."""
        folder = checkpoint.save(store, place, taken.weights, taken.machinery, taken.trained)
        checkpoint.prune(store, self.spec.save.keep, self.watch.step if self.spec.save.best else 0)
        return folder

    def restore(self, folder: Path) -> list[str]:
        """Go back to a checkpoint, and say in a sentence each what could not be taken over; raises StoreError."""
        self.method.restore(checkpoint.trained_of(folder))
        states = checkpoint.machinery_of(folder)
        kind, saved = (groups[0].get("kind", "") for groups in (self.optimizer.param_groups, _groups(states)))
        remarks = []
        if saved and saved != kind:
            states.pop("optimizer")
            remarks.append(f"The checkpoint was made with {saved}; what it remembered is dropped, {kind} begins anew.")
        if "optimizer" in states:
            _share_out(states["optimizer"]["state"], self.optimizer)
            recall(self.optimizer, states.pop("optimizer"))
        for name, thing in self._machinery().items():
            if states.get(name):  # a scaler that rested, in another precision, left nothing
                thing.load_state_dict(states[name])
        return remarks


def _share_out(memory: dict[int, dict[str, Any]], optimizer: torch.optim.Optimizer) -> None:
    """Split what an optimizer remembers of each parameter, by its number, as that parameter is split."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, remembered in memory.items():
        like = parameters[number]
        for name, value in remembered.items():
            if isinstance(value, torch.Tensor) and value.shape == like.shape:
                remembered[name] = shared_out(value, like)


def _groups(states: dict[str, Any]) -> list[dict[str, Any]]:
    return states["optimizer"]["param_groups"] if "optimizer" in states else [{}]


def best_of(store: RunStore, folder: Path) -> Path:
    """Of the run whose last checkpoint is ``folder`` the one with the lowest held-out loss, if it still stands."""
    watch = checkpoint.plain_of(folder, "watch")
    return dict(store.checkpoints()).get(watch["step"], folder) if watch else folder


def likely_causes(spec: RunSpec, plan: Plan) -> str:
    """What to change after numbers became infinite, most likely first."""
    advice = [f"lower optim.lr (now {spec.optim.lr:g})"]
    if plan.compute == "fp16":
        advice.append("set machine.precision to bf16 or fp32")
    if not spec.optim.clip:
        advice.append("set optim.clip to 1")
    if not spec.schedule.warmup and not spec.schedule.rates:
        advice.append("begin slowly with schedule.warmup = 0.05")
    return " or ".join(advice)
