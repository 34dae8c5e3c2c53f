"""The only file that draws a run as it is: the bar, the live columns, the plot, the log and the buttons that follow."""

from studio.events import (
    Decided,
    Event,
    Exported,
    Failed,
    Finished,
    Note,
    Paused,
    Picture,
    Sampled,
    Saved,
    Started,
    Stopped,
)  # fmt: skip
from studio.ui import plot
from studio.ui.desk import Now
from studio.ui.i18n import t, tr
from studio.ui.looks import Looks
from studio.ui.markup import MISSING, badge, button, clock, duration, esc, notice, size, swatch, word
from studio.ui.media import sample_url
from studio.ui.watch import Seen

LATE, LOST = 10, 40  # seconds without a sign of life that turn amber, red
LOG_LINES = 120
STATE_KIND = {
    "finished": "ok", "failed": "err", "interrupted": "warn", "stopped": "warn", "paused": "warn",
    "training": "live", "preparing": "live", "sampling": "live", "saving": "live",
}  # fmt: skip
LOGO = (
    '<svg viewBox="0 0 18 18" aria-hidden="true"><path d="M2.5 3h13l-2 12h-9z" fill="none" stroke="currentColor" '
    'stroke-width="1.8" stroke-linejoin="round"/><path d="M4.2 8h9.6l-1 6H5.2z" fill="var(--ac)"/></svg>'
)


def title(run: Seen, looks: Looks, lang: str) -> str:
    """A run's name on the page: the method's, with the folder's where it says more."""
    if run.is_base:
        return t("base", lang)
    named = tr(looks.of(run.kind).title, lang)
    return named if run.name == run.kind else f"{named} ({run.name})"


def _swatch(run: Seen, looks: Looks) -> str:
    return swatch(colour(run, looks), run.second, looks.of(run.kind).ring)


def colour(run: Seen, looks: Looks) -> str:
    """The method's colour."""
    return looks.of(run.kind).colour


def bar(now: Now, looks: Looks, lang: str) -> str:
    """The top bar: mark, the run in hand, language, theme."""
    other = "zh" if lang == "en" else "en"
    return (
        f'<div class="bar"><span class="mark">{LOGO}<span class="hide-m">Crucible</span></span>'
        f'<span class="end">{_in_hand(now, looks, lang)}'
        f'<button type="button" class="bt small" data-lang="{other}" id="bar_language">'
        f"{word('other_language', lang)}</button>"
        '<button type="button" class="bt small hide-m" data-theme="" id="bar_theme">'
        f"{word('theme', lang)}</button></span></div>"
    )


def _in_hand(now: Now, looks: Looks, lang: str) -> str:
    run = now.active
    if run is None:
        return ""
    done = run.view.step / max(1, run.total)
    left = duration(run.view.seconds_left, lang) if run.view.seconds_left else ""
    name = now.experiment.path.name if now.experiment else ""
    steps = f"{run.view.step} / {run.total}" if run.total else state_word(run, now.waiting, lang)
    return (
        f'<button type="button" class="hand" data-go="train" id="bar_run" style="--m:{esc(colour(run, looks))}" '
        f'aria-label="{word("run_in_hand", lang)}"><span class="mute hide-s">{esc(name)}</span>'
        f"{_swatch(run, looks)}<b>{esc(title(run, looks, lang))}</b><span>{esc(steps)}</span>"
        f'<span class="track hide-m" style="width:88px"><i style="width:{100 * done:.1f}%"></i></span>'
        f'<span class="hide-s">{esc(t("left", lang, time=left) if left else "")}</span></button>'
    )


def state_word(run: Seen, waiting: bool, lang: str) -> str:
    """A run's state in a word."""
    if run.is_base and run.view.state in ("new", "finished"):
        return t("state_untrained", lang)
    if run.view.state == "new":
        return t("state_queued" if waiting else "state_new", lang)
    return t(f"state_{run.view.state}", lang)


def toolbar(now: Now, lang: str) -> str:
    """The buttons that the state allows, the experiment's name, and the last sign of life."""
    if now.experiment is None:
        return ""
    shown = "".join(button(act, t(f"act_{act}", lang), kind) for act, kind in controls(now))
    name = esc(now.experiment.path.name)
    return f'<div class="ln">{shown}<b style="font-size:15px">{name}</b>{_life(now, lang)}</div>{_trouble(now, lang)}'


def controls(now: Now) -> list[tuple[str, str]]:
    """Which buttons stand there, as (act, look): a function of the runs' states and nothing else."""
    active = now.active
    if active is not None and active.is_base:
        return []
    if active is not None and active.view.state == "paused":
        return [("resume", "primary"), ("sample", ""), ("save", ""), ("stop", "")]
    if active is not None:
        return [("stop", "primary"), ("pause", ""), ("sample", ""), ("save", "")]
    if now.waiting:
        return []
    if now.open_runs:
        return [("resume", "primary")]
    return [("compare", "primary")] if now.runs else []


def _life(now: Now, lang: str) -> str:
    run = now.active
    if run is None:
        finished = all(r.view.state == "finished" for r in now.runs) and now.runs
        state = "life_done" if finished and not now.waiting else "life_working" if now.waiting else "life_idle"
        return f'<span class="mute">{word(state, lang)}</span>'
    if run.age is None:
        return ""
    stage = run.view.stage
    doing = (
        f"{t('stage_' + stage[0], lang)} {stage[1]} / {stage[2]} · " if stage and f"stage_{stage[0]}" in STAGES else ""
    )
    text = doing + t("life_age", lang, time=t("unit_s", lang, n=max(1, round(run.age))))
    if run.age >= LATE:
        return badge("err" if run.age >= LOST else "warn", text)
    return f'<span class="mute">{esc(text)}</span>'


STAGES = frozenset({"stage_loading", "stage_caching", "stage_sampling", "stage_measuring"})


def _trouble(now: Now, lang: str) -> str:
    failed = [
        notice("err", f"{run.name}: {tr(run.view.error, lang)}") for run in now.runs if run.view.state == "failed"
    ]
    ended = [(run.name, *_ended(run)) for run in now.runs]
    failed += [notice(kind, f"{name}: {tr(why, lang)}") for name, kind, why in ended if why]
    if now.trouble and not any(run.view.state == "failed" for run in now.runs):
        failed.append(notice("err", tr(now.trouble, lang)))
    return f'<div class="told">{"".join(failed)}</div>' if failed else ""


def _ended(run: Seen) -> tuple[str, str]:
    """Why a run ended by itself before its last step, and how that stands out; nothing where it did not."""
    last = next((event for event in reversed(run.view.log) if isinstance(event, Stopped)), None)
    level = ""
    if run.view.state == "stopped" and last is not None and last.code:
        level = "warning"  # it went back to an earlier good state
    elif run.view.state == "finished" and run.view.step < run.total:
        level = "info"  # the held-out pictures said that it is enough
    why = (event.text for event in reversed(run.view.log) if isinstance(event, Note) and event.level == level)
    return {"warning": "warn"}.get(level, level), next(why, "")


def columns(now: Now, looks: Looks, lang: str) -> str:
    """One column for each run, the base first."""
    last = max((run.total for run in now.runs), default=1)
    scale = plot.span([curve(run, looks, lang) for run in now.runs])
    drawn = "".join(_column(run, now, looks, lang, (last, scale)) for run in now.runs)
    return f'<div class="runs" tabindex="0" role="group" aria-label="{word("runs_label", lang)}">{drawn}</div>'


def curve(run: Seen, looks: Looks, lang: str) -> plot.Curve:
    """A run's smoothed loss."""
    return plot.Curve(title(run, looks, lang), colour(run, looks), run.curve, run.second)


def _column(run: Seen, now: Now, looks: Looks, lang: str, scale: tuple[int, tuple[float, float]]) -> str:
    state = badge(
        STATE_KIND.get(run.view.state, "plain") if not run.is_base else "plain", state_word(run, now.waiting, lang)
    )
    idle = " idle" if run.view.state == "new" and not run.is_base else ""
    lower = _base_words(run, lang) if run.is_base else _figures(run, lang) + _spark(run, looks, lang, scale)
    return (
        f'<section class="run{idle}" data-run="{esc(run.name)}" data-state="{esc(run.view.state)}" '
        f'style="--m:{esc(colour(run, looks))}"><div class="top"><b>{esc(title(run, looks, lang))}</b>{state}</div>'
        f'<div class="pic">{_picture(run, now, lang)}</div><div class="in">{lower}</div></section>'
    )


def _picture(run: Seen, now: Now, lang: str) -> str:
    source = run
    if run.newest is None:
        source = next((other for other in now.runs if other.is_base and other.newest is not None), run)
    if source.newest is None:
        return f'<span class="tag">{word("no_sample", lang)}</span>'
    shown = source.view.samples[source.newest][0]
    tag = (
        t("not_started", lang)
        if source is not run
        else t("step_base" if run.is_base else "step_n", lang, n=source.newest)
    )
    return f'{image(source, shown)}<span class="tag">{esc(tag)}</span>'


def image(run: Seen, shown: Picture) -> str:
    """One sample as an ``img``."""
    return f'<img src="{esc(sample_url(run.store.path, shown.path))}" alt="{esc(shown.prompt)}">'


def _base_words(run: Seen, lang: str) -> str:
    return f'<div class="mute">{word("base_words", lang)}</div>{_pairs([_held_out(run)], lang)}'


def _held_out(run: Seen) -> tuple[str, str]:
    return "kv_held_out", f"{run.view.validations[-1][1]:.4f}" if run.view.validations else MISSING


def _pairs(rows: list[tuple[str, str]], lang: str) -> str:
    return "".join(f'<div class="kv"><span>{word(key, lang)}</span>{esc(value)}</div>' for key, value in rows)


def _figures(run: Seen, lang: str) -> str:
    view = run.view
    left = duration(view.seconds_left, lang) if view.busy and view.seconds_left else MISSING
    rows = [
        ("kv_step", f"{view.step} / {run.total}"),
        ("kv_left", left),
        ("kv_per_step", duration(view.seconds_per_step, lang) if view.seconds_per_step else MISSING),
        ("kv_memory", size(view.memory) if view.memory else MISSING),
        ("kv_loss", f"{run.curve[-1][1]:.4f}" if run.curve else MISSING),
        _held_out(run),
    ]
    done = 100 * view.step / max(1, run.total)
    return f'<div class="track"><i style="width:{done:.1f}%"></i></div>{_pairs(rows, lang)}'


def _spark(run: Seen, looks: Looks, lang: str, scale: tuple[int, tuple[float, float]]) -> str:
    return plot.sparkline(curve(run, looks, lang), *scale)


def losses(now: Now, looks: Looks, lang: str) -> str:
    """The plot of all runs with its heading."""
    curves = [curve(run, looks, lang) for run in now.runs if run.curve]
    head = f'<h2 class="h">{word("loss", lang)}<small>{word("loss_small", lang)}</small></h2>'
    if not curves:
        return head + f'<p class="mute">{word("loss_none", lang)}</p>'
    last = max(run.total for run in now.runs)
    names = "".join(f"<span>{swatch(one.colour, one.dashed)} {esc(one.name)}</span>" for one in curves)
    return head + plot.loss_plot(curves, last, t("loss", lang)) + f'<div class="legend">{names}</div>'


def log(now: Now, looks: Looks, lang: str) -> str:
    """The newest sayings of all runs as sentences, newest first."""
    said = [(event.time, run, event) for run in now.runs for event in run.view.log[-LOG_LINES:]]
    said.sort(key=lambda entry: entry[0], reverse=True)
    lines = []
    for moment, run, event in said[:LOG_LINES]:
        text, kind = sentence(event, lang)
        lines.append(
            f'<div class="{kind}"><time>{clock(moment)}</time>{_swatch(run, looks)} '
            f"{esc(title(run, looks, lang))}: {esc(text)}</div>"
        )
    head = f'<h2 class="h">{word("log", lang)}</h2>'
    return f'{head}<div class="log" tabindex="0" role="log" aria-live="off">{"".join(lines)}</div>'


def sentence(event: Event, lang: str) -> tuple[str, str]:
    """An event as a sentence, and how it stands out ("", warn or err)."""
    match event:
        case Decided(reason=text):
            return tr(text, lang), ""
        case Note(text=text, level=level):
            return tr(text, lang), "warn" if level == "warning" else ""
        case Failed(text=text):
            return tr(text, lang), "err"
        case Stopped(step=step, code=code):
            return t("log_ended" if code else "log_stopped", lang, n=step), "warn"
        case Paused(step=step):
            return t("log_paused", lang, n=step), "warn"
    return _deed(event, lang), ""


def _deed(event: Event, lang: str) -> str:
    match event:
        case Started(step=0):
            return t("log_started", lang)
        case Started(step=step):
            return t("log_resumed", lang, n=step)
        case Sampled(step=step):
            return t("log_sampled", lang, n=step)
        case Saved(step=step):
            return t("log_saved", lang, n=step)
        case Exported(path=path):
            return t("log_exported", lang, path=path)
        case Finished(seconds=seconds):
            return t("log_finished", lang, time=duration(seconds, lang))
    return event.kind
