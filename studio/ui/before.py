"""The only file that draws what a start will need and what stands in its way, and what an import left behind."""

from collections.abc import Mapping, Sequence
from typing import Any

from studio.ui.forecast import Forecast
from studio.ui.i18n import t, tr
from studio.ui.looks import Look
from studio.ui.markup import MISSING, amount, button, duration, esc, notice, size, swatch, word


def drawn(
    known: Mapping[str, tuple[Forecast | None, int]], looks: Mapping[str, Look], problems: Sequence[str], lang: str
) -> str:
    """Time, memory and size of each run that is set up, with its number of steps, then what stops them."""
    rows = "".join(_row(looks[kind], found, steps, lang) for kind, (found, steps) in known.items())
    told = [found for found, _ in known.values() if found]
    card = any(found.device != "cpu" for found in told)
    memory = f'<th class="num">{word("memory_train", lang)}</th>' if card else ""
    head = (
        f'<tr><td></td><th class="num">{word("time_about", lang)}</th>{memory}'
        f'<th class="num">{word("learns", lang)}</th></tr>'
    )
    reasons = dict.fromkeys(reason for found in told for reason in found.reasons)
    total = [found.pace * steps for found, steps in known.values() if found and found.pace]
    sums = ""
    if len(total) > 1 and len(total) == len(known):
        sums = f'<p class="ln"><span class="mute">{word("time_all", lang)}</span><b class="to-end">'
        sums += f"{esc(duration(sum(total), lang))}</b></p>"
    tight = [
        kind for kind, (found, _) in known.items() if found and found.device != "cpu" and _peak(found) > found.free
    ]
    warn = notice("warn", t("memory_short", lang, methods=", ".join(looks[k].title for k in tight))) if tight else ""
    return (
        f'<h2 class="h">{word("before_start", lang)}</h2><table class="tb before">{head}{rows}</table>{sums}'
        + "".join(f'<p class="faint">{esc(tr(reason, lang))}</p>' for reason in reasons)
        + warn
        + "".join(notice("err", tr(problem, lang)) for problem in problems)
    )


def _peak(found: Forecast) -> int:
    return max(found.training, found.previewing)


def _row(look: Look, found: Forecast | None, steps: int, lang: str) -> str:
    name = f"<td>{swatch(look.colour, ring=look.ring)}{esc(tr(look.title, lang))}</td>"
    if found is None:
        return f'<tr>{name}<td class="num faint" colspan="3">{word("working_out", lang)}</td></tr>'
    if found.error:
        return f'<tr>{name}<td class="num faint" colspan="3" title="{esc(found.error)}">{MISSING}</td></tr>'
    time = f'<span class="faint" title="{word("time_unknown", lang)}">{MISSING}</span>'
    if found.pace:
        time = esc(duration(found.pace * steps, lang))
    memory = ""
    if found.device != "cpu":
        both = t("memory_both", lang, train=size(found.training), sample=size(found.previewing))
        memory = f'<td class="num" title="{esc(both)}">{size(_peak(found))} / {size(found.free)}</td>'
    return f'<tr>{name}<td class="num">{time}</td>{memory}<td class="num">{amount(found.learning)}</td></tr>'


def imported(found: Any, lang: str) -> str:
    """What another trainer's file gave, and what of it was not taken over, each with the reason."""
    said = notice("ok", t("imported", lang, program=found.program, n=len(found.settings)))
    head = f'<div class="ln said">{said}{button("close", t("task_close", lang), "small")}</div>'
    if not found.left:
        return head
    rows = "".join(f"<li><code>{esc(key)}</code> {esc(tr(why, lang))}</li>" for key, why in found.left)
    left = word("import_left", lang, n=len(found.left))
    return f'{head}<details class="left" open><summary>{left}</summary><ul>{rows}</ul></details>'
