"""Masks and a schedule that ends in pure noise, through whole runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from studio.engine import learner
from studio.engine.bench import Bench
from studio.engine.machine import Machine, this_hardware
from studio.engine.run import baseline, train
from studio.engine.worker import Resident
from studio.formats.container import read_file
from studio.hardware import decide
from studio.methods import method
from studio.objective import PLAIN
from studio.spec import spec_from_toml
from studio.store import RunStore
from tests import tiny

Make = Callable[..., Any]
QUICK = {"schedule": {"steps": 3, "batch_size": 2}, "sample": {"prompts": []}, "save": {"formats": ["kohya"]}}


@pytest.fixture
def masked(tmp_path: Path, pictures: Path) -> Path:
    """The pictures, of which the first has a mask of its left half."""
    folder = tmp_path / "toys"
    shutil.copytree(pictures, folder)
    shutil.copytree(pictures.with_name(f"{pictures.name}-held-out"), tmp_path / "toys-held-out")
    mask = Image.new("L", (tiny.SIDE, tiny.SIDE))
    mask.paste(255, (0, 0, tiny.SIDE // 2, tiny.SIDE))
    mask.save(folder / "0-mask.png")
    return folder


@pytest.mark.parametrize("prior", [0, 2])
def test_a_batch_brings_the_masks_of_its_pictures_and_class_images_are_whole(
    prior: int, masked: Path, base: Path, tmp_path: Path
) -> None:
    data = {"masks": "file", "class_images": prior}
    wanted = tiny.spec("dreambooth", base, masked, **{**QUICK, "data": data, "save": {}})
    assert wanted.problems() == []
    machine = Machine(decide(this_hardware(), wanted.machine, wanted.optim.name))
    resident = Resident(tmp_path / "cache" / "latents")
    bench = Bench(wanted, resident.models_for(wanted, machine.plan), machine, resident.cache)
    list(bench.fill())
    assert [one.example.path.name for one in bench.train] == [f"{number}.png" for number in range(5)]
    learning = method("dreambooth")(bench.models, wanted.method, wanted.data, wanted.seed)
    seen = set()
    for step in (1, 2, 3):
        batch, _ = bench.batch(step, 0, 1, learning)
        own = len(batch.prompts) // (2 if prior else 1)
        if any("number 0" in prompt for prompt in batch.prompts[:own]):
            assert batch.mask is not None and batch.mask.shape == (len(batch.prompts), 1, 8, 8)
            for prompt, mask in zip(batch.prompts, batch.mask, strict=True):
                half = "number 0" in prompt
                assert torch.equal(mask, torch.cat([torch.ones(1, 8, 4), torch.full((1, 8, 4), 1.0 - half)], -1))
        seen.add(batch.mask is None)
    bench.close()
    assert seen == {True, False}


def test_a_mask_changes_what_is_learnt_and_not_how_it_is_judged(masked: Path, base: Path, tmp_path: Path) -> None:
    told = {}
    for name, settings in {
        "plain": {},
        "masked": {"data": {"masks": "file"}, "objective": {"mask_rest": 0.0}},
        "all": {"data": {"masks": "file"}, "objective": {"mask_rest": 1.0}},
    }.items():
        if name == "plain":
            (masked / "0-mask.png").rename(tmp_path / "0-mask.png")
        elif name == "masked":
            (tmp_path / "0-mask.png").rename(masked / "0-mask.png")
        store = tiny.new_run(tmp_path / name, tiny.spec("lora", base, masked, **{**QUICK, **settings}))
        told[name] = list(train(store, Resident(tmp_path / "cache" / "latents")))
        assert told[name][-1].kind == "finished"
    losses = {name: [e.loss for e in events if e.kind == "step"] for name, events in told.items()}  # type: ignore[attr-defined]
    judged = {name: [e.loss for e in events if e.kind == "validated"] for name, events in told.items()}  # type: ignore[attr-defined]
    assert losses["all"] == pytest.approx(losses["plain"], rel=1e-5)
    assert losses["masked"] != pytest.approx(losses["plain"], rel=1e-4)
    assert judged["masked"][0] == judged["plain"][0] != judged["masked"][-1]


def test_a_full_model_says_that_it_ends_in_pure_noise(tmp_path: Path, pictures: Path) -> None:
    base = tiny.save_pipeline(tmp_path / "base", prediction="v_prediction")
    resident = Resident(tmp_path / "cache" / "latents")
    settings = {**QUICK, "objective": {"zero_terminal_snr": True}, "save": {"formats": ["diffusers", "single-file"]}}
    settings["sample"] = {"prompts": ["a {trigger}"]}
    store = tiny.new_run(tmp_path / "run", tiny.spec("dreambooth", base, pictures, **settings))
    assert list(train(store, resident))[-1].kind == "finished"
    beside = RunStore(tmp_path / "beside")
    assert list(baseline(beside, spec_from_toml(store.spec_text()), resident))[-1].kind == "finished"
    first, bare = (one.sample_folder(0) / "000.png" for one in (store, beside))
    assert first.read_bytes() == bare.read_bytes(), "a run before its first step draws what the base draws"
    assert store.view().validations[0] == beside.view().validations[0]
    folder, single = (store.path / export.path for export in store.view().exports)
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    assert config["rescale_betas_zero_snr"] is True and config["timestep_spacing"] == "trailing"
    tensors, said = read_file(single)
    assert "ztsnr" in tensors and said["ss_zero_terminal_snr"] == "True"
    plain = tiny.spec("dreambooth", base, pictures, **QUICK)
    machine = Machine(decide(this_hardware(), plain.machine, plain.optim.name))
    models = resident.models_for(plain, machine.plan)
    assert float(models.alphas_cumprod[-1]) > 1e-3, "the base in memory keeps its own schedule"


def test_pure_noise_is_refused_for_a_base_that_predicts_noise(base: Path, pictures: Path) -> None:
    (problem,) = tiny.spec("lora", base, pictures, **{**QUICK, "objective": {"zero_terminal_snr": True}}).problems()
    assert "zero_terminal_snr" in problem and "epsilon" in problem


def test_alpha_masks_that_are_nowhere_end_the_run_with_a_sentence(
    base: Path, pictures: Path, tmp_path: Path, resident: Resident
) -> None:
    store = tiny.new_run(tmp_path / "run", tiny.spec("lora", base, pictures, **{**QUICK, "data": {"masks": "alpha"}}))
    assert list(train(store, resident))[-1].kind == "failed"
    assert "No picture has an alpha channel" in store.view().error


def test_conditioning_is_remembered_within_its_limit_and_changes_nothing(
    base: Path, resident: Resident, spec: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = spec("lora", **QUICK)
    machine = Machine(decide(this_hardware(), wanted.machine, wanted.optim.name))
    models = resident.models_for(wanted, machine.plan)
    prompts = [f"a toy, number {number}" for number in range(6)]
    asked: list[str] = []
    really = type(models.family).encode
    monkeypatch.setattr(type(models.family), "encode", lambda *a: (asked.extend(a[2]), really(*a))[1])
    one = really(models.family, models, prompts[:1]).hidden
    monkeypatch.setattr(learner, "REMEMBERED", 4 * one.nbytes)
    remembering, forgetful = (learner.Learner(models, PLAIN, text_learns=on) for on in (False, True))
    for _ in range(2):
        torch.testing.assert_close(
            remembering.conditioning(prompts[:3]).hidden, forgetful.conditioning(prompts[:3]).hidden
        )
    assert asked.count(prompts[0]) == 1 + 2
    for prompt in prompts:
        remembering.conditioning([prompt])
        remembering.conditioning(prompts[:1])
    assert list(remembering._memory) == [*prompts[3:], prompts[0]], "the one that is used stays"
    assert asked.count(prompts[0]) == 1 + 2
