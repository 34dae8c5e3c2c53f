"""The only file that holds the optimizers which no library here has: Lion, Prodigy and schedule-free AdamW."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

Betas = tuple[float, float]


class _Optimizer(torch.optim.Optimizer):
    """A step over groups; what a group knows beside its settings lies in the group and so in ``state_dict``."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """One update from the gradients; parameters without one rest. A closure is not called."""
        for group in self.param_groups:
            self.move(group, [parameter for parameter in group["params"] if parameter.grad is not None])

    def move(self, group: dict[str, Any], moving: list[Tensor]) -> None:
        """Update the parameters in ``moving``, which have gradients."""
        raise NotImplementedError

    def _state(self, parameter: Tensor, zeros: tuple[str, ...], copies: tuple[str, ...] = ()) -> dict[str, Tensor]:
        """The parameter's state, made at first: ``zeros`` of its shape, and ``copies`` of where it starts."""
        state: dict[str, Tensor] = self.state[parameter]
        if not state:
            state |= {name: torch.zeros_like(parameter) for name in zeros}
            state |= {name: parameter.detach().clone() for name in copies}
        return state


class Lion(_Optimizer):
    """The sign of the momentum (Chen et al., 2023, Symbolic Discovery of Optimization Algorithms, algorithm 2).

    Half of AdamW's state. Every element moves by exactly the rate, so it wants a third to a tenth of AdamW's.
    """

    def __init__(self, params: Any, lr: float = 1e-4, betas: Betas = (0.9, 0.99), weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    def move(self, group: dict[str, Any], moving: list[Tensor]) -> None:
        """x -= lr (sign(b1 m + (1 - b1) g) + decay x); then m = b2 m + (1 - b2) g."""
        lr, (beta1, beta2) = group["lr"], group["betas"]
        for parameter in moving:
            momentum = self._state(parameter, ("exp_avg",))["exp_avg"]
            direction = momentum.lerp(parameter.grad, 1 - beta1).sign_()
            parameter.mul_(1 - lr * group["weight_decay"]).add_(direction, alpha=-lr)
            momentum.lerp_(parameter.grad, 1 - beta2)


class Prodigy(_Optimizer):
    """AdamW that estimates its own rate (Mishchenko and Defazio, 2023, algorithm 4), with decoupled weight decay.

    The distance ``d`` to the solution, estimated from below, is the rate; ``lr`` multiplies it. Every group estimates
    its own, so that parts of a model with other scales do not hold each other back.
    """

    def __init__(
        self, params: Any, lr: float = 1.0, betas: Betas = (0.9, 0.999), weight_decay: float = 0.0, d0: float = 1e-6
    ) -> None:
        own = {"d0": d0, "d": d0, "r": 0.0, "eps": 1e-8}
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay} | own)

    def move(self, group: dict[str, Any], moving: list[Tensor]) -> None:
        """One step of the algorithm; r and s are kept divided by d0 squared, which their quotient does not feel."""
        lr, d, (beta1, beta2) = group["lr"], group["d"], group["betas"]
        beta3 = math.sqrt(beta2)
        share = (1 - beta3) * lr * (d / group["d0"]) ** 2
        along = size = 0.0
        for parameter in moving:
            gradient = parameter.grad
            state = self._state(parameter, ("exp_avg", "exp_avg_sq", "s"), ("start",))
            along = along + (gradient * (state["start"] - parameter)).sum()
            state["s"].mul_(beta3).add_(gradient, alpha=share)
            size = size + state["s"].abs().sum()
            state["exp_avg"].mul_(beta1).add_(gradient, alpha=(1 - beta1) * d)
            state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=(1 - beta2) * d * d)
            parameter.mul_(1 - lr * d * group["weight_decay"])
            parameter.addcdiv_(state["exp_avg"], state["exp_avg_sq"].sqrt().add_(d * group["eps"]), value=-lr * d)
        group["r"] = beta3 * group["r"] + share * float(along)
        if float(size) > 0:
            group["d"] = max(d, group["r"] / float(size))


class ScheduleFreeAdamW(_Optimizer):
    """AdamW that averages instead of lowering its rate (Defazio et al., 2024, The Road Less Scheduled, algorithm 1).

    The parameters are y, where gradients are taken; z takes the steps; x, the weighted mean of all z, is what has been
    learnt: ``averaged`` puts it in place. x needs no memory, for y = (1 - beta1) z + beta1 x.
    """

    def __init__(self, params: Any, lr: float = 1e-3, betas: Betas = (0.9, 0.999), weight_decay: float = 0.0) -> None:
        own = {"taken": 0, "weight_sum": 0.0, "eps": 1e-8}
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay} | own)

    def move(self, group: dict[str, Any], moving: list[Tensor]) -> None:
        """One step of the algorithm, written in y and z."""
        beta1, beta2 = group["betas"]
        group["taken"] += 1
        bias = math.sqrt(1 - beta2 ** group["taken"])
        lr = group["lr"] * bias
        group["weight_sum"] += lr * lr
        share = lr * lr / group["weight_sum"] if group["weight_sum"] else 0.0
        for parameter in moving:
            state = self._state(parameter, ("exp_avg_sq",), ("z",))
            z = state["z"]
            state["exp_avg_sq"].mul_(beta2).addcmul_(parameter.grad, parameter.grad, value=1 - beta2)
            change = parameter.grad / state["exp_avg_sq"].sqrt().add_(group["eps"])
            change.add_(parameter, alpha=group["weight_decay"])
            parameter.lerp_(z, share).add_(change, alpha=-lr * (1 - beta1 * (1 - share)))
            z.sub_(change, alpha=lr)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """While open, the parameters are x; then y again, bit for bit, of which a copy waits on the CPU meanwhile."""
        kept: list[tuple[Tensor, Tensor]] = []
        try:
            with torch.no_grad():
                for group in self.param_groups:
                    for parameter in group["params"]:
                        if self.state.get(parameter):
                            kept.append((parameter, parameter.detach().to("cpu", copy=True)))
                            z = self.state[parameter]["z"].to(parameter.device)  # which may rest on another one
                            parameter.lerp_(z, 1 - 1 / group["betas"][0])
            yield
        finally:
            with torch.no_grad():
                for parameter, there in kept:
                    parameter.copy_(there)
