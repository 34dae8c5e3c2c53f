from __future__ import annotations

import dataclasses
import itertools
import types
from typing import Any

import pytest
import torch

from studio import hardware
from studio.hardware import EIGHT_BIT, Hardware, MachineSpec, Plan, decide, probe

WORKS = {"xformers": "", "bitsandbytes": "", "int8": "", "nf4": "", "compiler": ""}
CUDA_ONLY = {"xformers": "it runs on CUDA cards only.", "bitsandbytes": "it is not installed."}


def card(name: str, capability: tuple[int, int], bf16: bool) -> Hardware:
    return Hardware(device="cuda", name=name, memory=8 << 30, capability=capability, bf16=bf16, fp16=True, probes=WORKS)


MACHINES = {
    "pascal": card("NVIDIA GTX 1080", (6, 1), bf16=False),
    "volta": card("NVIDIA V100", (7, 0), bf16=False),
    "turing": card("NVIDIA RTX 2080", (7, 5), bf16=False),
    "ampere-80": card("NVIDIA A100", (8, 0), bf16=True),
    "ampere-86": card("NVIDIA RTX 3060", (8, 6), bf16=True),
    "ada": card("NVIDIA RTX 4090", (8, 9), bf16=True),
    "hopper": card("NVIDIA H100", (9, 0), bf16=True),
    "blackwell": card("NVIDIA RTX 5090", (12, 0), bf16=True),
    "rocm": card("AMD Radeon RX 7900", (11, 0), bf16=True),
    "mps-old": Hardware(device="mps", name="Apple GPU", bf16=False, fp16=True, probes=CUDA_ONLY),
    "mps": Hardware(device="mps", name="Apple GPU", bf16=True, fp16=True, probes=CUDA_ONLY),
    "xpu": Hardware(device="xpu", name="Intel Arc", bf16=True, fp16=True, probes=CUDA_ONLY),
    "cpu": Hardware(name="an old CPU", probes=CUDA_ONLY),
    "cpu-bf16": Hardware(name="a new CPU", bf16=True, probes=CUDA_ONLY),
}
FORMATS = ("auto", "bf16", "fp16", "fp32")


def reasons(plan: Plan, what: str) -> list[str]:
    return [choice.reason for choice in plan.choices if choice.what == what]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("wish", FORMATS)
def test_precision(machine: str, wish: str) -> None:
    hw = MACHINES[machine]
    cpu = hw.device == "cpu"
    plan = decide(hw, MachineSpec(precision=wish), "adamw")  # type: ignore[arg-type]
    ladder = {"auto": ["fp32"] if cpu else ["bf16", "fp16"], "bf16": ["bf16", "fp16"], "fp16": ["fp16"], "fp32": []}
    able = {"bf16": hw.bf16, "fp16": hw.fp16, "fp32": True}
    assert plan.compute == next(rung for rung in [*ladder[wish], "fp32"] if able[rung])
    assert plan.scaler == (plan.compute == "fp16")
    (said,) = reasons(plan, "precision")
    assert said.endswith(".")
    if wish != plan.compute and wish != "auto":
        assert {"fp16": "float16", "fp32": "float32"}[plan.compute] in said
        assert "has no bfloat16" in said if wish == "bf16" else "does not train in float16" in said
        assert ("loss scaler" in said) == plan.scaler


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("wish", FORMATS)
def test_saved_precision(machine: str, wish: str) -> None:
    hw = MACHINES[machine]
    plan = decide(hw, MachineSpec(save_precision=wish), "adamw")  # type: ignore[arg-type]
    refused = wish == "bf16" and not hw.bf16
    assert plan.save == ("fp16" if wish == "auto" or refused else wish)
    if plan.save != wish:
        (said,) = reasons(plan, "save_precision")
        assert "float16" in said and ("no bfloat16" in said) == refused


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("wish", ["auto", "xformers", "sdpa"])
@pytest.mark.parametrize("trouble", ["", "it is installed but its kernels do not run (RuntimeError)."])
def test_attention(machine: str, wish: str, trouble: str) -> None:
    hw = MACHINES[machine]
    if hw.device == "cuda":
        hw = dataclasses.replace(hw, probes={**WORKS, "xformers": trouble})
    plan = decide(hw, MachineSpec(attention=wish), "adamw")  # type: ignore[arg-type]
    usable = hw.device == "cuda" and not trouble
    assert plan.attention == ("xformers" if usable and wish != "sdpa" else "sdpa")
    if wish != plan.attention and wish != "sdpa":
        (said,) = reasons(plan, "attention")
        assert usable or (trouble if hw.device == "cuda" else "CUDA cards only") in said


@pytest.mark.parametrize("optimizer", EIGHT_BIT)
def test_a_broken_8_bit_optimizer_gives_way_to_the_plain_one(optimizer: str) -> None:
    broken = dataclasses.replace(MACHINES["ada"], probes={"xformers": "", "bitsandbytes": "it does not run (OSError)."})
    plan = decide(broken, MachineSpec(), optimizer)
    assert plan.optimizer == ("lion" if "lion" in optimizer else "adamw")
    (said,) = reasons(plan, "optimizer")
    assert optimizer in said and "OSError" in said
    kept = decide(MACHINES["ada"], MachineSpec(), optimizer)
    assert kept.optimizer == optimizer and not reasons(kept, "optimizer")


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("wish", ["cuda", "mps", "xpu", "cpu"])
def test_a_device_that_is_not_there(machine: str, wish: str) -> None:
    hw = MACHINES[machine]
    plan = decide(hw, MachineSpec(device=wish), "adamw")  # type: ignore[arg-type]
    there = wish in (hw.device, "cpu")
    assert plan.device == (wish if there else hw.device)
    assert bool(reasons(plan, "device")) != there
    if plan.device == "cpu":
        assert plan.compute == "fp32" and not plan.scaler and plan.attention == "sdpa"


def test_no_wish_is_passed_over_without_a_reason_and_the_plan_is_pure() -> None:
    options: dict[str, Any] = {
        "device": ("auto", "cuda", "cpu"),
        "precision": FORMATS,
        "save_precision": FORMATS,
        "attention": ("auto", "xformers", "sdpa"),
    }
    for hw, *wishes, optimizer in itertools.product(
        (*MACHINES.values(), Hardware(device="cuda", name="unprobed")), *options.values(), ("adamw", "adamw8bit")
    ):
        wish = MachineSpec(**dict(zip(options, wishes, strict=True)))
        plan = decide(hw, wish, optimizer)
        assert plan == decide(hw, wish, optimizer)
        got = {
            "device": plan.device,
            "precision": plan.compute,
            "save_precision": plan.save,
            "attention": plan.attention,
        }
        asked = wish.model_dump() | {"optimizer": optimizer}
        for what, choice in (got | {"optimizer": plan.optimizer}).items():
            if asked[what] not in (choice, "auto"):
                assert reasons(plan, what), (hw.name, wish, what)
        assert all(choice.reason.endswith(".") for choice in plan.choices)


def test_what_a_cpu_is_told_names_the_cpu_and_not_the_card_beside_it() -> None:
    plan = decide(MACHINES["ada"], MachineSpec(device="cpu"), "adamw")
    assert not any("RTX 4090" in choice.reason for choice in plan.choices)


def test_a_card_that_cannot_compute_is_not_used_and_the_reason_is_said() -> None:
    hw = Hardware(name="a CPU", probes={**WORKS, "card": "this PyTorch cannot compute on NVIDIA GTX 1080."})
    for device in ("auto", "cuda"):
        plan = decide(hw, MachineSpec(device=device), "adamw")  # type: ignore[arg-type]
        assert plan.device == "cpu" and plan.compute == "fp32"
        (said,) = reasons(plan, "device")
        assert "GTX 1080" in said and "doctor" in said
    assert not reasons(decide(hw, MachineSpec(device="cpu"), "adamw"), "device")


@pytest.mark.parametrize("machine", MACHINES)
def test_what_saves_memory_or_time_on_a_card_rests_on_a_processor(machine: str) -> None:
    hw = MACHINES[machine]
    plan = decide(hw, MachineSpec(split=3), "adamw")
    assert plan.offload == (hw.device != "cpu")
    assert plan.split == 3 and not decide(hw, MachineSpec(offload=False), "adamw").offload


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("kind", ["int8", "nf4"])
def test_few_bits_are_used_where_they_answered(machine: str, kind: str) -> None:
    hw = MACHINES[machine]
    assert decide(hw, MachineSpec(), "adamw").quantize == "off"
    assert not reasons(decide(hw, MachineSpec(), "adamw"), "quantize")
    plan = decide(hw, MachineSpec(quantize=kind), "adamw")  # type: ignore[arg-type]
    works = hw.probes.get(kind) == ""
    (said,) = reasons(plan, "quantize")
    assert plan.quantize == (kind if works else "off")
    assert ("bits" in said) if works else ("bitsandbytes" in said and "not probed" in said)
    broken = dataclasses.replace(hw, probes={**hw.probes, kind: "its kernels do not run."})
    plan = decide(broken, MachineSpec(quantize=kind), "adamw")  # type: ignore[arg-type]
    assert plan.quantize == "off" and "do not run" in reasons(plan, "quantize")[0]


@pytest.mark.parametrize("machine", MACHINES)
def test_blocks_are_compiled_on_cards_that_can(machine: str) -> None:
    hw = MACHINES[machine]
    assert decide(hw, MachineSpec(), "adamw").compile == "" and not reasons(
        decide(hw, MachineSpec(), "adamw"), "compile"
    )
    plan = decide(hw, MachineSpec(compile=True), "adamw")
    (said,) = reasons(plan, "compile")
    assert plan.compile == ("inductor" if hw.device == "cuda" else "")
    expected = {"cuda": "are compiled", "cpu": "graphics card only", "mps": "Apple", "xpu": "not probed"}
    assert expected[hw.device] in said
    broken = dataclasses.replace(hw, probes={**hw.probes, "compiler": "Triton is not installed."})
    few = decide(hw, MachineSpec(compile=True, quantize="nf4"), "adamw")
    if hw.device == "cuda":
        assert decide(broken, MachineSpec(compile=True), "adamw").compile == ""
        assert "Triton" in reasons(decide(broken, MachineSpec(compile=True), "adamw"), "compile")[0]
        assert few.compile == "" and "few bits" in reasons(few, "compile")[0]
        assert decide(hw, MachineSpec(compile=True, device="cpu"), "adamw").compile == ""


@pytest.mark.parametrize(
    ("gib", "offload", "alone", "whole"),
    [
        (0, True, False, 0),
        (6, True, True, 1088),
        (8, True, True, 1280),
        (8, False, False, 512),
        (24, True, False, 1920),
    ],
)
def test_a_small_card_holds_one_part_at_a_time(gib: int, offload: bool, alone: bool, whole: int) -> None:
    hw = dataclasses.replace(MACHINES["ada"], memory=gib << 30)
    plan = decide(hw, MachineSpec(offload=offload), "adamw")
    assert plan.one_at_a_time == alone == bool(reasons(plan, "preview"))
    assert plan.tile == whole
    on_cpu = decide(hw, MachineSpec(device="cpu"), "adamw")
    assert not on_cpu.one_at_a_time and on_cpu.tile == 0


def test_plans_that_load_alike_share_a_base() -> None:
    hw = MACHINES["ada"]
    plain = decide(hw, MachineSpec(), "adamw")
    assert plain.loaded == decide(hw, MachineSpec(compile=True, split=2, gradient_checkpointing=True), "lion").loaded
    for over in ({"quantize": "nf4"}, {"channels_last": True}, {"precision": "fp16"}, {"device": "cpu"}):
        assert plain.loaded != decide(hw, MachineSpec(**over), "adamw").loaded  # type: ignore[arg-type]


class FakeCard:
    """What torch.cuda answers for a card; ``computes`` is whether this PyTorch has kernels for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], computes: bool = True) -> None:
        self.asked: list[bool] = []
        self.arch = ""
        answers: dict[str, Any] = {
            "is_available": lambda: True,
            "current_device": lambda: 0,
            "get_device_name": lambda index: "NVIDIA Fake",
            "get_device_capability": lambda index: capability,
            "get_device_properties": lambda index: types.SimpleNamespace(total_memory=8 << 30, gcnArchName=self.arch),
            "get_arch_list": lambda: ["sm_75", "sm_80", "sm_86"],
            "mem_get_info": lambda: (7 << 30, 8 << 30),
            "is_bf16_supported": self.bf16,
        }
        for name, answer in answers.items():
            monkeypatch.setattr(torch.cuda, name, answer)
        for library in ("xformers", "bitsandbytes"):  # they would keep what they saw of a card for the whole process
            monkeypatch.setattr(hardware, f"_probe_{library}", lambda device: "")
        monkeypatch.setattr(hardware, "_probe_quantized", lambda kind, device: "")
        monkeypatch.setattr(hardware, "_runs", lambda device, dtype=None: computes)
        self.capability = capability

    def bf16(self, including_emulation: bool = True) -> bool:
        self.asked.append(including_emulation)
        return including_emulation or self.capability >= (8, 0)


@pytest.mark.parametrize("capability", [(6, 1), (7, 0), (7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)])
def test_emulated_bfloat16_counts_as_none(capability: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCard(monkeypatch, capability)
    hw = probe()
    assert fake.asked == [False]
    assert (hw.device, hw.capability, hw.memory, hw.free) == ("cuda", capability, 8 << 30, 7 << 30)
    assert hw.bf16 == (capability >= (8, 0)) and hw.fp16 and hw.arches == ("sm_75", "sm_80", "sm_86")
    assert decide(hw, MachineSpec(), "adamw").compute == ("bf16" if hw.bf16 else "fp16")


@pytest.mark.parametrize(
    ("arch", "native"),
    [
        ("gfx803", False),
        ("gfx900", False),
        ("gfx906:sramecc+:xnack-", False),
        ("gfx90c", False),
        ("gfx1010", False),
        ("gfx1032", False),
        ("gfx908:sramecc+:xnack-", True),
        ("gfx90a", True),
        ("gfx942", True),
        ("gfx950", True),
        ("gfx1100", True),
        ("gfx1151", True),
        ("gfx1201", True),
    ],
)
def test_amds_cards_have_bfloat16_by_their_kind(arch: str, native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch for ROCm says yes for every card, `including_emulation` or not."""
    fake = FakeCard(monkeypatch, (9, 0))
    fake.arch = arch
    monkeypatch.setattr(torch.version, "hip", "6.4")
    hw = probe()
    assert hw.bf16 == native and hw.fp16
    plan = decide(hw, MachineSpec(), "adamw")
    assert (plan.compute, plan.scaler) == (("bf16", False) if native else ("fp16", True))


def test_a_card_without_kernels_in_this_pytorch_leaves_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCard(monkeypatch, (6, 1), computes=False)
    hw = probe()
    assert hw.device == "cpu" and "sm_61" in hw.probes["card"] and "NVIDIA Fake" in hw.probes["card"]
    assert "xformers" in hw.probes and not hw.fp16


def test_this_machine_answers() -> None:
    hw = probe()
    assert hw.cores >= 1 and hw.ram > 0 and hw.name
    assert set(hw.probes) == {"xformers", "bitsandbytes", "int8", "nf4", "compiler"}
    assert all(text == "" or text.endswith(".") for text in hw.probes.values())
    assert hw.versions["torch"] and hw.versions["python"]
