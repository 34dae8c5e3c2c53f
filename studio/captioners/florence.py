"""The only file that knows Florence-2: one of three lengths of description, asked for by a task."""

from collections.abc import Sequence
from typing import Any, Literal

from PIL.Image import Image
from pydantic import Field

from studio.captioners.answers import written
from studio.captioners.base import Caption, Captioner, Local, Source
from studio.captioners.weights import checked, network, place, words
from studio.hardware import Plan

TASKS = {"short": "<CAPTION>", "detailed": "<DETAILED_CAPTION>", "long": "<MORE_DETAILED_CAPTION>"}


class Florence(Captioner):
    """Xiao et al. 2023, as Florence2ForConditionalGeneration: the community's conversions, which hold no code."""

    class Options(Local):
        """What may be set of Florence-2."""

        detail: Literal["short", "detailed", "long"] = "detailed"
        """One plain sentence, a full one, or a paragraph; Stable Diffusion 1 and 2 read about 50 words."""
        length: int = Field(150, ge=10, le=1024)
        """Longest caption, in tokens (about three quarters of a word each)."""
        beams: int = Field(3, ge=1, le=10)
        """Sentences that are thought out side by side before the best is taken: more is better and slower."""

    def load(self, plan: Plan) -> None:
        """Bring model and processor into memory."""
        from transformers import AutoTokenizer, Florence2ForConditionalGeneration, Florence2Processor
        from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

        folder = place(self)
        parts = words(CLIPImageProcessorPil, folder), words(AutoTokenizer, folder)
        self._process: Any = checked(folder, Florence2Processor, *parts)
        self._model = network(Florence2ForConditionalGeneration, folder, plan)

    def caption(self, pictures: Sequence[Image]) -> list[Caption]:
        """A description for each."""
        options = self.options
        assert isinstance(options, self.Options)
        task = TASKS[options.detail]
        inputs = self._process(
            text=[task] * len(pictures), images=list(pictures), return_tensors="pt", padding=True
        ).to(self._model.device, dtype=self._model.dtype)
        texts = written(self._model, self._process, inputs, options.length, num_beams=options.beams)
        return [Caption(text) for text in texts]


class FlorenceBase(Florence):
    name = "florence-base"
    title = "Florence-2 base"
    sentence = "A sentence or a paragraph for any picture, exact about what is where; small enough for a processor."
    licence = "MIT"
    source = Source("florence-community/Florence-2-base", "00921df66db728a9ceb750f5eca43e5c203a2051", 463_178_864)
    rank = 20
    memory = 2_000_000_000


class FlorenceLarge(Florence):
    name = "florence-large"
    title = "Florence-2 large"
    sentence = "As Florence-2 base, with fewer mistakes and more detail; best on a graphics card."
    licence = "MIT"
    source = Source("florence-community/Florence-2-large", "4271c66b88cdbc05735372ec13b2360108de5317", 1_553_541_016)
    rank = 21
    memory = 4_000_000_000
