"""The only file that plays a computation through on tensors without memory, to tell how many bytes it would hold."""

import contextlib
import functools
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.checkpoint import checkpoint

LOWERED = {F.linear, F.conv1d, F.conv2d, torch.matmul, torch.mm, torch.bmm, torch.baddbmm, torch.addmm, torch.einsum}
LOWERED |= {Tensor.matmul, Tensor.__matmul__, Tensor.__rmatmul__, Tensor.mm, Tensor.bmm}
FILLED = {init.normal_, init.uniform_, init.constant_, init.kaiming_uniform_}  # which name their tensor
RAISED = {F.group_norm, F.layer_norm, torch.group_norm, torch.layer_norm}


class _Attention(torch.autograd.Function):
    """Keeps what fused attention keeps: its inputs, its answer, and one float32 for each query."""

    @staticmethod
    def forward(context: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        answer = torch.empty_like(query)
        context.save_for_backward(query, key, value, answer, query.new_empty(query.shape[:-1], dtype=torch.float32))
        return answer

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.empty_like(tensor) for tensor in context.saved_tensors[:3])


class _AsOnTheDevice(TorchFunctionMode):
    """Fused attention, and what autocast does on a card: products in ``dtype``, norms in float32."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            given = [*args[:3], *(kwargs[name] for name in ("query", "key", "value") if name in kwargs)]
            return _Attention.apply(*(tensor.to(self._dtype) for tensor in given))
        wanted = self._dtype if func in LOWERED else torch.float32 if func in RAISED else None
        if wanted is None or self._dtype == torch.float32:
            return func(*args, **kwargs)

        def cast(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value.to(wanted) if value.is_floating_point() and value.dtype != wanted else value
            return tree_map_only(Tensor, cast, value) if isinstance(value, (list, tuple)) else value

        return func(*map(cast, args), **{name: cast(value) for name, value in kwargs.items()})


class _Held(TorchDispatchMode):
    """Counts the bytes of the storages that are alive, and the most there were, without what was there before."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: dict[int, Any] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = (*args, *kwargs.values()) if kwargs else args
        before = {tensor.untyped_storage()._cdata for tensor in _tensors(given)}
        answer = func(*args, **(kwargs or {}))
        for tensor in _tensors((answer,)):
            storage = tensor.untyped_storage()
            if storage._cdata not in before and storage._cdata not in self._known:
                self._take(storage)
        return answer

    def _take(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()

        def gone(_: Any) -> None:
            self._known.pop(key, None)
            self.now -= size

        self._known[key] = weakref.ref(storage, gone)
        self.now += size
        self.peak = max(self.peak, self.now)


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among what an operator takes or gives, lists of them too."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


class _Contentless(TorchFunctionMode):
    """What asks for a tensor's content while it is being built gets a nought; literal tensors and scalars are real."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor):
            return func(*args, **{"device": "cpu", **kwargs})
        if func in FILLED and kwargs["tensor"].is_meta:
            return kwargs["tensor"]
        if not (args and isinstance(args[0], Tensor) and args[0].is_meta):
            return func(*args, **kwargs)
        if func in (Tensor.item, Tensor.__float__):
            return 0.0
        if func is Tensor.cpu:
            return args[0]
        if func is Tensor.to:
            args = tuple("meta" if _is_cpu(value) else value for value in args)
            kwargs |= {"device": "meta"} if "device" in kwargs else {}
        return func(*args, **kwargs)


def _is_cpu(value: Any) -> bool:
    return isinstance(value, (str, torch.device)) and str(value) == "cpu"


@contextlib.contextmanager
def without_memory() -> Iterator[None]:
    """New modules and tensors have shapes and no content."""
    with torch.device("meta"), _Contentless():
        yield


def peak(call: Callable[[], Any], dtype: torch.dtype) -> int:
    """The most bytes that ``call`` would hold at once beside what is there before, computing in ``dtype``.

    Nothing is computed: every tensor that it touches must be on `meta`.
    """
    with _AsOnTheDevice(dtype), _Held() as held:
        call()
    return held.peak


def checkpointing(dtype: torch.dtype) -> Callable[..., Any]:
    """torch's own checkpointing for a rehearsal: modes are off where the backward pass computes things again."""

    def contexts() -> tuple[Any, Any]:
        return contextlib.nullcontext(), _AsOnTheDevice(dtype)

    return functools.partial(checkpoint, use_reentrant=False, context_fn=contexts)
