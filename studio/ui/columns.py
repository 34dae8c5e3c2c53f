"""The only file that draws the runs of an experiment side by side: columns, curves, and the film of their steps."""

from collections.abc import Sequence
from dataclasses import dataclass

from studio.events import Failed, Note, Picture, Stopped
from studio.ui import plot
from studio.ui.desk import Now
from studio.ui.i18n import t, tr
from studio.ui.looks import Looks
from studio.ui.markup import MISSING, badge, button, copy, duration, esc, size, swatch, word
from studio.ui.view import STATE_KIND, colour, image, mark, state_word, title
from studio.ui.watch import Seen

PLOTS = {"smooth": "plot_smooth", "raw": "plot_raw", "held": "kv_held_out", "film": "plot_film"}
FILM = 60  # steps of one run's film that are shown, spread over all


@dataclass(frozen=True)
class Look:
    """What one visitor looks at: which prompt, which curves or the film of which run, and step 0 in every column."""

    prompt: int = 0
    plot: str = "smooth"
    film: str = ""
    before: bool = False


PLAIN = Look()


def columns(now: Now, looks: Looks, lang: str, look: Look = PLAIN) -> str:
    """One column for each run, the base first."""
    last = max((run.total for run in now.runs), default=1)
    scale = plot.span([curve(run, looks, lang) for run in now.runs])
    drawn = "".join(_column(run, now, looks, lang, look, (last, scale)) for run in now.runs)
    return f'<div class="runs" tabindex="0" role="group" aria-label="{word("runs_label", lang)}">{drawn}</div>'


def curve(run: Seen, looks: Looks, lang: str, which: str = "smooth") -> plot.Curve:
    """A run's loss: smoothed, raw (thinned), or on the held-out pictures."""
    points = {"raw": run.raw, "held": run.view.validations}.get(which, run.curve)
    return plot.Curve(title(run, looks, lang), colour(run, looks), points, run.second)


def prompts(now: Now) -> list[Picture]:
    """What can be looked at: each prompt and seed of the newest samples once."""
    found: dict[tuple[str, int], Picture] = {}
    for run in now.runs:
        if run.newest is not None:
            for picture in run.view.samples[run.newest]:
                found.setdefault((picture.prompt, picture.seed), picture)
    return list(found.values())


def _column(
    run: Seen, now: Now, looks: Looks, lang: str, look: Look, scale: tuple[int, tuple[float, float]]
) -> str:  # fmt: skip
    kind = "plain" if run.is_base else STATE_KIND.get(run.view.state, "plain")
    state = badge("plain" if now.comes_to(run) else kind, state_word(run, now.comes_to(run), lang))
    idle = " idle" if run.view.state == "new" and not run.is_base else ""
    lower = _base_words(run, lang) if run.is_base else _figures(run, lang)
    if not run.is_base and not why(run)[1]:
        lower += plot.sparkline(curve(run, looks, lang), *scale)
    return (
        f'<section class="run{idle}" data-run="{esc(run.name)}" data-state="{esc(run.view.state)}" '
        f'style="--m:{esc(colour(run, looks))}"><div class="top">{_named(run, looks, lang)}{state}'
        f"{_discard(run, lang)}</div>"
        f'{_picture(run, now, looks, lang, look)}<div class="in">{lower}{_trouble(run, now, lang)}</div></section>'
    )


def _named(run: Seen, looks: Looks, lang: str) -> str:
    """The run's name; what tells it from its method's other runs is never cut off."""
    name, _, more = (
        title(run, looks, lang).partition(" (") if run.name != run.kind else (title(run, looks, lang), "", "")
    )
    rest = f"<i>({esc(more)}</i>" if more else ""
    return f'<b title="{esc(title(run, looks, lang))}"><span>{esc(name)}</span> {rest}</b>'


def _picture(run: Seen, now: Now, looks: Looks, lang: str, look: Look) -> str:
    """The newest sample, or step 0 of it; pointing at it shows the other one, a click opens its film."""
    base = next((other for other in now.runs if other.is_base and other.newest is not None), None)
    newest = run if run.newest is not None else base
    if newest is None:
        return f'<div class="pic"><span class="tag">{word("no_sample", lang)}</span></div>'
    start = run if run.view.samples.get(0) else base
    shown = newest if not look.before else start or newest
    step = (0 if look.before and start else shown.newest) or 0
    tag = t("step_base" if run.is_base else "step_n", lang, n=step)
    if newest is not run:
        tag = t("base", lang)
    drawn = image(shown, chosen(shown.view.samples[step], look.prompt))
    if not look.before and start is not None and step:
        first = image(start, chosen(start.view.samples[min(start.view.samples)], look.prompt))
        drawn += (
            f'<span class="under" aria-hidden="true">{first}<span class="tag">{word("step_n", lang, n=0)}</span></span>'
        )
    what = word("film_open", lang, name=title(run, looks, lang))
    return (
        f'<button type="button" class="pic" data-act="film" data-id="{esc(run.name)}" title="{what}">'
        f'{drawn}<span class="tag">{esc(tag)}</span></button>'
    )


def chosen(pictures: Sequence[Picture], number: int) -> Picture:
    """The picture of that prompt, or of the last there is."""
    return pictures[min(number, len(pictures) - 1)]


def _base_words(run: Seen, lang: str) -> str:
    return f'<div class="mute">{word("base_words", lang)}</div>{_pairs([_held_out(run)], lang)}'


def _held_out(run: Seen) -> tuple[str, str]:
    return "kv_held_out", f"{run.view.validations[-1][1]:.4f}" if run.view.validations else MISSING


def _pairs(rows: Sequence[tuple[str, str]], lang: str) -> str:
    return "".join(f'<div class="kv"><span>{word(key, lang)}</span>{esc(value)}</div>' for key, value in rows)


def _figures(run: Seen, lang: str) -> str:
    view = run.view
    left = duration(view.seconds_left, lang) if view.busy and view.seconds_left else MISSING
    rows = [("kv_step", f"{view.step} / {run.total}")]
    pace = [
        ("kv_left", left),
        ("kv_per_step", duration(view.seconds_per_step, lang) if view.seconds_per_step else MISSING),
        ("kv_memory", size(view.memory) if view.memory else MISSING),
    ]
    found = [("kv_loss", f"{run.curve[-1][1]:.4f}" if run.curve else MISSING), _held_out(run)]
    told = bool(why(run)[1])  # why it ended matters more than its pace, and needs the room
    rows += (found if told else [*(pace if view.busy else pace[1:]), *found]) if view.busy or view.step else []
    done = 100 * view.step / max(1, run.total)
    rate = _rate(run, lang) if len(rows) > 1 else ""
    return f'<div class="track"><i style="width:{done:.1f}%"></i></div>{_pairs(rows, lang)}{rate}'


def _rate(run: Seen, lang: str) -> str:
    """The learning rate, and small beside it how it went so far: from zero to the highest it was."""
    view = run.view
    value = f"{view.lr:.2g}" if view.rates else MISSING
    highest = max((rate for _, rate in view.rates), default=0.0)
    line = plot.Curve(t("kv_rate", lang), "var(--tx2)", view.rates)
    drawn = plot.sparkline(line, run.total, (0.0, highest * 1.1)) if highest else ""
    return f'<div class="kv rate"><span>{word("kv_rate", lang)}</span>{drawn}{esc(value)}</div>'


def why(run: Seen) -> tuple[str, str]:
    """Why a run ended by itself before its last step, as (kind, sentence); nothing where it did not."""
    view = run.view
    if view.state == "failed":
        said = next((event.text for event in reversed(view.log) if isinstance(event, Failed)), view.error)
        return "err", said or view.error
    last = next((event for event in reversed(view.log) if isinstance(event, Stopped)), None)
    level = ""
    if view.state == "stopped" and last is not None and last.code:
        level = "warning"  # it went back to an earlier good state
    elif view.state == "finished" and view.step < run.total:
        level = "info"  # the held-out pictures said that it is enough
    texts = (event.text for event in reversed(view.log) if isinstance(event, Note) and event.level == level)
    found = next(texts, "") if level else ""
    return ({"warning": "warn"}.get(level, level), found) if found else ("", "")


def _rests(run: Seen, now: Now) -> bool:
    """Whether the run goes on only when it is told to: what the user stopped does, whatever else is at work."""
    if run.name in now.asked:
        return False
    return run.view.state == "stopped" or (run.view.state in ("failed", "interrupted") and not now.waiting)


def _trouble(run: Seen, now: Now, lang: str) -> str:
    """What is wrong with this run, and what can be done about it."""
    if run.is_base:
        return ""
    kind, text = why(run)
    drawn = f'<p class="nt {kind}"><span title="{esc(tr(text, lang))}">{esc(tr(text, lang))}</span></p>' if text else ""
    acts = ""
    if _rests(run, now):
        acts = button("resume", t("resume_at", lang, n=max(run.view.saved, default=0)), "small", run.name)
    if run.view.state == "failed" and run.view.detail:
        acts += copy(f"{text}\n\n{run.view.detail}", lang, "copy_details")
    drawn += f'<div class="acts">{acts}</div>' if acts else ""
    return drawn


def _discard(run: Seen, lang: str) -> str:
    """The sign that ends a run and puts it away, after a question."""
    if run.is_base:
        return ""
    ask = word("discard_ask", lang, name=run.name)
    yes, no, what = word("discard_yes", lang), word("keep", lang), word("discard", lang)
    return (
        f'<button type="button" class="bt small quiet away" data-act="discard" data-id="{esc(run.name)}" '
        f'data-ask="{ask}" data-yes="{yes}" data-no="{no}" aria-label="{what}" title="{what}">✕</button>'
    )


def lower(now: Now, looks: Looks, lang: str, look: Look = PLAIN) -> str:
    """The curves of all runs, or the film of one."""
    names = "".join(
        f'<button type="button" role="radio" aria-checked="{str(look.plot == one).lower()}" data-act="plot" '
        f'data-id="{one}">{word(key, lang)}</button>'
        for one, key in PLOTS.items()
    )
    switch = f'<span class="segs" role="radiogroup" aria-label="{word("plot_label", lang)}">{names}</span>'
    if look.plot == "film":
        return _film(now, looks, lang, look, switch)
    curves = [one for run in now.runs if (one := curve(run, looks, lang, look.plot)).points]
    base = look.plot == "held"  # the untrained model has one value, which is no line
    curves = [one for one in curves if not (base and len(one.points) < 2 and one.name == t("base", lang))]
    small = f"<small>{word('held_small' if base else 'loss_small', lang)}</small>"
    head = f'<div class="ln"><h2 class="h grow">{word("loss", lang)}{small}</h2>{switch}</div>'
    if not curves:
        return head + f'<p class="mute">{word("held_none" if base else "loss_none", lang)}</p>'
    last = max(run.total for run in now.runs)
    legend = "".join(f"<span>{swatch(one.colour, one.dashed)} {esc(one.name)}</span>" for one in curves)
    return head + plot.loss_plot(curves, last, t("loss", lang)) + f'<div class="legend">{legend}</div>'


def _film(now: Now, looks: Looks, lang: str, look: Look, switch: str) -> str:
    runs = [run for run in now.runs if run.view.samples]
    first = next((run for run in runs if not run.is_base), None)
    run = next((run for run in runs if run.name == look.film), first)
    head = f'<h2 class="h grow">{word("film", lang)}</h2>'
    if run is None:
        return f'<div class="ln">{head}{switch}</div><p class="mute">{word("film_none", lang)}</p>'
    others = "".join(
        f'<option value="{esc(one.name)}"{" selected" if one is run else ""}>{esc(title(one, looks, lang))}</option>'
        for one in runs
    )
    pick = f'<select data-set="film" aria-label="{word("run", lang)}">{others}</select>'
    who = f'<span class="pick" data-kind="film">{mark(run, looks)}{pick}</span>'
    steps = sorted(run.view.samples)
    steps = steps if len(steps) <= FILM else [*steps[:: -(-len(steps) // FILM)], steps[-1]]
    drawn = "".join(
        f'<figure><button type="button" data-large>{image(run, chosen(run.view.samples[step], look.prompt))}</button>'
        f"<figcaption>{word('step_n', lang, n=step)}</figcaption></figure>"
        for step in steps
    )
    told = word("film_label", lang, name=title(run, looks, lang))
    return (
        f'<div class="ln">{head}{who}{switch}</div>'
        f'<div class="film" role="group" aria-label="{told}" data-rove="button" '
        f'data-name="{esc(title(run, looks, lang))}" data-before="{word("film_before", lang)}" '
        f'data-after="{word("film_after", lang)}" data-close="{word("film_close", lang)}" '
        f'data-keys="{word("film_keys", lang)}">{drawn}</div>'
    )
