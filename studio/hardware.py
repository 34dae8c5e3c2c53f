"""The only file that asks the machine what it can do and how much memory it has; plan.py decides by it."""

import contextlib
import ctypes
import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import psutil

from studio.plan import BITS, EIGHT_BIT, Choice, Hardware, MachineSpec, Plan, Precision, decide

__all__ = [
    "BITS", "EIGHT_BIT", "PACKAGES", "Choice", "Hardware", "MachineSpec", "Plan", "Precision", "decide", "energy_spent",
    "memory_free", "memory_peak", "probe", "release_memory", "reset_memory_peak",
]  # fmt: skip
COMPILED = ("cuda", "xpu")  # devices for which torch.compile's code is worth its start
NO_TRITON = "Triton is not installed."
NO_COMPILER = "there is no C compiler; install gcc."
PACKAGES = ("torch", "diffusers", "transformers", "peft", "accelerate", "bitsandbytes", "xformers", "gradio")


def probe() -> Hardware:
    """Look at the machine by real calls; never raises for a feature that is missing or broken."""
    import torch

    base: dict[str, Any] = {
        "ram": psutil.virtual_memory().total,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "versions": {name: _version(name) for name in PACKAGES} | {"python": platform.python_version()},
    }
    base["probes"] = {}
    if torch.cuda.is_available():
        base |= _cuda_card()
    elif torch.backends.mps.is_available():
        base |= {"device": "mps", "name": "Apple GPU", "memory": base["ram"], "bf16": _runs("mps"), "fp16": True}
        base["free"] = psutil.virtual_memory().available
    elif hasattr(torch, "xpu") and torch.xpu.is_available():
        base |= {"device": "xpu", "name": torch.xpu.get_device_name(0), "bf16": _runs("xpu"), "fp16": True}
        base |= {"memory": torch.xpu.get_device_properties(0).total_memory, "free": memory_free("xpu")[0]}
    if base.get("device", "cpu") == "cpu":
        base |= {"name": _cpu_name(), "memory": base["ram"], "bf16": _cpu_has_bf16()}
        base["free"] = psutil.virtual_memory().available
    device = base.get("device", "cpu")
    probes = base.pop("probes") | {"xformers": _probe_xformers(device), "bitsandbytes": _probe_bitsandbytes(device)}
    probes |= {kind: probes["bitsandbytes"] or _probe_quantized(kind, device) for kind in BITS}
    probes["compiler"] = _probe_compiler(device)
    return Hardware(**base, probes=probes)


def _cuda_card() -> dict[str, Any]:
    """What CUDA or ROCm says of the card in use, if a real call on it succeeds; else why it is not used."""
    import torch

    index = torch.cuda.current_device()
    found: dict[str, Any] = {"arches": tuple(torch.cuda.get_arch_list()), "driver": _driver()}
    found["capability"] = torch.cuda.get_device_capability(index)
    name = torch.cuda.get_device_name(index)
    if not _runs("cuda", torch.float32):
        trouble = f"this PyTorch cannot compute on {name}, which needs {kernels_for(found['capability'])}."
        return {**found, "probes": {"card": trouble}}
    return found | {
        "device": "cuda",
        "name": name,
        "memory": torch.cuda.get_device_properties(index).total_memory,
        "free": memory_free("cuda")[0],
        "bf16": torch.cuda.is_bf16_supported(including_emulation=False) and amd_has_bf16(_amd_arch(index)),
        "fp16": True,
    }


def _amd_arch(index: int) -> str:
    """What ROCm calls the card, such as gfx1030 or gfx90a:sramecc+:xnack-; "" for a card of another maker."""
    import torch

    return str(torch.cuda.get_device_properties(index).gcnArchName) if torch.version.hip else ""


def amd_has_bf16(arch: str) -> bool:
    """Whether the AMD card ``arch`` computes in bfloat16; "" is none, and True. PyTorch says so of all of them.

    From MI100 (gfx908), MI200 (gfx90a), MI300 (gfx94) and RDNA 3 (gfx11) on. On Vega and RDNA 1 and 2 it is emulated,
    or ends the process where a kernel is compiled for it (AMD's table of hardware features; OpenXLA's
    `has_bf16_dtype_support`).
    """
    number = arch.partition(":")[0].removeprefix("gfx")
    if not number:
        return True
    major, minor = number[:-2], number[-2:]
    if major == "9":
        return minor in ("08", "0a") or minor >= "40"
    return major.isdigit() and int(major) > 10


def kernels_for(capability: tuple[int, int]) -> str:
    """The name of a card's kernels in PyTorch's list, such as sm_86."""
    return f"sm_{capability[0]}{capability[1]}"


def _driver() -> str:
    """The newest CUDA that the driver runs, such as 12.8; "" where it does not say."""
    import torch

    try:
        number = int(torch._C._cuda_getDriverVersion())
    except (AttributeError, RuntimeError):  # ROCm, or a driver that cannot be asked
        return ""
    return f"{number // 1000}.{number % 1000 // 10}"


def memory_free(device: str) -> tuple[int, int]:
    """Bytes that ``device`` has free now, and has in all, whoever holds the rest."""
    import torch

    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        return int(free), int(total)
    if device == "xpu":
        total = torch.xpu.get_device_properties(0).total_memory
        return int(total - torch.xpu.memory_reserved()), int(total)
    memory = psutil.virtual_memory()  # a Mac's graphics share it
    return int(memory.available), int(memory.total)


def energy_spent() -> float | None:
    """Joules that the card in use has spent since its driver was loaded; None where it does not tell."""
    import torch

    if not torch.cuda.is_available():
        return None
    try:
        import pynvml  # of the package nvidia-ml-py

        pynvml.nvmlInit()
        identity = f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(pynvml.nvmlDeviceGetHandleByUUID(identity))) / 1000
    except Exception:  # no package, no driver, a card before Volta, or AMD's: then nothing is told
        return None


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


def release_memory(device: str) -> None:
    """Give back what the allocator of ``device`` holds unused."""
    import gc

    import torch

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
    elif device == "xpu":
        torch.xpu.empty_cache()
    elif sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def reset_memory_peak(device: str) -> None:
    """Begin a new measurement, for a run shall not be charged with what the one before it left behind."""
    import torch

    release_memory(device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif device == "xpu":
        torch.xpu.reset_peak_memory_stats()
    elif sys.platform == "linux":
        with contextlib.suppress(OSError):
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


def _runs(device: str, dtype: Any = None) -> bool:
    """Whether ``device`` really computes in ``dtype`` (bfloat16)."""
    import torch

    try:
        one = torch.ones(2, 2, dtype=dtype or torch.bfloat16, device=device)
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


def _probe_bitsandbytes(device: str) -> str:
    import importlib.util

    if importlib.util.find_spec("bitsandbytes") is None:
        return "it is not installed."
    try:
        import torch
        from bitsandbytes.optim import AdamW8bit

        weight = torch.nn.Parameter(torch.ones(4096, device=device))
        optimizer = AdamW8bit([weight], lr=1e-2)
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        return "" if bool((weight < 1).all()) else "it is installed but its optimizer step does nothing."
    except Exception as error:  # a foreign binary may fail in any way, and no failure may end the start
        return f"it is installed but does not run ({type(error).__name__})."


def _probe_quantized(kind: str, device: str) -> str:
    """Pack a matrix on ``device`` as ``kind`` and unpack it again."""
    try:
        import torch
        from bitsandbytes import functional as packed

        plain = torch.linspace(-1, 1, 64 * 64, dtype=torch.float16, device=device).view(64, 64)
        if kind == "int8":
            codes, scales, _ = packed.int8_vectorwise_quant(plain)
            again = packed.int8_vectorwise_dequant(codes, scales)
        else:
            codes, state = packed.quantize_4bit(plain, quant_type=kind)
            again = packed.dequantize_4bit(codes, state)
        return "" if float((again - plain).abs().max()) < 0.2 else f"its {kind} does not give back what was put in."
    except Exception as error:  # a foreign binary may fail in any way, and no failure may end the start
        return f"its {kind} does not run ({type(error).__name__})."


def _probe_compiler(device: str) -> str:
    """What torch.compile's code for cards is made with: Triton, and a C compiler, which on Windows Triton brings."""
    import importlib

    if device not in COMPILED:
        return "it pays on graphics cards only."
    try:
        importlib.import_module("triton")
    except ModuleNotFoundError:
        return NO_TRITON
    except Exception as error:  # a foreign binary may fail in any way, and no failure may end the start
        return f"Triton is installed but does not load ({type(error).__name__})."
    compilers = (os.environ.get("CC", ""), "cc", "gcc", "clang")
    if os.name == "posix" and not any(name and shutil.which(name) for name in compilers):
        return NO_COMPILER
    return ""
