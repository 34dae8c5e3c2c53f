"""The only file that knows what is tried and made ready before the first step: steady prompts, the hardest batch."""

from studio.data import order, prior
from studio.data.caption import varies, with_trigger
from studio.engine.bench import Bench
from studio.engine.learner import REMEMBERED
from studio.methods.base import Method
from studio.spec import RunSpec

LOOKED_AT = 256  # batches of the first epoch


def steady_prompts(bench: Bench, spec: RunSpec, method: Method) -> list[str]:
    """Every prompt that steps will show, so that text encoders can leave; none where captions change all the time."""
    data = spec.data
    if varies(data):
        return []
    texts = [with_trigger(encoded.example.caption, data) for encoded in bench.train]
    if data.caption_dropout:
        texts.append("")
    prompts = {method.prompt(text): None for text in texts}
    if data.class_images:
        prompts[prior.prompt(data)] = None
    return [] if len(prompts) > REMEMBERED else list(prompts)


def hardest(bench: Bench, spec: RunSpec, slots: int) -> tuple[int, int]:
    """Step and slot of the batch that has the most to hold: pictures times their size, among the first ones."""
    size = spec.schedule.batch_size

    def cells(turn: int) -> int:
        picked = order.batch(bench.buckets, size, spec.seed, turn)
        high, wide = bench.train[picked[0]].shape
        return len(picked) * high * wide

    turn = max(range(min(LOOKED_AT, len(order.plan(bench.buckets, size)))), key=cells)
    return turn // slots + 1, turn % slots
