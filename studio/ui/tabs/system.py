"""The only file that knows the System tab: the machine and what to type, models, experiments, settings."""

import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import StoreError
from studio.ui import bins, shelf
from studio.ui.app import THEME_COOKIE
from studio.ui.desk import Desk
from studio.ui.i18n import t, tr
from studio.ui.markup import badge, button, copy, esc, size, table, word
from studio.ui.media import THUMBNAILS
from studio.ui.speak import lang_of, orderly, pane, said, told

SIGNS = {"ok": "✓", "warn": "!", "err": "✕", "plain": "–"}
Line = tuple[str, str, str, str]  # verdict, part, found, what it means


@dataclass(frozen=True)
class SystemTab:
    """The parts that are drawn when the tab is opened, and the models, which the tick draws."""

    doctor: gr.HTML
    models: tuple[gr.HTML, gr.HTML]
    models_of: Any
    show: Any
    shown: Any
    check: Any


def build(desk: Desk, tabs: gr.Tabs, label: Any) -> SystemTab:
    """Lay the tab out; the caller stands inside its gr.Tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            with gr.Column(elem_classes="pan"):
                doctor = pane("system_doctor")
            with gr.Column(elem_classes="pan"):
                experiments = pane("system_experiments")
        with gr.Column(scale=3, min_width=300):
            with gr.Column(elem_classes="pan"):
                models = shelf.build(desk, label)
            with gr.Column(elem_classes="pan"):
                chosen = pane("system_settings")
    room = _Room(desk)
    doctor.click(room.again, None, doctor, show_progress="minimal", api_visibility="private")
    experiments.click(room.asked, None, [experiments, tabs], **orderly("system"))
    chosen.click(room.guided, None, chosen, **orderly("system"))
    shown = [doctor, experiments, chosen]
    return SystemTab(doctor, models.parts, models.drawn, room.show, shown, room.doctor)


class _Room:
    """The tab's handlers; the machine is asked once, and again on wish."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._hardware: Any = None
        self._asking = threading.Lock()

    def hardware(self, anew: bool = False) -> Any:
        """What the machine is; the first call takes seconds."""
        from studio.hardware import probe

        with self._asking:
            if self._hardware is None or anew:
                self._hardware = probe()
            return self._hardware

    def doctor(self, lang: str, anew: bool = False) -> str:
        """The doctor's table."""
        lines = examine(self.hardware(anew), self.desk.outputs, lang)
        counts = [sum(1 for line in lines if line[0] == verdict) for verdict in ("ok", "warn", "err")]
        small = t("doctor_counts", lang, ok=counts[0], warn=counts[1], err=counts[2])
        rows = "".join(
            f'<tr><td style="width:90px">{badge(verdict, SIGNS[verdict] + " " + t("verdict_" + verdict, lang))}</td>'
            f'<td style="width:130px"><b>{esc(part)}</b></td><td>{esc(found)}</td>'
            f'<td class="mute">{_meaning(means, lang)}</td></tr>'
            for verdict, part, found, means in lines
        )
        head = (
            f'<div class="ln"><h2 class="h grow">{word("doctor", lang)}<small>{esc(small)}</small></h2>'
            f"{button('check', t('check_again', lang), 'primary')}</div>"
        )
        return head + table("", rows)

    def show(self, lang: str, theme: str) -> tuple[str, str, str]:
        """What is known at once; the doctor's table follows when the machine was asked."""
        waiting = f'<h2 class="h">{word("doctor", lang)}</h2><p class="mute">{word("checking", lang)}</p>'
        doctor = self.doctor(lang) if self._hardware else waiting
        return doctor, self.experiments(lang), settings(lang, self.desk, theme)

    def experiments(self, lang: str) -> str:
        """Experiments with what they hold, how much disk they use, and the trash."""
        return bins.drawn(self.desk, lang)

    @told
    def again(self, event: gr.EventData, request: gr.Request) -> str:
        """Ask the machine once more."""
        return self.doctor(lang_of(request), anew=said(event).get("act") == "check")

    @told
    def asked(self, event: gr.EventData, request: gr.Request) -> Any:
        """Go on with an experiment and show it live, throw it away, bring it back, or empty the trash."""
        data, lang = said(event), lang_of(request)
        act, name = data.get("act"), str(data.get("id", ""))
        if act == "resume":
            self.desk.resume(name)
            return self.experiments(lang), gr.Tabs(selected="train")
        if act == "delete":
            if name == self.desk.worker.current or name in self.desk.worker.waiting():
                raise StoreError(f"'{name}' is at work; stop it first.")
            self.desk.queue.drop(name)
            self.desk.trash.put(name)
        elif act == "restore":
            self.desk.trash.restore(name)
        elif act == "empty_trash":
            self.desk.trash.empty()
        elif act == "empty_thumbs":
            shutil.rmtree(self.desk.outputs / THUMBNAILS, ignore_errors=True)
        return self.experiments(lang), gr.skip()

    def guided(self, event: gr.EventData, request: gr.Request) -> Any:
        """The guide is wanted again."""
        if said(event).get("act") == "guide":
            self.desk.drafts.change(walk=True)
        return settings(lang_of(request), self.desk, theme_of(request))


def theme_of(request: gr.Request) -> str:
    """The theme that the visitor chose: light, dark, or nothing."""
    return request.cookies.get(THEME_COOKIE) or ""


def _meaning(text: str, lang: str) -> str:
    """A reason as a sentence; what stands between backticks is something to type, with a Copy button."""
    parts = text.split("`")
    drawn = ""
    for index, part in enumerate(parts):
        if index % 2:
            drawn += f"<code>{esc(part)}</code> {copy(part, lang)}"
        else:
            drawn += esc(part)
    return drawn


def examine(hw: Any, outputs: Path, lang: str) -> list[Line]:
    """The doctor's findings: each part, what was found, and what it means or what to type."""
    from studio.doctor import findings

    return [_line(found, hw, lang) for found in findings(hw, outputs)]


def _line(found: Any, hw: Any, lang: str) -> Line:
    from studio.doctor import OK

    verdict = "warn" if found.advice else "ok"
    if found.verdict != OK:
        verdict = {True: "plain", False: "err"}[found.optional]
    parts = {
        name: t(name, lang) for name in ("device", "memory", "driver", "kernels", "precision", "attention", "disk")
    }
    texts = {"not installed": t("not_installed", lang)}
    advice = found.advice
    if found.part == "disk":
        texts[found.found] = t("disk_free", lang, size=found.found.removesuffix(" free"))
    elif found.part == "device" and hw.device == "cpu":
        texts[found.found] = t("cores", lang, name=hw.name, n=hw.cores, ram=size(hw.ram))
        advice = advice if hw.probes.get("card") else t("device_cpu", lang)
    said = texts.get(found.found) or tr(found.found, lang)
    return verdict, parts.get(found.part, found.part), said, _typed(tr(advice, lang))


def _typed(text: str) -> str:
    """What is to be typed, between backticks."""
    before, colon, command = text.partition("ype: ")
    command, see, rest = command.partition(" (see ")
    return f"{before}{colon}`{command}`{see}{rest}" if colon else text


def settings(lang: str, desk: Desk, theme: str = "") -> str:
    """Language and ``theme``, which this browser keeps, the guide, and where everything lies."""
    tongues = [("lang", code, name, code == lang) for code, name in (("en", "English"), ("zh", "简体中文"))]
    themes = [
        ("theme", code, t("theme_" + code, lang), code == (theme if theme in ("light", "dark") else "system"))
        for code in ("light", "dark", "system")
    ]
    return (
        f'<h2 class="h">{word("settings", lang)}</h2><p class="mute">{word("language", lang)}</p>'
        f"{_segments(tongues, t('language', lang))}"
        f'<p class="mute" style="margin-top:10px">{word("theme", lang)}</p>{_segments(themes, t("theme", lang))}'
        f'<div class="ln" style="margin-top:10px">{button("guide", t("guide_again", lang))}</div>'
        f'<p class="mute" style="margin-top:10px">{word("outputs_folder", lang)}</p>'
        f'<div class="ln"><code class="grow">{esc(desk.outputs)}</code>{copy(str(desk.outputs), lang)}</div>'
        f'<p class="faint">{word("outputs_help", lang)}</p>'
        f'<p class="faint" style="margin-top:10px">{word("network_off", lang)}</p>'
    )


def _segments(choices: list[tuple[str, str, str, bool]], label: str) -> str:
    """One of a few, side by side: each with what the page's script reads, its code, its name, and whether it is on."""
    drawn = "".join(
        f'<button type="button" role="radio" aria-checked="{str(on).lower()}" data-{kind}="{code}">{esc(name)}</button>'
        for kind, code, name, on in choices
    )
    return f'<div class="segs" role="radiogroup" aria-label="{esc(label)}">{drawn}</div>'
