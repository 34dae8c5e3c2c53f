"""The only file that draws what stands beside the live columns: the bar, the log and the buttons that follow a run."""

from collections.abc import Sequence

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
from studio.ui.desk import Now
from studio.ui.i18n import t, tr
from studio.ui.looks import Looks
from studio.ui.markup import badge, button, clock, duration, esc, notice, swatch, word
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
    return named if run.name == run.kind else f"{named} ({run.name.removeprefix(run.kind + '-')})"


def mark(run: Seen, looks: Looks) -> str:
    """The swatch of a run's method."""
    return swatch(colour(run, looks), run.second, looks.of(run.kind).ring)


def colour(run: Seen, looks: Looks) -> str:
    """The method's colour."""
    return looks.of(run.kind).colour


def bar(now: Now, looks: Looks, lang: str) -> str:
    """The top bar: mark, the run in hand, language, theme."""
    other = "zh" if lang == "en" else "en"
    return (
        f'<div class="bar"><h1 class="mark" aria-label="Crucible">{LOGO}<span class="hide-m">Crucible</span></h1>'
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
    steps = f"{run.view.step} / {run.total}" if run.total else state_word(run, now.comes_to(run), lang)
    return (
        f'<button type="button" class="hand" data-go="train" id="bar_run" style="--m:{esc(colour(run, looks))}" '
        f'title="{word("run_in_hand", lang)}"><span class="mute hide-s">{esc(name)}</span>'
        f"{mark(run, looks)}<b>{esc(title(run, looks, lang))}</b><span>{esc(steps)}</span>"
        f'<span class="track hide-m" style="width:88px"><i style="width:{100 * done:.1f}%"></i></span>'
        f'<span class="hide-s">{esc(t("left", lang, time=left) if left else "")}</span></button>'
    )


def state_word(run: Seen, comes: bool, lang: str) -> str:
    """A run's state in a word; ``comes`` where the worker will come to it by itself."""
    if run.is_base and run.view.state in ("new", "finished"):
        return t("state_untrained", lang)
    if comes or run.view.state == "new":
        return t("state_queued" if comes else "state_new", lang)
    return t(f"state_{run.view.state}", lang)


def toolbar(now: Now, lang: str, prompts: Sequence[Picture] = (), prompt: int = 0, before: bool = False) -> str:
    """The buttons that the state allows, the experiment's name, the last sign of life, and what is looked at."""
    if now.experiment is None:
        return ""
    shown = "".join(button(act, t(f"act_{act}", lang), kind) for act, kind in controls(now))
    name = esc(now.experiment.path.name)
    first = f'<div class="ln">{shown}<b style="font-size:15px">{name}</b>{_life(now, lang)}{_lost(now, lang)}'
    return f"{first}{_looking(prompts, prompt, before, lang)}</div>{_trouble(now, lang)}"


def _looking(prompts: Sequence[Picture], prompt: int, before: bool, lang: str) -> str:
    """Step 0 in every column, and which prompt."""
    if not prompts:
        return ""
    toggle = (
        f'<button type="button" class="bt to-end" data-act="before" aria-pressed="{str(before).lower()}" '
        f'title="{word("before_help", lang)}">{word("before_all", lang)}</button>'
    )
    seeds = len({one.seed for one in prompts}) > 1
    options = "".join(
        f'<option value="{number}"{" selected" if number == prompt else ""}>{esc(one.prompt)}'
        f"{esc(' · ' + t('seed_n', lang, n=one.seed)) if seeds else ''}</option>"
        for number, one in enumerate(prompts)
    )
    return (
        f'{toggle}<span class="pick" data-kind="prompt"><select data-set="prompt" aria-label="{word("prompt", lang)}">'
        f"{options}</select></span>"
    )


def _lost(now: Now, lang: str) -> str:
    """What can be done where an engine gives no sign any more."""
    run = now.active
    if run is None or run.age is None or run.age < LOST:
        return ""
    return button("lost", t("mark_interrupted", lang), "small", run.name)


def spoken(now: Now, looks: Looks, lang: str) -> str:
    """The states of all runs in words, for those who hear the page; it changes when a state does."""
    told = [
        f"{title(run, looks, lang)}{t('colon', lang)}{state_word(run, now.comes_to(run), lang)}"
        for run in now.runs
        if not run.is_base
    ]
    gone = word("server_gone", lang)
    return f'<p role="status" aria-live="polite" data-gone="{gone}">{esc("; ".join(told))}</p>'


def controls(now: Now) -> list[tuple[str, str]]:
    """Which buttons stand there, as (act, look): a function of the runs' states and nothing else."""
    active = now.active
    if active is not None and active.is_base:
        return []
    if active is not None and active.view.state == "paused":
        return [("stop", ""), ("resume", "primary"), ("sample", ""), ("save", "")]  # where Pause was, for another Enter
    if active is not None:
        return [("stop", "primary"), ("pause", ""), ("sample", ""), ("save", "")]
    if now.comes:
        return []
    if now.open_runs:
        return [("resume", "primary")]
    return [("compare", "primary")] if now.runs else []


def _life(now: Now, lang: str) -> str:
    run = now.active
    if run is None:
        finished = all(r.view.state == "finished" for r in now.runs) and now.runs
        state = "life_working" if now.comes else "life_done" if finished else "life_idle"
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
    """Why the experiment as a whole ended, where no run says it itself."""
    if not now.trouble or any(run.view.state == "failed" for run in now.runs):
        return ""
    return f'<div class="told">{notice("err", tr(now.trouble, lang))}</div>'


def image(run: Seen, shown: Picture) -> str:
    """One sample as an ``img``."""
    return f'<img src="{esc(sample_url(run.store.path, shown.path))}" alt="{esc(shown.prompt)}">'


def log(now: Now, looks: Looks, lang: str) -> str:
    """The newest sayings of all runs as sentences, newest first."""
    said = [(event.time, run, event) for run in now.runs for event in run.view.log[-LOG_LINES:]]
    said.sort(key=lambda entry: entry[0], reverse=True)
    lines = []
    for moment, run, event in said[:LOG_LINES]:
        text, kind = sentence(event, lang)
        lines.append(
            f'<div class="{kind}"><time>{clock(moment)}</time>{mark(run, looks)} '
            f"{esc(title(run, looks, lang))}{word('colon', lang)}{esc(text)}</div>"
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
