"""The only file that knows the Train tab: the runs of the experiment in hand, live, and what can be asked of them."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.errors import StoreError
from studio.ui import view
from studio.ui.desk import Desk, Now
from studio.ui.i18n import t
from studio.ui.markup import VOID, empty, leave
from studio.ui.speak import QUIET, lang_of, pane, said, told
from studio.ui.tabs import setup
from studio.ui.tabs.setup import SetupTab


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
            toolbar = pane("train_toolbar")
            columns = pane("train_runs")
            with gr.Row(equal_height=False, elem_id="train_lower"):
                with gr.Column(scale=3, elem_classes="pan", min_width=320):
                    losses = pane("train_loss")
                with gr.Column(scale=2, elem_classes="pan", min_width=280):
                    log = pane("train_log")
    room = _Room(desk)
    toolbar.click(room.asked, None, tabs, **QUIET)
    return TrainTab([toolbar, columns, losses, log], room.show, laid, views, setup_view)


class _Room:
    """The tab's handlers."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def show(self, now: Now, lang: str) -> tuple[str, str, str, str]:
        """Toolbar, columns, plot and log of the experiment in hand."""
        looks = self.desk.looks
        if now.experiment is None:
            go = leave("methods", t("set_up", lang), name="train_methods")
            return "", empty(t("no_run", lang), t("no_run_help", lang), go), VOID, VOID
        return (
            view.toolbar(now, lang),
            view.columns(now, looks, lang),
            view.losses(now, looks, lang),
            view.log(now, looks, lang),
        )

    @told
    def asked(self, event: gr.EventData, request: gr.Request) -> Any:
        """A button of the toolbar was pressed."""
        act = said(event).get("act", "")
        lang = lang_of(request)
        if act == "compare":
            return gr.Tabs(selected="compare")
        if act == "resume":
            experiment = self.desk.now().experiment
            if experiment is not None:
                self.desk.resume(experiment.path.name)
                gr.Info(t("told_resume", lang), title="Crucible")
        elif act in ("stop", "pause", "sample", "save"):
            if not self.desk.wish(act):
                raise StoreError("No run is at work now.")
            gr.Info(t(f"told_{act}", lang), title="Crucible")
        return gr.skip()
