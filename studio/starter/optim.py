"""The only file that knows how the starter's weights take a step: AdamW for vectors and tables, Muon for matrices."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def orthogonal(matrices: Tensor, rounds: int = 5) -> Tensor:
    """The nearest (semi-)orthogonal matrices to a stack of matrices, roughly: a quintic Newton-Schulz iteration."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = (matrices.mT if tall else matrices).bfloat16()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(rounds):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix updates are orthogonalised (Jordan et al. 2024), scaled to AdamW's usual step size."""

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95, decay: float = 0.01) -> None:
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for weight in group["params"]:
                if weight.grad is not None:
                    shapes.setdefault(weight.shape, []).append(weight)
            for weights in shapes.values():
                updates = torch.stack([self._momentum(weight, group["momentum"]) for weight in weights])
                updates = orthogonal(updates.flatten(2)).reshape(updates.shape)
                rows, columns = weights[0].shape[0], weights[0][0].numel()
                size = 0.2 * max(rows, columns) ** 0.5
                for weight, update in zip(weights, updates, strict=True):
                    weight.mul_(1 - group["lr"] * group["decay"])
                    weight.add_(update.to(weight.dtype), alpha=-group["lr"] * size)

    def _momentum(self, weight: Tensor, momentum: float) -> Tensor:
        state = self.state[weight]
        if "buffer" not in state:
            state["buffer"] = torch.zeros_like(weight)
        assert weight.grad is not None
        state["buffer"].lerp_(weight.grad, 1 - momentum)
        return weight.grad.lerp(state["buffer"], momentum)


def optimizers(model: nn.Module, lr: float, muon: bool = True) -> list[torch.optim.Optimizer]:
    """Muon for the inner matrices (if wanted), AdamW for biases, norms, tables and the outermost layers."""
    inner: list[Tensor] = []
    outer: list[Tensor] = []
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        edge = "embedding" in name or "conv_in" in name or "conv_out" in name
        (inner if muon and weight.ndim >= 2 and not edge else outer).append(weight)
    made: list[torch.optim.Optimizer] = []
    if inner:
        made.append(Muon(inner, lr=lr))
    if outer:
        made.append(torch.optim.AdamW(outer, lr=lr, betas=(0.9, 0.98), weight_decay=0.0))
    return made
