"""The only file that draws the queue: which experiments wait, with their runs, and what can be asked of them."""

from collections.abc import Sequence

from studio.ui.desk import Now
from studio.ui.i18n import t
from studio.ui.looks import Looks
from studio.ui.markup import button, esc, swatch, word
from studio.ui.view import state_word, title


def drawn(waiting: Sequence[Now], looks: Looks, lang: str) -> str:
    """Each experiment that waits with its open runs, and what to do where the worker does not come by itself."""
    head = f'<h2 class="h">{word("queue", lang)}<small>{word("queue_small", lang)}</small></h2>'
    if not waiting:
        return f'{head}<p class="mute">{word("queue_empty", lang)}</p>'
    rows = "".join(_experiment(now, looks, lang) for now in waiting)
    left = [now for now in waiting if not now.comes]
    go = button("queue_on", t("queue_on", lang), "wide") if left else ""
    said = f'<p class="nt warn">{word("queue_left", lang, n=len(left))}</p>' if left else ""
    return f'{head}<div class="list queue">{rows}</div>{said}{go}'


def _experiment(now: Now, looks: Looks, lang: str) -> str:
    name = now.experiment.path.name if now.experiment else ""
    open_runs = [run for run in now.open_runs if now.waiting or not now.comes or now.comes_to(run) or run.view.busy]
    open_runs = [run for run in open_runs if not now.alone or run.name in now.alone]
    rows = []
    for place, run in enumerate(open_runs):
        new = run.view.state == "new"
        known = looks.of(run.kind)
        mark = f"{swatch(known.colour, run.second, known.ring)}<b>{esc(title(run, looks, lang))}</b>"
        steps = f" {run.view.step} / {run.total}" if run.view.step else ""
        above = new and place > 0 and open_runs[place - 1].view.state == "new"
        below = new and place + 1 < len(open_runs)
        keys = _key("queue_up", "↑", f"{name}/{run.name}", above, t("queue_up", lang))
        keys += _key("queue_down", "↓", f"{name}/{run.name}", below, t("queue_down", lang))
        state = f'<span class="mute">{esc(state_word(run, now.comes_to(run), lang))}{steps}</span>'
        rows.append(f'<div><span class="grow">{mark} {state}</span>{keys if new else ""}</div>')
    out = "" if now.active is not None else button("queue_out", t("queue_out", lang), "small", name)
    return f'<div class="exp"><span class="grow">{esc(name)}</span>{out}</div>{"".join(rows)}'


def _key(act: str, sign: str, target: str, on: bool, text: str) -> str:
    off = "" if on else ' disabled aria-disabled="true"'
    return (
        f'<button type="button" class="bt small icon" data-act="{act}" data-id="{esc(target)}" '
        f'aria-label="{esc(text)}" title="{esc(text)}"{off}>{sign}</button>'
    )
