"""An error of the program itself is said in a sentence, once a minute at most; its details are there to be copied."""

from typing import Any

import gradio as gr
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from studio.errors import SpecError
from studio.ui import faults
from studio.ui.faults import Faults, guarded


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said on the page."""
    told: list[str] = []
    monkeypatch.setattr(gr, "Warning", lambda text, **_: told.append(text))
    return told


def broken() -> None:
    raise KeyError("<b>rank</b>")


def refused() -> None:
    raise SpecError("No method is picked; pick at least one.")


def page_of(kept: Faults, handler: Any) -> list[Any]:
    """The handlers of a click and of a tick."""
    with gr.Blocks() as page:
        gr.Button().click(handler)
        gr.Timer().tick(handler)
    guarded(page, kept)
    return [one.fn for one in page.fns.values()]


def test_a_fault_is_said_with_its_details_and_the_page_stays(said: list[str]) -> None:
    kept = Faults()
    click, tick = page_of(kept, broken)
    assert click() == gr.skip() and tick() == gr.skip() and tick() == gr.skip() and click() == gr.skip()
    assert len(said) == 4 - 1  # the second tick had nothing new to say
    assert "KeyError" in said[0] and "&lt;b&gt;rank" in said[0] and "<b>" not in said[0]
    assert said[0] == said[2] and "/fault/1" in said[0] and "Traceback" not in said[0]
    app = FastAPI()
    app.include_router(faults.router(kept))
    visitor = TestClient(app)
    details = visitor.get("/fault/1")
    assert "KeyError: '<b>rank</b>'" in details.text and "gradio" in details.text
    assert details.headers["content-type"].startswith("text/plain")
    assert visitor.get("/fault/2").status_code == 404


def test_what_the_user_can_mend_is_no_fault(said: list[str]) -> None:
    kept = Faults()
    click, _ = page_of(kept, refused)
    assert click() == gr.skip()
    assert said == ["No method is picked; pick at least one."]
    with pytest.raises(KeyError):
        kept.details(1)


def test_few_are_kept_and_each_place_once() -> None:
    kept = Faults()

    def thrown(source: str) -> int:
        try:
            exec(source, {"line": source.count("\n")})
        except ValueError as error:
            return kept.keep(error)
        raise AssertionError

    lines = ["\n" * line + "raise ValueError(line)" for line in range(faults.MOST + 1)]
    assert [thrown(line) for line in lines] == list(range(1, faults.MOST + 2))
    assert thrown(lines[7]) == 8 and "ValueError: 7" in kept.details(8)
    with pytest.raises(KeyError):
        kept.details(1)
    assert thrown(lines[0]) == faults.MOST + 2
