"""The only file that asks the adviser for the page: which method suits what is set up, and what it is set up of."""

import functools
from pathlib import Path
from typing import Any

from studio.data import scan
from studio.errors import DataError, SpecError
from studio.ui import cards
from studio.ui.draft import Draft
from studio.ui.i18n import t, tr
from studio.ui.looks import Looks
from studio.ui.markup import esc, notice, size


def named(folder: str | None) -> str:
    """What an experiment on this folder is called until it is named."""
    return Path(folder or "").name or "experiment"


def which(draft: Draft, about: Any, looks: Looks, lang: str) -> str:
    """The advice for a draft on a base, drawn; it needs the methods loaded."""
    from studio.compare.adviser import Situation, before
    from studio.engine.machine import this_hardware

    memory, images = this_hardware().memory, pictures(draft.folder, draft.trigger)[0]
    what = draft.what if draft.what in cards.WHATS else "subject"
    found = Situation(images, what, memory, program=draft.program, family=about.presets)  # type: ignore[arg-type]
    try:
        advice = before(found) if images else []  # of no pictures nothing can be said
    except SpecError:  # no preset for such a base: every card says so
        advice = []
    said = t("advice_facts", lang, n=images, what=t(cards.WHATS[what], lang).lower(), memory=size(memory))
    return cards.which(advice, looks, what, draft.program, said, lang)


@functools.lru_cache(maxsize=32)
def _split(folder: str, trigger: str, stamp: float) -> tuple[int, int]:
    split = scan.dataset(scan.DataSpec(folder=folder, trigger=trigger or "-"))
    return len(split.train), len(split.held_out)


def pictures(folder: str, trigger: str) -> tuple[int, int]:
    """Pictures to learn and to judge by; (0, 0) where the folder cannot be read. Read again when the folder changed."""
    path = Path(folder).expanduser()
    try:
        return _split(folder, trigger, path.stat().st_mtime if path.is_dir() else 0.0)
    except (DataError, OSError):
        return 0, 0


def line(folder: str, trigger: str, class_word: str, lang: str) -> str:
    """What a comparison would be made of."""
    try:
        split = scan.dataset(scan.DataSpec(folder=folder or "", trigger=trigger or "-"))
        counts = t("advice_pictures", lang, train=len(split.train), held=len(split.held_out))
    except DataError as error:
        return notice("err", tr(str(error), lang))
    parts = (
        (t("dataset", lang), f"{named(folder)} · {counts}"),
        (t("trigger", lang), f"{trigger} {class_word}".strip()),
    )
    drawn = "".join(f'<span><span class="mute">{esc(key)}</span> <b>{esc(value)}</b></span>' for key, value in parts)
    return f'<div class="ln" style="gap:20px;min-height:28px">{drawn}</div>'
