from __future__ import annotations

import pytest

from studio.console import Console
from studio.events import (
    Decided,
    Event,
    Exported,
    Failed,
    Finished,
    Measured,
    Note,
    Progress,
    Sampled,
    Saved,
    Started,
    Step,
    Stopped,
    Validated,
)

WHOLE: list[Event] = [
    Started(step=2, total=4),
    Decided(what="precision", choice="fp32", reason="float32 because."),
    Progress(stage="loading", done=0, total=1),
    Progress(stage="loading", done=1, total=1),
    Measured(values={"parameters": 3.0}),
    Step(step=3, loss=0.5, lr=0.1, grad_norm=1.0, seconds=0.1, memory=1),
    Sampled(step=3, pictures=()),
    Validated(step=3, loss=0.1),
    Saved(step=3, path="checkpoints/0000003"),
    Note(text="A note.", level="warning"),
    Exported(step=4, format="kohya", path="exports/a.safetensors", usage="<lora:a:1>"),
]


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (Finished(step=4, seconds=9.0), "finished at step 4"),
        (Stopped(step=3), "stopped at step 3"),
        (Failed(step=3, text="It broke."), "It broke."),
    ],
)
def test_a_run_is_told_in_sentences(end: Event, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    for event in [*WHOLE, end]:
        console.show("corgi-lora", event)
    output = "".join(capsys.readouterr())
    for text in ("float32 because.", "A note.", "checkpoints/0000003", "<lora:a:1>", said):
        assert text in output


def test_one_console_shows_runs_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    for run in ("one", "two"):
        for event in [*WHOLE, Finished(step=4, seconds=1.0)]:
            console.show(run, event)
    output = "".join(capsys.readouterr())
    assert "one" in output and "two" in output
