"""The only file that knows the set-up of the Train tab: each method's preset and settings, before anything starts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import CrucibleError, ModelError, SpecError
from studio.section import SHARED
from studio.ui import before, carry, waiting
from studio.ui.desk import Desk
from studio.ui.draft import Draft
from studio.ui.i18n import t, tr
from studio.ui.markup import VOID, empty, leave, notice, word
from studio.ui.offers import Offer
from studio.ui.order import Order, order
from studio.ui.speak import FORM, QUIET, lang_of, orderly, pane, said, tell, told


@dataclass(frozen=True)
class SetupTab:
    """The parts that the page's load and tick write to."""

    shown: list[Any]
    """What ``show`` returns."""
    show: Any
    before: gr.HTML
    foretold: Any
    queue: gr.HTML
    queue_of: Any


def build(desk: Desk, views: gr.Tabs, label: Any) -> SetupTab:
    """Lay the set-up out; the caller stands inside its gr.Tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            head = pane("train_presets", FORM)
            told_of = pane("train_imported")
            with gr.Column(elem_classes="pan"):
                tools = pane("train_tools", FORM)
                form = pane("train_form", FORM)
                text = gr.Textbox(
                    label=label("as_a_file"), show_label=False, lines=18, max_lines=30, visible=False,
                    elem_id="train_toml", elem_classes="code", interactive=True,
                )  # fmt: skip
                apply = gr.Button(label("toml_apply"), visible=False, elem_id="train_toml_apply")
        with gr.Column(scale=2, min_width=260):
            with gr.Column(elem_classes="pan"):
                ahead = gr.HTML("", apply_default_css=False, padding=False, elem_id="train_before")
                start = gr.Button(label("start_runs"), variant="primary", elem_id="train_start", interactive=False)
            with gr.Column(elem_classes="pan"):
                queue = pane("train_queue", FORM)
            with gr.Column(elem_classes="pan"):
                changes = pane("train_changes", FORM)
                name = gr.Textbox(
                    label=label("preset_name"), elem_id="train_preset_name", max_lines=1, interactive=True,
                    placeholder="my-lora",
                )  # fmt: skip
                keep = gr.Button(label("preset_keep"), elem_id="train_preset_keep")
                taken = gr.UploadButton(
                    label("import_settings"), file_types=[".json", ".toml"], elem_id="train_import",
                    elem_classes="low",
                )  # fmt: skip
    place: gr.State = gr.State({"kind": "", "find": ""})
    room = _Room(desk)
    shown = [head, tools, form, text, apply, ahead, start, changes, place]
    for part in (head, tools, form, changes):
        part.click(room.clicked, place, shown, **orderly("setup"))
    apply.click(room.applied, [place, text], shown, **orderly("setup"))
    keep.click(room.kept, [place, name], shown, **orderly("setup"))
    queue.click(room.queued, None, None, **orderly("queue"))
    told_of.click(lambda: "", None, told_of, **orderly("setup"))
    taken.upload(room.imported, [place, taken], [told_of, *shown], **orderly("setup"))
    more: dict[str, Any] = {"trigger_mode": "once", **QUIET}
    start.click(room.start, place, views, **more)
    return SetupTab(shown, room.show, ahead, room.foretold, queue, room.queue)


class _Room:
    """The set-up's handlers."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def show(self, place: dict[str, Any], lang: str) -> tuple[Any, ...]:
        """Everything, from the draft on disk."""
        hidden, off = gr.update(visible=False), gr.update(interactive=False)
        nothing = (VOID, "", hidden, hidden, VOID, off, "", place)
        if not self.desk.looks.ready.is_set():
            waits = f'<div class="pan nil small"><p>{word("methods_loading", lang)}</p></div>'
            return (waits, VOID, "", hidden, hidden, VOID, off, VOID, place)
        draft = self.desk.drafts.read()
        try:
            found = carry.offered(self.desk, draft)
        except ModelError as error:
            return (notice("err", tr(str(error), lang)), *nothing)
        if not found:
            go = leave("methods", t("add_method", lang), name="setup_methods")
            return (empty(t("nothing_picked", lang), t("pick_one", lang), go), *nothing)
        kind = place["kind"] if place["kind"] in [offer.look.kind for offer in found] else found[0].look.kind
        return self._drawn(draft, found, {**place, "kind": kind}, lang)

    def _drawn(self, draft: Draft, found: list[Offer], place: dict[str, Any], lang: str) -> tuple[Any, ...]:
        from studio.ui import form, setup
        from studio.ui.i18n import labels

        sheets = {offer.look.kind: carry.sheet(self.desk, draft, offer) for offer in found}
        of = sheets[place["kind"]]
        counts = {kind: len(one.changes()) for kind, one in sheets.items()}
        names = {field.key: " ".join(labels.of(field.key, field.help, lang)) for field in of.fields}
        toml = draft.mode == "toml"
        shown = setup.visible(of.fields, of, draft.mode, place["find"], names)
        about = self.desk.about(draft.base)
        strip = form.strip([offer.look for offer in found], place["kind"], counts, lang)
        tiles = form.tiles(self._presets(place["kind"], about.presets), of.preset.name, self._memory(), lang)
        wrong = next((error for one in sheets.values() for error in one.errors.values()), "")
        ready = not wrong and not self._problems(of)
        return (
            strip + tiles,
            form.toolbar(draft.mode, counts[place["kind"]], lang),
            "" if toml else form.drawn(of, shown, lang),
            gr.update(visible=toml, value=of.spec.to_toml()),
            gr.update(visible=toml),
            self.before(sheets, lang),
            gr.update(interactive=ready, value=t("start_n_runs", lang, n=len(found))),
            form.changes(of, lang),
            place,
        )

    def before(self, sheets: Any, lang: str) -> str:
        """What the runs will need, and what stops them."""
        specs = [of.spec for of in sheets.values()]
        problems = [self._where(of, key, error, lang) for of in sheets.values() for key, error in of.errors.items()]
        problems += [problem for of in sheets.values() for problem in self._problems(of)]
        foretold = self.desk.forecasts.of(specs)
        known = {spec.method.kind: (foretold[spec.method.kind], spec.schedule.steps) for spec in specs}
        looks = {kind: self.desk.looks.of(kind) for kind in sheets}
        return before.drawn(known, looks, list(dict.fromkeys(problems)), lang)

    def _where(self, of: Any, key: str, error: str, lang: str) -> str:
        """What is wrong, behind the names of its method and its field."""
        from studio.ui.i18n import labels

        method = [] if key.startswith(SHARED) else [tr(self.desk.looks.of(of.kind).title, lang)]
        field = [labels.of(key, "", lang)[0]] if key else []
        return t("colon", lang).join([*method, *field, tr(error, lang)])

    def foretold(self, lang: str) -> Any:
        """The same for the tick, while something is still worked out; None where nothing can be said."""
        if not self.desk.looks.ready.is_set():
            return None
        try:
            draft = self.desk.drafts.read()
            return self.before(
                {o.look.kind: carry.sheet(self.desk, draft, o) for o in carry.offered(self.desk, draft)}, lang
            )
        except CrucibleError:
            return None

    def _problems(self, of: Any) -> list[str]:
        return [str(problem) for problem in of.spec.problems()] if of.ready else []

    def _presets(self, kind: str, family: str) -> list[tuple[str, str, str, float, bool]]:
        """The presets of a method for a base: those that fit first, the largest of them before the smaller."""
        from studio.own_presets import own
        from studio.spec import presets

        memory = self._memory()
        mine = [one for one in own(self.desk.outputs) if one.settings.get("method", {}).get("kind") == kind]
        studio = [one for one in presets() if one.settings.get("method", {}).get("kind") == kind]
        studio = [one for one in studio if one.family == family]
        studio.sort(key=lambda one: (one.memory_gb * 1e9 > memory, -one.memory_gb * (one.memory_gb * 1e9 <= memory)))
        return [(one.name, one.title, one.when, one.memory_gb, one in mine) for one in [*studio, *mine]]

    def _memory(self) -> float:
        from studio.engine.machine import this_hardware

        return float(this_hardware().memory)

    @told
    def clicked(self, place: dict[str, Any], event: gr.EventData, request: gr.Request) -> Any:
        """A method, preset, field, switch of the view or a reset was used."""
        data, lang = said(event), lang_of(request)
        act, name, kind = data.get("act", ""), str(data.get("id", "")), place["kind"]
        drafts = self.desk.drafts
        if act == "method":
            place = {**place, "kind": name}
        elif act == "find":
            place = {**place, "find": name}
        elif act == "mode":
            drafts.change(mode=name)
        elif act == "preset":
            drafts.edit(lambda draft: draft.taking(kind, name))
        elif act in ("reset", "reset_all"):
            drafts.edit(lambda draft: draft.without(kind, name))
        elif act == "set":
            drafts.edit(lambda draft: self._set(draft, str(data.get("kind", kind)), name, data.get("value", "")))
        return self.show(place, lang)

    def _set(self, draft: Draft, kind: str, key: str, value: Any) -> Draft:
        """With what was typed; what cannot be read stays as it was typed, and its field says what is wrong."""
        from studio.ui import fields

        offer = next((one for one in carry.offered(self.desk, draft) if one.look.kind == kind), None)
        of = carry.sheet(self.desk, draft, offer) if offer else None
        field = next((field for field in of.fields if field.key == key), None) if of else None
        if of is None or field is None:
            raise SpecError(f"'{key}' is not a setting of this method; reload the page.")
        try:
            read = fields.read(field, value)
        except SpecError:
            read = value
        if read == fields.plainly(of.plain, key):
            return draft.without(kind, key)
        return draft.with_value(kind, key, read)

    @told
    def applied(self, place: dict[str, Any], text: str, request: gr.Request) -> Any:
        """TOML was written or pasted: the draft becomes what it says."""
        kind = carry.text(self.desk, text or "")
        tell(t("toml_taken", lang_of(request)))
        return self.show({**place, "kind": kind}, lang_of(request))

    @told
    def kept(self, place: dict[str, Any], name: str, request: gr.Request) -> Any:
        """The method's settings become a preset of the user's own."""
        made = carry.preset(self.desk, place["kind"], name or "")
        tell(t("preset_kept", lang_of(request), name=made))
        return self.show(place, lang_of(request))

    @told
    def imported(self, place: dict[str, Any], file: str, request: gr.Request) -> Any:
        """Another trainer's settings are taken over as far as they correspond."""
        lang = lang_of(request)
        found = carry.file(self.desk, Path(file))
        return before.imported(found, lang), *self.show({**place, "kind": found.kind}, lang)

    def queue(self, lang: str) -> str:
        """What waits for the worker."""
        return waiting.drawn(self.desk.waiting(), self.desk.looks, lang)

    @told
    def queued(self, event: gr.EventData) -> None:
        """A button of the queue was pressed; the tick draws what comes of it."""
        data = said(event)
        act, (name, _, run) = data.get("act", ""), str(data.get("id", "")).partition("/")
        if act == "queue_on":
            self.desk.go_on()
        elif act == "queue_out":
            self.desk.withdraw(name)
        elif act in ("queue_up", "queue_down"):
            self.desk.move(name, run, -1 if act == "queue_up" else 1)

    @told
    def start(self, place: dict[str, Any], request: gr.Request) -> Any:
        """Create the experiment of the draft, queue it, and show it live."""
        draft = self.desk.drafts.read()
        self.desk.compare(self.order(draft))
        tell(t("told_queued", lang_of(request)))
        return gr.Tabs(selected="live")

    def order(self, draft: Draft) -> Order:
        """What the draft asks for."""
        kinds = tuple(offer.look.kind for offer in carry.offered(self.desk, draft))
        return order(draft, kinds)
