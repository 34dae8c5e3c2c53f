"""The only file that draws the lines above a comparison: what can be done with it, its files, and its views."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from studio.ui import sheets
from studio.ui.handout import paper_url
from studio.ui.i18n import t, tr
from studio.ui.markup import button, esc, leave, word
from studio.ui.tasks import Task

PAPERS = (
    ("grid.png", "PNG"), ("table.csv", "CSV"), ("table.md", "MD"), ("experiment.json", "JSON"), ("report.html", "HTML"),
)  # fmt: skip
VIEWS = ("methods", "steps", "plots", "settings", "vote", "sheets")
MEASURE = "measure"


@dataclass(frozen=True)
class Progress:
    """How far the figures are: ``counted`` rows of all while the worker is at it, ``lacking`` what may be asked for."""

    counted: tuple[int, int] | None
    task: Task | None
    lacking: int


def links(store: Any, table: Any, progress: Progress, lang: str) -> str:
    """How the measuring goes, what can be done, and the files of the comparison."""
    folder = store.path
    files = "".join(
        f'<a class="bt small" {"id=compare_csv " if file == "table.csv" else ""}download '
        f'href="{esc(paper_url(folder, file))}" title="{esc(file)}">{kind}</a>'
        for file, kind in PAPERS
        if (folder / file).is_file()
    )
    saved = f'<span class="ln papers"><span class="mute">{word("cmp_save", lang)}</span>{files}</span>' if files else ""
    deeds = leave("methods", t("cmp_add", lang), "", "compare_add").replace("<button ", '<button data-act="add" ', 1)
    if len(table.rows) > 1:
        deeds += button("repeat", t("cmp_repeat", lang))
    report = ""
    if (folder / "report.html").is_file():
        report = (
            f'<a class="bt primary" id="compare_report" target="_blank" rel="noopener" '
            f'href="/media/report/{esc(quote(folder.name))}?lang={lang}">{word("open_report", lang)}</a>'
        )
    said = _progress(progress, folder.name, lang)
    return f'<div class="ln cmp-links">{said}<span class="grow"></span>{saved}{deeds}{report}</div>'


def terms(store: Any, lang: str) -> str:
    """What the runs have alike, in one line; whether they saw the same draws is told where it is pointed at."""
    from studio.compare import report
    from studio.compare.members import groups, open_experiment

    facts, promise = report.terms(open_experiment(store), groups(store))
    said = " · ".join(f"{esc(tr(key, lang))} {esc(tr(value, lang))}" for key, value in facts.items())
    tip = esc(tr(promise, lang))
    return f'<p class="faint terms"><span tabindex="0" data-tip="{tip}" aria-description="{tip}">{said}</span></p>'


def _progress(of: Progress, name: str, lang: str) -> str:
    if of.counted:
        done, every = of.counted
        bar = f'<span class="track" style="width:88px"><i style="width:{100 * done / max(1, every):.0f}%"></i></span>'
        return f'<span class="mute" role="status">{word("cmp_measuring", lang, n=done, of=every)}</span>{bar}'
    if of.lacking and not (of.task and of.task.open and of.task.about == name):
        return button(MEASURE, t("cmp_measure", lang, n=of.lacking), "small")
    return sheets.progress(of.task, name, lang)


def head(view: str, lang: str) -> str:
    """The name of a view, and the choice of another."""
    picks = "".join(
        f'<button type="button" role="radio" data-act="view" data-id="{name}" '
        f'aria-checked="{"true" if name == view else "false"}" tabindex="{0 if name == view else -1}">'
        f"{word(f'view_{name}', lang)}</button>"
        for name in VIEWS
    )
    small = word(f"view_{view}_small", lang)
    title = f'<h2 class="h grow">{word(f"view_{view}_title", lang)}<small>{small}</small></h2>'
    group = f'<div class="segs" role="radiogroup" aria-label="{word("cmp_views", lang)}">{picks}</div>'
    return f'<div class="ln cmp-head">{title}{group}</div>'
