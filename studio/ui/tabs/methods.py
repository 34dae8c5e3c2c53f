"""The only file that knows the Methods tab: the cards, the rail, and the one button that starts a comparison."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.data import scan
from studio.errors import DataError, SpecError
from studio.ui.desk import Desk, Order
from studio.ui.diagram import diagram
from studio.ui.i18n import t, tr
from studio.ui.looks import Look
from studio.ui.markup import esc, notice, swatch, word
from studio.ui.speak import QUIET, lang_of, pane, said, told
from studio.ui.tabs.dataset import DatasetTab


@dataclass(frozen=True)
class MethodsTab:
    """The parts that the tick and the page's load write to."""

    cards: gr.HTML
    rail: gr.HTML
    advice: gr.HTML
    start: gr.Button
    picked: gr.State
    name: gr.Textbox
    show: Any


def build(desk: Desk, data: DatasetTab, tabs: gr.Tabs, label: Any) -> MethodsTab:
    """Lay the tab out; the caller stands inside its gr.Tab."""
    advice = gr.HTML("", apply_default_css=False, padding=False, elem_id="methods_advice")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            cards = pane("methods_cards")
        with gr.Column(scale=2, min_width=260, elem_classes="pan"):
            rail = gr.HTML("", apply_default_css=False, padding=False, elem_id="methods_rail")
            name = gr.Textbox(
                "corgi", label=label("experiment_name"), elem_id="methods_name", max_lines=1, interactive=True
            )
            steps = gr.Textbox(
                label=label("steps_override"),
                placeholder=label("steps_override_help"),
                elem_id="methods_steps",
                max_lines=1,
                interactive=True,
            )
            gr.Markdown(label("promise"), elem_classes="promise")
            start = gr.Button(label("compare_them"), variant="primary", elem_id="methods_compare", interactive=False)
    picked: gr.State = gr.State(None)
    room = _Room(desk)
    words = [data.folder, data.trigger, data.class_word]
    cards.click(room.clicked, [picked], [cards, rail, start, picked], **QUIET)
    start.click(
        room.start,
        [picked, name, steps, *words],
        tabs,
        trigger_mode="once",
        show_progress="hidden",
        api_visibility="private",
    )
    for field in words:
        field.change(room.advised, words, advice, **QUIET)
    data.folder.change(_named, data.folder, name, **QUIET)
    return MethodsTab(cards, rail, advice, start, picked, name, room.show)


def _named(folder: str | None) -> str:
    return Path(folder or "").name or "experiment"


def _steps(text: str | None) -> int | None:
    """The number of steps that was written, or None for each preset's own."""
    written = (text or "").strip()
    if written and not (written.isascii() and written.isdigit() and int(written) > 0):
        raise SpecError(f"'{written}' is not a number of steps; write a whole number, or nothing.")
    return int(written) if written else None


class _Room:
    """The tab's handlers."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def show(self, picked: list[str] | None, lang: str) -> tuple[Any, ...]:
        """Cards, rail, button and choice: all are picked until the visitor chooses."""
        if not self.desk.looks.ready.is_set():
            return f'<p class="mute">{word("methods_loading", lang)}</p>', "", gr.update(interactive=False), picked
        if self.desk.looks.error:
            return notice("err", self.desk.looks.error), "", gr.update(interactive=False), picked
        known = self.desk.looks.trainable()
        picked = [look.kind for look in known] if picked is None else picked
        cards = "".join(_card(look, look.kind in picked, lang) for look in known)
        box = f'<div class="cards">{cards}</div>'
        return (
            box,
            _rail([look for look in known if look.kind in picked], lang),
            gr.update(interactive=bool(picked)),
            picked,
        )

    @told
    def clicked(self, picked: list[str] | None, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """A card was turned on or off."""
        kind = said(event).get("id", "")
        chosen = list(picked or [])
        chosen = [other for other in chosen if other != kind] if kind in chosen else [*chosen, kind]
        order = [look.kind for look in self.desk.looks.trainable()]
        return self.show([one for one in order if one in chosen], lang_of(request))

    @told
    def start(self, *given: Any) -> Any:
        """Create the experiment, queue it, and show it live."""
        picked, name, steps, folder, trigger, class_word = given
        if not (trigger or "").strip():
            raise SpecError("There is no trigger word; write the word that shall call the subject.")
        order = Order(name or "", tuple(picked or ()), folder or "", trigger, class_word or "", _steps(steps))
        self.desk.compare(order)
        return gr.Tabs(selected="train")

    def advised(self, folder: str, trigger: str, class_word: str, request: gr.Request) -> str:
        """The line above the cards."""
        return advice(folder, trigger, class_word, lang_of(request))


def advice(folder: str, trigger: str, class_word: str, lang: str) -> str:
    """What a comparison would be made of."""
    try:
        split = scan.dataset(scan.DataSpec(folder=folder or "", trigger=trigger or "-"))
        pictures = t("advice_pictures", lang, train=len(split.train), held=len(split.held_out))
    except DataError as error:
        return notice("err", str(error))
    parts = (
        (t("base", lang), t("starter_base", lang)),
        (t("dataset", lang), f"{_named(folder)}, {pictures}"),
        (t("trigger", lang), f"{trigger} {class_word}".strip()),
    )
    said_ = "".join(f'<span><span class="mute">{esc(key)}</span> <b>{esc(value)}</b></span>' for key, value in parts)
    return f'<div class="ln" style="gap:20px;min-height:28px">{said_}</div>'


def _card(look: Look, picked: bool, lang: str) -> str:
    title = tr(look.title, lang)
    use = tr(look.usage.format(name=look.kind, trigger="sks dog", class_word="dog"), lang)
    return (
        f'<div class="card" role="checkbox" tabindex="0" aria-checked="{str(picked).lower()}" data-act="pick" '
        f'data-id="{esc(look.kind)}" aria-label="{esc(title)}" style="--m:{esc(look.colour)}">'
        f'<div class="top">{swatch(look.colour)}<span>{esc(title)}</span>'
        f'<span class="tick">{"✓" if picked else ""}</span></div>'
        f"{diagram(look.kind, title, lang)}"
        f'<p class="say">{esc(tr(look.sentence, lang))}</p>'
        f'<div class="facts"><span><small>{word("preset", lang)}</small>{esc(look.preset)}</span>'
        f'<span class="num"><small>{word("kv_step", lang)}</small>{look.steps}</span></div>'
        f'<code class="use" title="{esc(use)}">{esc(use)}</code></div>'
    )


def _rail(picked: list[Look], lang: str) -> str:
    head = f'<h2 class="h">{word("this_experiment", lang)}</h2>'
    if not picked:
        return head + notice("warn", t("pick_one", lang))
    rows = "".join(
        f"<div>{swatch(look.colour)}<span>{esc(tr(look.title, lang))}</span>"
        f'<span class="to-end">{word("n_steps", lang, n=look.steps)}</span></div>'
        for look in picked
    )
    return f'{head}<div class="list">{rows}</div>'
