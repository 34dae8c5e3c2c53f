"""The only file that turns what a machine is into verdicts: what works, what is missing, and what to type."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from studio.hardware import Hardware
from studio.pins import ROOT, STUDIO

OK, MISSING, WRONG = "OK", "missing", "wrong"
ROOM = 10 * 2**30  # bytes of free disk under which a full model may not fit


@dataclass(frozen=True)
class Finding:
    """One row: the ``verdict`` (OK, missing, wrong), the ``part``, what was ``found``, and ``advice`` if any."""

    verdict: str
    part: str
    found: str
    advice: str = ""


def findings(hw: Hardware, folder: Path | None = None) -> list[Finding]:
    """Everything worth knowing about ``hw`` and the disk that holds ``folder``."""
    rows = [Finding(OK, "Python", hw.versions.get("python", ""))]
    for name in ("torch", "diffusers", "transformers", "peft", "accelerate", "gradio"):
        version = hw.versions.get(name, "")
        rows.append(Finding(OK, name, version) if version else Finding(MISSING, name, "not installed", INSTALL))
    memory = f", {hw.memory / 2**30:.1f} GB" if hw.memory else ""
    rows.append(
        Finding(OK, "device", f"{hw.name} ({hw.device}{memory}, {hw.cores} cores, {hw.ram / 2**30:.0f} GB RAM)")
    )
    rows.append(_precision(hw))
    rows.append(_optional(hw, "xformers", "PyTorch's own attention is used instead; nothing is lost but some speed."))
    rows.append(_optional(hw, "bitsandbytes", "8-bit optimizers fall back to plain ones, which need more memory."))
    free = shutil.disk_usage(folder or Path(__file__).parent).free
    text = f"{free / 2**30:.0f} GB free"
    rows.append(
        Finding(OK, "disk", text) if free > ROOM else Finding(WRONG, "disk", text, "Free some space before a long run.")
    )
    return rows


INSTALL = "Run `python launch.py --reinstall`."


def _precision(hw: Hardware) -> Finding:
    formats = ["float32"] + ["float16"] * hw.fp16 + ["bfloat16"] * hw.bf16
    advice = "" if hw.bf16 or hw.device == "cpu" else "Runs that ask for bf16 use fp16 with a loss scaler, and say so."
    return Finding(OK, "precision", ", ".join(formats), advice)


def _optional(hw: Hardware, name: str, consequence: str) -> Finding:
    trouble = hw.probes.get(name, "it was not probed.")
    if not trouble:
        return Finding(OK, name, hw.versions.get(name, "") + ", answered a real call")
    if name == "xformers" and hw.device != "cuda":
        return Finding(OK, name, "not needed here: it runs on CUDA cards only")
    verdict = WRONG if hw.versions.get(name) else MISSING
    return Finding(verdict, name, trouble, f"{consequence} To add it, type: {_command(name)}")


def _command(name: str) -> str:
    """What installs the tested version of ``name`` alone, so that it cannot move torch."""
    pin = next((str(pin) for pin in STUDIO.pins(ROOT) if pin.name == name), name)
    return f"{sys.executable} -m pip install --no-deps {pin}"
