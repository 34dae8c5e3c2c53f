"""The only file that knows the Dataset tab: which pictures are learnt, their captions, the words that call them."""

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from studio import starter
from studio.data import scan
from studio.errors import DataError
from studio.store import safe_name, write_text
from studio.ui import verdicts
from studio.ui.desk import Desk
from studio.ui.i18n import t
from studio.ui.markup import badge, button, empty, esc, leave, notice, word
from studio.ui.media import picture_url
from studio.ui.speak import QUIET, lang_of, pane, said, told

PAGE = 60  # thumbnails at once
UPLOADS = "datasets"  # folder under outputs
TAKEN = frozenset(scan.ENDINGS | {".txt", ".caption"})


@dataclass(frozen=True)
class DatasetTab:
    """The parts that other tabs read."""

    folder: gr.Dropdown
    trigger: gr.Textbox
    class_word: gr.Textbox
    check: gr.Button
    verdict: gr.HTML
    checked: Any
    verdict_of: Any
    show: Any
    shown: list[Any]


def choices(desk: Desk) -> list[str]:
    """The embedded examples and what was uploaded."""
    uploads = sorted(path for path in (desk.outputs / UPLOADS).glob("*") if path.is_dir())
    return [*starter.DATASETS, *(str(path) for path in uploads)]


def build(desk: Desk, label: Any) -> DatasetTab:
    """Lay the tab out; the caller stands inside its gr.Tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, elem_classes="pan", min_width=320):
            with gr.Row():
                folder = gr.Dropdown(
                    choices(desk), value="corgi", label=label("dataset_source"), info=label("dataset_source_help"),
                    allow_custom_value=True, elem_id="dataset_folder", scale=4, interactive=True,
                )  # fmt: skip
                upload = gr.UploadButton(
                    label("dataset_add"), file_count="multiple", file_types=["image", ".txt", ".caption"],
                    elem_id="dataset_upload", scale=1, min_width=110, elem_classes="low",
                )  # fmt: skip
            thumbs = pane("dataset_thumbs")
        with gr.Column(scale=5, min_width=300):
            with gr.Column(elem_classes="pan"):
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
                verdict = pane("dataset_verdict")
                to_methods = pane("dataset_next")
            with gr.Column(elem_classes="pan"):
                stage = pane("dataset_stage")
                caption = gr.Textbox(
                    label=label("caption"), lines=2, elem_id="dataset_caption", visible=False, interactive=True
                )
                save = gr.Button(label("caption_save"), elem_id="dataset_save", visible=False)
    place = gr.State({"page": 0, "picture": ""})
    editor = [stage, caption, save]
    room = _Room(desk)
    shown = [thumbs, heading, to_methods, *editor, place]
    choose = [folder.change, folder.submit] if hasattr(folder, "submit") else [folder.change]
    for event in choose:
        event(room.chosen, folder, [*shown, trigger, class_word], **QUIET)
    thumbs.click(room.clicked, [folder, place], [thumbs, *editor, place], **QUIET)
    save.click(room.saved, [folder, place, caption], [thumbs, *editor, place], **QUIET)
    upload.upload(room.uploaded, [folder, upload], folder, **QUIET)
    verdict.click(room.taken, trigger, trigger, **QUIET)
    return DatasetTab(
        folder, trigger, class_word, check, verdict, room.checked, partial(verdicts.drawn, desk), room.show, shown
    )


class _Room:
    """The tab's handlers."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def show(self, folder: str, place: dict[str, Any], lang: str) -> tuple[Any, ...]:
        """Everything that depends on the chosen folder."""
        head = f'<h2 class="h">{word("words", lang)}<small>{word("words_small", lang)}</small></h2>'
        go = leave("methods", t("dataset_use", lang), name="dataset_use")
        try:
            found = _found(folder)
        except DataError as error:
            return (_nothing(str(error), lang), head, go, *_editor(self.desk, folder, None, lang), place)
        picked = next((example for example in found if example.path.name == place["picture"]), found[0])
        place = {**place, "picture": picked.path.name}
        return (self.thumbs(folder, found, place, lang), head, go, *_editor(self.desk, folder, picked, lang), place)

    def thumbs(self, folder: str, found: tuple[scan.Example, ...], place: dict[str, Any], lang: str) -> str:
        """The sentence of totals and one page of thumbnails."""
        root = scan.resolve_folder(folder)
        name = self.desk.shelf.put(root)
        first = place["page"] * PAGE
        tiles = "".join(_tile(example, picture_url(name, root, example.path, 160), place["picture"], lang)
                        for example in found[first : first + PAGE])  # fmt: skip
        return (
            f'{_totals(folder, found, lang)}<div class="thumbs">{tiles}</div>{_pager(len(found), place["page"], lang)}'
        )

    @told
    def chosen(self, folder: str, request: gr.Request) -> tuple[Any, ...]:
        """Another folder: its pictures, and its own words where it is an example."""
        shown = self.show(folder or "", {"page": 0, "picture": ""}, lang_of(request))
        if folder == self.desk.drafts.read().folder:  # a page that is loaded again finds its own words
            return (*shown, gr.skip(), gr.skip())
        self.desk.drafts.change(folder=folder or "")
        known = starter.CLASS_WORDS.get(folder or "")
        words = (starter.TRIGGER, known) if known else (gr.skip(), "")
        return (*shown, *words)

    @told
    def clicked(self, folder: str, place: dict[str, Any], event: gr.EventData, request: gr.Request) -> Any:
        """A thumbnail was picked, or the page turned."""
        lang = lang_of(request)
        data = said(event)
        if data.get("act") == "page":
            place = {"page": int(data["id"]), "picture": ""}
        elif data.get("act") == "pick":
            place = {**place, "picture": data["id"]}
        return self._redrawn(folder, place, lang)

    @told
    def saved(self, folder: str, place: dict[str, Any], caption: str, request: gr.Request) -> Any:
        """Write the caption beside its picture."""
        lang = lang_of(request)
        if _embedded(folder):
            raise DataError("The example's captions stay as they are; copy its folder to change them.")
        found = _found(folder)
        picked = next((example for example in found if example.path.name == place["picture"]), None)
        if picked is None:
            raise DataError("The picture is gone; choose another one.")
        beside = [picked.path.with_suffix(ending) for ending in scan.CAPTION_ENDINGS]
        sidecar = next((path for path in beside if path.is_file()), beside[0])
        write_text(sidecar, " ".join(caption.split()) + "\n")
        return self._redrawn(folder, place, lang)

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

    def _redrawn(self, folder: str, place: dict[str, Any], lang: str) -> tuple[Any, ...]:
        found = _found(folder)
        page = found[place["page"] * PAGE :] or found
        picked = next((example for example in found if example.path.name == place["picture"]), page[0])
        place = {**place, "picture": picked.path.name}
        return (self.thumbs(folder, found, place, lang), *_editor(self.desk, folder, picked, lang), place)

    @told
    def uploaded(self, folder: str, files: list[str], request: gr.Request) -> Any:
        """Put the files into a dataset of the user's own, a new one unless one is open."""
        good = [Path(file) for file in files if Path(file).suffix.lower() in TAKEN]
        if not any(file.suffix.lower() in scan.ENDINGS for file in good):
            raise DataError("None of these files is a picture; choose PNG, JPEG or WebP files.")
        target = _target(self.desk.outputs / UPLOADS, folder)
        target.mkdir(parents=True, exist_ok=True)
        for file in good:
            shutil.copyfile(file, target / f"{safe_name(file.stem)}{file.suffix.lower()}")
        gr.Info(t("uploaded", lang_of(request), n=len(good)), title="Crucible")
        return gr.Dropdown(choices=choices(self.desk), value=str(target))


def _found(folder: str) -> tuple[scan.Example, ...]:
    found = scan.scan(scan.resolve_folder(folder))
    if not found:
        raise DataError(f"'{folder}' holds no pictures; add PNG, JPEG or WebP files to it.")
    return found


def _target(uploads: Path, folder: str) -> Path:
    """The open upload folder, or the next free name for a new one."""
    if folder and Path(folder).parent == uploads and Path(folder).is_dir():
        return Path(folder)
    number = 1
    while (uploads / f"pictures-{number}").exists():
        number += 1
    return uploads / f"pictures-{number}"


def _embedded(folder: str) -> bool:
    return folder in starter.DATASETS


def _totals(folder: str, found: tuple[scan.Example, ...], lang: str) -> str:
    bare = sum(1 for example in found if not example.caption)
    split = scan.dataset(scan.DataSpec(folder=folder))
    text = t("dataset_totals", lang, n=len(found), train=len(split.train), held=len(split.held_out))
    trouble = badge("warn", t("dataset_bare", lang, n=bare)) if bare else ""
    return f'<div class="ln" style="margin-bottom:8px"><span><b>{esc(text)}</b></span>{trouble}</div>'


def _tile(example: scan.Example, url: str, picked: str, lang: str) -> str:
    mark = "" if example.caption else badge("warn", t("no_caption", lang))
    name = esc(example.path.name)
    pressed = "true" if example.path.name == picked else "false"
    return (
        f'<button type="button" class="thumb" data-act="pick" data-id="{name}" aria-pressed="{pressed}" '
        f'title="{esc(example.caption or t("no_caption", lang))}"><img loading="lazy" src="{esc(url)}" alt="">'
        f'{mark}<span class="name">{name}</span></button>'
    )


def _pager(count: int, page: int, lang: str) -> str:
    pages = -(-count // PAGE)
    if pages < 2:
        return ""
    words = t("pages", lang, n=page + 1, of=pages)
    back = button("page", "←", "small", str(page - 1), disabled=page == 0)
    on = button("page", "→", "small", str(page + 1), disabled=page + 1 >= pages)
    return f'<div class="ln" style="margin-top:8px">{back}<span class="mute">{esc(words)}</span>{on}</div>'


def _nothing(error: str, lang: str) -> str:
    return empty(t("no_pictures", lang), t("no_pictures_help", lang)) + notice("err", error)


def _editor(desk: Desk, folder: str, picked: scan.Example | None, lang: str) -> tuple[Any, Any, Any]:
    if picked is None:
        hidden = gr.update(visible=False)
        return f'<div class="nil">{word("pick_a_picture", lang)}</div>', hidden, hidden
    root = scan.resolve_folder(folder)
    url = picture_url(desk.shelf.put(root), root, picked.path, 512)
    own = not _embedded(folder)
    head = f'<h2 class="h">{esc(picked.path.name)}</h2>'
    drawn = f'{head}<div class="stage"><img src="{esc(url)}" alt="{esc(picked.caption or "")}"></div>'
    if not own:
        words = picked.caption or t("no_caption", lang)
        drawn += f'<p style="margin-top:8px">{esc(words)}</p><p class="faint">{word("example_fixed", lang)}</p>'
    return drawn, gr.update(visible=own, value=picked.caption or ""), gr.update(visible=own)
