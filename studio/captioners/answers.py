"""The only file that has a captioner's network write, and reads what it wrote as one line for each picture."""

from collections.abc import Mapping
from typing import Any


def written(model: Any, reader: Any, inputs: Mapping[str, Any], length: int, asked: int = 0, **how: Any) -> list[str]:
    """What ``model`` writes to ``inputs``, of N pictures on their first axis: N lines of at most ``length`` tokens.

    ``reader`` turns tokens into text. ``asked`` is how many tokens of a question come back before the answer, and are
    cut off. ``how`` goes to transformers' generate; without it the likeliest words are taken, the same each time.
    """
    import torch

    with torch.inference_mode():
        tokens = model.generate(**inputs, **{"do_sample": False, **how}, max_new_tokens=length)
    return [" ".join(text.split()) for text in reader.batch_decode(tokens[:, asked:], skip_special_tokens=True)]
