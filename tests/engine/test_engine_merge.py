"""A merged file does what its parts do together, and says how true it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.cli import main
from studio.data.scan import DataSpec
from studio.engine.merge import Merged, Order, merge
from studio.engine.stack import stacked
from studio.errors import ModelError, SpecError
from studio.families.base import BaseSpec, Models
from studio.families.calls import Placed
from studio.families.detect import detect
from studio.formats import readback
from studio.formats.metadata import About
from studio.formats.recognise import recognise
from studio.hardware import Hardware, MachineSpec, decide
from studio.methods import method
from studio.methods.base import Target
from tests import tiny

DATA = DataSpec(folder="x", trigger="sks", class_word="toy", resolution=tiny.SIDE)
NUMBERS = {"resolution": 64, "steps": 1, "seed": 1, "learning_rate": 0.1, "batch_size": 1, "num_images": 1}
TEXTS = {"name": "toy", "trigger": "sks", "optimizer": "adamw", "base_name": "tiny"}
Maker = Callable[[str, str, int], Path]


@pytest.fixture(scope="module")
def models(base: Path) -> Models:
    plan = decide(Hardware(), MachineSpec(), "adamw")
    return detect(str(base)).load(BaseSpec(model=str(base)), plan)


@pytest.fixture
def made(models: Models, tmp_path: Path) -> Maker:
    """Export a disturbed method of a kind under a name."""

    def make(kind: str, name: str, seed: int) -> Path:
        cls = method(kind)
        learning = cls(models, cls.Options(**{"kind": kind, **tiny.METHODS[kind]["method"]}), DATA, 7)
        generator = torch.Generator().manual_seed(seed)
        about = About(**NUMBERS, **TEXTS, family="sd1", prediction="epsilon", started=1.0, finished=2.0)
        with learning.attached(), torch.no_grad():
            for parameter in learning.live.values():
                parameter += torch.randn(parameter.shape, generator=generator) * 0.05
            form = next(iter(cls.exports))
            return learning.exports[form](learning, Target(tmp_path, name, torch.float32, about))

    return make


def answer(models: Models) -> torch.Tensor:
    noisy = torch.randn(1, models.latent_channels, 8, 8, generator=torch.Generator().manual_seed(2))
    for module in models.modules().values():
        module.eval()
    with torch.no_grad():
        cond = models.family.encode_prompt(models, "a photo of sks toy")
        return models.family.predict(models, noisy, torch.tensor([400]), cond)


def done(order: Order) -> Merged:
    *_, last = merge(order)
    assert isinstance(last, Merged)
    return last


def order(base: Path, *uses: str, **over: Any) -> Order:
    return Order(uses, str(base), **{"dtype": "fp32", **over})


def test_one_lora_answers_as_two_of_different_kinds_do_live(
    base: Path, models: Models, made: Maker, tmp_path: Path
) -> None:
    one, two = made("lora", "one", 11), made("loha", "two", 12)
    plain = answer(models)
    with stacked(models, [Placed(one, "lora", 0.7, 0.7), Placed(two, "lora", 1.2, 1.2)]):
        live = answer(models)
    whole = done(order(base, f"{one}:0.7", f"{two}:1.2", rank=64, out=tmp_path / "whole.safetensors"))
    assert whole.error < 1e-5 and recognise(whole.path).kind == "lora"
    with stacked(models, [Placed(whole.path, "lora")]):
        apart = float((answer(models) - live).abs().max())
    assert apart < 1e-4 < float((plain - live).abs().max()) / 100
    small = done(order(base, f"{one}:0.7", f"{two}:1.2", rank=2, out=tmp_path / "small.safetensors"))
    assert 0.01 < small.error < 1 and small.path.stat().st_size < whole.path.stat().st_size / 4


def test_a_checkpoint_holds_the_base_with_the_file_in_it(
    base: Path, models: Models, made: Maker, tmp_path: Path
) -> None:
    one = made("lora", "one", 11)
    baked = done(order(base, f"{one}:0.8", form="checkpoint", out=tmp_path / "baked.safetensors"))
    assert recognise(baked.path).kind == "base" and baked.layers > 0
    parts = {**models.modules(), "vae": models.vae}
    with stacked(models, [Placed(one, "lora", 0.8, 0.8)]):
        readback.check_single(baked.path, parts, "sd1", torch.float32)
    with pytest.raises(ModelError):
        readback.check_single(baked.path, parts, "sd1", torch.float32)


def test_what_no_single_file_can_hold_is_refused_before_anything_is_written(
    base: Path, made: Maker, tmp_path: Path
) -> None:
    one, word = made("lora", "one", 11), made("textual-inversion", "pet", 12)
    out = tmp_path / "x.safetensors"
    for uses, over, said in (
        ((str(one),), {}, "at least two"),
        ((str(one), str(word)), {}, "'pet.safetensors' is no LoRA"),
        ((str(one), str(one)), {"rank": 0}, "at least 1"),
        ((str(one), str(one)), {"form": "soup"}, "no form"),
        ((f"{one}:0", f"{one}:0"), {}, "raise a weight"),
    ):
        with pytest.raises((ModelError, SpecError), match=said):
            done(order(base, *uses, out=out, **over))
    assert not out.exists()


def test_the_command_line_merges(base: Path, made: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = made("lora", "one", 11), made("lora", "two", 12)
    out = tmp_path / "both.safetensors"
    words = ["merge", f"{one}:0.5", str(two), "--base", str(base), "--rank", "8", "--out", str(out), "--json"]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["path"] == str(out) and said["error"] < 0.01 and out.is_file()
