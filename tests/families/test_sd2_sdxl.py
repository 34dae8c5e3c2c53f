"""Stable Diffusion 2 and SDXL, held to what diffusers makes of the same weights."""

from __future__ import annotations

import contextlib

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file

from studio.data.scan import DataSpec
from studio.engine.learner import Batch, Learner
from studio.engine.sample import draw_pictures, wanted
from studio.families.sd import V_BIAS
from studio.methods import method
from studio.objective import Draw, ObjectiveSpec
from studio.spec import SampleSpec
from tests import tiny

FAMILIES = ("sd2", "sdxl")
PIPELINES = {"sd2": StableDiffusionPipeline, "sdxl": StableDiffusionXLPipeline}
DATA = DataSpec(folder="corgi", trigger="sks", class_word="dog")


def draw(count: int = 2) -> Draw:
    torch.manual_seed(1)
    return Draw(torch.randn(count, 4, 8, 8), torch.tensor([100, 800])[:count], torch.randn(count, 4, 8, 8))


def batch() -> Batch:
    torch.manual_seed(2)
    return Batch(torch.cat([torch.randn(2, 4, 8, 8), torch.ones(2, 4, 8, 8) * 0.1], 1), ["a cat", ""], torch.ones(2))


@pytest.mark.parametrize("family", FAMILIES)
def test_conditioning_is_what_the_diffusers_pipeline_makes_of_a_prompt(family, kept, folders) -> None:
    models = kept(family)
    assert models.family.name == family and models.resolution == 32
    theirs = PIPELINES[family].from_pretrained(folders[family])
    ours = models.family.encode(models, ["a photo of a dog", ""])
    hidden, _, *pooled = theirs.encode_prompt(
        ["a photo of a dog", ""], device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False
    )
    assert ours.hidden.shape == (2, 77, {"sd2": 32, "sdxl": 80}[family])
    torch.testing.assert_close(ours.hidden, hidden)
    if family == "sdxl":
        assert ours.pooled.shape == (2, 40)
        torch.testing.assert_close(ours.pooled, pooled[0])
    else:
        assert ours.pooled is None


@pytest.mark.parametrize("family", FAMILIES)
def test_a_picture_is_what_the_diffusers_pipeline_draws(family, kept, folders) -> None:
    from diffusers import DPMSolverMultistepScheduler

    models = kept(family)
    spec = SampleSpec(steps=2, negative="blurred")
    (ours,) = draw_pictures(models, None, wanted(["a dog"], [5]), spec)
    theirs = PIPELINES[family].from_pretrained(folders[family])
    theirs.scheduler = DPMSolverMultistepScheduler.from_config(theirs.scheduler.config)
    image = theirs(
        "a dog",
        negative_prompt="blurred",
        height=32,
        width=32,
        num_inference_steps=2,
        guidance_scale=spec.guidance,
        generator=torch.Generator().manual_seed(5),
        output_type="pt",
    ).images[0]
    mine = torch.tensor(list(ours.convert("RGB").tobytes())).view(32, 32, 3).permute(2, 0, 1) / 255
    torch.testing.assert_close(mine, image.float(), rtol=0, atol=0.01)


def test_words_added_by_textual_inversion_do_not_move_the_pooled_prompt(kept) -> None:
    models = kept("sdxl")
    learning = method("textual-inversion")(
        models, method("textual-inversion").Options(kind="textual-inversion", vectors=2, init="dog"), DATA, 1
    )
    base = models.family.encode(models, ["a dog dog here"])
    with learning.attached():
        worded = models.family.encode(models, [learning.prompt("a sks here")])
    torch.testing.assert_close(worded.pooled, base.pooled)
    torch.testing.assert_close(worded.hidden, base.hidden)


METHODS = {
    "textual-inversion": {"vectors": 2},
    "lora": {"rank": 2, "alpha": 1.0, "targets": "full", "train_text_encoder": True},
    "dreambooth": {"train_text_encoder": True},
}


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_teaches_everything_that_learns_and_nothing_else(kind, family, kept) -> None:
    models = kept(family)
    assert family in method(kind).families
    options = method(kind).Options(kind=kind, **METHODS[kind])
    before = {
        part: {name: tensor.clone() for name, tensor in module.state_dict().items()}
        for part, module in models.modules().items()
    }
    learning = method(kind)(models, options, DATA, 3)
    learner = Learner(models, ObjectiveSpec(), text_learns=True)
    with learning.attached() as groups:
        prompts = [learning.prompt("a photo of sks dog"), learning.prompt("sks")]
        one = Batch(batch().moments, prompts, batch().weights)
        optimizer = torch.optim.SGD(list(learning.live.values()), lr=0.1)
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = learner(one, draw()).mean()
            loss.backward()
            losses.append(float(loss.detach()))
            optimizer.step()
        assert losses[-1] < losses[0]
        still = [name for name, parameter in learning.live.items() if parameter.grad is None]
        assert not still
        assert {name for group in groups for name in group.params} == set(learning.live)
        others = {id(parameter) for parameter in learning.live.values()}
        assert not any(p.requires_grad for p in learner.parameters() if id(p) not in others)
    for part, module in models.modules().items():
        assert all(torch.equal(tensor, before[part][name]) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_single_file_goes_round(family, kept, folders, load, tmp_path) -> None:
    models = kept(family)
    kind = method("dreambooth")
    learning = kind(models, kind.Options(kind="dreambooth"), DATA, 0)
    path = kind.exports["single-file"](learning, target(tmp_path, family, models))
    theirs = PIPELINES[family].from_single_file(
        path, config=str(configured(folders[family], tmp_path)), local_files_only=True
    )
    back = load(path, family)
    assert (back.family.name, back.prediction, back.resolution) == (family, models.prediction, 32)
    for part, module in {**models.modules(), "vae": models.vae}.items():
        mine = {**back.modules(), "vae": back.vae}[part].state_dict()
        other = getattr(theirs, part).state_dict()
        assert set(mine) == set(other) == set(module.state_dict())
        for name, tensor in module.state_dict().items():
            assert torch.equal(mine[name], tensor) and torch.equal(other[name], tensor), name
    one, two = (m.family.encode(m, ["a photo of a dog"]) for m in (models, back))
    assert torch.equal(one.hidden, two.hidden)
    assert family == "sd2" or torch.equal(one.pooled, two.pooled)


def test_a_ckpt_of_a1111s_time_is_loaded_and_its_step_tells_the_prediction(kept, load, tmp_path) -> None:
    models = kept("sd2")
    kind = method("dreambooth")
    path = kind.exports["single-file"](
        kind(models, kind.Options(kind="dreambooth"), DATA, 0), target(tmp_path, "sd2", models)
    )
    state = load_file(path)
    for step, bias, prediction in ((875000, 1.0, "epsilon"), (7, 1.0, "v_prediction"), (7, 0.01, "epsilon")):
        state[V_BIAS] = torch.tensor([bias, -bias] * 4)
        torch.save({"state_dict": state, "global_step": step}, tmp_path / "x.ckpt")
        back = load(tmp_path / "x.ckpt", "sd2")
        assert back.family.name == "sd2" and back.prediction == prediction
    assert load(tmp_path / "x.ckpt", "sd2", prediction="v_prediction").prediction == "v_prediction"
    assert torch.equal(back.unet.conv_in.weight, models.unet.conv_in.weight)


def configured(folder, tmp_path):
    """The folder without its weights."""
    import shutil

    return shutil.copytree(folder, tmp_path / "configs", ignore=shutil.ignore_patterns("*.safetensors"))


def target(folder, family, models):
    from studio.methods.base import Target

    about = tiny.about(name="corgi", family=family, prediction=models.prediction, resolution=32)
    return Target(folder, "corgi", torch.float32, about)


@contextlib.contextmanager
def trained(kind, models):
    """A method with random weights in place of learnt ones, attached."""
    learning = method(kind)(models, method(kind).Options(kind=kind, **METHODS[kind]), DATA, 3)
    with learning.attached():
        torch.manual_seed(5)
        learning.restore({name: torch.randn_like(tensor) * 0.2 for name, tensor in learning.state().items()})
        yield learning


@pytest.mark.parametrize("family", FAMILIES)
def test_diffusers_loads_every_half_of_an_embedding(family, kept, folders, tmp_path) -> None:
    models = kept(family)
    with trained("textual-inversion", models) as learning:
        path = learning.exports["a1111"](learning, target(tmp_path, family, models))
        ours = models.family.encode(models, [learning.prompt("a sks here")]).hidden
    keys = {"sd2": {"text_encoder": "emb_params"}, "sdxl": {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}}
    tensors = load_file(path)
    assert set(tensors) == set(keys[family].values())
    pipeline = PIPELINES[family].from_pretrained(folders[family])
    for part, key in keys[family].items():
        pipeline.load_textual_inversion(
            {"corgi": tensors[key]},
            token="corgi",
            text_encoder=getattr(pipeline, part),
            tokenizer=getattr(pipeline, part.replace("text_encoder", "tokenizer")),
        )
    hidden = pipeline.encode_prompt(
        "a corgi here", device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False
    )[0]
    torch.testing.assert_close(ours, hidden)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("file", ["kohya", "diffusers"])
def test_diffusers_applies_the_lora_as_it_was_trained(family, file, kept, folders, load, tmp_path) -> None:
    models = kept(family)
    noisy, t = draw(1).noise, torch.tensor([300])

    def answer():
        with torch.no_grad():
            return models.family.predict(models, noisy, t, models.family.encode(models, ["a dog"]))

    with trained("lora", models) as learning:
        path = learning.exports[file](learning, target(tmp_path, family, models))
        live = answer()
        with learning.detached():
            plain = answer()
    names = set(load_file(path))
    if family == "sdxl" and file == "kohya":
        assert any(name.startswith("lora_unet_input_blocks_4_1_") for name in names)
        assert any(name.startswith("lora_te2_text_model_encoder_layers_0") for name in names)
    assert (live - plain).abs().max() > 1e-3
    pipeline = models.family.pipeline(models)
    pipeline.load_lora_weights(tmp_path, weight_name=path.name)
    torch.testing.assert_close(answer(), live, rtol=1e-3, atol=1e-4)
    pipeline.unload_lora_weights()
    assert torch.equal(answer(), plain)


def test_a_v_prediction_sdxl_says_so_in_its_file(folders, load, tmp_path) -> None:
    models = load(folders["sdxl"], prediction="v_prediction")
    assert models.prediction == "v_prediction" and models.scheduler.config.prediction_type == "v_prediction"
    models.scheduler = type(models.scheduler).from_config(models.scheduler.config, rescale_betas_zero_snr=True)
    kind = method("dreambooth")
    learning = kind(models, kind.Options(kind="dreambooth"), DATA, 0)
    path = kind.exports["single-file"](learning, target(tmp_path, "sdxl", models))
    tensors = load_file(path)
    assert {"v_pred", "ztsnr"} <= set(tensors)
    save_file(tensors, tmp_path / "bare.safetensors")  # without metadata the marks alone must tell
    back = load(tmp_path / "bare.safetensors", "sdxl")
    assert back.prediction == "v_prediction" and float(back.alphas_cumprod[-1]) < 1e-6


def test_a_whole_run_on_sdxl(folders, pictures, tmp_path) -> None:
    from studio.engine.run import train
    from studio.engine.worker import Resident

    spec = tiny.spec("textual-inversion", folders["sdxl"], pictures, schedule={"steps": 2})
    store = tiny.new_run(tmp_path / "run", spec)
    events = list(train(store, Resident(tmp_path / "cache")))
    assert events[-1].kind == "finished"
    (file,) = (store.path / "exports").glob("*.safetensors")
    assert set(load_file(file)) == {"clip_l", "clip_g"}
