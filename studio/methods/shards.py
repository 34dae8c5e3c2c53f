"""The only file that splits a model's weights over processes, and puts what was split together again."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, distributed, nn

UNITS = ("BasicTransformerBlock", "ResnetBlock2D")  # diffusers' own choice of what is not to be taken apart


def split(module: nn.Module, device: str) -> None:
    """Leave this process its share of the weights of ``module``, under the same names, for FSDP to put in place.

    Every process must ask at once, with equal weights. Each block's weights are then whole on ``device`` only while it
    is asked or its gradients are made, and those of the rest, which are few, while ``module`` is; gradients are their
    mean over all processes, of which each keeps its share. From then on every process must ask equally often.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device, (distributed.get_world_size(),))
    for unit in [part for part in module.modules() if type(part).__name__ in UNITS]:
        fully_shard(unit, mesh=mesh, reshard_after_forward=True)
    fully_shard(module, mesh=mesh, reshard_after_forward=True)


def own(tensor: Tensor) -> Tensor:
    """What of ``tensor`` lies in this process."""
    return tensor.to_local() if is_split(tensor) else tensor


def is_split(tensor: Tensor) -> bool:
    """Whether other processes hold the rest of ``tensor``; asked often, and so of its methods: DTensor loads slowly."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """All of ``tensor``; of a split one on the first process's CPU, which writes, and empty on the others.

    Every process must ask at once.
    """
    if not is_split(tensor):
        return tensor
    put_together: Tensor = tensor.full_tensor()
    return put_together.cpu() if distributed.get_rank() == 0 else torch.empty(0)


def everywhere(tensor: Tensor) -> Tensor:
    """All of ``tensor`` in every process, for a number that all must know; every process must ask at once."""
    return tensor.full_tensor() if is_split(tensor) else tensor


def shared_out(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole ``tensor`` that every process has, split as ``like`` is, of which no process hears anything."""
    if not is_split(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    placed: Any = like
    return distribute_tensor(tensor.to(like.device), placed.device_mesh, placed.placements, src_data_rank=None)


def all_of(state: Any) -> Any:
    """A state in nested dicts and lists with each tensor ``whole``; every process must ask at once."""
    if isinstance(state, Tensor):
        return whole(state.detach())
    if isinstance(state, Mapping):
        return {key: all_of(value) for key, value in state.items()}
    return [all_of(value) for value in state] if isinstance(state, list) else state
