"""The only file that knows the Methods tab: base, advice, cards, rail, and the start of a comparison."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.errors import ModelError, SpecError
from studio.ui import advise, carry
from studio.ui.cards import Known, about_line, card, grid, rail, rail_head, total
from studio.ui.desk import Desk
from studio.ui.draft import Draft
from studio.ui.i18n import t, tr
from studio.ui.markup import duration, empty, notice, word
from studio.ui.offers import Offer, usual
from studio.ui.order import budget_of, order
from studio.ui.speak import FORM, QUIET, changed, heard, lang_of, orderly, pane, said, told
from studio.ui.tabs.dataset import DatasetTab

REPEATS = ("1", "2", "3", "5")


@dataclass(frozen=True)
class MethodsTab:
    """The parts that the tick and the page's load write to."""

    base: gr.Dropdown
    name: gr.Textbox
    terms: list[Any]
    """How long each run trains, and how often: what ``terms_of`` returns."""
    advice: gr.HTML
    shown: list[Any]
    """The base's line, the choice of one, cards, rail and button: what ``show`` returns."""
    show: Any
    ticked: Any
    terms_of: Any
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
            chooser = pane("methods_which", FORM)
            cards = pane("methods_cards")
        with gr.Column(scale=2, min_width=260, elem_classes="pan", elem_id="methods_side"):
            listed = gr.HTML("", apply_default_css=False, padding=False, elem_id="methods_rail")
            name = gr.Textbox(
                "corgi", label=label("experiment_name"), elem_id="methods_name", max_lines=1, interactive=True
            )
            terms = _terms(label)
            gr.Markdown(label("promise"), elem_classes="promise")
            start = gr.Button(label("compare_them"), variant="primary", elem_id="methods_compare", interactive=False)
    room = _Room(desk)
    words = [data.folder, data.trigger, data.class_word]
    shown = [about, chooser, cards, listed, start]
    for part in (chooser, cards):
        part.click(room.clicked, None, shown, **orderly("methods"))
    base.change(room.based, base, shown, **orderly("methods"))
    for field in terms:
        gr.on(
            heard(field),
            room.termed,
            terms,
            [*terms[2:], *shown],
            **{**orderly("methods"), "trigger_mode": "always_last"},
        )
    start.click(
        room.start, [name, *terms, base, *words], tabs, trigger_mode="once", show_progress="hidden",
        api_visibility="private",
    )  # fmt: skip
    for field in words:
        field.change(room.advised, words, advice, **{**orderly("advice"), "trigger_mode": "always_last"})
    data.folder.change(room.renamed, data.folder, name, **QUIET)
    return MethodsTab(base, name, terms, advice, shown, room.show, room.ticked, room.terms, room.bases)


def _terms(label: Any) -> list[Any]:
    """Repeats, budget and the budget's number."""
    repeats = gr.Radio(
        list(REPEATS), value="1", label=label("repeats"), info=label("repeats_help"), elem_id="methods_repeats",
        elem_classes="seg", interactive=True,
    )  # fmt: skip
    budget = gr.Radio(
        [(label("budget_advice"), "advice"), (label("budget_steps"), "steps"), (label("budget_minutes"), "minutes")],
        value="advice", label=label("budget"), elem_id="methods_budget", elem_classes="seg", interactive=True,
    )  # fmt: skip
    more: dict[str, Any] = {"max_lines": 1, "interactive": True, "visible": False}
    steps = gr.Textbox("", label=label("steps_each"), elem_id="methods_steps", placeholder="1000", **more)
    minutes = gr.Textbox("", label=label("minutes_each"), elem_id="methods_minutes", placeholder="10", **more)
    return [repeats, budget, steps, minutes]


class _Room:
    """The tab's handlers; what is picked lies in the draft, so that every visitor and reload sees the same."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def ticked(self, seen: dict[str, Any], lang: str) -> tuple[Any, ...]:
        """The tab where something of it changed for this visitor, else skips."""
        desk = self.desk
        busy = bool(desk.worker.current)
        key = (
            desk.drafts.read().moved(name=""),
            desk.touched.count,
            desk.forecasts.count,
            desk.looks.ready.is_set(),
            desk.watch.finished(),
        )
        if changed(seen, "methods", repr((key, busy, lang))) == gr.skip():
            return (gr.skip(),) * 5
        return self.show(lang)

    def show(self, lang: str) -> tuple[Any, ...]:
        """The base's line, the choice of one, cards, rail and button, from the draft."""
        off = gr.update(interactive=False, value=t("compare_them", lang))
        if not self.desk.looks.ready.is_set():
            return "", "", f'<p class="mute">{word("methods_loading", lang)}</p>', "", off
        if self.desk.looks.error:
            return "", "", notice("err", tr(self.desk.looks.error, lang)), "", off
        draft = self.desk.drafts.read()
        try:
            about = self.desk.about(draft.base)
        except ModelError as error:
            none = empty(t("base_none", lang), t("base_help", lang))
            return notice("err", tr(str(error), lang)), "", none, rail_head(lang), off
        found = self.desk.offers(about)
        chosen = usual(found) if draft.picked is None else draft.picked
        known = self._known(draft, found, chosen)
        drawn = [
            (
                one.look.kind,
                card(one, not one.reason and one.look.kind in chosen, about, lang, known.get(one.look.kind)),
            )
            for one in found
        ]
        picked = [(one, known[one.look.kind]) for one in found if one.look.kind in chosen and one.look.kind in known]
        time = total(picked, draft.repeats)
        text = t("compare_them_in", lang, time=duration(time, lang)) if time else t("compare_them", lang)
        return (
            about_line(about, lang),
            advise.which(draft, about, self.desk.looks, lang),
            grid(drawn, lang),
            rail(picked, draft.repeats, lang),
            gr.update(interactive=bool(picked), value=text),
        )

    def _known(self, draft: Draft, found: list[Offer], chosen: Any) -> dict[str, Known]:
        """What each method that can train the base would need, as far as it was found out."""
        specs = {one.look.kind: carry.sheet(self.desk, draft, one).spec for one in found if not one.reason}
        places = self.desk.touched.of(specs)
        first = [spec for kind, spec in specs.items() if kind in chosen]
        rest = [spec for kind, spec in specs.items() if kind not in chosen]
        asked = first if self.desk.worker.current else [*first, *rest]  # what trains has the machine
        foretold = self.desk.forecasts.of(asked)
        try:
            steps, minutes = budget_of(draft)
        except SpecError:  # said when it is started, and until then each run is as its preset has it
            steps = minutes = None
        return {
            kind: Known(steps or spec.schedule.steps, places[kind], foretold.get(kind), minutes=minutes or 0.0)
            for kind, spec in specs.items()
        }

    @told
    def clicked(self, event: gr.EventData, request: gr.Request) -> Any:
        """A card was turned on or off, or the advice was asked or taken."""
        data = said(event)
        act, name = data.get("act", ""), str(data.get("id", ""))
        if act == "pick":
            self._toggle(name)
        elif act == "advised":
            self.desk.drafts.change(picked=tuple(name.split(",")))
        elif act == "what" and name:
            self.desk.drafts.change(what=name)
        elif act == "set" and name == "program":
            self.desk.drafts.change(program=str(data.get("value", "")))
        return self.show(lang_of(request))

    def _toggle(self, kind: str) -> None:
        draft = self.desk.drafts.read()
        chosen = [offer.look.kind for offer in carry.offered(self.desk, draft)]
        chosen = [other for other in chosen if other != kind] if kind in chosen else [*chosen, kind]
        self.desk.drafts.change(picked=tuple(chosen))

    @told
    def based(self, base: str, request: gr.Request) -> Any:
        """Another base: what was picked stays where it can train it, else the usual ones are picked."""
        draft = self.desk.drafts.change(base=base or "")
        if self.desk.looks.ready.is_set():
            try:
                if draft.picked and not carry.offered(self.desk, draft):
                    self.desk.drafts.change(picked=None)
            except ModelError:
                pass  # said in place of the base's line
        return self.show(lang_of(request))

    def terms(self, draft: Draft) -> tuple[Any, ...]:
        """Repeats, budget and its number as the fields show them."""
        return (
            str(draft.repeats),
            draft.budget,
            gr.update(visible=draft.budget == "steps", value=draft.steps),
            gr.update(visible=draft.budget == "minutes", value=draft.minutes),
        )

    @told
    def termed(self, repeats: str, budget: str, steps: str, minutes: str, request: gr.Request) -> Any:
        """How long or how often each method trains was changed."""
        self._keep_terms(repeats, budget, steps, minutes)
        seen = (gr.update(visible=budget == "steps"), gr.update(visible=budget == "minutes"))
        return *seen, *self.show(lang_of(request))

    def _keep_terms(self, repeats: str, budget: str, steps: str | None, minutes: str | None) -> Draft:
        return self.desk.drafts.change(
            repeats=int(repeats or 1), budget=budget or "advice", steps=steps or "", minutes=minutes or ""
        )

    def bases(self, chosen: str | None = None) -> Any:
        """What can be chosen; the choice itself stays, or becomes ``chosen``."""
        found = self.desk.bases()
        return gr.update(choices=found) if chosen is None else gr.update(choices=found, value=chosen)

    @told
    def start(self, *given: Any) -> Any:
        """Create the experiment, queue it, and show it live."""
        name, repeats, budget, steps, minutes, base, folder, trigger, class_word = given
        if not (trigger or "").strip():
            raise SpecError("There is no trigger word; write the word that shall call the subject.")
        draft = self._keep_terms(repeats, budget, steps, minutes).moved(
            name=name or "", folder=folder or "", trigger=trigger, class_word=class_word or "", base=base or ""
        )
        kinds = tuple(offer.look.kind for offer in carry.offered(self.desk, draft))
        self.desk.compare(order(draft, kinds))
        return gr.Tabs(selected="train")

    def renamed(self, folder: str) -> Any:
        """Another dataset names the experiment, unless the visitor did."""
        return gr.skip() if self.desk.drafts.read().name else advise.named(folder)

    def advised(self, folder: str, trigger: str, class_word: str, request: gr.Request) -> str:
        """The line above the cards."""
        return advise.line(folder, trigger, class_word, lang_of(request))
