"""The only file that knows how pictures and words are looked at: each becomes a direction in one space."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from PIL.Image import Image
from torch import Tensor

from studio import starter
from studio.data.image import pixels
from studio.errors import ModelError

BATCH = 32


class Eye(Protocol):
    """Something that tells how alike two pictures are, or a picture and a sentence, by the cosine of their rows."""

    name: str
    """What it is, with the version of its weights: figures of two eyes are never put in one table."""

    def images(self, pictures: Sequence[Image]) -> Tensor:
        """One row of length 1 for each picture: (N, d) float32."""
        ...

    def texts(self, sentences: Sequence[str]) -> Tensor:
        """One row of length 1 for each sentence, in the same space: (N, d) float32."""
        ...


class StarterEye:
    """The small CLIP that comes with the studio. It knows emoji-like pictures of 64 pixels, and little else."""

    def __init__(self, folder: Path = starter.EYE) -> None:
        weights = sorted(folder.glob("*.safetensors"))
        if not weights:
            raise ModelError("The starter's eye is not built; `python -m studio.starter.build` makes it.")
        from transformers import CLIPModel, CLIPTokenizer

        digest = hashlib.sha256(b"".join(file.read_bytes() for file in weights)).hexdigest()
        self.name = f"starter eye {digest[:8]}"
        try:
            self.model = CLIPModel.from_pretrained(folder).float().eval().requires_grad_(False)
            self.tokenizer = CLIPTokenizer.from_pretrained(folder)
        except (OSError, ValueError) as error:
            raise ModelError("The starter's eye is damaged; `python -m studio.starter.build` makes it anew.") from error

    def images(self, pictures: Sequence[Image]) -> Tensor:
        """(N, d): the middle square of each picture, at the eye's own size."""
        side = self.model.config.vision_config.image_size
        rows = []
        for start in range(0, len(pictures), BATCH):
            batch = [pixels(picture.convert("RGB"), (side, side)) for picture in pictures[start : start + BATCH]]
            rows.append(_rows(self.model.get_image_features(pixel_values=torch.stack(batch))))
        return torch.cat(rows)

    def texts(self, sentences: Sequence[str]) -> Tensor:
        """(N, d); a sentence that is too long is cut."""
        length = self.model.config.text_config.max_position_embeddings
        tokens = self.tokenizer(list(sentences), padding=True, truncation=True, max_length=length, return_tensors="pt")
        return _rows(self.model.get_text_features(tokens["input_ids"], attention_mask=tokens["attention_mask"]))


@functools.lru_cache(maxsize=1)
def starter_eye(folder: Path = starter.EYE) -> StarterEye:
    """The starter's eye, loaded once; raises ModelError when it is not built."""
    return StarterEye(folder)


def _rows(features: Tensor) -> Tensor:
    """Rows of length 1, from a tensor or from the named output that newer transformers wrap it in."""
    tensor: Tensor = getattr(features, "pooler_output", features)
    return torch.nn.functional.normalize(tensor.float(), dim=-1)
