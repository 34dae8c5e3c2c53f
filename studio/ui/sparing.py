"""The only file that keeps Gradio from making anew, at every tick, each part of the page that stays as it is."""

import copy
from collections.abc import Sequence
from typing import Any

import gradio as gr


def sparing(page: gr.Blocks) -> None:
    """Let what a handler skips cost nothing.

    ``gr.skip()`` is an update without content, for which Gradio (6.31) builds the component and its settings a second
    time. A tick skips some forty of them each second, for every page that is open.
    """
    whole = page.postprocess_data

    async def postprocess_data(block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        outputs = block_fn.outputs
        if _skipped(predictions):
            predictions = [predictions] * len(outputs)
        if not isinstance(predictions, Sequence) or len(outputs) < 2 or len(predictions) != len(outputs):
            return await whole(block_fn, predictions, state)
        kept = [at for at, value in enumerate(predictions) if not _skipped(value)]
        answer: list[Any] = [None if one.stateful else gr.skip() for one in outputs]
        if kept:
            part = copy.copy(block_fn)
            part.outputs = [outputs[at] for at in kept]
            given = [predictions[at] for at in kept]
            drawn = await whole(part, given[0] if len(kept) == 1 else given, state)
            for at, value in zip(kept, drawn, strict=True):
                answer[at] = value
        return answer

    page.postprocess_data = postprocess_data


def _skipped(value: Any) -> bool:
    return isinstance(value, dict) and value == gr.skip()
