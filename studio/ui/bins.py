"""The only file that draws what lies on the disk: experiments with what they use, the trash, and the thumbnails."""

from typing import Any

from studio.ui.desk import Desk
from studio.ui.i18n import t
from studio.ui.markup import badge, button, day, disk_use, empty, esc, size, swatch, table, word
from studio.ui.media import THUMBNAILS
from studio.ui.trash import Thrown


def drawn(desk: Desk, lang: str) -> str:
    """Every experiment, the newest first, then what was thrown away."""
    found = desk.watch.experiments()
    used = [disk_use(store.path) for store in found]
    total = f"<small>{size(sum(used))}</small>" if found else ""
    head = f'<h2 class="h">{word("experiments", lang)}{total}</h2>'
    rows = "".join(_experiment(desk, store, use, lang) for store, use in zip(found, used, strict=True))
    if not rows:
        none = empty(t("no_run", lang), t("no_run_help", lang))
        head, rows = head + none.replace('class="nil"', 'class="nil small"'), ""
    return head + (table("", rows) if rows else "") + _trash(desk, lang) + _thumbnails(desk, lang)


def _experiment(desk: Desk, store: Any, used: int, lang: str) -> str:
    runs = [run for run in desk.watch.runs(store) if not run.is_base]
    looks, name = desk.looks, store.path.name
    kinds = [looks.of(kind) for kind in dict.fromkeys(run.kind for run in runs)]
    marks = " ".join(swatch(look.colour, ring=look.ring) for look in kinds)
    waits = name == desk.worker.current or name in desk.worker.waiting()
    busy = waits or any(run.view.busy for run in runs)
    state, again = _state(runs, busy, name, lang)
    ask = word("delete_ask", lang, name=name, n=len(runs))
    gone = "" if busy else _asking("delete", name, (t("delete", lang), ask, t("delete_yes", lang)), lang)
    return (
        f"<tr><td><b>{esc(name)}</b></td><td>{marks}</td><td>{word('n_runs', lang, n=len(runs))}</td>"
        f'<td class="num">{size(used)}</td><td class="acts-cell">{state}{again}{gone}</td></tr>'
    )


def _state(runs: list[Any], busy: bool, name: str, lang: str) -> tuple[str, str]:
    """A badge, and the button that goes on where something can."""
    if any(run.view.state == "paused" for run in runs):
        return badge("warn", t("state_paused", lang)), button("resume", t("act_resume", lang), "small", name)
    if busy:
        return badge("live", t("state_training", lang)), ""
    open_runs = [run for run in runs if run.view.state != "finished"]
    if not open_runs:
        return badge("ok", "✓ " + t("state_finished", lang)), ""
    cut = [run for run in open_runs if run.view.state == "interrupted"]
    text = t("state_interrupted", lang) if cut else t("n_unfinished", lang, n=len(open_runs))
    at = max((step for run in (cut or open_runs)[:1] for step in run.view.saved), default=0)
    return badge("warn", text), button("resume", t("resume_at", lang, n=at), "small", name)


def _asking(act: str, target: str, words: tuple[str, str, str], lang: str) -> str:
    """A button that asks first; ``words`` are its own, the question (harmless in HTML), and the answer that goes on."""
    text, ask, yes = words
    return (
        f'<button type="button" class="bt small quiet" data-act="{act}" data-id="{esc(target)}" data-ask="{ask}" '
        f'data-yes="{esc(yes)}" data-no="{word("keep", lang)}">{esc(text)}</button>'
    )


def _thumbnails(desk: Desk, lang: str) -> str:
    """How much room they take, and the button that removes them; no question, for they are made again."""
    used = disk_use(desk.outputs / THUMBNAILS)
    if not used:
        return ""
    clear = button("empty_thumbs", t("thumbs_empty", lang, size=size(used)), "small")
    said = f'<span class="grow">{word("thumbs", lang)} <span class="faint">{word("thumbs_help", lang)}</span></span>'
    return f'<div class="ln thumbsx">{said}{clear}</div>'


def _trash(desk: Desk, lang: str) -> str:
    thrown = desk.trash.thrown()
    if not thrown:
        return ""
    used = size(desk.trash.size())
    ask = word("empty_trash_ask", lang, n=len(thrown), size=used)
    clear = _asking("empty_trash", "", (t("empty_trash", lang, size=used), ask, t("empty_trash_yes", lang)), lang)
    rows = "".join(_thrown(one, lang) for one in thrown)
    return f'<div class="ln trash"><h2 class="h grow">{word("in_trash", lang)}</h2>{clear}</div>' + table("", rows)


def _thrown(one: Thrown, lang: str) -> str:
    what = t("thrown_run", lang, experiment=one.experiment) if one.run else t("thrown_whole", lang)
    back = button("restore", t("restore", lang), "small", one.key)
    return (
        f'<tr><td><b>{esc(one.run or one.experiment)}</b></td><td class="mute">{esc(what)}</td>'
        f'<td class="num">{day(one.time)}</td><td class="acts-cell">{back}</td></tr>'
    )
