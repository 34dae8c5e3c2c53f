"""The only file that knows how a network is trained in spells cut short: processes, averaging, EMA, state."""

from __future__ import annotations

import contextlib
import copy
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from studio.formats.tensors import load_tensors, read_metadata, save_tensors
from studio.starter.optim import optimizers

MEET_EVERY: Final = 10
"""Steps after which the processes average their weights."""
SAVE_SECONDS: Final = 60.0


class Task(Protocol):
    """What a stage trains, and on what."""

    model: nn.Module
    lr: float
    batch: int

    def loss(self, draw: torch.Generator) -> Tensor: ...


class Maker(Protocol):
    def __call__(self, work: Path, device: torch.device) -> Task: ...


@dataclass(frozen=True)
class Job:
    """One training stage: its state is `<work>/<name>.safetensors`."""

    name: str
    work: Path
    make: Maker
    minutes: float
    processes: int
    device: str
    muon: bool = True

    @property
    def state(self) -> Path:
        return self.work / f"{self.name}.safetensors"


def spent(path: Path) -> dict[str, float]:
    """What a state file says about the training so far."""
    if not path.exists():
        return {"minutes": 0.0, "steps": 0.0, "samples": 0.0}
    return {key: float(value) for key, value in read_metadata(path).items()}


def averaged(path: Path) -> dict[str, Tensor]:
    """The averaged weights in a state file: what is published."""
    return {name[4:]: tensor for name, tensor in load_tensors(path).items() if name.startswith("ema.")}


def run(job: Job) -> None:
    """Train until the job's minutes are spent, going on from the state on disk."""
    if spent(job.state)["minutes"] >= job.minutes:
        return
    meeting = job.work / f".{job.name}.meeting"
    meeting.unlink(missing_ok=True)
    if job.processes > 1:
        mp.spawn(_process, (job, meeting), nprocs=job.processes)
    else:
        _process(0, job, meeting)


def _process(rank: int, job: Job, meeting: Path) -> None:
    device = torch.device(job.device)
    if job.processes > 1:
        torch.set_num_threads(1)
        dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=job.processes,
                                timeout=timedelta(minutes=10))  # fmt: skip
    torch.manual_seed(0)
    try:
        Trainer(rank, job, job.make(job.work, device), device).train()
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


@contextlib.contextmanager
def fast(device: torch.device) -> Iterator[None]:
    """bf16, and on a CPU plain attention: the fused kernel's bf16 backward is many times slower there."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.autocast(device.type, torch.bfloat16))
        if device.type == "cpu":
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        yield


class Trainer:
    def __init__(self, rank: int, job: Job, task: Task, device: torch.device) -> None:
        self.rank, self.job, self.task, self.device = rank, job, task, device
        self.parent = os.getppid()
        self.weights = [weight for weight in task.model.parameters() if weight.requires_grad]
        self.optimizers = optimizers(task.model, task.lr, job.muon)
        self.ema = copy.deepcopy(task.model).requires_grad_(False)
        self.steps, self.samples, self.meetings = 0, 0, 0
        self.minutes, self.mean = 0.0, 0.0
        if job.state.exists():
            self.load()

    def train(self) -> None:
        began, before, saved = time.monotonic(), self.minutes, time.monotonic()
        draw = torch.Generator()
        while self.minutes < self.job.minutes:
            self.set_rate()
            for _ in range(MEET_EVERY):
                draw.manual_seed((self.steps * 64 + self.rank) * 7919 + 17)
                self.step(draw)
                self.steps += 1
                self.samples += self.task.batch * self.job.processes
            self.minutes = before + (time.monotonic() - began) / 60
            self.meet()
            if self.rank == 0 and time.monotonic() - saved > SAVE_SECONDS:
                saved = time.monotonic()
                self.save()
            if os.getppid() != self.parent:
                return  # the process that started this one was killed
        if self.rank == 0:
            self.save()

    def set_rate(self) -> None:
        """A short warm-up, then a cosine to nothing over the minutes of the job."""
        progress = min(self.minutes / self.job.minutes, 1.0)
        factor = min((self.steps + MEET_EVERY) / 100, 1.0) * (0.5 + 0.5 * math.cos(math.pi * progress))
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.task.lr * max(factor, 0.01)

    def step(self, draw: torch.Generator) -> None:
        with fast(self.device):
            loss = self.task.loss(draw)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.weights, 1.0)
        value = float(loss.detach())
        if math.isfinite(value) and bool(torch.isfinite(norm)):
            for optimizer in self.optimizers:
                optimizer.step()
            self.mean += (value - self.mean) / min(self.steps + 1, 200)
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def meet(self) -> None:
        """Average the weights of all processes, agree on the time, follow with the EMA."""
        self.meetings += 1
        if dist.is_initialized():
            flat = nn.utils.parameters_to_vector(self.weights).detach()
            clock = torch.tensor([self.minutes], dtype=torch.float64)
            dist.all_reduce(flat)
            dist.broadcast(clock, src=0)
            nn.utils.vector_to_parameters(flat / dist.get_world_size(), self.weights)
            self.minutes = float(clock)
        decay = min(0.98, (1 + self.meetings) / (10 + self.meetings))
        with torch.no_grad():
            for mean, now in zip(self.ema.parameters(), self.task.model.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
        if self.rank == 0 and self.meetings % 5 == 0:
            print(f"{self.job.name} {self.minutes:.1f} min, step {self.steps}, loss {self.mean:.4f}", flush=True)

    def save(self) -> None:
        tensors = {f"model.{name}": tensor for name, tensor in self.task.model.state_dict().items()}
        tensors |= {f"ema.{name}": tensor for name, tensor in self.ema.state_dict().items()}
        for number, optimizer in enumerate(self.optimizers):
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optim.{number}.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
        facts = {"minutes": self.minutes, "steps": self.steps, "samples": self.samples, "meetings": self.meetings}
        facts["loss"] = self.mean
        save_tensors(self.job.state, tensors, {key: str(value) for key, value in facts.items()})

    def load(self) -> None:
        tensors = load_tensors(self.job.state)
        facts = spent(self.job.state)
        self.steps, self.samples, self.minutes = int(facts["steps"]), int(facts["samples"]), facts["minutes"]
        self.meetings, self.mean = int(facts["meetings"]), facts["loss"]
        for prefix, model in (("model.", self.task.model), ("ema.", self.ema)):
            weights = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
            model.load_state_dict(weights)
        for number, optimizer in enumerate(self.optimizers):
            whole = optimizer.state_dict()
            for name, tensor in tensors.items():
                kind, *rest = name.split(".")
                if kind == "optim" and int(rest[0]) == number:
                    whole["state"].setdefault(int(rest[1]), {})[rest[2]] = tensor
            optimizer.load_state_dict(whole)
