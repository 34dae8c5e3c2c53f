"""The only file that knows what is tried and made ready before the first step: steady prompts, the hardest batch."""

from collections.abc import Iterable
from typing import Any

from studio.data import order, prior
from studio.data.caption import varies, with_trigger
from studio.engine.bench import Bench
from studio.engine.learner import REMEMBERED
from studio.families.base import Models
from studio.methods.base import Method
from studio.spec import RunSpec

LOOKED_AT = 256  # batches of the first epoch
WORD = 4  # bytes of a number at most: autocast's norms answer in float32


def steady_prompts(bench: Bench, spec: RunSpec, method: Method) -> list[str]:
    """Every prompt that steps will show, so that text encoders can leave.

    None where captions change all the time, or where they are more than are remembered: the encoders would come back
    at every other step, and all would be asked again.
    """
    data = spec.data
    if varies(data):
        return []
    prompts = {method.prompt(""): None} if data.caption_dropout else {}
    if data.class_images:
        prompts[prior.prompt(data)] = None
    most = REMEMBERED // _size(bench.models)
    for encoded in bench.train:
        prompts[method.prompt(with_trigger(encoded.example.caption, data))] = None
        if len(prompts) > most:
            return []
    return list(prompts)


def _size(models: Models) -> int:
    """Bytes of one prompt's conditioning at most: as many rows as tokens, and a pooled one that is no longer."""
    encoders: Iterable[Any] = models.text_encoders.values()
    rows = max(int(tokenizer.model_max_length) for tokenizer in models.tokenizers.values()) + 1
    return rows * sum(int(encoder.config.hidden_size) for encoder in encoders) * WORD


def hardest(bench: Bench, spec: RunSpec, slots: int) -> tuple[int, int]:
    """Step and slot of the batch that has the most to hold: pictures times their size, among the first ones."""
    size = spec.schedule.batch_size

    def cells(turn: int) -> int:
        picked = order.batch(bench.buckets, size, spec.seed, turn)
        high, wide = bench.train[picked[0]].shape
        return len(picked) * high * wide

    turn = max(range(min(LOOKED_AT, len(order.plan(bench.buckets, size)))), key=cells)
    return turn // slots + 1, turn % slots
