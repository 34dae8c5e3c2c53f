"""What a handler leaves as it is costs nothing, and what it draws arrives as Gradio itself would send it."""

import asyncio
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from studio.ui.sparing import sparing

SKIP = gr.skip()
ROWS = {
    "nothing": [SKIP, SKIP, SKIP, SKIP],
    "one": [SKIP, "drawn", SKIP, SKIP],
    "several": ["drawn", SKIP, gr.Dropdown(choices=["a", "b"], value="b"), {"seen": 1}],
    "all": ["a", "b", gr.update(visible=False), {"seen": 2}],
    "one skip for all": SKIP,
}


def page() -> tuple[gr.Blocks, Any]:
    with gr.Blocks() as made:
        outputs = [gr.HTML("x"), gr.HTML("y"), gr.Dropdown(["a"], value="a"), gr.State({})]
        gr.Timer().tick(lambda: None, None, outputs)
    return made, next(iter(made.fns.values()))


def bare(answer: Any) -> Any:
    """An update without content, of which an HTML part would be told twice."""
    return SKIP if answer == {**SKIP, "props": SKIP} else answer


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_answer_is_gradios_own(row: Any) -> None:
    answers, states = [], []
    for spares in (False, True):
        made, handler = page()
        if spares:
            sparing(made)
        state = SessionState(made)
        answers.append(asyncio.run(made.postprocess_data(handler, row, state)))
        states.append(list(state.state_data.values()))
    assert [*map(bare, answers[0])] == answers[1] and states[0] == states[1]


def test_what_is_skipped_is_not_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    made, handler = page()
    sparing(made)
    state, built = SessionState(made), []
    whole = gr.HTML.get_config
    monkeypatch.setattr(gr.HTML, "get_config", lambda self, *given: built.append(self) or whole(self, *given))
    asyncio.run(made.postprocess_data(handler, ROWS["nothing"], state))
    assert built == []
    asyncio.run(made.postprocess_data(handler, [gr.update(visible=False), *ROWS["nothing"][1:]], state))
    assert built != []
