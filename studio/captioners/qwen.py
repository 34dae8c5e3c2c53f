"""The only file that knows Qwen3-VL: a language model that sees, asked in plain words.

Its own processor wants a part for videos, and that part torchvision; pictures need neither, so what it does to them is
done here: Qwen's tokenizer, the picture's patches, and one place in the text for each of them.
"""

from collections.abc import Sequence
from typing import Any

from PIL.Image import Image
from pydantic import Field

from studio.captioners.answers import written
from studio.captioners.base import Caption, Captioner, Local, Source
from studio.captioners.weights import network, place, words
from studio.hardware import Plan

PATCH = "<|image_pad|>"
TALK = (
    f"<|im_start|>user\n<|vision_start|>{PATCH}<|vision_end|>{{ask}}<|im_end|>\n<|im_start|>assistant\n"  # its template
)
LEAST = 256 * 256  # pixels; smaller pictures are enlarged


class Qwen(Captioner):
    """Bai et al. 2025, as Qwen3VLForConditionalGeneration."""

    class Options(Local):
        """What may be set of Qwen3-VL."""

        batch: int = Field(1, ge=1, le=64)
        """Pictures that are looked at together: more is faster on a graphics card and needs more of its memory."""
        ask: str = Field(
            "Describe this picture in one or two plain sentences for training an image model. Begin with the main "
            "subject, then clothing or parts, pose, background, light and medium. No opinions, no preamble.",
            min_length=1, max_length=2000,
        )  # fmt: skip
        """What the model is asked of each picture, in any language; it answers in that language."""
        length: int = Field(160, ge=10, le=1024)
        """Longest answer, in tokens (about three quarters of a word each)."""
        side: int = Field(768, ge=256, le=2048, multiple_of=32)
        """Pictures of more than this side squared are reduced to it: finer sees small things, and needs more memory."""

    def load(self, plan: Plan) -> None:
        """Bring the model, its tokenizer and its way with pictures into memory."""
        from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

        folder = place(self)
        self._look: Any = words(Qwen2VLImageProcessorPil, folder)
        self._tokenizer: Any = words(AutoTokenizer, folder)
        self._model = network(Qwen3VLForConditionalGeneration, folder, plan)

    def inputs(self, pictures: Sequence[Image]) -> dict[str, Any]:
        """What the model reads: ``input_ids`` (N, L) padded on the left, ``pixel_values`` of all patches, the grids."""
        import torch

        options = self.options
        assert isinstance(options, self.Options)
        size = {"shortest_edge": LEAST, "longest_edge": options.side**2}
        seen = self._look(images=list(pictures), size=size, return_tensors="pt")
        counts = seen["image_grid_thw"].prod(dim=1) // self._look.merge_size**2
        asked = TALK.format(ask=options.ask)
        texts = [asked.replace(PATCH, PATCH * int(count), 1) for count in counts]
        read = self._tokenizer(texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
        kinds = (read["input_ids"] == self._tokenizer.convert_tokens_to_ids(PATCH)).to(torch.int32)  # 1: of a picture
        return {
            "input_ids": read["input_ids"],
            "attention_mask": read["attention_mask"],
            "mm_token_type_ids": kinds,
            "pixel_values": seen["pixel_values"].to(self._model.dtype),
            "image_grid_thw": seen["image_grid_thw"],
        }

    def caption(self, pictures: Sequence[Image]) -> list[Caption]:
        """An answer for each."""
        assert isinstance(self.options, self.Options)
        inputs = {name: value.to(self._model.device) for name, value in self.inputs(pictures).items()}
        asked = inputs["input_ids"].shape[1]
        texts = written(self._model, self._tokenizer, inputs, self.options.length, asked)
        return [Caption(text) for text in texts]


class QwenSmall(Qwen):
    name = "qwen3-vl-2b"
    title = "Qwen3-VL 2B"
    sentence = "Does what it is asked in plain words, also in Chinese; the small one, for cards of 8 GB."
    licence = "Apache-2.0"
    source = Source("Qwen/Qwen3-VL-2B-Instruct", "89644892e4d85e24eaac8bacfd4f463576704203", 4_260_000_000)
    rank = 50
    memory = 6_000_000_000


class QwenLarge(Qwen):
    name = "qwen3-vl-4b"
    title = "Qwen3-VL 4B"
    sentence = "Does what it is asked in plain words, also in Chinese; for cards of 12 GB."
    licence = "Apache-2.0"
    source = Source("Qwen/Qwen3-VL-4B-Instruct", "ebb281ec70b05090aa6165b016eac8ec08e71b17", 8_880_000_000)
    rank = 51
    memory = 11_000_000_000
