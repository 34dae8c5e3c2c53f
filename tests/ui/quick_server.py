"""The studio as a person starts it, but with few denoising steps in its samples and few looks at what is held out.

Unless ``foretold`` is asked for, nothing is worked out of what runs will need or where they learn.

While a file ``leash`` lies beside the outputs, no run goes beyond the step that it names: what a test looks at stays.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from starlette.responses import StreamingResponse

from studio.events import Event, Step
from studio.store import RunStore
from studio.ui.app import serve
from studio.ui.desk import Desk
from studio.ui.forecast import Forecasts
from studio.ui.order import Order
from studio.ui.touched import Touched

CLOSING = 0.3  # seconds between the closing of a stream of answers and the page's hearing of it
OUTPUTS = Path(sys.argv[1])
whole, append = Desk._specs, RunStore.append


def quick(desk: Desk, order: Order) -> Sequence[Any]:
    from studio.engine import bench  # only now: a start brings in nothing heavy

    bench.TURNS = 2
    return [
        spec.model_copy(update={"sample": spec.sample.model_copy(update={"steps": 2})}) for spec in whole(desk, order)
    ]


def leashed(run: RunStore, event: Event) -> None:
    append(run, event)
    while isinstance(event, Step) and event.step >= allowed() and not run._wishes():
        time.sleep(0.02)


async def slowly(parts: Any) -> Any:
    """An answer whose last part, where it is the closing of Gradio's stream, arrives late, as on a busy machine."""
    async for part in parts:
        if "close_stream" in str(part):
            await asyncio.sleep(CLOSING)
        yield part


class Slow(StreamingResponse):
    def __init__(self, content: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(slowly(content), *args, **kwargs)


def allowed() -> float:
    with contextlib.suppress(OSError, ValueError):  # there is none, or it is being written
        return int(OUTPUTS.with_name("leash").read_text())
    return float("inf")


if __name__ == "__main__":
    Desk._specs, RunStore.append = quick, leashed  # type: ignore[method-assign]
    if "foretold" not in sys.argv[2:]:
        Forecasts.of = lambda _, specs: {spec.method.kind: None for spec in specs}  # type: ignore[method-assign]
        Touched.of = lambda _, specs: dict.fromkeys(specs)  # type: ignore[method-assign]
    import gradio.routes

    gradio.routes.StreamingResponse = Slow  # type: ignore[misc]
    serve(OUTPUTS, browser=False)
