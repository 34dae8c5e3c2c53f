"""The only file that knows SDXL: two text encoders side by side, a pooled prompt, and sizes told to the UNet."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from studio.families.base import Cond, Family, Models

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline


class SDXL(Family):
    """SDXL base 1.0 and what was trained from it."""

    name = "sdxl"
    title = "SDXL"
    pads = {"tokenizer": "<|endoftext|>", "tokenizer_2": "!"}

    def ask(self, models: Models, ids: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Tensor | None]:
        """Both encoders' last but one layer; pooled is what the second says at the end of the text, projected."""
        hidden = {}
        for slot, tokens in ids.items():
            encoder: Any = models.text_encoders[slot.replace("tokenizer", "text_encoder")]
            said = encoder(tokens.to(models.device), output_hidden_states=True)
            hidden[slot] = said.hidden_states[-2]
        return hidden, said.text_embeds

    def predict(self, models: Models, noisy: Tensor, t: Tensor, cond: Cond) -> Tensor:
        """One call of the UNet, which hears that the picture had this size from the beginning and was not cropped."""
        high, wide = (side * models.shrink for side in noisy.shape[-2:])
        # original height and width, top and left of the crop, target height and width
        sizes = torch.tensor([high, wide, 0, 0, high, wide], dtype=torch.float32, device=noisy.device)
        told = {"text_embeds": cond.pooled, "time_ids": sizes.expand(len(noisy), -1)}
        answer: Tensor = models.unet(noisy, t, cond.hidden, added_cond_kwargs=told, return_dict=False)[0]
        return answer

    def pipeline(self, models: Models) -> "StableDiffusionXLPipeline":
        """StableDiffusionXLPipeline around the live modules."""
        from diffusers import StableDiffusionXLPipeline

        return StableDiffusionXLPipeline(
            vae=models.vae,
            **models.text_encoders,
            **models.tokenizers,
            unet=models.unet,
            scheduler=models.scheduler,
            add_watermarker=False,
        )

    def pipeline_arguments(self, cond: Cond, negative: Cond) -> dict[str, Any]:
        """The pooled prompts besides."""
        assert cond.pooled is not None and negative.pooled is not None
        return {
            **super().pipeline_arguments(cond, negative),
            "pooled_prompt_embeds": cond.pooled,
            "negative_pooled_prompt_embeds": negative.pooled.expand_as(cond.pooled),
        }

    def idle(self, models: Models) -> frozenset[str]:
        """The first encoder's last layer and norm: its last but one is used, and nothing is pooled from it."""
        encoder: Any = models.text_encoders["text_encoder"]
        last = encoder.config.num_hidden_layers - 1
        return frozenset({f"text_encoder.encoder.layers.{last}", "text_encoder.final_layer_norm"})

    def marks(self, models: Models) -> tuple[str, ...]:
        """ComfyUI's: v-prediction, and noise up to the very end, which it asks of v-prediction alone."""
        return ("v_pred", *super().marks(models)) if models.prediction == "v_prediction" else ()
