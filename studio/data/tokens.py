"""The only file that knows how many tokens a caption has, and which of its words are beyond what a model reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

LIMIT: Final = 75  # tokens that CLIP reads, beside its marks of beginning and end
LOOKED_AT: Final = 8000  # characters; what is longer is beyond the limit anyway


@dataclass(frozen=True)
class Length:
    """``tokens`` of a text without its marks, and the number of its characters that are read."""

    tokens: int
    fits: int


Meter = Callable[[Sequence[str]], list[Length]]
"""Measures many texts at once."""


def meter(tokenizer: Any, limit: int = LIMIT) -> Meter:
    """A meter from a base's own tokenizer, one of transformers' that knows where in the text its tokens are."""

    def measure(texts: Sequence[str]) -> list[Length]:
        if not texts:
            return []
        looked = [text[:LOOKED_AT] for text in texts]
        found = tokenizer(
            looked, add_special_tokens=False, truncation=False, return_offsets_mapping=True, verbose=False
        )
        return [
            Length(len(spots), spots[limit][0] if len(spots) > limit else len(text))
            for spots, text in zip(found["offset_mapping"], texts, strict=True)
        ]

    return measure
