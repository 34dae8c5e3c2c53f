"""The only file that knows how a frozen layer is held in 8 or 4 bits: bitsandbytes packs it, here it is computed with.

bitsandbytes' own layers are left aside: in 0.50 Linear8bitLt rounds what it is asked too, and keeps it for the backward
pass; Linear4bit repacks itself while it draws on a processor with AVX-512, and then gives no gradient.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Kind = Literal["int8", "nf4"]
BLOCK = 64  # weights of nf4 that share one scale
ATTENTION = "attentions."  # the transformers in a UNet: nearly all that is linear; what reads the time stays exact


def _pack(kind: Kind, weight: Tensor) -> tuple[Tensor, Tensor]:
    """``weight`` (out, in) as codes, int8 (out, in) or uint8 (out in / 2, 1), and float32 scales of rows or blocks."""
    if weight.is_meta:
        size = weight.numel()
        if kind == "int8":
            return weight.new_empty(weight.shape, dtype=torch.int8), weight.new_empty(len(weight), dtype=torch.float32)
        scales = weight.new_empty(-(-size // BLOCK), dtype=torch.float32)
        return weight.new_empty((-(-size // 2), 1), dtype=torch.uint8), scales
    from bitsandbytes import functional

    if kind == "int8":
        codes, scales, _ = functional.int8_vectorwise_quant(weight.to(torch.float16))
        return codes, scales
    codes, state = functional.quantize_4bit(weight, blocksize=BLOCK, quant_type=kind)
    return codes, state.absmax


def _unpack(layer: "Linear", dtype: torch.dtype) -> Tensor:
    """The weight (out, in), as far as the codes say it."""
    shape = torch.Size((layer.out_features, layer.in_features))
    if layer.codes.is_meta:
        return layer.codes.new_empty(shape, dtype=dtype)
    from bitsandbytes import functional

    if layer.kind == "int8":
        return functional.int8_vectorwise_dequant(layer.codes, layer.scales).to(dtype)
    state = functional.QuantState(layer.scales, shape, blocksize=BLOCK, quant_type=layer.kind, dtype=dtype)
    return functional.dequantize_4bit(layer.codes, state)


class _Product(torch.autograd.Function):
    """x W^T + b for a frozen W that is unpacked for the product and again for its gradient, and never kept."""

    @staticmethod
    def forward(context: Any, x: Tensor, layer: "Linear") -> Tensor:
        context.layer = layer
        bias = None if layer.bias is None else layer.bias.to(x.dtype)
        return F.linear(x, layer.unpacked(x.dtype), bias)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0]
        return gradient @ context.layer.unpacked(gradient.dtype), None


class Linear(nn.Linear):
    """A frozen linear layer held in few bits; ``weight`` is what they say, made anew whenever it is asked for.

    Adapters sit on it as on a plain one. It is called as torch calls its own quantised layer, for lycoris-lora goes by
    the name and would on another change how half of its algorithms work.
    """

    codes: Tensor
    scales: Tensor

    def __init__(self, plain: nn.Linear, kind: Kind, device: torch.device | str) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = plain.in_features, plain.out_features
        self.kind: Kind = kind
        self.dtype = plain.weight.dtype
        codes, scales = _pack(kind, plain.weight.detach().to(device))
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)
        self.instead: Callable[[Tensor], Tensor] | None = None
        """What answers for a while in place of the packed weight: made of that whenever it is asked for, so that no
        whole weight stays."""
        bias = None if plain.bias is None else nn.Parameter(plain.bias.detach().to(device), requires_grad=False)
        self.register_parameter("bias", bias)

    def unpacked(self, dtype: torch.dtype) -> Tensor:
        """The weight (out, in) in ``dtype``."""
        return _unpack(self, dtype) if self.instead is None else self.instead(_unpack(self, self.dtype)).to(dtype)

    @property
    def weight(self) -> Tensor:
        """The weight in the base's dtype; a change to it changes nothing."""
        return self.unpacked(self.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), in autocast's dtype where it is on."""
        kind = x.device.type
        if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
            x = x.to(torch.get_autocast_dtype(kind))
        answer: Tensor = _Product.apply(x, self)
        return answer


def quantize(unet: nn.Module, kind: Kind, device: torch.device | str) -> None:
    """Hold the linear layers of the transformers in ``unet`` as ``kind``, each packed on ``device`` and left there."""
    for name, module in list(unet.named_modules()):
        if type(module) is nn.Linear and ATTENTION in f"{name}.":
            unet.set_submodule(name, Linear(module, kind, device))
