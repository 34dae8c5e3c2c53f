"""The only file that knows JoyCaption: a Llama that sees, trained to describe pictures for image models."""

from collections.abc import Sequence
from typing import Any, Literal

from PIL.Image import Image
from pydantic import Field

from studio.captioners.answers import written
from studio.captioners.base import Caption, Captioner, Local, Source
from studio.captioners.weights import network, place, words
from studio.errors import ModelError
from studio.hardware import Hardware, Plan, memory_free
from studio.plan import NAMES

WHOLE = 19_000_000_000  # bytes of the device for 16 bits, a picture and its answer counted in
KINDS = {
    "description": "Write a {length} descriptive caption for this image in a formal tone.",
    "casual": "Write a {length} descriptive caption for this image in a casual tone.",
    "plain": "Write a {length} straightforward caption for this image. Begin with the main subject and medium.",
    "prompt": "Output a {length} Stable Diffusion prompt that is indistinguishable from a real one.",
    "tags": "Generate only comma-separated Danbooru tags (lowercase_underscores) for this image.",
}


class JoyCaption(Captioner):
    """fancyfeast's JoyCaption beta one, as LlavaForConditionalGeneration: SigLIP's eye before Llama 3.1 8B."""

    name = "joycaption"
    title = "JoyCaption beta one"
    sentence = "Long, exact, uncensored descriptions, prompts or tags; needs a graphics card of 10 GB or more."
    licence = "Llama 3.1 Community License"
    source = Source(
        "fancyfeast/llama-joycaption-beta-one-hf-llava", "ebf414ea497a020da0f82df3913e5b6cb8e9663a", 17_000_000_000
    )
    rank = 40
    memory = 9_500_000_000

    class Options(Local):
        """What may be set of JoyCaption."""

        kind: Literal["description", "casual", "plain", "prompt", "tags"] = "plain"
        """What is written: a description, the same casually, a plain caption, a prompt, or Danbooru tags."""
        words: Literal["very short", "short", "medium-length", "long"] = "medium-length"
        """How long it should be; Stable Diffusion 1 and 2 read about 50 words."""
        ask: str = Field("", max_length=2000)
        """Your own request in place of kind and words, such as `Describe only the clothes.`"""
        length: int = Field(256, ge=10, le=1024)
        """Longest answer, in tokens (about three quarters of a word each)."""
        temperature: float = Field(0.0, ge=0, le=2)
        """0 gives the likeliest words, the same each time; 0.6 is livelier and may differ from run to run."""
        bits: Literal["auto", "16", "4"] = "auto"
        """16 takes the weights as they are; 4 packs them by bitsandbytes into half the memory, a little less exact."""

    @classmethod
    def missing(cls, hardware: Hardware) -> str:
        """It answers in minutes, not seconds, without a graphics card, and 16 bits do not fit every one."""
        if hardware.device == "cpu":
            return f"{cls.title} needs a graphics card of 10 GB or more; choose Florence-2, which runs without one."
        trouble = hardware.probes.get("bitsandbytes", "it was not probed.")
        if trouble and hardware.memory < WHOLE:
            return f"{cls.title} fits {hardware.name} in 4 bits only, which needs bitsandbytes: {trouble}"
        return super().missing(hardware)

    def load(self, plan: Plan) -> None:
        """Bring model and processor into memory, in 4 bits where 16 do not fit."""
        from transformers import LlavaForConditionalGeneration, LlavaProcessor

        folder = place(self)
        self._process: Any = words(LlavaProcessor, folder)
        if self._process.chat_template is None:
            raise ModelError(f"'{folder.name}' has no chat template, so it is no JoyCaption; give another folder.")
        more = {"quantization_config": _four_bits(plan)} if self._in_four(plan) else {}
        self._model = network(LlavaForConditionalGeneration, folder, plan, **more)

    def _in_four(self, plan: Plan) -> bool:
        assert isinstance(self.options, self.Options)
        if self.options.bits != "auto":
            return self.options.bits == "4"
        return plan.device == "cuda" and memory_free("cuda")[0] < WHOLE

    @property
    def request(self) -> str:
        """The words that the model is asked with."""
        assert isinstance(self.options, self.Options)
        return self.options.ask or KINDS[self.options.kind].format(length=self.options.words)

    def caption(self, pictures: Sequence[Image]) -> list[Caption]:
        """An answer for each."""
        options = self.options
        assert isinstance(options, self.Options)
        talk = [
            {"role": "system", "content": "You are a helpful image captioner."},
            {"role": "user", "content": self.request},
        ]
        request = self._process.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
        inputs = self._process(
            text=[request] * len(pictures), images=list(pictures), return_tensors="pt", padding=True
        ).to(self._model.device, dtype=self._model.dtype)
        warm = {"do_sample": True, "temperature": options.temperature, "top_p": 0.9} if options.temperature else {}
        asked = inputs["input_ids"].shape[1]
        texts = written(self._model, self._process, inputs, options.length, asked, **warm)
        listed = options.kind == "tags" and not options.ask
        return [Caption(text, listed=listed) for text in texts]


def _four_bits(plan: Plan) -> Any:
    """NF4 for the Llama alone: what it sees with stays as it is, as its author does it."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, NAMES[plan.compute]),
        llm_int8_skip_modules=["model.vision_tower", "model.multi_modal_projector", "lm_head"],
    )
