"""The only file that asks the machine what it can do, and decides how a run uses it, each decision with its reason."""

import contextlib
import ctypes
import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil

from studio.section import Section

Precision = Literal["fp32", "fp16", "bf16"]
EIGHT_BIT = ("adamw8bit", "paged-adamw8bit", "lion8bit")
PACKAGES = ("torch", "diffusers", "transformers", "peft", "accelerate", "bitsandbytes", "xformers", "gradio")
NAMES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


class MachineSpec(Section):
    """How the run uses this machine."""

    device: Literal["auto", "cuda", "mps", "xpu", "cpu"] = "auto"
    """Where to train; auto takes the graphics card if there is one."""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """Number format of the frozen model and the arithmetic; what learns is always fp32. Falls back bf16, fp16, fp32."""
    save_precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """Number format of the exported files; auto is fp16, which every program reads."""
    attention: Literal["auto", "xformers", "sdpa"] = "auto"
    """Attention kernels: xformers where it is installed and really runs, else PyTorch's own."""
    gradient_checkpointing: bool = False
    """Compute activations twice instead of keeping them: about a third slower, much less memory."""


@dataclass(frozen=True)
class Hardware:
    """What the machine is. ``memory`` and ``ram`` are bytes; ``probes`` maps a feature to "" (works) or why not."""

    device: str = "cpu"
    name: str = "CPU"
    memory: int = 0
    ram: int = 0
    cores: int = 1
    capability: tuple[int, int] | None = None
    bf16: bool = False
    fp16: bool = False
    probes: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """One decision: ``what`` was decided, the ``choice``, and the ``reason`` in one sentence."""

    what: str
    choice: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """How a run will use the machine; every deviation from the wish has its sentence in ``choices``."""

    device: str
    compute: Precision
    save: Precision
    scaler: bool
    attention: Literal["xformers", "sdpa"]
    optimizer: str
    gradient_checkpointing: bool
    choices: tuple[Choice, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for ``plan.json``."""
        return asdict(self)


def probe() -> Hardware:
    """Look at the machine by real calls; never raises for a feature that is missing or broken."""
    import torch

    base: dict[str, Any] = {
        "ram": psutil.virtual_memory().total,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "versions": {name: _version(name) for name in PACKAGES} | {"python": platform.python_version()},
    }
    if torch.cuda.is_available():
        index = torch.cuda.current_device()
        base |= {
            "device": "cuda",
            "name": torch.cuda.get_device_name(index),
            "memory": torch.cuda.get_device_properties(index).total_memory,
            "capability": torch.cuda.get_device_capability(index),
            "bf16": torch.cuda.is_bf16_supported(including_emulation=False),
            "fp16": True,
        }
    elif torch.backends.mps.is_available():
        base |= {"device": "mps", "name": "Apple GPU", "memory": base["ram"], "bf16": _runs_bf16("mps"), "fp16": True}
    elif hasattr(torch, "xpu") and torch.xpu.is_available():
        base |= {"device": "xpu", "name": torch.xpu.get_device_name(0), "bf16": True, "fp16": True}
        base["memory"] = torch.xpu.get_device_properties(0).total_memory
    else:
        base |= {"name": _cpu_name(), "memory": base["ram"], "bf16": _cpu_has_bf16()}
    probes = {"xformers": _probe_xformers(base.get("device", "cpu")), "bitsandbytes": _probe_bitsandbytes()}
    return Hardware(**base, probes=probes)


def decide(hw: Hardware, wish: MachineSpec, optimizer: str) -> Plan:
    """Turn wishes into a plan that this machine can keep. Pure: the same arguments give the same plan."""
    choices: list[Choice] = []
    device = hw.device if wish.device == "auto" else wish.device
    if device not in (hw.device, "cpu"):
        choices.append(
            Choice("device", hw.device, f"{device} was asked for, but this machine has none; using {hw.name}.")
        )
        device = hw.device
    on_cpu = device == "cpu"
    compute = _precision(hw, wish.precision, on_cpu, choices)
    save = _save_precision(hw, wish.save_precision, choices)
    attention = _attention(hw, wish.attention, on_cpu, choices)
    trouble = hw.probes.get("bitsandbytes", "it was not probed.")
    if optimizer in EIGHT_BIT and trouble:
        plain = "lion" if optimizer.startswith("lion") else "adamw"
        choices.append(Choice("optimizer", plain, f"{optimizer} needs bitsandbytes: {trouble} Using {plain}."))
        optimizer = plain
    scaler = compute == "fp16" and not on_cpu
    return Plan(device, compute, save, scaler, attention, optimizer, wish.gradient_checkpointing, tuple(choices))


def _precision(hw: Hardware, wish: str, on_cpu: bool, choices: list[Choice]) -> Precision:
    bf16 = hw.bf16 and (hw.device == "cpu") == on_cpu
    fp16 = hw.fp16 and not on_cpu
    where = "this processor" if on_cpu and hw.device != "cpu" else hw.name
    if wish == "auto":
        best: Precision = "fp32" if on_cpu else "bf16" if bf16 else "fp16" if fp16 else "fp32"
        why = "is exact and no slower at this size" if on_cpu else "is the fastest format that it computes in"
        choices.append(Choice("precision", best, f"{NAMES[best]} chosen for {where}: it {why}."))
        return best
    if wish == "bf16" and not bf16:
        fallback: Precision = "fp16" if fp16 else "fp32"
        more = " with a loss scaler" if fallback == "fp16" else ""
        choices.append(
            Choice("precision", fallback, f"{_begin(where)} has no bfloat16; using {NAMES[fallback]}{more}.")
        )
        return fallback
    if wish == "fp16" and not fp16:
        choices.append(Choice("precision", "fp32", f"{_begin(where)} does not train in float16; using float32."))
        return "fp32"
    choices.append(Choice("precision", wish, f"{NAMES[wish]} as asked for; {where} computes in it."))
    return wish  # type: ignore[return-value]


def _begin(text: str) -> str:
    return text[0].upper() + text[1:]


def _save_precision(hw: Hardware, wish: str, choices: list[Choice]) -> Precision:
    if wish == "auto":
        choices.append(Choice("save_precision", "fp16", "Files are saved in float16, which every program reads."))
        return "fp16"
    if wish == "bf16" and not hw.bf16:
        text = f"{hw.name} has no bfloat16, so it could not use such a file itself; saving in float16."
        choices.append(Choice("save_precision", "fp16", text))
        return "fp16"
    return wish  # type: ignore[return-value]


def _attention(hw: Hardware, wish: str, on_cpu: bool, choices: list[Choice]) -> Literal["xformers", "sdpa"]:
    broken = "it runs on CUDA cards only." if on_cpu else hw.probes.get("xformers", "it was not probed.")
    if wish == "sdpa":
        return "sdpa"
    if wish == "auto" and broken:
        reason = f"PyTorch's own attention; xformers is not usable here: {broken}"
        choices.append(Choice("attention", "sdpa", reason))
        return "sdpa"
    if broken:
        choices.append(
            Choice("attention", "sdpa", f"xformers was asked for, but {broken} Using PyTorch's own attention.")
        )
        return "sdpa"
    choices.append(Choice("attention", "xformers", "xformers answered a real call on this card."))
    return "xformers"


def memory_peak(device: str) -> int:
    """Peak bytes held on ``device`` by this process since the last reset (the resident set on a CPU)."""
    import torch

    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    if device == "mps":
        return torch.mps.driver_allocated_memory()
    if device == "xpu":
        return torch.xpu.max_memory_allocated()
    try:  # Linux keeps the high-water mark of the resident set
        with open("/proc/self/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return psutil.Process().memory_info().rss


def reset_memory_peak(device: str) -> None:
    """Begin a new measurement and give back what the allocator holds unused."""
    import gc

    import torch

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    elif device == "mps":
        torch.mps.empty_cache()
    elif device == "xpu":
        torch.xpu.empty_cache()
        torch.xpu.reset_peak_memory_stats()
    elif sys.platform == "linux":  # else a run would be charged with what the one before it left behind
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "CPU"


def _cpu_has_bf16() -> bool:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return "avx512_bf16" in file.read()
    except OSError:
        return platform.machine() == "arm64"


def _runs_bf16(device: str) -> bool:
    import torch

    try:
        one = torch.ones(2, 2, dtype=torch.bfloat16, device=device)
        return bool((one @ one).float().sum().item() == 8)
    except (RuntimeError, TypeError):
        return False


def _probe_xformers(device: str) -> str:
    """Make one real call: a wheel built for another CUDA imports with a mere warning."""
    import importlib.util

    import torch

    if device != "cuda":
        return "it runs on CUDA cards only."
    if importlib.util.find_spec("xformers") is None:
        return "it is not installed."
    try:
        from xformers.ops import memory_efficient_attention

        q = torch.ones(1, 8, 2, 40, dtype=torch.float16, device=device)
        memory_efficient_attention(q, q, q)
    except Exception as error:  # a foreign binary may fail in any way, and no failure may end the start
        return f"it is installed but its kernels do not run ({type(error).__name__})."
    return ""


def _probe_bitsandbytes() -> str:
    import importlib.util

    if importlib.util.find_spec("bitsandbytes") is None:
        return "it is not installed."
    try:
        import torch
        from bitsandbytes.optim import AdamW8bit

        weight = torch.nn.Parameter(torch.ones(4096, device="cuda" if torch.cuda.is_available() else "cpu"))
        optimizer = AdamW8bit([weight], lr=1e-2)
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        return "" if bool((weight < 1).all()) else "it is installed but its optimizer step does nothing."
    except Exception as error:  # a foreign binary may fail in any way, and no failure may end the start
        return f"it is installed but does not run ({type(error).__name__})."
