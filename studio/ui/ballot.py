"""The only file that draws blind votes: two pictures without names, the answer, and who won how often."""

from collections.abc import Mapping
from typing import Any

from studio.ui.i18n import t, tr
from studio.ui.markup import empty, esc, swatch, word

KEYS = {"left": "1", "right": "2", "tie": "0"}


def asked(store: Any, last: Mapping[str, Any] | None, lang: str) -> str:
    """The next pair, what the pair before was, and the tally; ``last`` is the pair that was answered just now."""
    from studio.compare import votes
    from studio.compare.report import data_url

    pair = votes.ask(store)
    if pair is None:
        return empty(t("vote_none", lang), t("vote_none_help", lang))
    left, whole = votes.left_to_ask(store)
    head = (
        f'<div class="ln"><b>{esc(pair.prompt)}</b><span class="mute grow">{word("seed_n", lang, n=pair.seed)}</span>'
        f'<span class="mute">{word("vote_round", lang, n=whole - left, of=whole)}</span></div>'
    )
    sides = "".join(
        f'<button type="button" class="side" data-act="vote" data-id="{esc(pair.key)}|{side}" data-key="{KEYS[side]}" '
        f'aria-keyshortcuts="{KEYS[side]}" '
        f'aria-label="{word(f"vote_{side}", lang)} ({KEYS[side]})"><img src="{data_url(path)}" alt="">'
        f'<kbd aria-hidden="true">{KEYS[side]}</kbd></button>'
        for side, path in (("left", pair.left), ("right", pair.right))
    )
    tie = (
        f'<button type="button" class="bt" data-act="vote" data-id="{esc(pair.key)}|tie" data-key="0">'
        f"{word('vote_tie', lang)}<kbd>0</kbd></button>"
    )
    ask = f'<p class="mute">{word("vote_ask", lang)}</p>'
    return (
        f'<div class="ballot">{head}{ask}<div class="sides">{sides}</div><div class="ln mid">{tie}'
        f"</div>{_was(last, lang)}</div>{_tally(store, lang)}"
    )


def answered(store: Any, said: str) -> dict[str, Any]:
    """Keep an answer, ``KEY|left``, and tell who stood where; raises UserError when the pair is no longer asked."""
    from studio.compare import gallery, votes

    key, _, choice = said.rpartition("|")
    pair = votes.ask(store)
    votes.vote(store, key, choice)  # type: ignore[arg-type]
    if pair is None or pair.key != key:
        return {}
    strips = {strip.name: strip for strip in gallery.build(store).strips}
    names = [path.relative_to(store.path).parts[0] for path in (pair.left, pair.right)]
    shown = [(strips[name].title, strips[name].colour, strips[name].ring) for name in names]
    return {"choice": choice, "left": shown[0], "right": shown[1]}


def _was(last: Mapping[str, Any] | None, lang: str) -> str:
    if not last:
        return ""
    names = [
        f"{swatch(colour, ring=ring)} {esc(tr(title, lang))}" for title, colour, ring in (last["left"], last["right"])
    ]
    chosen = {"left": 0, "right": 1}.get(last["choice"])
    if chosen is not None:
        names[chosen] = f"<b>{names[chosen]}</b>"
    verdict = word(f"vote_was_{last['choice']}", lang)
    return (
        f'<p class="was" role="status">{word("vote_was", lang)} {names[0]} · {names[1]} <span '
        f'class="mute">{verdict}</span></p>'
    )


def _tally(store: Any, lang: str) -> str:
    from studio.compare import votes

    scores = votes.tally(store)
    if not scores:
        return f'<p class="faint">{word("vote_kept", lang)}</p>'
    rows = "".join(
        f"<tr><th scope=row>{swatch(one.colour, ring=one.ring)} {esc(tr(one.title, lang))}</th>"
        f'<td class="num">{one.rate:.0%}</td><td class="bar3"><span class="range" style="--m:{esc(one.colour)};'
        f'--l:{100 * one.low:.0f}%;--r:{100 * one.high:.0f}%;--at:{100 * one.rate:.0f}%"></span></td>'
        f'<td class="num faint">{word("vote_of", lang, n=one.votes)}</td></tr>'
        for one in scores
    )
    title = word("vote_tally", lang)
    body = f'<table class="tb tally"><tbody>{rows}</tbody></table><p class="faint">{word("vote_interval", lang)}</p>'
    return f'<details class="results" data-keep="tally"><summary>{title}</summary>{body}</details>'
