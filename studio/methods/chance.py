"""The only file that lets what is made draw from a chance of its own, so that nobody else's draws are disturbed.

torch's own chance is one for the whole program, and dropout in a run draws from it. What is made beside a run, in
another thread, may neither draw from it nor set it, not even for a while: `fork_rng` gives it back, but too late.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@contextlib.contextmanager
def own(seed: int) -> Iterator[None]:
    """While open, this thread draws what it would after `torch.manual_seed(seed)`, and torch's own chance rests."""
    with _Own(seed):
        yield


class _Own(TorchDispatchMode):
    """Gives every operation that draws a generator of its device; modes are of one thread alone."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed
        self._generators: dict[torch.device, torch.Generator] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded in func.tags and kwargs.get("generator") is None:
            device = _device(args, kwargs)
            if device.type != "meta":  # where nothing is drawn
                return _drawing(func)(*args, **{**kwargs, "generator": self._of(device)})
        return func(*args, **kwargs)

    def _of(self, device: torch.device) -> torch.Generator:
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self._seed)
        return self._generators[device]


def _device(args: Any, kwargs: Any) -> torch.device:
    """Where an operation draws: on the device of its first tensor, or on the one that it names."""
    found = next((leaf.device for leaf in tree_leaves(args) if isinstance(leaf, Tensor)), None)
    return torch.device(kwargs.get("device") or found or "cpu")


def _drawing(func: Any) -> Any:
    """The form of ``func`` that takes a generator: itself, or its sibling of that name."""
    if any(argument.name == "generator" for argument in func._schema.arguments):
        return func
    name = "generator" if func._overloadname == "default" else f"{func._overloadname}_generator"
    return getattr(func.overloadpacket, name)  # an AttributeError rather than a draw from torch's own chance
