"""The only file that reads a written report, and puts it into the visitor's language and theme."""

import contextlib
from collections.abc import Sequence
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from studio.errors import CrucibleError
from studio.store import ExperimentStore, write_text
from studio.ui.i18n import LOCALES, tr
from studio.ui.late import libraries

REPORT: Final = "report.html"
TOLD: Final = ("weights.json", "votes.jsonl")  # what a visitor said of the experiment

AS_IT_IS: Final = ("style", "script", "code")  # elements whose text is no sentence
SAID_IN: Final = ("title", "aria-label")  # attributes that hold sentences
ENDLESS: Final = ("meta", "img", "br", "hr", "link", "input")  # elements without an end


def written(report: Path) -> str:
    """The text of a report, written anew where votes were given, or weights changed, since it was written."""
    text, store = report.read_text(encoding="utf-8"), ExperimentStore(report.parent)
    told = [path.stat().st_mtime_ns for name in TOLD if (path := store.path / name).is_file()]
    if max(told, default=0) <= report.stat().st_mtime_ns:
        return text
    libraries()
    from studio.compare import report as reports

    with contextlib.suppress(CrucibleError):  # the experiment is torn: what was written is still to be read
        text = reports.html(store)
        write_text(report, text)
    return text


def themed(html: str, theme: str) -> str:
    """The page in the ``theme`` that was chosen, light or dark; without a choice, the system's, as the file has it."""
    return html.replace("<html ", f'<html data-theme="{theme}" ', 1) if theme in ("light", "dark") else html


def translated(html: str, lang: str) -> str:
    """The page with each text and each title in ``lang``; what is not known, and ``translate="no"``, stays as it is."""
    if lang == "en" or lang not in LOCALES:
        return html
    reader = _Reader(lang)
    reader.feed(html)
    reader.close()
    return "".join(reader.out)


class _Reader(HTMLParser):
    """Writes down again what it reads, in another language."""

    def __init__(self, lang: str) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._lang = lang
        self._open: list[bool] = []  # for each element that is open, whether its text stays

    def handle_decl(self, decl: str) -> None:
        self.out.append(f"<!{decl}>")

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "html":
            said["lang"] = LOCALES[self._lang]
        stays = tag in AS_IT_IS or said.get("translate") == "no" or (bool(self._open) and self._open[-1])
        for name in SAID_IN:
            if said.get(name) and not stays:
                said[name] = tr(said[name] or "", self._lang)
        inside = "".join(f" {name}" if value is None else f' {name}="{escape(value)}"' for name, value in said.items())
        self.out.append(f"<{tag}{inside}>")
        if tag not in ENDLESS:
            self._open.append(stays)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in ENDLESS:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        self.out.append(f"</{tag}>")
        if self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1]:
            self.out.append(data if self.cdata_elem else escape(data))
            return
        bare = data.strip()
        if not bare:
            self.out.append(data)
            return
        before, behind = data[: len(data) - len(data.lstrip())], data[len(data.rstrip()) :]
        self.out.append(f"{before}{escape(tr(bare, self._lang))}{behind}")
