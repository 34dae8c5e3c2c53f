"""The only file that knows the Library tab: everything that can be used, and what can be done with it."""

import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import ModelError
from studio.formats.shelf import FILES
from studio.trash import FileTrash
from studio.ui import bring, further, stocklist, trial
from studio.ui.desk import MODELS, Desk
from studio.ui.i18n import t
from studio.ui.markup import VOID, disk_use, empty, size
from studio.ui.speak import lang_of, orderly, said, tell, told
from studio.ui.stock import Item, Stock
from studio.ui.tabs.compare import board
from studio.ui.tasks import Tasks
from studio.ui.theme import STATIC
from studio.ui.trash import RunTrash
from studio.ui.visits import Visits, visit_of

BRING = (STATIC / "bring.js").read_text(encoding="utf-8")
KINDS = (trial.PICTURE, trial.MERGE, trial.EXPORT)


@dataclass(frozen=True)
class LibraryTab:
    """The parts that the tick writes to."""

    parts: list[gr.HTML]
    show: Any
    key: Any


def build(desk: Desk) -> LibraryTab:
    """Lay the tab out; the caller stands inside its gr.Tab."""
    with gr.Row(elem_classes="toolbar"):
        tools = board("library_tools")
    intake = board("library_intake", BRING)
    toast = board("library_toast")
    with gr.Row(equal_height=False, elem_id="library_both"):
        with gr.Column(scale=5, elem_classes="pan flat", min_width=320):
            table = board("library_table")
        with gr.Column(scale=2, elem_classes="pan", min_width=280, elem_id="library_side"):
            result = board("library_result")  # above the form: what was made is seen without scrolling
            panel = board("library_try")
    room = _Room(desk)
    parts = [tools, intake, toast, table, panel, result]
    for part in parts:
        part.click(room.acted, None, parts, **orderly("library"))
    return LibraryTab(parts, room.show, room.key)


class _Room:
    """The tab's handlers."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.stock = Stock(desk)
        self.tasks = Tasks(desk.worker)
        self._places: Visits[dict[str, Any]] = Visits({})  # what each visitor looks at
        self.trash, self.runs = FileTrash(desk.outputs), RunTrash(desk.outputs)

    def key(self, now: Any) -> tuple[Any, ...]:
        """What decides how the library looks: it is drawn anew only when this changes."""
        folders = (FILES, MODELS, self.trash.path.name, self.runs.path.name)
        changed = tuple(_changed(self.desk.outputs / name) for name in folders)
        files = sum(len(run.view.exports) for run in now.runs)
        name = now.experiment.path.name if now.experiment else ""
        judged = tuple(_changed(run.store.path / "metrics.json") for run in now.runs)
        return name, files, judged, changed, self.tasks.key(*KINDS), self.desk.looks.ready.is_set()

    def show(self, request: gr.Request) -> tuple[str, ...]:
        """Tools, intake, toast, table, panel and result, as this visitor looks at them."""
        place, lang = self._places.of(visit_of(request)), lang_of(request)
        intake = bring.panel(lang)
        if not self.desk.looks.ready.is_set():
            reading = empty(t("reading_made", lang), t("reading_made_help", lang))
            tools = stocklist.tools((), 0, place, self.desk.looks, lang)
            return tools, intake, stocklist.toast(None, lang), reading, VOID, ""
        items, looks = self.stock.items(), self.desk.looks
        thrown = self._thrown(lang)
        in_trash = place.get("method") == stocklist.TRASH
        listed = stocklist.trash(thrown, lang) if in_trash else stocklist.rows(items, place, looks, lang)
        chosen = self._chosen(place, items)
        return (
            stocklist.tools(items, len(thrown), place, looks, lang),
            intake,
            stocklist.toast(place.get("toast"), lang),
            listed,
            trial.panel(chosen, self.desk.bases() if chosen else (), place, looks, lang),
            trial.result([self.tasks.of(kind) for kind in KINDS], lang),
        )

    def _chosen(self, place: dict[str, Any], items: list[Item]) -> list[Item]:
        known = {item.key: item for item in items}
        return [known[key] for key in place.get("stack") or {} if key in known]

    @told
    def acted(self, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Something was clicked, on any part of the tab."""
        lang, data, visit = lang_of(request), said(event), visit_of(request)
        place = self._places.of(visit)
        act, key = str(data.get("act", "")), str(data.get("id", ""))
        place = {**place, "toast": place.get("toast") if act not in ("hush", "restore", "delete", "empty") else None}
        if data.get("form", {}).get("prompt") is not None:
            place["form"] = {**(place.get("form") or {}), **data["form"]}
        place = self._looked(act, key, data, place)
        self._did(act, key, data, place, lang)
        self._places.keep(visit, place)
        return self.show(request)

    def _looked(self, act: str, key: str, data: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
        """What only changes what this visitor sees."""
        stack = dict(place.get("stack") or {})
        if act == "find":
            return {**place, "find": str(data.get("value", ""))}
        if act == "method":
            return {**place, "method": key}
        if act == "order":
            return {**place, "order": str(data.get("value", ""))}
        if act == "open":
            return {**place, "open": "" if place.get("open") == key else key}
        if act == "try":
            return {**place, "stack": {key: 1.0}, "form": {**(place.get("form") or {}), "prompt": "", "base": ""}}
        if act == "stack":
            return {**place, "stack": {**stack, key: stack.get(key, 1.0)}}
        if act == "unstack":
            return {**place, "stack": {other: weight for other, weight in stack.items() if other != key}}
        if act == "weight":
            return {**place, "stack": {**stack, key: float(data.get("value") or 0)}}
        if act == "merging":
            return {**place, "merging": not place.get("merging")}
        return place

    def _did(self, act: str, key: str, data: dict[str, Any], place: dict[str, Any], lang: str) -> None:
        """What changes something on disk, or gives the worker something to do."""
        filled = data.get("form") or {}
        if act in ("make", "merge"):
            self._work(act, place, lang)
        elif act == "export":
            self._export(self._item(key), filled)
        elif act == "continue":
            self._continue(self._item(key), place, lang)
        elif act == "delete":
            self._delete(self._item(key), place, lang)
        elif act == "restore":
            place["toast"] = {"text": t("lib_restored", lang, name=self._restored(key))}
        elif act == "empty":
            freed = self.runs.size() + self.trash.empty()
            self.runs.empty()
            place["toast"] = {"text": t("lib_trash_gone", lang, size=size(freed))}
        elif act == "brought":
            place["toast"] = {"text": t("lib_linked" if data.get("shift") else "lib_imported", lang, name=key)}
        elif act == "cancel":
            self.tasks.cancel(key)
        elif act == "forget":
            self.tasks.forget(key)

    def _work(self, act: str, place: dict[str, Any], lang: str) -> None:
        """A picture, or one file, of what is stacked."""
        chosen, form, outputs = self._chosen(place, self.stock.items()), place.get("form") or {}, self.desk.outputs
        if act == "make":
            heard = functools.partial(self.tasks.heard, trial.PICTURE)
            job, kind, title = trial.draw(chosen, place, form, outputs, heard), trial.PICTURE, "lib_make_task"
        else:
            job, kind, title = trial.merged(chosen, place, form, outputs), trial.MERGE, "lib_merge_task"
        self.tasks.start(kind, t(title, lang), job)

    def _item(self, key: str) -> Item:
        found = self.stock.item(key)
        if found is None:
            raise ModelError("It is no longer in the library.")
        return found

    def _export(self, item: Item, filled: dict[str, Any]) -> None:
        store, form, dtype = item.place, str(filled.get("again_form", "")), str(filled.get("again_dtype", ""))

        def job(resident: Any) -> Iterator[Any]:
            from studio.engine.run import export_again
            from studio.store import RunStore

            yield from export_again(RunStore(store), resident, (form,) if form else (), dtype)

        self.tasks.start(trial.EXPORT, item.files[0].path.stem, job)

    def _continue(self, item: Item, place: dict[str, Any], lang: str) -> None:
        file = further.go_on(self.desk, item)
        text = t("lib_continued", lang, name=file.stem)
        tell(text)  # seen on the tab that it leads to
        place["toast"] = {"text": text, "name": file.stem, "go": f"{time.time_ns():x}"}

    def _delete(self, item: Item, place: dict[str, Any], lang: str) -> None:
        name = stocklist.titled(item, self.desk.looks, lang)
        if item.run is not None:  # with its checkpoints and samples, which are what takes the room
            undo = f"run/{self.runs.put(item.experiment, item.name).key}"
        else:
            beside = [path for path in [item.place.with_suffix(".json")] if path.is_file()]
            undo = f"file/{self.trash.put([item.place, *beside], name).name}"
        place["toast"] = {"text": t("lib_trashed", lang, name=name), "name": name, "undo": undo}
        place["stack"] = {key: weight for key, weight in (place.get("stack") or {}).items() if key != item.key}

    def _restored(self, key: str) -> str:
        """Put something back where it was; returns what it is called."""
        kind, _, name = key.partition("/")
        if kind == "run":
            one = self.runs.restore(name)
            return f"{one.experiment} / {one.run}".rstrip(" /")
        return self.trash.restore(name).title

    def _thrown(self, lang: str) -> list[stocklist.Thrown]:
        """What waits in either trash, the newest first."""
        runs = [
            stocklist.Thrown(f"run/{one.key}", f"{one.experiment} / {one.run}".rstrip(" /"), one.time,
                             disk_use(self.runs.path / one.key))
            for one in self.runs.thrown()
        ]  # fmt: skip
        files = [stocklist.Thrown(f"file/{one.name}", one.title, one.time, one.size) for one in self.trash.found()]
        return sorted([*runs, *files], key=lambda one: -one.time)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
