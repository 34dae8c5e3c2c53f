"""The only file that turns what a machine is into verdicts: what works, what is missing, and what to type."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.hardware import BITS, COMPILED, NO_COMPILER, NO_TRITON, Hardware, MachineSpec, decide
from studio.pins import ROOT, STUDIO

OK, MISSING, WRONG = "OK", "missing", "wrong"
ROOM = 10 * 2**30  # bytes of free disk under which a full model may not fit
FREE_SHARE = 0.5  # of a device's memory; less means that something else holds it


@dataclass(frozen=True)
class Finding:
    """One row: the ``verdict`` (OK, missing, wrong), the ``part``, what was ``found``, and ``advice`` if any.

    A part that is ``optional`` may be missing: something slower or larger takes its place. An OK with advice is a
    limit that nobody can type away.
    """

    verdict: str
    part: str
    found: str
    advice: str = ""
    optional: bool = False


def findings(hw: Hardware, folder: Path | None = None) -> list[Finding]:
    """Everything worth knowing about ``hw`` and the disk that holds ``folder``."""
    torch = hw.versions.get("torch", "")
    rows = [Finding(OK, "Python", hw.versions.get("python", ""))]
    rows.append(Finding(OK, "PyTorch", torch) if torch else Finding(MISSING, "PyTorch", "not installed", INSTALL))
    rows += [_device(hw), *_card(hw), *_memory(hw), _precision(hw), _attention(hw)]
    rows.append(_optional(hw, "xformers", "PyTorch's own attention is used instead; nothing is lost but some speed."))
    rows.append(_optional(hw, "bitsandbytes", "8-bit optimizers fall back to plain ones, which need more memory."))
    rows += [_few_bits(hw, kind) for kind in BITS]
    rows.append(_compiler(hw))
    for name in ("diffusers", "transformers", "peft", "accelerate", "gradio"):
        version = hw.versions.get(name, "")
        rows.append(Finding(OK, name, version) if version else Finding(MISSING, name, "not installed", INSTALL))
    free = shutil.disk_usage(_existing(folder or Path(__file__))).free
    text = f"{free / 2**30:.0f} GB free"
    rows.append(
        Finding(OK, "disk", text) if free > ROOM else Finding(WRONG, "disk", text, "Free some space before a long run.")
    )
    return rows


REINSTALL = "python launch.py --reinstall"
INSTALL = f"Type: {REINSTALL}"
OTHER_TORCH = f"{INSTALL} --torch-index URL (see --help), with a PyTorch that has its kernels."


def _existing(place: Path) -> Path:
    return next(near for near in (place, *place.absolute().parents) if near.exists())


def _device(hw: Hardware) -> Finding:
    memory = f", {hw.memory / 2**30:.1f} GB" if hw.memory else ""
    text = f"{hw.name} ({hw.device}{memory}, {hw.cores} cores, {hw.ram / 2**30:.0f} GB RAM)"
    if hw.device != "cpu":
        return Finding(OK, "device", text)
    if hw.probes.get("card"):
        return Finding(WRONG, "device", text, f"The graphics card is not used: {hw.probes['card']}")
    return Finding(OK, "device", text, "No graphics card was found; the embedded model trains here.")


def has_kernels(capability: tuple[int, int], arches: Sequence[str]) -> bool:
    """Whether a PyTorch built for ``arches`` (sm_86, compute_90) runs on a CUDA card of ``capability``.

    Kernels run on their own and later minor versions of one major version; `compute` is compiled for any later card
    (NVIDIA, CUDA C++ Programming Guide, binary and PTX compatibility).
    """
    for arch in arches:
        kind, _, digits = arch.partition("_")
        number = digits.rstrip("af")
        if not number.isdigit():
            continue
        built = int(number[:-1]), int(number[-1])
        if kind == "compute" and built <= capability and digits == number:
            return True
        if kind == "sm" and built[0] == capability[0] and built[1] <= capability[1]:
            return True
    return False


def _card(hw: Hardware) -> list[Finding]:
    """The driver and this PyTorch's kernels; nothing where there is no such card, and ROCm names kernels otherwise."""
    if hw.capability is None:
        return []
    rows = [Finding(OK, "driver", f"runs CUDA up to {hw.driver}")] if hw.driver else []
    if not any(arch.startswith("sm_") for arch in hw.arches):
        return rows
    major, minor = hw.capability
    built = f"for {', '.join(hw.arches)}; the card is sm_{major}{minor}"
    fits = has_kernels(hw.capability, hw.arches)
    return [*rows, Finding(OK, "kernels", built) if fits else Finding(WRONG, "kernels", built, OTHER_TORCH)]


def _memory(hw: Hardware) -> list[Finding]:
    if not hw.memory or not hw.free:
        return []
    text = f"{hw.free / 2**30:.1f} of {hw.memory / 2**30:.1f} GB free"
    if hw.free >= FREE_SHARE * hw.memory:
        return [Finding(OK, "memory", text)]
    return [Finding(WRONG, "memory", text, "Close other programs that hold it before a run.")]


def _precision(hw: Hardware) -> Finding:
    formats = ["float32"] + ["float16"] * hw.fp16 + ["bfloat16"] * hw.bf16
    advice = "" if hw.bf16 or hw.device == "cpu" else "Runs that ask for bf16 use fp16 with a loss scaler, and say so."
    return Finding(OK, "precision", ", ".join(formats), advice)


def _attention(hw: Hardware) -> Finding:
    plan = decide(hw, MachineSpec(), "adamw")
    return Finding(OK, "attention", next(choice.reason for choice in plan.choices if choice.what == "attention"))


def _optional(hw: Hardware, name: str, consequence: str) -> Finding:
    trouble = hw.probes.get(name, "it was not probed.")
    if not trouble:
        return Finding(OK, name, hw.versions.get(name, "") + ", answered a real call")
    if name == "xformers" and hw.device != "cuda":
        return Finding(OK, name, "not needed here: it runs on CUDA cards only")
    verdict = WRONG if hw.versions.get(name) else MISSING
    return Finding(verdict, name, trouble, f"{consequence} To add it, type: {_command(name)}", optional=True)


def _few_bits(hw: Hardware, kind: str) -> Finding:
    """The base held in 8 or 4 bits, which bitsandbytes packs."""
    trouble = hw.probes.get(kind, "it was not probed.")
    if not trouble:
        return Finding(OK, kind, f"{BITS[kind]} bits, answered a real call")
    verdict = WRONG if hw.versions.get("bitsandbytes") else MISSING
    consequence = f"With machine.quantize = {kind} the base keeps its full width."
    return Finding(verdict, kind, trouble, f"{consequence} To add it, type: {_command('bitsandbytes')}", optional=True)


def _compiler(hw: Hardware) -> Finding:
    """What torch.compile needs beside PyTorch."""
    if hw.device not in COMPILED:
        return Finding(OK, "torch.compile", "not needed here: it pays on graphics cards only")
    trouble = hw.probes.get("compiler", "it was not probed.")
    if not trouble:
        return Finding(OK, "torch.compile", "Triton and a C compiler are there")
    no_compiler = trouble == NO_COMPILER
    typed = "sudo apt-get -y install gcc" if no_compiler else _triton()
    verdict = MISSING if no_compiler or trouble == NO_TRITON else WRONG
    advice = f"With machine.compile = true nothing is compiled. To add it, type: {typed}"
    return Finding(verdict, "torch.compile", trouble, advice, optional=True)


def _triton() -> str:
    """What brings Triton: PyTorch itself, but for Windows, where another project builds it."""
    return f"{sys.executable} -m pip install --no-deps triton-windows" if sys.platform == "win32" else REINSTALL


def _command(name: str) -> str:
    """What installs the tested version of ``name`` alone, so that it cannot move torch."""
    pin = next((str(pin) for pin in STUDIO.pins(ROOT) if pin.name == name), name)
    return f"{sys.executable} -m pip install --no-deps {pin}"
