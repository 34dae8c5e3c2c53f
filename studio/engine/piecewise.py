"""The only file that updates weights one by one: while gradients come, or in bfloat16, rounded up or down by chance."""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from studio.engine.draw import rounding
from studio.errors import NonFiniteError
from studio.families.base import DTYPES
from studio.hardware import Choice, Plan
from studio.methods.base import ParamGroup
from studio.spec import RunSpec

LOW = 16  # bits that float32 has after bfloat16's
Act = Callable[[str, nn.Parameter], None]


@dataclass(frozen=True)
class Way:
    """How a run updates what learns: ``fused`` into the backward pass or after it, and the number format it learns in.

    ``choices`` has the reason of each that is not what the spec asked for.
    """

    fused: bool = False
    weights: torch.dtype = torch.float32
    choices: tuple[Choice, ...] = ()

    @property
    def usual(self) -> bool:
        """Whether everything is float32 and moves at once."""
        return not self.fused and self.weights == torch.float32


def way(spec: RunSpec, plan: Plan, world: int = 1) -> Way:
    """What of the spec's wishes this machine and ``world`` ranks can keep; pure."""
    choices = []
    fused, weights = spec.optim.fused_backward, DTYPES[spec.optim.weights]
    trouble = ""
    if fused and world > 1:
        trouble = f"{world} processes add up their gradients before any weight moves"
    elif fused and plan.scaler:
        trouble = "float16's loss scaler must see all gradients before any weight moves"
    if trouble:
        choices.append(Choice("fused_backward", "off", f"The step is not fused into the backward pass: {trouble}."))
    if weights != torch.float32 and plan.compute != "bf16":
        weights = torch.float32
        text = f"What learns stays in float32: this run computes in {plan.compute}, and bfloat16 weights need bf16."
        choices.append(Choice("weights", "fp32", text))
    return Way(fused and not trouble, weights, tuple(choices))


def rounded_(values: Tensor, chance: torch.Generator) -> Tensor:
    """Float32 ``values``, in place, as numbers that bfloat16 has: the one above or below, the nearer one likelier.

    So that the mean over many roundings is the value itself, and steps too small for bfloat16 arrive now and then.
    """
    bits = values.view(torch.int32)
    bits += torch.randint(0, 1 << LOW, bits.shape, dtype=torch.int32, device=bits.device, generator=chance)
    bits &= -1 << LOW
    return values


def stand_ins(groups: Sequence[ParamGroup]) -> tuple[list[ParamGroup], dict[str, nn.Parameter]]:
    """The groups as an optimizer shall see them, and what stands there for each name.

    A parameter in float32 stands for itself; for another one an empty float32 parameter does, which has its values
    while it is moved: so what the optimizer remembers of it is float32, in memory and through a checkpoint.
    """
    made = [ParamGroup(group.part, {name: _stand_in(p) for name, p in group.params.items()}) for group in groups]
    return made, {name: parameter for group in made for name, parameter in group.params.items()}


def _stand_in(parameter: nn.Parameter) -> nn.Parameter:
    if parameter.dtype == torch.float32:
        return parameter
    return nn.Parameter(torch.empty(0, dtype=torch.float32, device=parameter.device))


class OneByOne:
    """Moves what learns one parameter after the other with an optimizer that knows them all.

    Each time the optimizer is shown a single group with a single parameter, so its state lies where it always does.
    What it counts for a whole group (schedule-free AdamW's steps) goes on only when all have moved.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        live: Mapping[str, nn.Parameter],
        stands: Mapping[str, nn.Parameter],
        seed: int,
    ) -> None:
        self._optimizer = optimizer
        self._live = live
        self._stands = stands
        self._seed = seed
        self._step = 0
        groups = enumerate(optimizer.param_groups)
        self._group = {id(parameter): index for index, group in groups for parameter in group["params"]}
        self._after: dict[int, dict[str, Any]] = {}
        self._square = 0.0

    def begin(self, step: int) -> None:
        """Before the gradients of ``step``."""
        self._step = step
        self._after.clear()
        self._square = 0.0
        if not getattr(self._optimizer, "initialized", True):  # bitsandbytes: a loaded state goes to its device whole
            self._optimizer.to_gpu()

    @contextlib.contextmanager
    def fused(self) -> Iterator[None]:
        """While open, a backward pass moves each parameter as its gradient is there, and drops that.

        It raises NonFiniteError at a gradient that is not finite, which has moved nothing; but others have moved by
        then, so what learns is of no use until it is restored.
        """
        with self._hooked(self._checked):
            yield

    @contextlib.contextmanager
    def dropping(self) -> Iterator[None]:
        """While open, a backward pass drops each gradient, and nothing moves."""
        with self._hooked(_drop):
            yield

    @contextlib.contextmanager
    def _hooked(self, act: Act) -> Iterator[None]:
        held = [
            parameter.register_post_accumulate_grad_hook(functools.partial(act, name))
            for name, parameter in self._live.items()
        ]
        try:
            yield
        finally:
            for hook in held:
                hook.remove()

    @torch.no_grad()
    def _checked(self, name: str, parameter: nn.Parameter) -> None:
        assert parameter.grad is not None
        length = float(torch.linalg.vector_norm(parameter.grad, dtype=torch.float32))
        if not math.isfinite(length):  # asks the device at each parameter: the price of moving nothing bad
            raise NonFiniteError(f"The gradient of {name} became infinite.")
        self._square += length * length
        self._move(name, parameter)

    def all(self) -> None:
        """Move everything that has a gradient, and drop that; needs finite ones."""
        for name, parameter in self._live.items():
            if parameter.grad is not None:
                self._move(name, parameter)
        self._conclude()

    def length(self) -> float:
        """After a fused backward pass: how long all its gradients were together."""
        self._conclude()
        return math.sqrt(self._square)

    def _conclude(self) -> None:
        for index, group in self._after.items():
            counted = {key: value for key, value in group.items() if key != "params"}
            self._optimizer.param_groups[index].update(counted)

    @torch.no_grad()
    def _move(self, name: str, parameter: nn.Parameter) -> None:
        stand = self._stands[name]
        apart = stand is not parameter
        if apart:
            assert parameter.grad is not None
            stand.data = parameter.detach().float()
            stand.grad = parameter.grad.float()
            parameter.grad = None
        index = self._group[id(stand)]
        groups = self._optimizer.param_groups
        shown = self._after[index] = {**groups[index], "params": [stand]}
        self._optimizer.param_groups = [shown]
        try:
            self._optimizer.step()
        finally:
            self._optimizer.param_groups = groups
        stand.grad = None
        if apart:
            chance = rounding(self._seed, self._step, name, parameter.device)
            parameter.copy_(rounded_(stand.data, chance))
            stand.data = stand.data.new_empty(0)


def _drop(_: str, parameter: nn.Parameter) -> None:
    parameter.grad = None
