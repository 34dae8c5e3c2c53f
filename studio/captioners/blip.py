"""The only file that knows BLIP: a short English sentence for any picture, which may be begun for it."""

import re
from collections.abc import Sequence
from typing import Any

from PIL.Image import Image
from pydantic import Field

from studio.captioners.answers import written
from studio.captioners.base import Caption, Captioner, Local, Source
from studio.captioners.weights import network, place, words
from studio.hardware import Plan

SLIP = re.compile(r"\baraf+\w*\s+", re.IGNORECASE)  # "arafed", which is no word: BLIP often begins with it


class Blip(Captioner):
    """Li et al. 2022, as BlipForConditionalGeneration. Its pictures are squeezed to a square of 384 pixels."""

    class Options(Local):
        """What may be set of BLIP."""

        begin: str = Field("", max_length=200)
        """Words that the sentence begins with, such as `a photo of`; BLIP goes on from them."""
        length: int = Field(40, ge=5, le=200)
        """Longest caption, in tokens (about three quarters of a word each)."""
        beams: int = Field(3, ge=1, le=10)
        """Sentences that are thought out side by side before the best is taken: more is better and slower."""

    def load(self, plan: Plan) -> None:
        """Bring model and processor into memory."""
        from transformers import AutoTokenizer, BlipForConditionalGeneration, BlipProcessor
        from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

        folder = place(self)
        self._process: Any = BlipProcessor(words(BlipImageProcessorPil, folder), words(AutoTokenizer, folder))
        self._model = network(BlipForConditionalGeneration, folder, plan)

    def caption(self, pictures: Sequence[Image]) -> list[Caption]:
        """A sentence for each."""
        options = self.options
        assert isinstance(options, self.Options)
        begun = {"text": [options.begin] * len(pictures)} if options.begin else {}
        inputs = self._process(images=list(pictures), return_tensors="pt", **begun)
        inputs = inputs.to(self._model.device, dtype=self._model.dtype)
        texts = written(self._model, self._process, inputs, options.length, num_beams=options.beams)
        return [Caption(tidy(text)) for text in texts]


def tidy(text: str) -> str:
    """One line without BLIP's own slip of the tongue."""
    return SLIP.sub("", " ".join(text.split()))


class BlipBase(Blip):
    name = "blip-base"
    title = "BLIP base"
    sentence = "A short plain sentence for photographs; runs on a processor in a few seconds a picture."
    licence = "BSD-3-Clause"
    source = Source(
        "Salesforce/blip-image-captioning-base", "82a37760796d32b1411fe092ab5d4e227313294b", 989_820_849,
        ("pytorch_model.bin",), pickled=True,
    )  # fmt: skip
    rank = 30
    memory = 2_000_000_000


class BlipLarge(Blip):
    name = "blip-large"
    title = "BLIP large"
    sentence = "A short sentence with a little more detail than BLIP base; twice as slow."
    licence = "BSD-3-Clause"
    source = Source(
        "Salesforce/blip-image-captioning-large", "353689b859fcf0523410b1806dace5fb46ecdf41", 1_880_000_000,
        ("model.safetensors",),
    )  # fmt: skip
    rank = 31
    memory = 3_000_000_000
