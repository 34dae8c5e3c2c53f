"""What a tick drew of where a visitor stood does not stand over what they did meanwhile."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import gradio as gr

from studio.ui import turns
from studio.ui.app import build
from studio.ui.visits import MOST, Visits, visit_in, visit_of
from tests.ui.doubles import NoWorker


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


def test_visits_are_forgotten_when_there_are_many() -> None:
    known = Visits("nothing")
    for number in range(MOST + 1):
        known.keep(str(number), "thing")
    assert known.of("0") == "nothing" and known.of("1") == known.of(str(MOST)) == "thing"
    assert visit_of(Visit("me")) == visit_in((1, Visit("me")), {}) == "me" and visit_of(None) == ""


def test_what_draws_the_same_part_draws_it_in_the_order_of_the_clicks(tmp_path: Path) -> None:
    """What was asked for first would else be drawn last, where it takes longer."""
    page = build(tmp_path, NoWorker())
    drawn = defaultdict(set)
    for one in page.fns.values():
        if not {"tick", "load"} & {event for _, event in one.targets}:
            assert one.concurrency_limit in (1, "default") or one.name == "loading"
            for part in one.outputs:
                drawn[part].add(one.concurrency_id)
    apart = {part.elem_id for part, lanes in drawn.items() if isinstance(part, gr.HTML | gr.State) and len(lanes) > 1}
    assert len(drawn) > 30 and apart == {"system_doctor"}  # one table, whoever asks; what takes seconds holds up nobody
