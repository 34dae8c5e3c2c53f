"""The only file that knows the Train tab: the runs of the experiment in hand, live, and what can be asked of them."""

from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from studio.errors import StoreError
from studio.ui import columns, view
from studio.ui.columns import PLOTS, Look
from studio.ui.desk import Desk, Now
from studio.ui.i18n import t
from studio.ui.markup import VOID, empty, leave
from studio.ui.speak import FORM, lang_of, orderly, pane, said, tell, told
from studio.ui.tabs import setup
from studio.ui.tabs.setup import SetupTab
from studio.ui.theme import STATIC
from studio.ui.visits import Visits, visit_of

FILM = (STATIC / "film.js").read_text(encoding="utf-8")
LOOKING = ("before", "plot", "film", "set")
SILENCE = 30.0  # seconds without a sign of life after which a visitor may count an engine as dead


@dataclass(frozen=True)
class TrainTab:
    """The parts that the tick writes to."""

    parts: list[gr.HTML]
    show: Any
    setup: SetupTab
    views: gr.Tabs
    setup_view: gr.Tab


def build(desk: Desk, tabs: gr.Tabs, label: Any) -> TrainTab:
    """Lay the tab out; the caller stands inside its gr.Tab."""
    with gr.Tabs(elem_id="train_views", selected="live") as views:
        with gr.Tab(label("view_setup"), id="setup") as setup_view:
            laid = setup.build(desk, views, label)
        with gr.Tab(label("view_live"), id="live"):
            toolbar = pane("train_toolbar", FORM)
            runs = pane("train_runs", FORM)
            with gr.Row(equal_height=False, elem_id="train_lower"):
                with gr.Column(scale=5, elem_classes="pan", min_width=320):
                    lower = pane("train_loss", FORM + FILM)
                with gr.Column(scale=2, elem_classes="pan", min_width=260):
                    log = pane("train_log", FORM)
    room = _Room(desk)
    parts = [toolbar, runs, lower, log]
    for part in parts[:3]:
        part.click(room.asked, None, [tabs, *parts], **orderly("train"))
    return TrainTab(parts, room.show, laid, views, setup_view)


class _Room:
    """The tab's handlers."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._looked = Visits(columns.PLAIN)

    def show(self, now: Now, lang: str, request: gr.Request) -> tuple[str, str, str, str]:
        """Toolbar, columns, plot or film, and log of the experiment in hand, as this visitor looks at it."""
        looks = self.desk.looks
        look = self._looked.of(visit_of(request))
        if now.experiment is None:
            go = leave("methods", t("set_up", lang), name="train_methods")
            return "", empty(t("no_run", lang), t("no_run_help", lang), go), VOID, VOID
        return (
            view.toolbar(now, lang, columns.prompts(now), look.prompt, look.before),
            columns.columns(now, looks, lang, look),
            columns.lower(now, looks, lang, look),
            view.log(now, looks, lang),
        )

    @told
    def asked(self, event: gr.EventData, request: gr.Request) -> Any:
        """Something was pressed or chosen: what is looked at changes at once, what the runs do by their own time."""
        data, lang = said(event), lang_of(request)
        act, name = str(data.get("act", "")), str(data.get("id", ""))
        if act == "compare":
            return gr.Tabs(selected="compare"), *(gr.skip(),) * 4
        visit = visit_of(request)
        if act in LOOKING:
            self._looked.keep(visit, _looked(self._looked.of(visit), act, name, str(data.get("value", ""))))
        else:
            self._do(act, name, lang)
        return gr.skip(), *self.show(self.desk.now(), lang, request)

    def _do(self, act: str, name: str, lang: str) -> None:
        """What a button asks of the runs; raises UserError."""
        if act in ("stop", "pause", "sample", "save"):
            if not self.desk.wish(act):
                raise StoreError("No run is at work now.")
            tell(t(f"told_{act}", lang))
            return
        experiment = self.desk.now().experiment
        if experiment is None:
            raise StoreError("There is no experiment in hand; look again.")
        if act == "resume":
            self.desk.resume(experiment.path.name, name)
            tell(t("told_resume_run" if name else "told_resume", lang, name=name))
        elif act == "discard":
            done = self.desk.trash.discard(experiment.path.name, name)
            tell(t("told_thrown" if done else "told_discard", lang, name=name))
        elif act == "lost":
            experiment.run(name).declare_dead(SILENCE)


def _looked(look: Look, act: str, name: str, value: str) -> Look:
    """What is looked at after ``act``; the same where it asks for something else. Pure."""
    if act == "before":
        return replace(look, before=not look.before)
    if act == "plot" and name in PLOTS:
        return replace(look, plot=name)
    if act == "film":
        return replace(look, plot="film", film=name)
    if act == "set" and name == "film":
        return replace(look, film=value)
    if act == "set" and name == "prompt" and value.isdigit():
        return replace(look, prompt=int(value))
    return look
