"""Random captioners of the real architectures, thousands of times smaller, saved as their owners publish them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

WORDS = [
    "a",
    "photo",
    "of",
    "the",
    "dog",
    "cat",
    "red",
    "on",
    "grass",
    "what",
    "does",
    "image",
    "describe",
    "?",
    ",",
    ".",
]


def blip(folder: Path, seed: int = 0, pickled: bool = False) -> Path:
    """BLIP with one layer on each side, 32-pixel pictures."""
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    every = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]", *WORDS]
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**size, "vocab_size": len(every), "encoder_hidden_size": 16, "max_position_embeddings": 64,
            "bos_token_id": 5, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}  # fmt: skip
    config = BlipConfig(text_config=text, vision_config={**size, "image_size": 32, "patch_size": 8}, projection_dim=16)
    model = BlipForConditionalGeneration(config)
    with torch.no_grad():
        model.text_decoder.cls.predictions.bias[:7] = -100.0  # no special token, so that it has something to say
    save(model, folder)
    BertTokenizer(
        {word: number for number, word in enumerate(every)}, additional_special_tokens=every[5:7]
    ).save_pretrained(folder)
    BlipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    if pickled:
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    return folder


def florence(folder: Path, seed: int = 0) -> Path:
    """Florence-2: a DaViT of four small stages before a BART of one layer."""
    from transformers import BartTokenizerFast, Florence2Config, Florence2ForConditionalGeneration
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(code) for code in (*range(33, 127), 0x120)]
    vocab = {word: number for number, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>", *letters])}
    words = BartTokenizerFast(vocab=vocab, merges=[], extra_special_tokens={"image_token": "<image>"})
    text = {"vocab_size": len(words), "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
            "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
            "max_position_embeddings": 256}  # fmt: skip
    vision = {"embed_dim": [8, 8, 8, 16], "depths": [1, 1, 1, 1], "num_heads": [2, 2, 2, 2], "num_groups": [2, 2, 2, 2],
              "window_size": 2, "projection_dim": 16}  # fmt: skip
    config = Florence2Config(
        text_config=text, vision_config=vision, image_token_id=words.convert_tokens_to_ids("<image>")
    )
    save(Florence2ForConditionalGeneration(config), folder)
    words.save_pretrained(folder)
    seen = CLIPImageProcessorPil(size={"height": 64, "width": 64}, do_center_crop=False)
    seen.save_pretrained(folder)
    told = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(told | {"image_seq_length": 5}))
    return folder


def letters(*more: str) -> dict[str, int]:
    """GPT's way with bytes: each a token of its own, and after them ``more``."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return {word: number for number, word in enumerate([*bytes_to_unicode().values(), *more])}


def joycaption(folder: Path, seed: int = 0) -> Path:
    """LLaVA: SigLIP before a Llama, each with one layer and a few channels; its template puts the picture itself."""
    from transformers import (
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
        SiglipVisionConfig,
    )
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    words = PreTrainedTokenizerFast(
        tokenizer_object=_bytes("<|begin|>", "<|eot|>", "<|pad|>", "<image>"), bos_token="<|begin|>",
        eos_token="<|eot|>", pad_token="<|pad|>", extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip
    size = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    text = LlamaConfig(**size, num_key_value_heads=1, vocab_size=len(words), max_position_embeddings=512, **ends)
    vision = SiglipVisionConfig(**size | {"num_hidden_layers": 3}, image_size=32, patch_size=8)
    image = words.convert_tokens_to_ids("<image>")
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=image, image_seq_length=16,
                         vision_feature_select_strategy="full")  # fmt: skip
    save(LlavaForConditionalGeneration(config), folder)
    LlavaProcessor(
        SiglipImageProcessorPil(size={"height": 32, "width": 32}), words, patch_size=8,
        vision_feature_select_strategy="full", chat_template=TEMPLATE,
    ).save_pretrained(folder)  # fmt: skip
    return folder


TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message['role'] }}: "
    "{% if message['role'] == 'user' %}<image>{% endif %}{{ message['content'] }}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def qwen(folder: Path, seed: int = 0) -> Path:
    """Qwen3-VL with two layers on each side."""
    from transformers import Qwen2TokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
               "<|video_pad|>"]  # fmt: skip
    words = Qwen2TokenizerFast(vocab=letters(*special), merges=[], pad_token="<|endoftext|>", eos_token="<|im_end|>")
    words.add_special_tokens({"additional_special_tokens": special[1:]})
    text = {"vocab_size": len(words), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [4, 2, 2]}}  # fmt: skip
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 16,
              "out_hidden_size": 32, "num_position_embeddings": 256, "deepstack_visual_indexes": [0]}  # fmt: skip
    ids = {f"{name}_token_id": words.convert_tokens_to_ids(f"<|{word}|>") for name, word in
           (("image", "image_pad"), ("video", "video_pad"), ("vision_start", "vision_start"),
            ("vision_end", "vision_end"))}  # fmt: skip
    model = Qwen3VLForConditionalGeneration(Qwen3VLConfig(text_config=text, vision_config=vision, **ids))
    model.generation_config.eos_token_id = words.eos_token_id
    model.generation_config.pad_token_id = words.pad_token_id
    save(model, folder)
    words.save_pretrained(folder)
    Qwen2VLImageProcessorPil(patch_size=16, size={"shortest_edge": 65536, "longest_edge": 16777216}).save_pretrained(
        folder
    )
    return folder


def wd(folder: Path, side: int = 16, alone: bool = False) -> Path:
    """A tagger by hand: its scores are the means of blue, green and red, of all, and of the upper half, over 255."""
    from onnx import TensorProto, checker, helper, numpy_helper, save_model

    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        ("general", "9"), ("blue_sky", "0"), ("green_grass", "0"), ("red_(colour)", "0"), (">_<", "0"),
        ("hatsune_miku", "4"),
    ]  # fmt: skip
    with (folder / "selected_tags.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("tag_id", "name", "category", "count"), *((n, *row, 9) for n, row in enumerate(rows))]
        )
    mix = np.zeros((3, len(rows)), dtype=np.float32)
    mix[:, 0] = 1 / 3
    mix[0, 1] = mix[1, 2] = mix[2, 3] = mix[2, 4] = mix[0, 5] = 1
    nodes = [
        helper.make_node("ReduceMean", ["input", "axes"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "mix"], ["sums"]),
        helper.make_node("Div", ["sums", "white"], ["output"]),
    ]
    first = 1 if alone else "batch"
    graph = helper.make_graph(
        nodes, "tagger",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [first, side, side, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [first, len(rows)])],
        [numpy_helper.from_array(np.array([1, 2]), "axes"), numpy_helper.from_array(mix, "mix"),
         numpy_helper.from_array(np.float32(255), "white")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    checker.check_model(model)
    save_model(model, folder / "model.onnx")
    return folder


def _bytes(*special: str) -> Any:
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    made = Tokenizer(BPE(letters(*special), []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(list(special))
    return made


def save(model: Any, folder: Path) -> None:
    """With weights wide enough that what is seen changes what is said."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=0.5)
    model.save_pretrained(folder)
