"""What a tick drew of where a visitor stood does not stand over what they did meanwhile."""

from typing import Any

import gradio as gr

from studio.ui import turns


class Visit(gr.Request):
    """A request of one visitor."""

    def __init__(self, session_hash: str) -> None:
        self.session_hash = session_hash


def page_of(amid: Any) -> tuple[Any, Any]:
    """The handlers of a tick that does ``amid``, and of a click."""

    def tick(request: gr.Request) -> str:
        amid()
        return "drawn"

    def click(request: gr.Request) -> str:
        return "clicked"

    with gr.Blocks() as page:
        shown = gr.HTML()
        gr.Timer().tick(tick, None, shown)
        gr.Button().click(click, None, shown)
    turns.in_turn(page)
    return tuple(one.fn for one in page.fns.values())  # type: ignore[return-value]


def test_a_tick_gives_way_to_its_own_visitor_alone() -> None:
    doing: list[Any] = []
    tick, click = page_of(lambda: [one() for one in doing])
    me, other = Visit("me"), Visit("other")
    assert click(me) == "clicked" and tick(me) == "drawn"
    doing.append(lambda: click(other))
    assert tick(me) == "drawn"
    doing.append(lambda: click(me))
    assert tick(me) == gr.skip()
    doing.clear()
    assert tick(me) == "drawn"


def test_what_began_before_the_tick_and_ended_amid_it_counts() -> None:
    known = turns.Turns()
    known.moved("me")
    before = known.of("me")
    known.moved("me")
    assert known.of("me") != before and known.of("other") == 0
    for number in range(turns.MOST + 1):
        known.moved(str(number))
    assert known.of("me") == 0 and known.of(str(turns.MOST)) == 1
