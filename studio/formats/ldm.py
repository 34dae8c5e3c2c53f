"""The only file that knows how the LDM layout (A1111, ComfyUI, sgm) numbers the blocks of a UNet and a VAE.

Diffusers counts levels and the layers in them; LDM counts blocks through, and writes attention beside the resnet of
the same block. The numbers follow from the layers per level, so any depth and width can be named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from studio.errors import ModelError

_OUTSIDE: Final = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_RESNET: Final = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_LEVEL: Final = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)")
_MIDDLE: Final = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)")

_VAE_PLAIN: Final = re.compile(r"(?:quant_conv|post_quant_conv|(?:en|de)coder\.conv_(?:in|out))(?:\.|$)")
_VAE_LEVEL: Final = re.compile(r"(en|de)coder\.(?:down|up)_blocks\.(\d+)\.(resnets|(?:down|up)samplers)\.(\d+)\.(.+)")
_VAE_MIDDLE: Final = re.compile(r"((?:en|de)coder)\.mid_block\.(resnets|attentions)\.(\d+)\.(.+)")
_VAE_ATTENTION: Final = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


@dataclass(frozen=True)
class Layout:
    """What the numbering of a UNet follows from: ``layers`` per down level, and the up levels that have attention."""

    layers: int
    attended: frozenset[int]

    @classmethod
    def of(cls, names: Iterable[str]) -> Layout:
        """Read the layout off the names of a diffusers UNet's weights."""
        layers, attended = 0, set()
        for name in names:
            if found := _LEVEL.match(name):
                side, level, kind, layer, _ = found.groups()
                if side == "down" and kind == "resnets":
                    layers = max(layers, int(layer) + 1)
                elif side == "up" and kind == "attentions":
                    attended.add(int(level))
        return cls(layers, frozenset(attended))


SDXL: Final = Layout(layers=2, attended=frozenset({0, 1}))


def unet_name(name: str, layout: Layout) -> str:
    """Turn a diffusers UNet path (of a module or a weight) into LDM's, without prefix; ModelError if it has none."""
    if found := _LEVEL.fullmatch(name):
        side, level, kind, layer, rest = found.groups()
        first = int(level) * (layout.layers + 1)
        if side == "down":
            return _down(first, kind, int(layer), rest, layout)
        return _up(first, kind, int(layer), rest, int(level) in layout.attended, layout)
    if found := _MIDDLE.fullmatch(name):
        kind, layer, rest = found.groups()
        if kind == "resnets":
            return f"middle_block.{2 * int(layer)}.{_replaced(rest, _RESNET, name)}"
        return f"middle_block.{2 * int(layer) + 1}.{rest}"
    return _replaced(name, _OUTSIDE, name)


def _down(first: int, kind: str, layer: int, rest: str, layout: Layout) -> str:
    if kind == "downsamplers":
        return f"input_blocks.{first + layout.layers + 1}.0.op{rest.removeprefix('conv')}"
    block = f"input_blocks.{first + layer + 1}"
    return f"{block}.0.{_replaced(rest, _RESNET, rest)}" if kind == "resnets" else f"{block}.1.{rest}"


def _up(first: int, kind: str, layer: int, rest: str, attended: bool, layout: Layout) -> str:
    if kind == "upsamplers":
        return f"output_blocks.{first + layout.layers}.{2 if attended else 1}.{rest}"
    block = f"output_blocks.{first + layer}"
    return f"{block}.0.{_replaced(rest, _RESNET, rest)}" if kind == "resnets" else f"{block}.1.{rest}"


def vae_levels(names: Iterable[str]) -> int:
    """Number of levels of a diffusers VAE, read off the names of its weights."""
    return 1 + max((int(found[2]) for name in names if (found := _VAE_LEVEL.match(name))), default=-1)


def vae_name(name: str, levels: int) -> str:
    """Turn the name of a diffusers VAE weight into LDM's, without prefix; ModelError if it has none.

    LDM counts the decoder's levels from the finest, diffusers from the coarsest.
    """
    if found := _VAE_LEVEL.fullmatch(name):
        side, level, kind, layer, rest = found.groups()
        if side == "en":
            place, sampler = f"encoder.down.{level}", "downsample"
        else:
            place, sampler = f"decoder.up.{levels - 1 - int(level)}", "upsample"
        if kind != "resnets":
            return f"{place}.{sampler}.{rest}"
        return f"{place}.block.{layer}.{rest.replace('conv_shortcut', 'nin_shortcut')}"
    if found := _VAE_MIDDLE.fullmatch(name):
        side, kind, layer, rest = found.groups()
        if kind == "resnets":
            return f"{side}.mid.block_{int(layer) + 1}.{rest.replace('conv_shortcut', 'nin_shortcut')}"
        return f"{side}.mid.attn_{int(layer) + 1}.{_replaced(rest, _VAE_ATTENTION, name)}"
    if _VAE_PLAIN.match(name):
        return name
    return name.replace("conv_norm_out", "norm_out") if "coder.conv_norm_out" in name else _refuse(name)


def is_vae_attention_weight(name: str) -> bool:
    """Whether LDM keeps this diffusers VAE weight as a 1x1 convolution where diffusers has a matrix."""
    found = _VAE_MIDDLE.fullmatch(name)
    return bool(found) and ".attentions." in name and "group_norm" not in name and name.endswith(".weight")


def _replaced(name: str, table: dict[str, str], whole: str) -> str:
    """``name`` with its beginning, which must end at a dot or the end, looked up in ``table``."""
    for ours, theirs in table.items():
        if name == ours or name.startswith(f"{ours}."):
            return theirs + name[len(ours) :]
    return _refuse(whole)


def _refuse(name: str) -> str:
    raise ModelError(f"'{name}' has no place in a single-file checkpoint; save a diffusers folder instead.")
