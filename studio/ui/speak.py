"""The only file that joins drawn HTML and Python: what a click says, how an error is told, what is skipped."""

import functools
from collections.abc import Callable
from typing import Any

import gradio as gr

from studio.errors import CrucibleError
from studio.ui.i18n import language, tr
from studio.ui.theme import STATIC

CLICKS = """
element.addEventListener('click', (event) => {
  const at = event.target.closest('[data-act]');
  if (!at || !element.contains(at) || at.disabled) return;
  trigger('click', { act: at.dataset.act, id: at.dataset.id || '', shift: event.shiftKey });
});
element.addEventListener('keydown', (event) => {
  const at = event.target.closest('[data-act]');
  if (!at || at.tagName === 'BUTTON' || (event.key !== ' ' && event.key !== 'Enter')) return;
  event.preventDefault();
  at.click();
});
"""
FORM = CLICKS + (STATIC / "form.js").read_text(encoding="utf-8")
"""The same with fields that say what was chosen or typed in them."""
SECONDS = 5.0  # that a sentence in the corner stays; twice as long where something is wrong
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def orderly(tab: str) -> dict[str, Any]:
    """How clicks of a tab are handled: one after the other, and none is passed over.

    Gradio's own way drops a click while another is handled, and its ``always_last`` forgets what the last one was on.
    """
    return {"trigger_mode": "multiple", "concurrency_id": tab, "concurrency_limit": 1, **QUIET}


def heard(field: Any) -> list[Any]:
    """The events by which a field says what its visitor chose or wrote.

    Gradio's ``input`` of a Textbox is a key press: what is pasted, taken back or composed is heard when it is left.
    """
    return [field.input, field.blur] if isinstance(field, gr.Textbox) else [field.input]


def pane(elem_id: str, script: str = CLICKS) -> gr.HTML:
    """A place for drawn HTML whose ``data-act`` elements can be clicked, with another ``script`` also its fields."""
    return gr.HTML("", apply_default_css=False, elem_id=elem_id, padding=False, js_on_load=script)


def tell(text: str) -> None:
    """Say in the page's corner what a click has done; it goes by itself."""
    gr.Info(text, title="Crucible", duration=SECONDS)


def said(event: gr.EventData) -> dict[str, Any]:
    """What the clicked element says: act, id, shift."""
    data = getattr(event, "_data", None)
    return data if isinstance(data, dict) else {}


def lang_of(request: gr.Request | None) -> str:
    """The language of the visitor."""
    if request is None:
        return "en"
    return language(dict(request.cookies), request.headers.get("accept-language", ""))


def request_in(args: tuple[Any, ...], kwargs: dict[str, Any]) -> gr.Request | None:
    """The request among what Gradio hands to a handler, where it asks for it."""
    return next((one for one in [*args, *kwargs.values()] if isinstance(one, gr.Request)), None)


def told(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Tell a user error on the page as one sentence and leave everything as it was."""

    @functools.wraps(handler)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except CrucibleError as error:
            gr.Warning(tr(str(error), lang_of(request_in(args, kwargs))), title="Crucible", duration=2 * SECONDS)
            return gr.skip()

    return wrapped


def changed(seen: dict[str, Any], name: str, value: Any) -> Any:
    """``value`` if it differs from what this visitor was sent last under ``name``, else a skip."""
    if seen.get(name) == value:
        return gr.skip()
    seen[name] = value
    return value
