"""What a run will need, told without a byte of it: known sizes, known activations, every method."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.engine.estimate import Estimate, estimate, room, state_bytes
from studio.engine.optim import create
from studio.engine.rehearsal import peak, without_memory
from studio.engine.spill import NEARLY_FULL, RECENT, Pace, spilling
from studio.families.loading import CONFIGS
from studio.hardware import Hardware, Plan, decide
from studio.methods.base import ParamGroup
from studio.spec import OptimSpec, RunSpec, load_spec, make_spec
from tests import tiny

Make = Callable[..., Any]
GIB = 2**30
LINEAR = 242_196_480  # weights of the linear layers in the transformers of SD 1.5
CARD = Hardware(
    device="cuda",
    name="a card",
    memory=24 << 30,
    bf16=True,
    fp16=True,
    probes={"bitsandbytes": "", "xformers": "no.", "int8": "", "nf4": ""},
)


def planned(spec: RunSpec) -> Plan:
    return decide(CARD, spec.machine, spec.optim.name)


def full_width(family: str, kind: str, card: Hardware = CARD, **over: Any) -> Estimate:
    settings = {"base": {"model": str(CONFIGS / family)}, "method": {"kind": kind}, "data": {"folder": "none"}, **over}
    spec = make_spec(settings)
    return estimate(spec, decide(card, spec.machine, spec.optim.name))


def test_the_published_sd15_has_its_sizes() -> None:
    found = full_width("sd1", "dreambooth", sample={"prompts": ["a photo"]})
    assert found.learning == 859_520_964
    assert found.weights == {"unet": 4 * 859_520_964}  # what learns is float32; the rest waits outside the card
    everyone = 4 * 859_520_964 + 4 * 83_653_863 + 2 * 123_060_480 + 8 * 77  # VAE float32, text bfloat16, positions
    assert everyone + 0.5 * GIB < found.preview < everyone + GIB
    assert everyone + 0.5 * GIB < found.encoding < found.preview
    assert found.optimizer == 8 * 859_520_964
    assert 3.2 < found.working / GIB < 3.8  # gradients alone are 3.2
    assert found.peak == found.training > found.previewing


def test_activations_are_those_that_were_published() -> None:
    """Stated by others for pure 16-bit arithmetic, without autocast's float32 norms, which add about a third."""
    plain = full_width("sd1", "lora", sample={"prompts": []})
    kept = full_width("sd1", "lora", sample={"prompts": []}, machine={"gradient_checkpointing": True})
    exact = full_width("sd1", "lora", sample={"prompts": []}, machine={"precision": "fp32"})
    assert 0.78 < plain.working / GIB < 1.3
    assert 0.23 < kept.working / GIB < 0.4
    assert exact.working / GIB == pytest.approx(1.57, abs=0.15)
    assert sum(exact.weights.values()) / GIB == pytest.approx(3.21, abs=0.02)
    assert plain.preview == 0 and plain.previewing < plain.training


def test_a_batch_in_parts_holds_what_one_part_does(spec: Make) -> None:
    tried = [{"batch_size": 1}, {"batch_size": 2}, {"batch_size": 2}]
    made = [spec("lora", schedule=schedule, sample={"prompts": []}) for schedule in tried]
    made[2] = made[2].model_copy(update={"machine": made[2].machine.model_copy(update={"split": 2})})
    one, two, split = (estimate(wanted, planned(wanted)).working for wanted in made)
    assert split == one and two > 1.7 * one


def test_a_small_card_previews_and_encodes_in_less_than_a_step_takes() -> None:
    """SDXL at 1024 pixels, where all parts side by side would take 10.6 GiB for a preview."""
    small = dataclasses.replace(CARD, memory=8 << 30)
    found = full_width("sdxl", "lora", small, data={"resolution": 1024}, machine={"gradient_checkpointing": True})
    assert found.peak == found.training and found.training / GIB == pytest.approx(6.4, abs=0.1)
    assert found.encoding + found.overhead < found.previewing < found.training
    assert 0 < found.validating < found.training


@pytest.mark.parametrize(("name", "family"), [("dreambooth-sd15-8gb", "sd1"), ("dreambooth-sdxl-12gb", "sdxl")])
def test_a_preset_leaves_a_tenth_of_its_card_free(name: str, family: str) -> None:
    size = int(name.rsplit("-", 1)[1].removesuffix("gb")) * GIB
    spec = load_spec(name, {"base.model": str(CONFIGS / family)})
    found = estimate(spec, decide(dataclasses.replace(CARD, memory=size), spec.machine, spec.optim.name))
    assert found.peak < 0.9 * size


def test_what_rotates_in_butterflies_keeps_no_activations() -> None:
    """BOFT's would take 8.6 GiB of an 8 GiB card (SD 1.5 at 512 pixels), with checkpointing 3.5; slow to tell here."""
    assert all(load_spec(name).machine.gradient_checkpointing for name in ("boft-sd15-8gb", "boft-sdxl-16gb"))


@pytest.mark.parametrize(("kind", "bits"), [("int8", 8.0), ("nf4", 4.5)])
def test_few_bits_are_counted_as_they_are(kind: str, bits: float) -> None:
    """Each weight takes so many bits instead of 16, and nothing is kept of them unpacked."""
    plain = full_width("sd1", "lora", sample={"prompts": []})
    few = full_width("sd1", "lora", sample={"prompts": []}, machine={"quantize": kind})
    saved = plain.weights["unet"] - few.weights["unet"]
    assert saved == pytest.approx(LINEAR * (16 - bits) / 8, rel=0.01)
    assert few.working == pytest.approx(plain.working, rel=0.06) and few.learning == plain.learning


@pytest.mark.parametrize("kind", tiny.METHODS)
def test_every_method_is_counted_as_it_really_is(kind: str, spec: Make, resident: Any) -> None:
    wanted = spec(kind)
    plan = decide(Hardware(), wanted.machine, wanted.optim.name)
    found = estimate(wanted, plan)
    from studio.methods import method

    learning = method(kind)(resident.models_for(wanted, plan), wanted.method, wanted.data, wanted.seed)
    with learning.attached():
        assert found.learning == sum(parameter.numel() for parameter in learning.live.values())
    assert found.working > 4 * found.learning and found.overhead == 0
    assert found.preview > sum(found.weights.values()) < found.encoding
    assert set(found.weights) == {"unet", "text_encoder", "vae"}  # nothing leaves a processor


def test_a_held_out_loss_is_counted_where_there_are_pictures_for_it(spec: Make, tmp_path: Path) -> None:
    """It asks for eight timesteps of a picture in one call, a small card for fewer; nothing of it is kept."""
    size = {"resolution": 512}
    large, small = spec("lora", data=size, machine={"offload": False}), spec("lora", data=size)
    card = dataclasses.replace(CARD, memory=8 << 30)
    plans = (planned(large), decide(card, small.machine, "adamw"))
    eight, four = (estimate(one, plan) for one, plan in zip((large, small), plans, strict=True))
    held = [found.judging - sum(found.weights.values()) for found in (eight, four)]  # whose VAE is at rest
    assert held[0] == pytest.approx(2 * held[1], rel=0.1) and held[1] > 0
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(Path(small.data.folder) / "0.png", few)
    assert estimate(spec("lora", data={"folder": str(few), "held_out": ""}), plans[0]).judging == 0


def test_what_leaves_the_card_and_what_stays(spec: Make) -> None:
    frozen, learns = spec("lora", method={"train_text_encoder": False}), spec("lora")
    stays = spec("lora", machine={"offload": False})
    assert set(estimate(frozen, planned(frozen)).weights) == {"unet"}
    assert set(estimate(learns, planned(learns)).weights) == {"unet", "text_encoder"}
    assert set(estimate(stays, planned(stays)).weights) == {"unet", "text_encoder", "vae"}


@pytest.mark.parametrize(
    "name", ["sgd", "adamw", "adamw8bit", "lion", "lion8bit", "adafactor", "prodigy", "schedule-free-adamw"]
)
def test_states_are_as_large_as_the_optimizers_make_them(name: str) -> None:
    """Within two per cent, and a kilobyte for what is not the parameters': counters and 8-bit code tables."""
    parameters = {"big": torch.nn.Parameter(torch.randn(512, 256)), "small": torch.nn.Parameter(torch.randn(64))}
    optimizer = create(name, [ParamGroup("unet", parameters)], OptimSpec(name=name))  # type: ignore[arg-type]
    for group in optimizer.param_groups:
        group["lr"] = 1e-3
    for parameter in parameters.values():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    held = {
        id(value): value.numel() * value.element_size()
        for state in optimizer.state.values()
        for key, value in state.items()
        if isinstance(value, torch.Tensor) and not key.startswith("qmap")
    }
    told = state_bytes(name, [parameter.shape for parameter in parameters.values()])
    assert sum(held.values()) == pytest.approx(told, rel=0.02, abs=1024)
    assert len(room(name, parameters.values(), torch.device("cpu"))) == told


def test_a_rehearsal_counts_what_lives_at_once() -> None:
    with without_memory():
        start = torch.empty(1000)

        def chain() -> None:
            value = start
            for _ in range(10):
                value = value + 1  # one old, one new

        def kept() -> None:
            values = [start + index for index in range(10)]
            del values

        assert peak(chain, torch.float32) == 2 * 4000
        assert peak(kept, torch.float32) == 10 * 4000
        assert peak(lambda: start.view(10, 100), torch.float32) == 0


def test_the_sentence_warns_where_it_will_not_fit() -> None:
    found = Estimate({"unet": 2 * GIB}, 1, GIB, GIB, 4 * GIB, GIB, 0)
    assert found.peak == found.previewing == 5 * GIB
    assert Estimate({"unet": 2 * GIB}, 1, GIB, GIB, GIB, 6 * GIB, GIB).peak == 7 * GIB
    assert "may not fit" in found.sentence(GIB) and "may not fit" not in found.sentence(100 * GIB)
    assert found.as_dict()["training"] == 4 * GIB
    assert dataclasses.replace(found, judging=6 * GIB).peak == 7 * GIB  # the optimizer's memory is beside


FAST, SLOW = [0.1] * RECENT * 2, [0.6] * RECENT


@pytest.mark.parametrize(
    ("seconds", "free", "says"),
    [
        (FAST + SLOW, 0, True),
        (FAST + SLOW, int(NEARLY_FULL * GIB) - 1, True),
        (FAST + SLOW, GIB // 2, False),  # slow, but there is room: something else is
        (FAST + [0.4] * RECENT, 0, False),
        (FAST + SLOW[: RECENT // 2 - 1] + FAST[: RECENT // 2 + 1], 0, False),
        (SLOW + FAST, 0, False),  # it recovered
        (FAST[:RECENT] + SLOW[:-1], 0, False),
    ],
)
def test_a_collapse_while_memory_is_full_is_a_spill(seconds: list[float], free: int, says: bool) -> None:
    assert spilling(seconds, free, GIB) == says


def test_it_is_said_once() -> None:
    pace = Pace()
    said = [pace.warning(second, 0, GIB) for second in FAST + SLOW * 3]
    assert len([text for text in said if text]) == 1
    assert "gradient_checkpointing" in next(filter(None, said))


def test_a_missing_base_is_said(spec: Make, tmp_path: Path) -> None:
    from studio.errors import ModelError

    wanted = spec("lora", base={"model": str(tmp_path / "none")})
    with pytest.raises(ModelError):
        estimate(wanted, planned(wanted))
