"""The only file that knows the Compare tab: which experiment, what is shown of it, and what can be done with it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import CrucibleError
from studio.store import ExperimentStore
from studio.ui import ballot, charts, figures, papers, sheets
from studio.ui.desk import TWICE, Desk
from studio.ui.i18n import t, tr
from studio.ui.markup import VOID, empty, leave, notice, word
from studio.ui.speak import lang_of, orderly, said, tell, told
from studio.ui.tasks import Tasks
from studio.ui.theme import STATIC
from studio.ui.visits import Visits, visit_of
from studio.ui.wall import Wall, film, flip, grid, wall

FILES = ("experiment.toml", "table.csv", "report.html", "grid.png", "weights.json", "votes.jsonl")
BOARD = (STATIC / "board.js").read_text(encoding="utf-8")
WALL = (STATIC / "wall.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class CompareTab:
    """The parts that the tick writes to."""

    chooser: gr.Dropdown
    parts: list[gr.HTML]
    show: Any
    key: Any


def board(elem_id: str, more: str = "") -> gr.HTML:
    """A place for drawn HTML whose fields are read with every click."""
    return gr.HTML("", apply_default_css=False, elem_id=elem_id, padding=False, js_on_load=BOARD + more)


def build(desk: Desk, label: Any) -> CompareTab:
    """Lay the tab out; the caller stands inside its gr.Tab."""
    with gr.Row(elem_classes="toolbar"):
        known = [store.path.name for store in desk.watch.experiments()]  # a page that outlived a restart names one
        chooser = gr.Dropdown(
            known, value=None, label=label("experiment"), show_label=False, container=False, interactive=True,
            elem_id="compare_experiment", scale=1, min_width=220,
        )  # fmt: skip
        links = board("compare_links")
    with gr.Row(equal_height=True, elem_id="compare_upper"):
        with gr.Column(scale=5, elem_classes="pan", min_width=320):
            table = board("compare_table")
        with gr.Column(scale=2, elem_classes="pan", min_width=260):
            which = board("compare_which")
    with gr.Row(equal_height=False, elem_id="compare_lower"):
        with gr.Column(scale=5, elem_classes="pan", min_width=320):
            shown = board("compare_grid", WALL)
            work = board("compare_work")
        with gr.Column(scale=3, elem_classes="pan", min_width=260):
            ab = board("compare_ab")
    room = _Room(desk)
    parts = [links, table, which, shown, work, ab]
    chooser.change(room.chosen, chooser, parts, **orderly("compare"))
    for part in parts:
        part.click(room.acted, chooser, parts, **orderly("compare"))
    return CompareTab(chooser, parts, room.show, room.key)


class _Room:
    """The tab's handlers, and what was last built of each experiment."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.tasks = Tasks(desk.worker)
        self._built: dict[str, tuple[Any, Any, Wall]] = {}
        self._places: Visits[dict[str, Any]] = Visits({"view": "methods"})  # what each visitor looks at
        self._repeated: dict[str, float] = {}  # when an experiment was last trained again

    def key(self, name: str) -> tuple[Any, ...]:
        """What decides how the comparison looks: it is drawn anew only when this changes."""
        return (*self._state(name), self.tasks.key(papers.MEASURE, sheets.KIND), self._measuring(name))

    def _state(self, name: str) -> tuple[Any, ...]:
        store = ExperimentStore(self.desk.outputs / name)
        runs = self.desk.watch.runs(store)
        figures = tuple(_changed(run.store.path / "metrics.json") for run in runs)
        known = tuple((run.name, run.view.state, run.newest, bool(run.view.metrics)) for run in runs)
        return (*known, figures, *(_changed(store.path / file) for file in FILES))

    def _measuring(self, name: str) -> tuple[int, int] | None:
        """How many rows are measured, while the worker is at that."""
        if self.desk.worker.current != name:
            return None
        runs = self.desk.watch.runs(ExperimentStore(self.desk.outputs / name))
        if any(run.view.state not in ("finished", "stopped", "failed") for run in runs):
            return None
        judged = [run for run in runs if run.view.state != "failed"]
        return sum(_is_measured(run.store.path) for run in judged), len(judged)

    def show(self, name: str | None, request: gr.Request) -> tuple[str, ...]:
        """Links, table, verdict, pictures, work and A/B of one experiment, as this visitor looks at it."""
        return self._drawn(name, self._places.of(visit_of(request)), lang_of(request))

    def _drawn(self, name: str | None, place: dict[str, Any], lang: str) -> tuple[str, ...]:
        ready = self.desk.looks.ready.is_set()
        if not name or not ready or not (self.desk.outputs / name / "experiment.toml").is_file():
            go = leave("methods", t("set_up", lang), name="compare_methods") if ready else ""
            none = empty(t("compare_none", lang), t("compare_none_help", lang), go)
            if not ready and self.desk.watch.experiments():
                none = empty(t("reading_made", lang), t("reading_made_help", lang))
            return VOID, none, VOID, VOID, VOID, VOID
        store = ExperimentStore(self.desk.outputs / name)
        try:
            table, pictures = self._build(name)
            view = place.get("view", "methods")
            body = self._body(view, store, (table, pictures), place, lang)
            return (
                papers.links(store, table, self._progress(store, table), lang),
                figures.figures(table, place, lang) + self._weighing(store, table, place, lang),
                self._which(store, table, lang),
                papers.head(view, lang) + body,
                sheets.made(store, self.tasks.of(sheets.KIND), lang) if view == "sheets" else "",
                flip(pictures, place, lang) if view in ("methods", "steps") else VOID,
            )
        except CrucibleError as error:
            return "", notice("err", tr(str(error), lang)), VOID, VOID, VOID, VOID

    def _weighing(self, store: ExperimentStore, table: Any, place: dict[str, Any], lang: str) -> str:
        from studio.compare import weights

        scales = figures.weighing(table, weights.read(store), bool(place.get("weigh")), lang) if _known(table) else ""
        return papers.terms(store, lang) + scales

    def _which(self, store: ExperimentStore, table: Any, lang: str) -> str:
        from studio.compare import weights

        if not _known(table):
            runs = [run for run in self.desk.watch.runs(store) if not run.is_base]
            said = "cmp_all_failed" if runs and all(run.view.state == "failed" for run in runs) else "cmp_not_yet"
            return f'<h2 class="h">{word("cmp_which", lang)}</h2><p class="mute">{word(said, lang)}</p>'
        return figures.verdict(table, weights.read(store), lang)

    def _body(
        self, view: str, store: ExperimentStore, built: tuple[Any, Wall], place: dict[str, Any], lang: str
    ) -> str:
        table, pictures = built
        if view == "steps":
            return film(pictures, place, lang)
        if view == "plots":
            return charts.plots(store, table, lang)
        if view == "settings":
            return charts.settings(store, lang)
        if view == "vote":
            return ballot.asked(store, place.get("voted"), lang)
        if view == "sheets":
            return sheets.form(store, place, lang)
        return grid(pictures, place, lang)

    def _build(self, name: str) -> tuple[Any, Wall]:
        from studio.compare import table

        key = self._state(name)
        known = self._built.get(name)
        if known is None or known[0] != key:
            store = ExperimentStore(self.desk.outputs / name)
            known = self._built[name] = (key, table.build(store), wall(store))
        return known[1], known[2]

    def _progress(self, store: ExperimentStore, table: Any) -> papers.Progress:
        """How far the figures are, and whether they can be asked for."""
        name, worker = store.path.name, self.desk.worker
        lacking = [row for row in table.rows[1:] if row.ranked and row.cells["likeness"].reason == "not measured yet"]
        idle = worker.current != name and name not in worker.waiting()
        return papers.Progress(self._measuring(name), self.tasks.of(papers.MEASURE), len(lacking) if idle else 0)

    @told
    def chosen(self, name: str | None, request: gr.Request) -> tuple[str, ...]:
        """Another experiment."""
        return self.show(name, request)

    @told
    def acted(self, name: str | None, event: gr.EventData, request: gr.Request) -> Any:
        """Something was clicked, on any part of the tab."""
        data, visit = said(event), visit_of(request)
        act = str(data.get("act", ""))
        if not name:
            return gr.skip()
        place = self._looked(name, act, data, self._places.of(visit))
        self._places.keep(visit, place)
        done = self._did(ExperimentStore(self.desk.outputs / name), act, data, lang_of(request))
        self._places.keep(visit, {**place, **done})
        return self.show(name, request)

    def _looked(self, name: str, act: str, data: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
        """What only changes what this visitor sees."""
        said_id = str(data.get("id", ""))
        if act == "sort":
            return {**place, "sort": said_id, "turned": place.get("sort") == said_id and not place.get("turned")}
        if act in ("every", "facts", "weigh"):
            return {**place, act: not place.get(act)}
        if act == "view":
            return {**place, "view": said_id if said_id in papers.VIEWS else "methods", "voted": None}
        if act == "film":
            return {**place, "film": said_id}
        if act == "sheet":
            return {**place, "form": data.get("form") or {}}
        return self._picked(name, act, said_id, bool(data.get("shift")), place)

    def _picked(self, name: str, act: str, shot: str, shift: bool, place: dict[str, Any]) -> dict[str, Any]:
        if act not in ("pick", "swap", "against"):
            return place
        pictures = self._build(name)[1]
        a, b = pictures.pair(place)
        if a is None or b is None:
            return place
        if act == "swap":
            return {**place, "a": b.name, "b": a.name}
        if act == "against":
            return {**place, "b": shot}
        if shot not in pictures.shots:
            return place
        column = pictures.shots[shot].column
        mine, other = ("b", "a") if shift else ("a", "b")
        kept = {"a": a.name, "b": b.name}[other]
        return {**place, mine: shot, other: pictures.beside(kept, column)}

    def _did(self, store: ExperimentStore, act: str, data: dict[str, Any], lang: str) -> dict[str, Any]:
        """What changes something on disk, or gives the worker something to do; returns what is looked at by it."""
        from studio.compare import weights

        if act == "weight":
            weights.keep(store, {str(data.get("id")): float(data.get("value") or 0)})
        elif act == "unweigh":
            weights.forget(store)
        elif act == "vote":
            return {"voted": ballot.answered(store, str(data.get("id")))}
        elif act == "sheet":
            order = sheets.order(store, data.get("form") or {})
            self.tasks.start(sheets.KIND, t("sheet_task", lang), sheets.work(store, order), store.path.name)
        elif act == papers.MEASURE:
            self.tasks.start(papers.MEASURE, t("cmp_measure_task", lang), _measured(store), store.path.name)
        elif act == "repeat":
            self._repeat(store, lang)
        elif act == "add":
            self.desk.joining.begin(store)
        elif act == "cancel":
            self.tasks.cancel(str(data.get("id")))
        elif act == "forget":
            self.tasks.forget(str(data.get("id")))
        return {}

    def _repeat(self, store: ExperimentStore, lang: str) -> None:
        from studio.compare import layout
        from studio.compare.members import groups

        if time.monotonic() - self._repeated.get(store.path.name, -TWICE) < TWICE:
            return
        added: list[str] = []
        for group in groups(store):
            added += layout.add(store, [group.first.spec], len(group.members) + 1)
        self.desk.resume(store.path.name)
        self._repeated[store.path.name] = time.monotonic()
        tell(t("cmp_repeated", lang, n=len(added)))


def _known(table: Any) -> bool:
    """Whether anything is measured."""
    return bool(table.eye) or any(cell.value is not None for row in table.rows for cell in row.cells.values())


def _measured(store: ExperimentStore) -> Any:
    def job(resident: Any) -> Iterator[Any]:
        from studio.compare import experiment

        for _, event in experiment.conclude(store):
            yield event

    return job


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _is_measured(run: Path) -> bool:
    return _changed(run / "metrics.json") >= _changed(run / "events.jsonl")
