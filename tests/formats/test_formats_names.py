from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import ModelError
from studio.formats import ldm, names

TRANSFORMER = st.builds(
    "transformer_blocks.{}.{}".format,
    st.integers(0, 9),
    st.sampled_from(["attn1.to_q", "attn2.to_k", "attn2.to_v", "attn1.to_out.0", "ff.net.0.proj", "ff.net.2"]),
)
ATTENTION = st.builds(
    "attentions.{}.{}".format, st.integers(0, 2), TRANSFORMER | st.sampled_from(["proj_in", "proj_out"])
)
RESNET = st.builds(
    "resnets.{}.{}".format, st.integers(0, 1), st.sampled_from(["conv1", "conv2", "time_emb_proj", "conv_shortcut"])
)
UNET = (
    st.builds("unet.down_blocks.{}.{}".format, st.integers(0, 3), RESNET | st.just("downsamplers.0.conv"))
    | st.builds("unet.up_blocks.{}.{}".format, st.integers(0, 3), ATTENTION | RESNET | st.just("upsamplers.0.conv"))
    | st.builds("unet.mid_block.{}".format, ATTENTION | RESNET)
    | st.sampled_from(["unet.conv_in", "unet.conv_out", "unet.time_embedding.linear_1", "unet.add_embedding.linear_2"])
)
LAYER = st.builds(
    "encoder.layers.{}.{}".format,
    st.integers(0, 31),
    st.sampled_from(["self_attn.q_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2"]),
)
TEXT = st.builds("{}{}".format, st.sampled_from(["text_encoder.", "text_encoder_2.text_model."]), LAYER)
MODULES = st.sets(UNET | TEXT, min_size=1, max_size=60)


@given(MODULES, st.sampled_from(names.FAMILIES), st.sampled_from(names.LEAVES))
def test_names_survive_the_way_to_kohya_and_back(modules, family, leaf) -> None:
    index = names.kohya_index(modules)
    spelled = {names.kohya_weight(f"{module}.{leaf}", family): module for module in modules}
    assert len(spelled) == len(modules)
    assert all(names.from_kohya(name, index) == (module, leaf) for name, module in spelled.items())
    assert all(re.fullmatch(r"lora_(unet|te|te1|te2)_[a-z0-9_]+\.[a-z_.]+", name) for name in spelled)


@given(MODULES, st.sampled_from(names.LEAVES))
def test_names_survive_the_way_to_diffusers_and_back(modules, leaf) -> None:
    index = names.diffusers_index(modules)
    for module in modules:
        assert names.from_diffusers(names.diffusers_weight(f"{module}.{leaf}"), index) == (module, leaf)
        assert names.from_diffusers(f"base_model.model.{module}.{leaf}", index) == (module, leaf)


def test_text_model_is_put_back_and_not_doubled() -> None:
    for path in ("text_encoder.encoder.layers.0.mlp.fc1", "text_encoder.text_model.encoder.layers.0.mlp.fc1"):
        assert names.kohya_module(path, "sd1") == "lora_te_text_model_encoder_layers_0_mlp_fc1"
        assert names.kohya_module(path, "sdxl") == "lora_te1_text_model_encoder_layers_0_mlp_fc1"
        assert names.diffusers_module(path) == "text_encoder.text_model.encoder.layers.0.mlp.fc1"


def test_known_names_of_sdxl() -> None:
    for path, name in {
        "down_blocks.1.attentions.0.transformer_blocks.0.norm1": "input_blocks_4_1_transformer_blocks_0_norm1",
        "down_blocks.2.attentions.1.proj_in": "input_blocks_8_1_proj_in",
        "down_blocks.1.downsamplers.0.conv": "input_blocks_6_0_op",
        "mid_block.attentions.0.transformer_blocks.9.ff.net.2": "middle_block_1_transformer_blocks_9_ff_net_2",
        "up_blocks.0.attentions.0.proj_out": "output_blocks_0_1_proj_out",
        "up_blocks.0.upsamplers.0.conv": "output_blocks_2_2_conv",
        "up_blocks.2.resnets.1.conv_shortcut": "output_blocks_7_0_skip_connection",
        "add_embedding.linear_2": "label_emb_0_2",
    }.items():
        assert names.kohya_module(f"unet.{path}", "sdxl") == f"lora_unet_{name}"


def a1111(name: str) -> str:
    """Where A1111 looks for an SD1 module, from its documented rules: three blocks to a level, by arithmetic only."""
    resnet = {"conv1": "in_layers_2", "conv2": "out_layers_3", "time_emb_proj": "emb_layers_1"}
    resnet["conv_shortcut"] = "skip_connection"
    if found := re.fullmatch(r"lora_unet_(down|up)_blocks_(\d)_(attentions|resnets)_(\d)_(.+)", name):
        side, block, layer, rest = found[1], int(found[2]), int(found[4]), found[5]
        number = 3 * block + layer + (side == "down")
        kind = 1 if found[3] == "attentions" else 0
        return f"{'input' if side == 'down' else 'output'}_blocks_{number}_{kind}_{resnet.get(rest, rest)}"
    if found := re.fullmatch(r"lora_unet_mid_block_(attentions|resnets)_(\d)_(.+)", name):
        return f"middle_block_{1 if found[1] == 'attentions' else 2 * int(found[2])}_{resnet.get(found[3], found[3])}"
    if found := re.fullmatch(r"lora_unet_down_blocks_(\d)_downsamplers_0_conv", name):
        return f"input_blocks_{3 + 3 * int(found[1])}_0_op"
    if found := re.fullmatch(r"lora_unet_up_blocks_(\d)_upsamplers_0_conv", name):
        return f"output_blocks_{2 + 3 * int(found[1])}_{2 if found[1] > '0' else 1}_conv"
    if found := re.fullmatch(r"lora_unet_time_embedding_linear_(\d)", name):
        return f"time_embed_{2 * int(found[1]) - 2}"
    return {"lora_unet_conv_in": "input_blocks_0_0", "lora_unet_conv_out": "out_2"}[name]


def adaptable(unet) -> list[str]:
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    return [path for path, module in unet.named_modules() if isinstance(module, kinds)]


def test_a1111_finds_every_module_of_sd1(make_unet) -> None:
    unet = make_unet((True, True, True, False))
    layout = ldm.Layout.of(unet.state_dict())
    modules = adaptable(unet)
    assert len(modules) > 250
    for path in modules:
        assert a1111(names.kohya_module(f"unet.{path}", "sd1")) == ldm.unet_name(path, layout).replace(".", "_")


def test_diffusers_maps_every_name_of_sdxl_back(make_unet) -> None:
    from diffusers import StableDiffusionXLPipeline

    unet = make_unet((False, True, True))
    modules = adaptable(unet)
    spelled = {}
    for path in modules:
        module = names.kohya_module(f"unet.{path}", "sdxl")
        number = torch.tensor([[float(modules.index(path))]])
        spelled |= {f"{module}.lora_down.weight": number, f"{module}.lora_up.weight": number}
    back, _ = StableDiffusionXLPipeline.lora_state_dict(spelled, unet_config=unet.config)
    halves = {key: value for key, value in back.items() if "down.weight" in key and "lora" in key}
    found = {
        re.sub(r"\.processor|\.lora\.down\.weight|_lora\.down\.weight", "", key): value for key, value in halves.items()
    }
    meant = {f"unet.{path.replace('to_out.0', 'to_out')}": number for number, path in enumerate(modules)}
    assert {key: int(value) for key, value in found.items()} == meant


def test_what_has_no_name_is_refused() -> None:
    for call in (
        lambda: names.split_part("vae.conv"),
        lambda: names.split_weight("unet.conv_in.weight"),
        lambda: names.kohya_module("unet.conv_in", "sd3"),
        lambda: names.kohya_module("unet.encoder_hid_proj", "sdxl"),
        lambda: ldm.vae_name("encoder.something.weight", 4),
    ):
        with pytest.raises(ModelError):
            call()
