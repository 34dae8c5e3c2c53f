from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from studio.errors import ModelError
from studio.formats import adapter
from studio.formats.metadata import lora_metadata


def merge(model, weights, alphas) -> None:
    """W + alpha/r * B A, by hand."""
    for module, alpha in alphas.items():
        down, up = weights[f"{module}.lora_A.weight"], weights[f"{module}.lora_B.weight"]
        part, _, path = module.partition(".")
        weight = getattr(model, part).get_submodule(path).weight
        delta = (up.flatten(1) @ down.flatten(1)).reshape(weight.shape) * (alpha / down.shape[0])
        weight.data += delta


def answer(model) -> torch.Tensor:
    with torch.no_grad():
        hidden = model.text_encoder(torch.arange(20).unsqueeze(0))[0]
        torch.manual_seed(1)
        noisy = torch.randn(1, model.unet.config.in_channels, 8, 8)
        return model.unet(noisy, torch.tensor([300]), hidden).sample


def write(kind, path, weights, alphas, metadata, dtype=torch.float32):
    if kind == "kohya":
        return adapter.write_kohya(path, weights, alphas, "sd1", dtype, metadata)
    return adapter.write_diffusers(path, weights, alphas, dtype, metadata)


@pytest.mark.parametrize("kind", ["kohya", "diffusers"])
def test_diffusers_applies_the_file_at_the_scale_it_was_trained_with(kind, sd1, lora, about, tmp_path) -> None:

    weights, alphas = lora(sd1)
    before = answer(sd1)
    path = write(kind, tmp_path / "x.safetensors", weights, alphas, lora_metadata(about))
    sd1.load_lora_weights(tmp_path, weight_name=path.name)
    loaded = answer(sd1)
    sd1.unload_lora_weights()
    assert torch.equal(answer(sd1), before)
    merge(sd1, weights, alphas)
    assert (loaded - before).abs().max() > 0.05
    torch.testing.assert_close(loaded, answer(sd1), rtol=1e-3, atol=1e-4)


def test_diffusers_applies_ranks_and_alphas_of_each_module(sd1, lora, tmp_path) -> None:
    weights, alphas = lora(sd1, rank=4, conv_rank=1)
    alphas = {module: 1.0 + number % 3 for number, module in enumerate(alphas)}
    adapter.write_diffusers(tmp_path / "x.safetensors", weights, alphas, torch.float32, {})
    sd1.load_lora_weights(tmp_path, weight_name="x.safetensors")
    loaded = answer(sd1)
    sd1.unload_lora_weights()
    merge(sd1, weights, alphas)
    torch.testing.assert_close(loaded, answer(sd1), rtol=1e-3, atol=1e-4)


def test_diffusers_applies_dora(sd1, tmp_path) -> None:
    weights, alphas = {}, {}
    layer = sd1.unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q
    module = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    weights[f"{module}.lora_A.weight"] = torch.randn(2, layer.in_features)
    weights[f"{module}.lora_B.weight"] = torch.randn(layer.out_features, 2)
    weights[f"{module}.lora_magnitude_vector"] = torch.rand(layer.out_features) + 1
    alphas[module] = 1.0
    adapter.write_diffusers(tmp_path / "x.safetensors", weights, alphas, torch.float32, {})
    sd1.load_lora_weights(tmp_path, weight_name="x.safetensors")
    loaded = answer(sd1)
    sd1.unload_lora_weights()
    merge(sd1, weights, alphas)
    norm = layer.weight.data.norm(dim=1)
    layer.weight.data *= (weights[f"{module}.lora_magnitude_vector"] / norm)[:, None]
    torch.testing.assert_close(loaded, answer(sd1), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["kohya", "diffusers"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_read_gives_back_what_was_written(kind, dtype, shallow, lora, paths, tmp_path) -> None:
    weights, alphas = lora(shallow, rank=4)
    alphas = {module: 0.1 + number for number, module in enumerate(alphas)}
    dora = next(name for name in weights if "conv1" in name).removesuffix(".lora_A.weight")
    weights[f"{dora}.lora_magnitude_vector"] = torch.rand(1, weights[f"{dora}.lora_B.weight"].shape[0], 1, 1)
    path = write(kind, tmp_path / "x.safetensors", weights, alphas, {}, dtype)
    back, scales = adapter.read(path, paths(shallow))
    assert set(back) == set(weights)
    assert all(torch.equal(back[name], weights[name].to(dtype).float()) for name in weights)
    assert scales == pytest.approx(alphas)


@pytest.mark.parametrize("family", ["sd2", "sdxl"])
def test_the_other_families_names_are_read_back(family, sd1, lora, paths, tmp_path) -> None:
    weights, alphas = lora(sd1)
    path = adapter.write_kohya(tmp_path / "x.safetensors", weights, alphas, family, torch.float32, {})
    back, scales = adapter.read(path, paths(sd1))
    assert set(back) == set(weights) and scales == alphas
    written = load_file(path)
    assert any(name.startswith("lora_te1_" if family == "sdxl" else "lora_te_text_model_encoder") for name in written)
    assert any("input_blocks_4_1" in name for name in written) == (family == "sdxl")


def test_a1111_knows_the_family_and_the_scale(sd1, lora, tmp_path) -> None:
    weights, alphas = lora(sd1)
    path = adapter.write_kohya(tmp_path / "x.safetensors", weights, alphas, "sd1", torch.float16, {})
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["ss_v2"] == "False" and metadata["ss_base_model_version"] == "sd_v1"
    assert metadata["ss_network_dim"] in {"3", "2"} and metadata["ss_network_alpha"] == "1.5"
    tensors = load_file(path)
    modules = {name.partition(".")[0] for name in tensors}
    for module in modules:
        assert tensors[f"{module}.alpha"].shape == () and tensors[f"{module}.alpha"].item() == 1.5
        assert tensors[f"{module}.lora_down.weight"].dtype == torch.float16


def test_a_file_without_alpha_means_the_rank_and_old_spellings_are_read(tmp_path) -> None:
    down, up = torch.ones(2, 8), torch.ones(8, 2)
    module = "text_encoder.encoder.layers.0.self_attn.q_proj"
    old = "text_encoder.text_model.encoder.layers.0.self_attn.q_proj"
    for spelling in (
        {f"{old}.lora.down.weight": down, f"{old}.lora.up.weight": up},
        {f"{module}.lora_linear_layer.down.weight": down, f"{module}.lora_linear_layer.up.weight": up},
        {f"{old.replace('.', '_').replace('text_encoder', 'lora_te1', 1)}.lora_{kind}.weight": tensor
         for kind, tensor in (("down", down), ("up", up))},
    ):  # fmt: skip
        save_file(spelling, tmp_path / "x.safetensors")
        weights, alphas = adapter.read(tmp_path / "x.safetensors", [module])
        assert alphas == {module: 2.0} and set(weights) == {f"{module}.lora_A.weight", f"{module}.lora_B.weight"}


def test_peft_settings_that_change_the_scale_are_understood(tmp_path) -> None:
    module = "unet.mid_block.resnets.0.conv1"
    weights = {f"{module}.lora_A.weight": torch.ones(4, 8, 3, 3), f"{module}.lora_B.weight": torch.ones(8, 4, 1, 1)}
    for config, alpha in (({"lora_alpha": 3}, 3.0), ({}, 8.0), ({"lora_alpha": 3, "use_rslora": True}, 6.0)):
        whole = {"unet.r": 4, **{f"unet.{key}": value for key, value in config.items()}}
        save_file(weights, tmp_path / "x.safetensors", metadata={"lora_adapter_metadata": json.dumps(whole)})
        assert adapter.read(tmp_path / "x.safetensors", [module])[1] == {module: alpha}


def test_faulty_weights_are_refused(sd1, lora, tmp_path) -> None:
    weights, alphas = lora(sd1)
    first = next(iter(weights))
    path = tmp_path / "x.safetensors"
    for bad, fault in (
        ({**weights, first: weights[first] * float("nan")}, "NaN"),
        ({**weights, first: weights[first] * 1e6}, "does not fit into float16"),
        ({name: tensor for name, tensor in weights.items() if name != first}, "one half"),
        ({**weights, first: weights[first][:1]}, "do not fit"),
        ({**weights, "unet.conv_in.bias": torch.ones(1)}, "not the weight of a LoRA"),
    ):
        with pytest.raises(ModelError, match=fault):
            adapter.write_kohya(path, bad, alphas, "sd1", torch.float16, {})
    with pytest.raises(ModelError, match="no alpha"):
        adapter.write_diffusers(path, weights, {}, torch.float16, {})
    with pytest.raises(ModelError, match="not a known model family"):
        adapter.write_kohya(path, weights, alphas, "sd9", torch.float32, {})
    assert list(tmp_path.iterdir()) == []


def test_files_that_do_not_fit_are_refused_by_name(sd1, lora, paths, tmp_path) -> None:
    path = tmp_path / "x.safetensors"
    for tensors, fault in (
        ({"lora_unet_no_such_layer.lora_down.weight": torch.ones(1, 1)}, "another model family"),
        ({"lora_unet_conv_in.hada_w1_a": torch.ones(1, 1)}, "other kinds of adapter"),
        ({"unet.conv_in.weight": torch.ones(1, 1)}, "other kinds of adapter"),
    ):
        save_file(tensors, path)
        with pytest.raises(ModelError, match=rf"x\.safetensors.*{fault}"):
            adapter.read(path, paths(sd1))
