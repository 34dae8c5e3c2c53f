"""The only file that knows accelerate: which device, which rank, and how ranks agree."""

import contextlib
import functools
from typing import Any

import torch
from torch import Tensor, nn

from studio.families.base import DTYPES
from studio.hardware import Hardware, Plan, probe


@functools.cache
def this_hardware() -> Hardware:
    """The machine, looked at once per process."""
    return probe()


class Machine:
    """One rank's view of the machine under a plan."""

    def __init__(self, plan: Plan) -> None:
        from accelerate import Accelerator

        self.plan = plan
        self._accelerator = Accelerator(cpu=plan.device == "cpu", mixed_precision="no")
        self.device = torch.device("cpu") if plan.device == "cpu" else self._accelerator.device
        self.scaler = torch.amp.GradScaler(plan.device, enabled=plan.scaler)

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

    def wrap(self, learner: nn.Module) -> Any:
        """The learner itself, or in DistributedDataParallel when there are several ranks."""
        return self._accelerator.prepare_model(learner, device_placement=False)

    def unsynchronised(self, wrapped: Any, last: bool) -> contextlib.AbstractContextManager[Any]:
        """While batches accumulate, gradients stay here; the last batch's backward exchanges them."""
        if last or self.world == 1:
            return contextlib.nullcontext()
        return wrapped.no_sync()

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The plan's compute precision."""
        enabled = self.plan.compute != "fp32"
        return torch.autocast(self.plan.device, dtype=DTYPES[self.plan.compute] if enabled else None, enabled=enabled)

    def mean(self, value: float) -> float:
        """The mean of ``value`` over all ranks."""
        if self.world == 1:
            return value
        reduced: Tensor = self._accelerator.reduce(torch.tensor(value, device=self.device), reduction="mean")
        return float(reduced)

    def agree(self, value: Any) -> Any:
        """Rank 0's ``value`` on every rank."""
        if self.world == 1:
            return value
        from accelerate.utils import broadcast_object_list

        box = [value]
        broadcast_object_list(box)
        return box[0]

    def wait(self) -> None:
        """Go on when every rank is here."""
        self._accelerator.wait_for_everyone()
