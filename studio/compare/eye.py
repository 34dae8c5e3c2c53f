"""The only file that knows how pictures and words are looked at: each becomes a direction in one space."""

import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL.Image import Image
from torch import Tensor

from studio import starter
from studio.data.pixels import pixels
from studio.errors import ModelError

BATCH = 32
STARTER = "starter"
"""The eye that comes with the studio."""


class Eye(Protocol):
    """Something that tells how alike two pictures are by the cosine of their rows. It looks on the CPU, in float32."""

    name: str
    """What it is, with the version of its weights: figures of two eyes are never put in one table."""

    @property
    def reader(self) -> "Reader | None":
        """What sees pictures and reads sentences in one space: itself, an eye of its own for that, or nothing."""
        ...

    def images(self, pictures: Sequence[Image]) -> Tensor:
        """One row of length 1 for each picture: (N, d) float32."""
        ...


class Reader(Eye, Protocol):
    """An eye that reads too."""

    def texts(self, sentences: Sequence[str]) -> Tensor:
        """One row of length 1 for each sentence, in the same space: (N, d) float32; one that is too long is cut."""
        ...


class ClipEye:
    """A CLIP model from a local folder, with its own way to prepare pictures (Radford et al., 2021)."""

    def __init__(self, folder: Path, called: str = "CLIP") -> None:
        from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

        self.name = f"{called} {_digest(folder)}"
        try:
            self.model = CLIPModel.from_pretrained(folder, local_files_only=True).float().eval().requires_grad_(False)
            self.tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
            self.processor = self._processor(CLIPImageProcessorPil, folder)
        except Exception as error:  # foreign files in a foreign library: whatever it raises is about the files
            raise ModelError(f"'{folder}' is no whole CLIP model; download it anew, or name another eye.") from error

    def _processor(self, kind: Any, folder: Path) -> Any:
        return kind.from_pretrained(folder, local_files_only=True)

    @property
    def reader(self) -> Reader:
        """Itself."""
        return self

    def images(self, pictures: Sequence[Image]) -> Tensor:
        """(N, d)."""
        batches = _batches(pictures)
        return torch.cat([_rows(self.model.get_image_features(pixel_values=self._prepared(some))) for some in batches])

    def _prepared(self, pictures: Sequence[Image]) -> Tensor:
        return _processed(self.processor, pictures)

    def texts(self, sentences: Sequence[str]) -> Tensor:
        """(N, d); a sentence that is too long is cut."""
        length = self.model.config.text_config.max_position_embeddings
        tokens = self.tokenizer(list(sentences), padding=True, truncation=True, max_length=length, return_tensors="pt")
        return _rows(self.model.get_text_features(tokens["input_ids"], attention_mask=tokens["attention_mask"]))


class StarterEye(ClipEye):
    """The small CLIP that comes with the studio. It knows emoji-like pictures of 64 pixels, and little else."""

    def __init__(self, folder: Path = starter.EYE) -> None:
        if not list(folder.glob("*.safetensors")):
            raise ModelError("The starter's eye is not built; `python -m studio.starter.build` makes it.")
        try:
            super().__init__(folder, "starter eye")
        except ModelError as error:
            raise ModelError("The starter's eye is damaged; `python -m studio.starter.build` makes it anew.") from error

    def _processor(self, kind: Any, folder: Path) -> None:
        """It has none: it was trained on the middle square of each picture, in -1..1."""

    def _prepared(self, pictures: Sequence[Image]) -> Tensor:
        side = self.model.config.vision_config.image_size
        return torch.stack([pixels(picture.convert("RGB"), (side, side)) for picture in pictures])


class DinoEye:
    """A DINOv2 model from a local folder (Oquab et al., 2023): it was never told names, so it sees what is particular.

    It cannot read; ``reader`` is a CLIP for the prompts, or None.
    """

    def __init__(self, folder: Path, reader: Reader | None = None) -> None:
        from transformers import BitImageProcessorPil, Dinov2Model

        self.name = f"DINOv2 {_digest(folder)}" + (f" with {reader.name} for prompts" if reader else "")
        self.reader = reader
        try:
            self.model = Dinov2Model.from_pretrained(folder, local_files_only=True).float().eval().requires_grad_(False)
            self.processor = BitImageProcessorPil.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # foreign files in a foreign library: whatever it raises is about the files
            raise ModelError(f"'{folder}' is no whole DINOv2 model; download it anew, or name another eye.") from error

    def images(self, pictures: Sequence[Image]) -> Tensor:
        """(N, d): the class token, as in the DINO score of DreamBooth (Ruiz et al., 2022)."""
        found = [self.model(pixel_values=_processed(self.processor, some)) for some in _batches(pictures)]
        return torch.cat([_rows(answer) for answer in found])


def open_eye(name: str) -> Eye:
    """The eye called ``name``: `starter`, a folder or downloaded hub name of a CLIP or DINOv2 model, or DINO+CLIP.

    Raises ModelError for one that is not here or is something else.
    """
    if name == STARTER:
        return starter_eye()
    first, _, second = name.partition("+")
    folder = _folder(first.strip())
    reader = _one(second.strip()) if second.strip() else None
    if reader is not None and not hasattr(reader, "texts"):
        raise ModelError(f"'{second.strip()}' cannot read prompts; put a CLIP model behind the plus.")
    if _kind(folder) == "dinov2":
        return DinoEye(folder, reader)
    if reader is not None:
        raise ModelError(f"'{first.strip()}' reads prompts itself; name it alone.")
    return _one(first.strip())


def _one(name: str) -> Any:
    if name == STARTER:
        return starter_eye()
    folder = _folder(name)
    return ClipEye(folder) if _kind(folder) == "clip" else DinoEye(folder)


@functools.lru_cache(maxsize=1)
def starter_eye(folder: Path = starter.EYE) -> StarterEye:
    """The starter's eye, loaded once; raises ModelError when it is not built."""
    return StarterEye(folder)


def _folder(name: str) -> Path:
    """Where the model called ``name`` lies on this machine."""
    place = Path(name).expanduser()
    if (place / "config.json").is_file():
        return place
    if not place.exists() and name.count("/") == 1:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(name, "config.json")
        if isinstance(found, str):
            return Path(found).parent
    raise ModelError(f"There is no eye '{name}' here; give `starter`, or the folder of a DINOv2 or CLIP model.")


def _kind(folder: Path) -> str:
    try:
        kind = str(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"])
    except (OSError, ValueError, KeyError, TypeError):
        kind = ""
    if kind not in ("clip", "dinov2"):
        raise ModelError(f"'{folder}' is neither a CLIP nor a DINOv2 model; name another eye.")
    return kind


def _digest(folder: Path) -> str:
    """Eight signs that change with the weights."""
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    if not files:
        raise ModelError(f"'{folder}' holds no weights; download the model anew, or name another eye.")
    digest = hashlib.sha256()
    for file in files:
        with open(file, "rb") as weights:
            while part := weights.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()[:8]


def _batches(pictures: Sequence[Image]) -> Iterator[Sequence[Image]]:
    return (pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH))


def _processed(processor: Any, pictures: Sequence[Image]) -> Tensor:
    ready = [picture.convert("RGB") for picture in pictures]
    found: Tensor = processor(images=ready, return_tensors="pt")["pixel_values"]
    return found


def _rows(features: Any) -> Tensor:
    """Rows of length 1, from a tensor or from the named output that newer transformers wrap it in."""
    tensor: Tensor = getattr(features, "pooler_output", features)
    return torch.nn.functional.normalize(tensor.float(), dim=-1)
