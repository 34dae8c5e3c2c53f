"""The only file that knows the LyCORIS algorithms that are no product of two matrices: scales, ranks, differences."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from studio.errors import ModelError
from studio.methods.base import FromFile
from studio.methods.lycoris import Lycoris


class IA3(Lycoris, kind="ia3"):
    """Scales the outputs of keys, values and the MLP (Liu et al., 2022)."""

    title = "(IA)³"
    colour = "#D264A0"
    sentence = "Scales keys and values only. Smallest adapter, good for style."
    readers = "A1111"
    module_class = ("ia3", "IA3Module")

    class Options(FromFile):
        """(IA)^3's settings."""

        kind: Literal["ia3"] = "ia3"
        targets: Literal["ia3", "qkv", "attn"] = "ia3"
        """Which layers' outputs are scaled: keys, values and the MLP's last; or all of attention. A1111 reads these."""
        train_text_encoder: bool = False
        """Scale the text encoder's layers too."""

    def arguments(self) -> dict[str, Any]:
        """(IA)^3 has no rank."""
        return {}

    def asks(self, path: Path, found: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Any]:
        """Nothing more than where it sits; scales of inputs are another thing."""
        if any(float(parts.get("on_input", 0)) for parts in found.values()):
            raise ModelError(f"'{path.name}' scales the inputs of layers; only scales of outputs are trained here.")
        return {}


class DyLoRA(Lycoris, kind="dylora"):
    """A LoRA of many ranks at once: each step trains one, and the file can be cut at any (Valipour et al., 2022)."""

    title = "DyLoRA"
    colour = "#2F9E58"
    ring = True
    sentence = "LoRA for every rank up to its own at once; slow to learn, and can be cut down later."
    module_class = ("dylora", "DyLoraModule")
    partial = True

    class Options(Lycoris.Options):
        """DyLoRA's settings."""

        kind: Literal["dylora"] = "dylora"

    def arguments(self) -> dict[str, Any]:
        """One rank a block: with larger blocks the saved alpha means another strength to every reader."""
        return super().arguments() | {"block_size": 1}

    def _prepare(self, module: Any) -> None:
        drawn = module.get_random_rank_weight

        def rank() -> Any:
            """A random rank while training; the whole when drawing pictures, or when only its size is wanted."""
            chosen = module.training and not module.up_list[0].is_meta
            return drawn() if chosen else module.get_weight(module.block_count - 1)

        module.get_random_rank_weight = rank

    def saved(self) -> dict[str, dict[str, Tensor]]:
        """LyCORIS leaves a convolution's upper half flat, and its own reader then multiplies instead of copying."""
        found = super().saved()
        for parts in found.values():
            if parts["lora_down.weight"].ndim == 4:
                parts["lora_up.weight"] = parts["lora_up.weight"][..., None, None]
        return found

    def taken(self, module: Any, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The file's two halves, rank by rank."""
        up, down = parts["lora_up.weight"].flatten(1), parts["lora_down.weight"].flatten(1)
        ups = {f"up_list.{rank}": column for rank, column in enumerate(up.split(1, dim=1))}
        return ups | {f"down_list.{rank}": row for rank, row in enumerate(down.split(1, dim=0))}


class GLoRA(Lycoris, kind="glora"):
    """W + W A + B with low-rank A and B (Chavan et al., 2023)."""

    title = "GLoRA"
    colour = "#B0683A"
    ring = True
    sentence = "LoRA before and behind each weight; a little more expressive."
    readers = "Forge, ComfyUI"
    module_class = ("glora", "GLoRAModule")

    class Options(Lycoris.Options):
        """GLoRA's settings."""

        kind: Literal["glora"] = "glora"


class Full(Lycoris, kind="full"):
    """The whole difference of each weight, as a file that can be stacked."""

    title = "Full difference"
    colour = "#DB4F45"
    ring = True
    sentence = "The whole change of every layer as a stackable file: DreamBooth's strength, and its size."
    module_class = ("full", "FullModule")
    whole = True

    class Options(FromFile):
        """Full difference's settings."""

        kind: Literal["full"] = "full"
        targets: Literal["qkv", "attn", "attn-mlp", "full"] = "full"
        """Which layers learn."""
        train_text_encoder: bool = False
        """Let the text encoder's layers learn too."""

    def arguments(self) -> dict[str, Any]:
        """It has no rank."""
        return {}

    def taken(self, module: Any, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The difference on the layer's own weight, as LyCORIS keeps it while it learns; no bias means no change."""
        own = {"weight": (module._org_weight, "diff"), "bias": (module.org_bias, "diff_b")}
        return {
            key: kept[0].float() + parts[name] if name in parts else kept[0].float()
            for key, (kept, name) in own.items()
            if kept is not None
        }
