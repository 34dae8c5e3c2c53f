"""The only file that knows the System tab's panel of base models: what is here, and what a hub is asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio import starter
from studio.errors import ModelError
from studio.ui.desk import Desk
from studio.ui.fetch import Doing
from studio.ui.i18n import t, tr
from studio.ui.markup import badge, button, disk_use, esc, notice, size, table, word
from studio.ui.speak import lang_of, orderly, pane, said, told

KNOWN = ("stable-diffusion-v1-5/stable-diffusion-v1-5", "stabilityai/stable-diffusion-xl-base-1.0")
"""What the presets train on, offered where an id is typed."""


@dataclass(frozen=True)
class Panel:
    """The parts that the tick writes to, and what draws them."""

    parts: tuple[gr.HTML, gr.HTML]
    drawn: Any


def build(desk: Desk, label: Any) -> Panel:
    """Lay the panel out; the caller stands inside its column."""
    room = _Room(desk)
    here = pane("system_models")
    model = gr.Dropdown(
        list(KNOWN), value=None, label=label("hub_id"), info=label("hub_id_help"), allow_custom_value=True,
        elem_id="system_hub_id", interactive=True,
    )  # fmt: skip
    with gr.Row():
        variant = gr.Dropdown(
            [(label("variant_fp16"), "fp16"), (label("variant_fp32"), "fp32")], value="fp16", label=label("variant"),
            elem_id="system_variant", interactive=True, min_width=140, scale=2,
        )  # fmt: skip
        mirror = gr.Textbox(
            label=label("mirror"), placeholder=label("mirror_help"), elem_id="system_mirror", interactive=True,
            max_lines=1, min_width=140, scale=3,
        )  # fmt: skip
    with gr.Row():
        look = gr.Button(label("hub_look"), elem_id="system_look", min_width=100)
        fetch = gr.Button(label("hub_download"), variant="primary", elem_id="system_download", min_width=100)
    errand = pane("system_errand")
    fields = [model, variant, mirror]
    once = {**orderly("errand"), "trigger_mode": "once"}
    look.click(room.look, fields, errand, **once)
    fetch.click(room.download, fields, errand, **once)
    errand.click(room.cancelled, None, errand, **once)
    return Panel((here, errand), room.drawn)


class _Room:
    """The panel's handlers."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._kept: tuple[Any, str] = (None, "")

    @told
    def look(self, model: str | None, variant: str, mirror: str, request: gr.Request) -> str:
        """Ask the hub what a model is and weighs."""
        self.desk.fetch.start(model or "", variant, mirror or "", look=True)
        return _errand(self.desk.fetch.doing, lang_of(request))

    @told
    def download(self, model: str | None, variant: str, mirror: str, request: gr.Request) -> str:
        """Bring a model."""
        self.desk.fetch.start(model or "", variant, mirror or "", look=False)
        return _errand(self.desk.fetch.doing, lang_of(request))

    @told
    def cancelled(self, event: gr.EventData, request: gr.Request) -> str:
        """End the errand, or say no more of one that has ended."""
        act = said(event).get("act")
        if act == "cancel":
            self.desk.fetch.cancel()
        elif act == "forget":
            self.desk.fetch.forget()
        return _errand(self.desk.fetch.doing, lang_of(request))

    def drawn(self, lang: str) -> tuple[str, str]:
        """What is on the machine, and how the errand stands."""
        doing, ready = self.desk.fetch.doing, self.desk.looks.ready.is_set()
        key = (lang, doing.state, ready, tuple(self.desk.own_bases()))
        if self._kept[0] != key:  # the disk is asked when something has changed, not at every tick
            self._kept = (key, _list(self.desk, ready, lang))
        return self._kept[1], _errand(doing, lang)


def _list(desk: Desk, ready: bool, lang: str) -> str:
    from studio.hub.files import downloaded

    good = badge("ok", "✓ " + t("ready", lang))
    rows = [("starter", t("embedded", lang), disk_use(starter.BASE), good)]
    rows += [(kept.model, t("commit", lang, hash=kept.commit[:12]), kept.size, good) for kept in downloaded()]
    for path in map(Path, desk.own_bases()):
        what, sign = _judged(desk, path, lang) if ready else (t("own_file", lang), "")
        rows.append((path.name, what, _size(path), sign))
    drawn = "".join(
        f'<tr><td class="id"><b>{esc(name)}</b><small>{esc(what)}</small></td><td class="num">{size(count)}</td>'
        f'<td class="num">{sign}</td></tr>'
        for name, what, count, sign in rows
    )
    return f'<h2 class="h">{word("models", lang)}</h2>' + table("", drawn)


def _judged(desk: Desk, path: Path, lang: str) -> tuple[str, str]:
    """What a file of one's own is, and whether it can be trained; this needs what the methods are loaded with."""
    try:
        return f"{desk.about(str(path)).title}, {t('own_file', lang)}", badge("ok", "✓ " + t("ready", lang))
    except ModelError as error:
        return tr(str(error), lang), badge("err", "✕ " + t("verdict_err", lang))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else disk_use(path)


def _errand(doing: Doing, lang: str) -> str:
    if doing.state == "idle":
        return ""
    if doing.state in ("failed", "cancelled"):
        told_of = notice("err" if doing.state == "failed" else "info", tr(doing.error, lang))
        return f'<div class="ln said">{told_of}{button("forget", t("task_close", lang), "small")}</div>'
    if doing.found is None:
        return _line(t("hub_asking", lang, model=doing.model), lang)
    return _found(doing.found, lang) + (_files(doing.found, lang) if doing.state == "found" else _progress(doing, lang))


def _line(text: str, lang: str) -> str:
    cancel = button("cancel", t("cancel", lang), "small")
    return f'<div class="ln"><span class="mute grow">{esc(text)}</span>{cancel}</div>'


def _found(found: dict[str, Any], lang: str) -> str:
    facts = (
        ("hub_size", size(found["size"])),
        ("hub_missing", size(found["missing"])),
        ("hub_free", size(found["free"])),
        ("hub_licence", found["licence"] or t("hub_unsaid", lang)),
        ("hub_files", t("hub_n_files", lang, n=len(found["files"]), variant=found["variant"])),
        ("hub_commit", found["commit"][:12]),
    )
    drawn = "".join(f"<div><dt>{word(key, lang)}</dt><dd>{esc(value)}</dd></div>" for key, value in facts)
    more = notice("warn", t("hub_gated", lang)) if found["gated"] else ""
    if found["pickles"]:
        more += notice("warn", t("hub_pickles", lang, files=", ".join(found["pickles"])))
    return f'<p class="hub"><b>{esc(found["model"])}</b></p><dl class="pairs">{drawn}</dl>{more}'


def _files(found: dict[str, Any], lang: str) -> str:
    """Shown while nothing moves: a redraw would close it."""
    files = "".join(f"<li>{esc(file['path'])} <small>{size(file['size'])}</small></li>" for file in found["files"])
    return f'<details><summary>{word("hub_list", lang)}</summary><ul class="mono">{files}</ul></details>'


def _progress(doing: Doing, lang: str) -> str:
    if doing.state == "done":
        return notice("ok", t("hub_done", lang, model=doing.model, hash=(doing.found or {}).get("commit", "")[:12]))
    share = 100 * doing.done / max(1, doing.total)
    text = t("hub_progress", lang, done=size(doing.done), total=size(doing.total), share=f"{share:.0f}")
    return (
        f'<div class="track" role="progressbar" aria-valuenow="{share:.0f}"><i style="width:{share:.1f}%"></i></div>'
        + _line(text, lang)
    )
