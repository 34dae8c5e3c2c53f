"""The only file that knows the Methods tab: the base, the cards, the rail, and the button that starts a comparison."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.data import scan
from studio.errors import DataError, ModelError, SpecError
from studio.ui.desk import Desk, Order
from studio.ui.diagram import diagram
from studio.ui.i18n import t, tr
from studio.ui.markup import empty, esc, notice, size, swatch, word
from studio.ui.offers import Offer, usual
from studio.ui.speak import QUIET, lang_of, pane, said, told
from studio.ui.tabs.dataset import DatasetTab


@dataclass(frozen=True)
class MethodsTab:
    """The parts that the tick and the page's load write to."""

    base: gr.Dropdown
    name: gr.Textbox
    advice: gr.HTML
    shown: list[Any]
    """The base's line, cards, rail, button and choice: what ``show`` returns."""
    show: Any
    bases: Any
    """The bases that can be named now, as an update of ``base``."""


def build(desk: Desk, data: DatasetTab, tabs: gr.Tabs, label: Any) -> MethodsTab:
    """Lay the tab out; the caller stands inside its gr.Tab."""
    with gr.Row(elem_classes="base"):
        base = gr.Dropdown(
            ["starter"], value="starter", label=label("base_model"), info=label("base_help"), allow_custom_value=True,
            elem_id="methods_base", scale=2, min_width=260, interactive=True,
        )  # fmt: skip
        with gr.Column(scale=5, min_width=320):
            about = gr.HTML("", apply_default_css=False, padding=False, elem_id="methods_about")
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
    shown = [about, cards, rail, start, picked]
    cards.click(room.clicked, [picked, base], shown, **QUIET)
    base.change(room.based, [base, picked], shown, **QUIET)
    start.click(
        room.start,
        [picked, name, steps, base, *words],
        tabs,
        trigger_mode="once",
        show_progress="hidden",
        api_visibility="private",
    )
    for field in words:
        field.change(room.advised, words, advice, **QUIET)
    data.folder.change(room.renamed, data.folder, name, **QUIET)
    return MethodsTab(base, name, advice, shown, room.show, room.bases)


def named(folder: str | None) -> str:
    """What an experiment on this folder is called until it is named."""
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

    def show(self, base: str, picked: list[str] | None, lang: str) -> tuple[Any, ...]:
        """The base's line, cards, rail, button and choice; the usual ones are picked until the visitor chooses."""
        off = gr.update(interactive=False)
        if not self.desk.looks.ready.is_set():
            return "", f'<p class="mute">{word("methods_loading", lang)}</p>', "", off, picked
        if self.desk.looks.error:
            return "", notice("err", self.desk.looks.error), "", off, picked
        try:
            about = self.desk.about(base or "")
        except ModelError as error:
            return (
                notice("err", tr(str(error), lang)),
                empty(t("base_none", lang), t("base_help", lang)),
                "",
                off,
                picked,
            )
        found = self.desk.offers(about)
        can = [offer.look.kind for offer in found if not offer.reason]
        chosen = usual(found) if picked is None else [kind for kind in can if kind in picked]
        cards = "".join(_card(offer, offer.look.kind in chosen, about, lang) for offer in found)
        rail = _rail([offer for offer in found if offer.look.kind in chosen], lang)
        return (
            _about(about, lang),
            f'<div class="cards">{cards}</div>',
            rail,
            gr.update(interactive=bool(chosen)),
            chosen,
        )

    @told
    def clicked(self, picked: list[str] | None, base: str, event: gr.EventData, request: gr.Request) -> Any:
        """A card was turned on or off."""
        kind = said(event).get("id", "")
        chosen = list(picked or [])
        chosen = [other for other in chosen if other != kind] if kind in chosen else [*chosen, kind]
        self.desk.drafts.change(picked=tuple(chosen))
        return self.show(base, chosen, lang_of(request))

    @told
    def based(self, base: str, picked: list[str] | None, request: gr.Request) -> Any:
        """Another base: what was picked stays where it can train it, else the usual ones are picked."""
        self.desk.drafts.change(base=base or "")
        shown = self.show(base, picked, lang_of(request))
        return shown if shown[-1] else self.show(base, None, lang_of(request))

    def bases(self, chosen: str | None = None) -> Any:
        """What can be chosen; the choice itself stays, or becomes ``chosen``."""
        found = self.desk.bases()
        return gr.update(choices=found) if chosen is None else gr.update(choices=found, value=chosen)

    @told
    def start(self, *given: Any) -> Any:
        """Create the experiment, queue it, and show it live."""
        picked, name, steps, base, folder, trigger, class_word = given
        if not (trigger or "").strip():
            raise SpecError("There is no trigger word; write the word that shall call the subject.")
        draft, kinds = self.desk.drafts.read(), tuple(picked or ())
        order = Order(
            name or "", kinds, folder or "", trigger, class_word or "", _steps(steps), base or "",
            dict(draft.presets), {kind: draft.changed(kind) for kind in kinds},
        )  # fmt: skip
        self.desk.compare(order)
        return gr.Tabs(selected="train")

    def renamed(self, folder: str) -> Any:
        """Another dataset names the experiment, unless the visitor did."""
        return gr.skip() if self.desk.drafts.read().name else named(folder)

    def advised(self, folder: str, trigger: str, class_word: str, request: gr.Request) -> str:
        """The line above the cards."""
        return advice(folder, trigger, class_word, lang_of(request))


def advice(folder: str, trigger: str, class_word: str, lang: str) -> str:
    """What a comparison would be made of."""
    try:
        split = scan.dataset(scan.DataSpec(folder=folder or "", trigger=trigger or "-"))
        pictures = t("advice_pictures", lang, train=len(split.train), held=len(split.held_out))
    except DataError as error:
        return notice("err", tr(str(error), lang))
    parts = (
        (t("dataset", lang), f"{named(folder)}, {pictures}"),
        (t("trigger", lang), f"{trigger} {class_word}".strip()),
    )
    said_ = "".join(f'<span><span class="mute">{esc(key)}</span> <b>{esc(value)}</b></span>' for key, value in parts)
    return f'<div class="ln" style="gap:20px;min-height:28px">{said_}</div>'


def _about(about: Any, lang: str) -> str:
    """One line: family, prediction, native side, size, and the commit of what came from a hub."""
    parts = [
        t("starter_base", lang) if about.presets == about.model else about.title,
        t("predicts", lang, what=about.prediction.replace("_", "-")) if about.prediction else "",
        t("side", lang, n=about.side),
        size(about.size),
        t("commit", lang, hash=about.commit[:12]) if about.commit else "",
    ]
    return f'<p class="about">{esc(" · ".join(part for part in parts if part))}</p>'


def _card(offer: Offer, picked: bool, about: Any, lang: str) -> str:
    look = offer.look
    title = tr(look.title, lang)
    use = tr(look.usage.format(name="NAME", trigger="sks dog", class_word="dog"), lang)
    if offer.reason:
        what = t(offer.reason, lang, title=title, family=about.title)
        state, sentence = 'aria-disabled="true" aria-checked="false"', f'<p class="say">{esc(what)}</p>'
    else:
        state = f'tabindex="0" data-act="pick" data-id="{esc(look.kind)}" aria-checked="{str(picked).lower()}"'
        sentence = f'<p class="say">{esc(tr(look.sentence, lang))}</p>'
    return (
        f'<div class="card" role="checkbox" {state} data-kind="{esc(look.kind)}" aria-label="{esc(title)}" '
        f'style="--m:{esc(look.colour)}">'
        f'<div class="top">{swatch(look.colour, ring=look.ring)}<span>{esc(title)}</span>'
        f'<span class="tick">{"✓" if picked else ""}</span></div>'
        f"{diagram(look.kind, title, lang)}{sentence}"
        + ("" if offer.reason else _facts(offer, lang))
        + f'<code class="use" title="{esc(t("loads_in", lang, programs=look.readers))}">{esc(use)}</code></div>'
    )


def _facts(offer: Offer, lang: str) -> str:
    return (
        f'<div class="facts"><span><small>{word("preset", lang)}</small>{esc(offer.preset)}</span>'
        f'<span class="num"><small>{word("kv_step", lang)}</small>{offer.steps}</span></div>'
    )


def _rail(picked: list[Offer], lang: str) -> str:
    head = f'<h2 class="h">{word("this_experiment", lang)}</h2>'
    if not picked:
        return head + notice("warn", t("pick_one", lang))
    rows = "".join(
        f"<div>{swatch(offer.look.colour, ring=offer.look.ring)}<span>{esc(tr(offer.look.title, lang))}</span>"
        f'<span class="to-end">{word("n_steps", lang, n=offer.steps)}</span></div>'
        for offer in picked
    )
    tight = [tr(offer.look.title, lang) for offer in picked if offer.short]
    short = notice("warn", t("offer_short", lang, methods=", ".join(tight))) if tight else ""
    adjust = '<button type="button" class="bt wide" data-go="train" data-view="setup" id="methods_adjust">'
    return f'{head}<div class="list">{rows}</div>{short}{adjust}{word("adjust", lang)}</button>'
