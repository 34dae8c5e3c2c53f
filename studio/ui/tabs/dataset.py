"""The only file that lays the Dataset tab out and draws it: which pictures are learnt, and the words that call them."""

import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from studio import starter
from studio.data.parcel import Sent
from studio.errors import CrucibleError, DataError
from studio.ui import verdicts
from studio.ui.album import Album
from studio.ui.desk import Desk
from studio.ui.panes import Panes
from studio.ui.places import Place, Places
from studio.ui.speak import QUIET, changed, lang_of, orderly, said, told
from studio.ui.theme import STATIC
from studio.ui.toolacts import UPLOADS, ToolActs, free_folder

SCRIPT = (STATIC / "dataset.js").read_text(encoding="utf-8")
PAINT = (STATIC / "painter.js").read_text(encoding="utf-8")
SEND = (STATIC / "sending.js").read_text(encoding="utf-8")
PARTS = 7  # that `shown` has
ORDERLY = orderly("dataset")


@dataclass(frozen=True)
class DatasetTab:
    """The parts that other tabs read, and what the page's load and tick write to."""

    folder: gr.Dropdown
    trigger: gr.Textbox
    class_word: gr.Textbox
    check: gr.Button
    verdict: gr.HTML
    checked: Any
    verdict_of: Any
    show: Any
    """Everything that ``shown`` holds, for a folder and a request."""
    shown: list[Any]
    moving: Any
    """The same for the tick, where something has changed."""


def choices(desk: Desk) -> list[str]:
    """The embedded examples and what was uploaded."""
    uploads = sorted(path for path in (desk.outputs / UPLOADS).glob("*") if path.is_dir())
    return [*starter.DATASETS, *(str(path) for path in uploads if not path.name.startswith("."))]


def _pane(elem_id: str, more: str = "") -> gr.HTML:
    return gr.HTML("", apply_default_css=False, elem_id=elem_id, padding=False, js_on_load=SCRIPT + more)


def build(desk: Desk, label: Any) -> DatasetTab:
    """Lay the tab out; the caller stands inside its gr.Tab."""
    with gr.Row(equal_height=False, elem_id="dataset_row"):
        with gr.Column(scale=7, elem_classes="pan", min_width=320, elem_id="dataset_left"):
            with gr.Row(elem_id="dataset_source"):
                folder = gr.Dropdown(
                    choices(desk), value="corgi", label=label("dataset_source"), info=label("dataset_source_help"),
                    allow_custom_value=True, elem_id="dataset_folder", scale=4, interactive=True, min_width=200,
                )  # fmt: skip
                following = _pane("dataset_next")
            head, thumbs, tags = _pane("dataset_head"), _pane("dataset_thumbs", SEND), _pane("dataset_tags")
        with gr.Column(scale=5, min_width=300, elem_id="dataset_right"):
            with gr.Column(elem_classes="pan toolpan"):
                tool = _pane("dataset_tool", PAINT)
            with gr.Column(elem_classes="pan stagepan"):
                looked = _pane("dataset_stage")
            with gr.Column(elem_classes="pan wordspan"):
                heading = gr.HTML("", apply_default_css=False, padding=False, elem_id="dataset_words")
                with gr.Row():
                    trigger = gr.Textbox(
                        value=starter.TRIGGER, label=label("trigger"), info=label("trigger_help"),
                        elem_id="dataset_trigger", interactive=True, min_width=120, max_lines=1,
                    )  # fmt: skip
                    class_word = gr.Textbox(
                        value="dog", label=label("class_word"), info=label("class_word_help"), interactive=True,
                        elem_id="dataset_class_word", min_width=120, max_lines=1,
                    )  # fmt: skip
                    check = gr.Button(
                        label("check_word"), elem_id="dataset_check", scale=0, min_width=120, elem_classes="low"
                    )
                verdict = _pane("dataset_verdict")
    room = _Room(desk)
    drawn = [following, head, thumbs, tags, tool, looked]
    shown = [*drawn, heading]
    folder.change(room.chosen, folder, [*shown, folder, trigger, class_word], **ORDERLY)
    for one in drawn:
        one.click(room.clicked, folder, [*shown, folder], **ORDERLY)
    thumbs.upload(room.sent, folder, folder, **QUIET)
    verdict.click(room.taken, trigger, trigger, **QUIET)
    return DatasetTab(
        folder, trigger, class_word, check, verdict, room.checked, partial(verdicts.drawn, desk), room.show, shown,
        room.moving,
    )  # fmt: skip


class _Room:
    """The tab's handlers: each does one thing, and everything is drawn from what is then kept."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.acts = ToolActs(desk)
        self.places = Places()
        self.panes = Panes(desk, self.acts)
        self._one = threading.RLock()

    # -- drawing -------------------------------------------------------------------------------------------------------

    def show(self, folder: str, request: gr.Request) -> tuple[Any, ...]:
        """Everything, from what is kept."""
        lang = lang_of(request)
        with self._one:
            album, place, error = self._open(folder, request)
            return self.panes.drawn(album, place, error, lang)

    def moving(self, seen: dict[str, Any], request: gr.Request) -> tuple[Any, ...]:
        """The same, where something changed by itself; what an act changed, it drew."""
        folder, lang = self.desk.drafts.read().folder, lang_of(request)
        with self._one:
            album, place, error = self._open(folder, request)
            fresh = changed(seen, "dataset", (folder, lang, self.acts.jobs.key, error, self._key(album))) != gr.skip()
            return self.panes.drawn(album, place, error, lang) if fresh else (gr.skip(),) * PARTS

    def _key(self, album: Album | None) -> tuple[Any, ...]:
        if album is None:
            return ()
        self.acts.albums.follow(album)
        part = album.done * 50 // max(1, album.total)  # of the bar, as far as it can be seen
        return (id(album), album.version, album.state, part, self.acts.captioning.key(album.root))

    def _open(self, folder: str, request: gr.Request) -> tuple[Album | None, Place, str]:
        place = self.places.of(request.session_hash or "", folder)
        try:
            album = self.acts.albums.of(folder)
            if album.state == "none":
                self.acts.albums.check(album)
            return album, place, ""
        except DataError as error:
            return None, place, str(error)

    # -- what is done --------------------------------------------------------------------------------------------------

    @told
    def clicked(self, folder: str, event: gr.EventData, request: gr.Request) -> Any:
        """Something in a pane was clicked, typed or moved."""
        data, lang = said(event), lang_of(request)
        with self._one:
            album, place, _ = self._open(folder, request)
            elsewhere = self._elsewhere(place, data)
            if album is not None and not elsewhere and data.get("act") != "copy_to_edit":
                try:
                    elsewhere = self.acts.do(album, place, data, lang)
                finally:
                    self.places.moved(place)
            self.places.moved(place)
        if album is not None and data.get("act") == "copy_to_edit":
            elsewhere = self.acts.do(album, place, data, lang)  # it takes a while, and nothing else waits for it
        shown = self.show(folder, request)
        return (*shown, gr.Dropdown(choices=choices(self.desk), value=elsewhere) if elsewhere else gr.skip())

    def _elsewhere(self, place: Place, data: dict[str, Any]) -> str:
        """Acts that need no folder of pictures: choosing one."""
        act = data.get("act")
        if act == "choose":
            place.close()
            place.tool = "choose"
        elif act == "browse":
            at = str(data.get("id") or data.get("form", {}).get("at", ""))
            place.form = {"at": str(Path(at).expanduser())}
        elif act in ("open", "example"):
            place.close()
            return str(data.get("id") or "corgi") if act == "open" else "corgi"
        elif act == "close":
            place.close()
        return ""

    @told
    def chosen(self, folder: str, request: gr.Request) -> tuple[Any, ...]:
        """Another folder: its pictures, and its own words where it is an example."""
        folder = folder or ""
        stay = (gr.skip(), gr.skip(), gr.skip())
        if Path(folder).suffix.lower() == ".zip" and Path(folder).expanduser().is_file():
            target = self.acts.bring([Path(folder).expanduser()], self._new(Path(folder).stem))
            return (*(gr.skip(),) * PARTS, gr.Dropdown(choices=choices(self.desk), value=target or "corgi"), *stay[1:])
        before = self.desk.drafts.read().folder
        if folder == before:  # a page that is loaded again finds its own words
            return (*self.show(folder, request), *stay)
        self.desk.drafts.change(folder=folder)
        try:
            self.acts.albums.recalled(folder)
            self.acts.albums.of(folder, anew=True)
        except CrucibleError:
            return (*self.show(folder, request), *stay)
        known = starter.CLASS_WORDS.get(folder)
        words = (starter.TRIGGER, known) if known else (gr.skip(), "" if before in starter.DATASETS else gr.skip())
        return (*self.show(folder, request), gr.skip(), *words)

    @told
    def sent(self, folder: str, event: gr.EventData) -> Any:
        """Put files into a dataset of the user's own, a new one unless one is open; only what was uploaded is taken."""
        from gradio.utils import get_upload_folder

        place = Path(get_upload_folder()).resolve()
        files = [Sent(Path(str(file["path"])).resolve(), str(file["name"])) for file in said(event).get("files", ())]
        files = [file for file in files if file.path.is_relative_to(place)]
        if not files:
            return gr.skip()
        uploads = self.desk.outputs / UPLOADS
        here = bool(folder) and Path(folder).parent == uploads and Path(folder).is_dir()
        target = Path(folder) if here else self._new("pictures")
        opened = self.acts.bring(files, target)
        return gr.Dropdown(choices=choices(self.desk), value=opened) if opened else gr.skip()

    def _new(self, name: str) -> Path:
        return free_folder(self.desk.outputs / UPLOADS, name)

    @told
    def checked(self, trigger: str, class_word: str, base: str, request: gr.Request) -> Any:
        """Have the worker judge the trigger word against the base that is chosen on Methods."""
        self.desk.about(base or "")
        self.desk.checks.start(trigger or "", class_word or "", base or "")
        return verdicts.drawn(self.desk, lang_of(request))

    @told
    def taken(self, trigger: str, event: gr.EventData) -> Any:
        """A suggested word was chosen."""
        data = said(event)
        return data["id"] if data.get("act") == "take" else trigger
