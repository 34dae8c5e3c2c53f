from __future__ import annotations

import dataclasses
from pathlib import Path

from studio.doctor import MISSING, OK, WRONG, Finding, findings
from studio.hardware import PACKAGES, Hardware

ALL = dict.fromkeys((*PACKAGES, "python"), "1.0")
CARD = Hardware(
    device="cuda",
    name="NVIDIA RTX 4090",
    memory=24 << 30,
    bf16=True,
    fp16=True,
    probes={"xformers": "", "bitsandbytes": ""},
    versions=ALL,
)


def rows(hw: Hardware) -> dict[str, Finding]:
    return {found.part: found for found in findings(hw, Path(__file__).parent)}


def test_a_good_machine_has_nothing_to_mend() -> None:
    found = rows(CARD)
    assert {row.verdict for part, row in found.items() if part != "disk"} == {OK}
    assert "bfloat16" in found["precision"].found and "24.0 GB" in found["device"].found


def test_what_is_missing_says_what_to_type_and_what_is_broken_says_so() -> None:
    trouble = "it is not installed; `pip install --no-deps bitsandbytes` adds it."
    found = rows(
        dataclasses.replace(
            CARD,
            bf16=False,
            probes={"xformers": "it is installed but its kernels do not run.", "bitsandbytes": trouble},
            versions={**ALL, "bitsandbytes": "", "peft": ""},
        )
    )
    assert found["bitsandbytes"].verdict == MISSING and "pip install" in found["bitsandbytes"].found
    assert found["xformers"].verdict == WRONG and "kernels" in found["xformers"].found
    assert found["peft"].verdict == MISSING and "launch.py" in found["peft"].advice
    assert "fp16 with a loss scaler" in found["precision"].advice


def test_a_cpu_is_not_told_to_want_xformers() -> None:
    found = rows(Hardware(probes={"xformers": "it runs on CUDA cards only.", "bitsandbytes": ""}, versions=ALL))
    assert found["xformers"].verdict == OK and found["precision"].advice == ""
