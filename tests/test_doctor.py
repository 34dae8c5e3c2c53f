from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from studio.doctor import MISSING, OK, WRONG, Finding, findings, has_kernels
from studio.hardware import NO_COMPILER, NO_TRITON, PACKAGES, Hardware

ALL = dict.fromkeys((*PACKAGES, "python"), "1.0")
CARD = Hardware(
    device="cuda",
    name="NVIDIA RTX 4090",
    memory=24 << 30,
    bf16=True,
    fp16=True,
    probes={"xformers": "", "bitsandbytes": "", "int8": "", "nf4": "", "compiler": ""},
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


@pytest.mark.parametrize(
    ("probes", "version", "verdicts", "typed"),
    [
        ({}, "0.50", (OK, OK, OK), ""),
        (dict.fromkeys(("int8", "nf4"), "it is not installed."), "", (MISSING, MISSING, OK), "bitsandbytes"),
        ({"nf4": "its nf4 does not run (OSError)."}, "0.50", (OK, WRONG, OK), "bitsandbytes"),
        ({"compiler": NO_TRITON}, "0.50", (OK, OK, MISSING), "--reinstall"),
        ({"compiler": NO_COMPILER}, "0.50", (OK, OK, MISSING), "install gcc"),
        ({"compiler": "Triton is installed but does not load (OSError)."}, "0.50", (OK, OK, WRONG), "--reinstall"),
    ],
)
def test_few_bits_and_the_compiler_say_what_to_type(
    probes: dict[str, str], version: str, verdicts: tuple[str, ...], typed: str
) -> None:
    card = dataclasses.replace(CARD, probes={**CARD.probes, **probes}, versions={**ALL, "bitsandbytes": version})
    found = [rows(card)[part] for part in ("int8", "nf4", "torch.compile")]
    assert tuple(row.verdict for row in found) == verdicts
    for row in found:
        assert row.verdict == OK or (row.optional and typed in row.advice.partition(" type: ")[2])


def test_a_cpu_is_not_told_to_want_xformers() -> None:
    found = rows(Hardware(probes={"xformers": "it runs on CUDA cards only.", "bitsandbytes": ""}, versions=ALL))
    assert found["xformers"].verdict == found["torch.compile"].verdict == OK and found["precision"].advice == ""


@pytest.mark.parametrize(
    ("capability", "arches", "runs"),
    [
        ((8, 6), ("sm_80",), True),
        ((8, 0), ("sm_86",), False),
        ((9, 0), ("sm_80", "sm_86"), False),
        ((9, 0), ("sm_80", "compute_80"), True),
        ((6, 1), ("sm_75", "sm_80", "compute_90"), False),
        ((12, 0), ("sm_120",), True),
        ((12, 0), ("sm_90", "sm_100"), False),
        ((9, 0), ("sm_90a",), True),
        ((10, 0), ("compute_90a",), False),  # for that card alone
        ((8, 6), (), False),
    ],
)
def test_a_card_needs_kernels_of_its_own_kind(capability: tuple[int, int], arches: tuple[str, ...], runs: bool) -> None:
    assert has_kernels(capability, arches) == runs


def test_driver_kernels_and_memory_of_a_card() -> None:
    card = dataclasses.replace(CARD, capability=(8, 9), arches=("sm_80", "sm_90"), driver="12.8", free=20 << 30)
    found = rows(card)
    assert {row.verdict for part, row in found.items() if part != "disk"} == {OK}
    assert "12.8" in found["driver"].found and "sm_89" in found["kernels"].found
    assert "20.0 of 24.0 GB" in found["memory"].found
    full = rows(dataclasses.replace(card, free=2 << 30))["memory"]
    assert full.verdict == WRONG and "Close other programs" in full.advice
    assert "kernels" not in rows(dataclasses.replace(card, arches=("gfx1100",)))


def test_a_card_that_this_pytorch_cannot_use_is_wrong_and_says_what_to_type() -> None:
    old = Hardware(
        probes={"xformers": "no.", "bitsandbytes": "", "card": "this PyTorch cannot compute on NVIDIA GTX 1080."},
        versions=ALL,
        capability=(6, 1),
        arches=("sm_75", "sm_80"),
    )
    found = rows(old)
    assert found["device"].verdict == WRONG and "GTX 1080" in found["device"].advice
    assert found["kernels"].verdict == WRONG and "--torch-index" in found["kernels"].advice


def test_a_folder_that_is_not_there_yet_is_judged_by_its_disk(tmp_path: Path) -> None:
    assert next(row for row in findings(CARD, tmp_path / "not" / "there") if row.part == "disk").found.endswith("free")


def test_the_page_shows_the_same_findings() -> None:
    from studio.ui.tabs.system import examine

    broken = dataclasses.replace(
        CARD, bf16=False, probes={"xformers": "", "bitsandbytes": "it is not installed."}, versions={**ALL, "peft": ""}
    )
    for lang in ("en", "zh"):
        lines = examine(broken, Path(__file__).parent, lang)
        assert len(lines) == len(findings(broken, Path(__file__).parent))
        shown = {part: (verdict, means) for verdict, part, _, means in lines}
        typed = {"en": "Type: ", "zh": "输入："}[lang]
        assert shown["peft"] == ("err", f"{typed}`python launch.py --reinstall`")
        assert shown["bitsandbytes"][0] == "plain" and "`" in shown["bitsandbytes"][1]
        assert "warn" in {
            verdict for verdict, _, _, means in lines if {"en": "loss scaler", "zh": "损失缩放"}[lang] in means
        }
