"""The only file that knows accelerate: which device, which rank, and how ranks agree."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from studio.engine.launch import asks_to_split, is_one_of_many
from studio.errors import CrucibleError, SpecError
from studio.families.base import DTYPES
from studio.hardware import Hardware, Plan, probe
from studio.methods.base import Method, ParamGroup
from studio.methods.shards import everywhere, split

T = TypeVar("T")
TOGETHER = 2**23  # numbers that ranks add up in one call: 32 MiB
PATIENCE = timedelta(hours=2)  # how long ranks wait for one that draws samples or class images; nccl's own: 10 minutes


@functools.cache
def this_hardware() -> Hardware:
    """The machine, looked at once per process."""
    return probe()


def is_lost_rank(error: BaseException) -> bool:
    """True for what the collectives raise when another process of the run has died or is out of reach."""
    if not is_one_of_many():
        return False
    text = str(error).lower()
    return isinstance(error, torch.distributed.DistError) or "gloo" in text or "closed by peer" in text


class Machine:
    """One rank's view of the machine under a plan.

    Where it is ``sharded``, each rank holds its share of what learns (FSDP): all ranks must then ask the UNet equally
    often, so what one of them finds out by asking must not decide how the others go on. Raises SpecError for a plan
    that cannot be kept so.
    """

    def __init__(self, plan: Plan) -> None:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState, PartialState
        from accelerate.utils import InitProcessGroupKwargs

        self.plan = plan
        if PartialState._shared_state and PartialState._shared_state.get("_cpu") != (plan.device == "cpu"):
            AcceleratorState._reset_state(True)  # accelerate keeps the first run's device for the whole process
        patience = InitProcessGroupKwargs(timeout=PATIENCE)
        self._accelerator = Accelerator(cpu=plan.device == "cpu", mixed_precision="no", kwargs_handlers=[patience])
        self.device = torch.device("cpu") if plan.device == "cpu" else self._accelerator.device
        self.sharded = asks_to_split() and self.world > 1
        if self.sharded:
            self._never_apart(plan)
        self.scaler = torch.amp.GradScaler(plan.device, enabled=plan.scaler)

    def _never_apart(self, plan: Plan) -> None:
        if plan.scaler:
            raise SpecError(
                "FSDP does not go with float16, whose loss scaler needs whole gradients, and this machine has no "
                "bfloat16; set machine.precision = fp32, or launch with --multi_gpu."
            )
        os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"  # transformers would leave text encoders empty
        self.plan = replace(plan, one_at_a_time=False)  # a split UNet does not leave its device

    @property
    def main(self) -> bool:
        """True on the one rank that writes."""
        return bool(self._accelerator.is_main_process)

    @property
    def rank(self) -> int:
        """This process's number, from 0."""
        return int(self._accelerator.process_index)

    @property
    def world(self) -> int:
        """How many processes train together."""
        return int(self._accelerator.num_processes)

    def join(self, live: Iterable[nn.Parameter]) -> None:
        """Begin with rank 0's ``live`` on every rank, and take the room that adding up its gradients will need.

        Raises SpecError on all where they differ in what learns, as machines may whose files are not the same.
        Ranks add up when a step's last gradient is there, and not within its backward pass as
        DistributedDataParallel does: so a rank that runs out of memory anywhere in it keeps none of the others waiting.
        """
        self._live = list(live)
        self._given = [True] * len(self._live)
        if self._alone:
            return
        self._begin_alike(self._live)
        self._room = torch.empty(TOGETHER, dtype=torch.float32, device=self.device)

    @property
    def _alone(self) -> bool:
        """True where nobody's gradients are to be added up here: of one rank, or added up within the backward pass."""
        return self.world == 1 or self.sharded

    def _begin_alike(self, live: Iterable[nn.Parameter]) -> None:
        shapes = [tuple(parameter.shape) for parameter in live]
        if self.most(int(self.agree(shapes) != shapes)):
            raise SpecError("The processes do not train the same thing; give all of them the same spec, base and data.")
        for parameter in live:
            distributed.broadcast(_flat(parameter.data), 0)

    def shard(self, method: Method, groups: list[ParamGroup]) -> list[ParamGroup]:
        """Where the machine is ``sharded``: leave each rank its share of what ``method`` learns, rank 0's.

        Returns the ``groups`` with what then learns; the given ones are emptied. Raises SpecError as ``join`` does.
        """
        if not self.sharded:
            return groups
        self._begin_alike(list(method.live.values()))
        names = [(group.part, list(group.params)) for group in groups]
        live = list(method.live)
        groups.clear()  # nothing may hold on to whole weights while they are split
        method.live = {}
        unet = method.models.unet
        split(unet, self.plan.device)
        found = {f"unet.{name}": parameter for name, parameter in unet.named_parameters()}
        method.live = {name: found[name] for name in live}
        return [ParamGroup(part, {name: found[name] for name in group}) for part, group in names]

    def complete(self) -> None:
        """After a step's gradients: noughts where this rank has none, so that adding up needs no more memory."""
        if self._alone:
            return
        self._given = [parameter.grad is not None for parameter in self._live]
        for parameter, given in zip(self._live, self._given, strict=True):
            if not given:
                parameter.grad = torch.zeros_like(parameter)

    def mean_gradients(self) -> None:
        """The mean over all ranks in the place of each gradient; none where no rank has one. Needs ``complete``."""
        if self._alone:
            return
        given = torch.tensor(self._given, dtype=torch.int32, device=self.device)
        distributed.all_reduce(given, distributed.ReduceOp.MAX)
        pieces: list[Tensor] = []
        numbers = 0
        for parameter, anywhere in zip(self._live, given.tolist(), strict=True):
            if not anywhere:
                parameter.grad = None
                continue
            for piece in _flat(parameter.grad).split(TOGETHER):
                if numbers + len(piece) > TOGETHER:
                    self._add_up(pieces)
                    pieces, numbers = [], 0
                pieces.append(piece)
                numbers += len(piece)
        self._add_up(pieces)

    def _add_up(self, pieces: list[Tensor]) -> None:
        """Mean over ranks of flat pieces that have room together, in float32, in their place."""
        if not pieces:
            return
        sizes = [len(piece) for piece in pieces]
        whole = self._room[: sum(sizes)]
        torch._foreach_copy_(whole.split(sizes), pieces)
        distributed.all_reduce(whole)
        whole /= self.world
        torch._foreach_copy_(pieces, whole.split(sizes))

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The plan's compute precision."""
        enabled = self.plan.compute != "fp32"
        dtype = DTYPES[self.plan.compute] if enabled else None  # each weight is used once, so copies need no keeping
        return torch.autocast(self.plan.device, dtype=dtype, enabled=enabled, cache_enabled=False)

    def mean(self, value: float) -> float:
        """The mean of ``value`` over all ranks."""
        if self.world == 1:
            return value
        reduced: Tensor = self._accelerator.reduce(torch.tensor(value, device=self.device), reduction="mean")
        return float(reduced)

    def most(self, value: int) -> int:
        """The greatest ``value`` of any rank."""
        if self.world == 1:
            return value
        found = torch.tensor(value, device=self.device)
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
        return int(found)

    @staticmethod
    def clip(live: Iterable[nn.Parameter], limit: float) -> float:
        """Shorten all gradients together to at most ``limit``; how long they were, on all ranks the same."""
        shown = list(live)
        gradients = [parameter.grad for parameter in shown if parameter.grad is not None]
        norm = everywhere(nn.utils.get_total_norm(gradients))
        nn.utils.clip_grads_with_norm_(shown, limit, norm)
        return float(norm)

    def agree(self, value: Any) -> Any:
        """Rank 0's ``value`` on every rank."""
        if self.world == 1:
            return value
        from accelerate.utils import broadcast_object_list

        box = [value]
        broadcast_object_list(box)
        return box[0]

    def on_main(self, call: Callable[[], T]) -> T:
        """Run ``call`` on rank 0 alone and give every rank its result, or raise its error everywhere."""
        result: Any = None
        error: CrucibleError | None = None
        if self.main:
            try:
                result = call()
            except CrucibleError as raised:
                error = raised
        result, error = self.agree((result, error))
        if error:
            raise error
        return result

    def wait(self) -> None:
        """Go on when every rank is here."""
        self._accelerator.wait_for_everyone()


def _flat(tensor: Tensor) -> Tensor:
    """The same memory as one row, whatever the order of its dimensions there."""
    if tensor.is_contiguous():
        return tensor.view(-1)
    return tensor.as_strided((tensor.numel(),), (1,))  # channels last: dense, but in another order
