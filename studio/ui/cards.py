"""The only file that draws what can be picked: a card for each method, the advice above them, and what was picked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.ui.diagram import diagram
from studio.ui.forecast import Forecast
from studio.ui.i18n import t, tr
from studio.ui.markup import MISSING, amount, button, duration, esc, notice, size, swatch, word
from studio.ui.offers import KNOWN, Offer
from studio.ui.touched import Places

WHATS = {"subject": "what_subject", "style": "what_style", "many": "what_many"}
PROGRAMS = ("A1111", "Forge", "ComfyUI", "diffusers")
SHOWN = 3  # methods in the advice's one line


@dataclass(frozen=True)
class Known:
    """What was found out of one method for one base by now, and the steps that its run would have."""

    steps: int = 0
    places: Places | None = None
    forecast: Forecast | None = None
    minutes: float = 0.0
    """What each run is given where the budget is minutes."""

    @property
    def seconds(self) -> float:
        """How long its run takes here; 0 where no such run was seen."""
        pace = self.forecast.pace if self.forecast else None
        return 60 * self.minutes or (pace or 0.0) * self.steps


def about_line(about: Any, lang: str) -> str:
    """One line: family, prediction, native side, size, and the commit of what came from a hub."""
    parts = [
        t("starter_base", lang) if about.presets == about.model else about.title,
        t("predicts", lang, what=about.prediction.replace("_", "-")) if about.prediction else "",
        t("side", lang, n=about.side),
        size(about.size),
        t("commit", lang, hash=about.commit[:12]) if about.commit else "",
    ]
    return f'<p class="about">{esc(" · ".join(part for part in parts if part))}</p>'


def card(offer: Offer, picked: bool, about: Any, lang: str, known: Known | None = None) -> str:
    """One method; what is not known yet is left open."""
    known, look = known or Known(offer.steps), offer.look
    title = tr(look.title, lang)
    use = tr(look.usage.format(name="NAME", trigger="sks dog", class_word="dog"), lang)
    if offer.reason:
        what = t(offer.reason, lang, title=title, family=about.title)
        state, below = 'aria-disabled="true" aria-checked="false"', ""
    else:
        what = tr(look.sentence, lang)
        state = f'tabindex="0" data-act="pick" data-id="{esc(look.kind)}" aria-checked="{str(picked).lower()}"'
        below = _facts(offer, known, lang)
    return (
        f'<div class="card" role="checkbox" {state} data-kind="{esc(look.kind)}" aria-label="{esc(title)}" '
        f'style="--m:{esc(look.colour)}">'
        f'<div class="top">{swatch(look.colour, ring=look.ring)}<span>{esc(title)}</span>'
        f'<span class="tick">{"✓" if picked else ""}</span></div>'
        f'{diagram(look.kind, title, lang, known.places)}<p class="say">{esc(what)}</p>{below}'
        f'<code class="use" title="{esc(t("loads_in", lang, programs=look.readers))}">{esc(use)}</code></div>'
    )


def grid(cards: Sequence[tuple[str, str]], lang: str) -> str:
    """All cards as (method, drawn), the rarer methods under a line of their own."""
    usual = "".join(drawn for kind, drawn in cards if kind in KNOWN)
    rare = "".join(drawn for kind, drawn in cards if kind not in KNOWN)
    line = f'<p class="rare mute">{word("methods_rare", lang)}</p>' if rare else ""
    return (
        f'<div class="cards" role="group" aria-label="{word("methods", lang)}" data-rove="[role=checkbox]">'
        f"{usual}{line}{rare}</div>"
    )


def _facts(offer: Offer, known: Known, lang: str) -> str:
    """What learns, file, memory and time, then the preset and what speaks for or against it."""
    seen, found = known.places, known.forecast
    memory = size(max(found.training, found.previewing)) if found and not found.error else MISSING
    time = duration(known.seconds, lang) if known.seconds else MISSING
    figures = (
        ("fact_learns", amount(seen.learning) if seen and seen.learning else MISSING, "fact_learns_help"),
        ("fact_file", size(seen.size) if seen and seen.size else MISSING, "fact_file_help"),
        ("fact_memory", memory, "fact_memory_help" if memory != MISSING else "fact_unknown"),
        ("fact_time", time, "fact_time_help" if known.seconds else "time_unknown"),
    )
    drawn = "".join(
        f'<span title="{word(why, lang)}"><small>{word(key, lang)}</small>{esc(value)}</span>'
        for key, value, why in figures
    )
    text = t("card_preset", lang, preset=offer.preset, n=known.steps)
    return f'<div class="facts">{drawn}</div><p class="from">{esc(text)}</p>'


def rail(picked: Sequence[tuple[Offer, Known]], repeats: int, lang: str) -> str:
    """What the experiment would consist of."""
    head = rail_head(lang)
    if not picked:
        return head + notice("warn", t("pick_one", lang))
    rows = "".join(
        f"<div>{swatch(offer.look.colour, ring=offer.look.ring)}<span>{esc(tr(offer.look.title, lang))}</span>"
        f'<span class="to-end">{esc(_amount(known, repeats, lang))}</span></div>'
        for offer, known in picked
    )
    tight = [tr(offer.look.title, lang) for offer, _ in picked if offer.short]
    short = notice("warn", t("offer_short", lang, methods=", ".join(tight))) if tight else ""
    adjust = '<button type="button" class="bt wide" data-go="train" data-view="setup" id="methods_adjust">'
    return f'{head}<div class="list">{rows}</div>{short}{adjust}{word("adjust", lang)}</button>'


def rail_head(lang: str) -> str:
    """What the rail is about."""
    return f'<h2 class="h">{word("this_experiment", lang)}</h2>'


def _amount(known: Known, repeats: int, lang: str) -> str:
    """How much one method trains: steps or minutes, how often, and how long that takes."""
    much = t("n_minutes", lang, n=f"{known.minutes:g}") if known.minutes else t("n_steps", lang, n=known.steps)
    times = f" × {repeats}" if repeats > 1 else ""
    time = f" · {duration(known.seconds * repeats, lang)}" if known.seconds and not known.minutes else ""
    return much + times + time


def total(picked: Sequence[tuple[Offer, Known]], repeats: int) -> float:
    """Seconds that all runs take; 0 where one of them is not known."""
    each = [known.seconds for _, known in picked]
    return sum(each) * repeats if all(each) else 0.0


def which(advice: Sequence[Any], looks: Any, what: str, program: str, about: str, lang: str) -> str:
    """Which method to take: what the pictures show and where it is used, the advice in a line, and why."""
    head = f'<div class="ln which"><b>{word("which_one", lang)}</b>{_choice(what, lang)}{_programs(program, lang)}'
    if not advice:
        return head + "</div>"
    first = advice[0]
    others = [tr(one.title, lang) for one in advice[1:SHOWN] if one.mark > 0]
    text = t("advice_first", lang, facts=about, title=tr(first.title, lang))
    more = t("advice_more", lang, others=t("and", lang).join(others)) if others else ""
    take = button("advised", t("advice_take", lang), "small", ",".join(one.kind for one in advice[:SHOWN]))
    same = [text for text in first.reasons if all(text in one.reasons for one in advice)]
    every = "".join(f'<span class="pro">+ {esc(tr(text, lang))}</span>' for text in same)
    rows = f'<div><span class="who"><b>{word("all_methods", lang)}</b></span><span>{every}</span></div>' if same else ""
    rows += "".join(_word_on(one, same, looks, lang) for one in advice)
    said = t("gap", lang).join(esc(part) for part in (text, _because(first, lang), more) if part)
    return (
        f'{head}</div><div class="ln which"><span class="grow"><b>{word("advice", lang)}</b> {said}</span>{take}</div>'
        f'<details class="why"><summary>{word("advice_why", lang)}</summary><div class="list">{rows}</div></details>'
    )


def _because(one: Any, lang: str) -> str:
    return tr(one.reasons[0], lang) if one.reasons else ""


def _word_on(one: Any, same: Sequence[str], looks: Any, lang: str) -> str:
    """What speaks for a method and against it, without what is the ``same`` for all."""
    look = looks.of(one.kind)
    good = "".join(f'<span class="pro">+ {esc(tr(text, lang))}</span>' for text in one.reasons if text not in same)
    bad = "".join(f'<span class="con">− {esc(tr(text, lang))}</span>' for text in one.against)
    plain = f'<span class="con">{esc(tr(look.sentence, lang))}</span>'
    named = f"{swatch(look.colour, ring=look.ring)}<b>{esc(tr(one.title, lang))}</b>"
    return f'<div><span class="who">{named}</span><span class="grow">{good + bad or plain}</span></div>'


def _choice(what: str, lang: str) -> str:
    drawn = "".join(
        f'<button type="button" role="radio" aria-checked="{str(one == what).lower()}" data-act="what" '
        f'data-id="{one}">{word(name, lang)}</button>'
        for one, name in WHATS.items()
    )
    return f'<span class="segs" role="radiogroup" aria-label="{word("what_label", lang)}">{drawn}</span>'


def _programs(program: str, lang: str) -> str:
    options = "".join(
        f'<option value="{one}"{" selected" if one == program else ""}>{esc(one) or word("program_any", lang)}</option>'
        for one in ("", *PROGRAMS)
    )
    return (
        f'<label class="pick" data-kind="program"><span class="mute">{word("program", lang)}</span>'
        f'<select data-set="program" aria-label="{word("program", lang)}">{options}</select></label>'
    )
