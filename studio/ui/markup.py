"""The only file that writes the page's small signs: escaping, swatches, badges, buttons, numbers with units."""

import html
import time
from pathlib import Path
from typing import Any

from studio.ui.i18n import t

MISSING = "–"


def esc(text: object) -> str:
    """Make ``text`` harmless in HTML, inside and outside of attributes."""
    return html.escape(str(text), quote=True)


def coded(text: str) -> str:
    """A sentence in HTML whose `words between backticks` stand out."""
    return "".join(
        f"<code>{esc(part)}</code>" if index % 2 else esc(part) for index, part in enumerate(text.split("`"))
    )


def word(key: str, lang: str, **values: Any) -> str:
    """The words of ``key`` in ``lang``, harmless in HTML."""
    return esc(t(key, lang, **values))


def leave(tab: str, text: str, kind: str = "primary", name: str = "") -> str:
    """A button that opens another tab."""
    return f'<button type="button" class="bt {kind}" data-go="{tab}" id="{name or "go_" + tab}">{esc(text)}</button>'


def copy(text: str, lang: str, label: str = "copy") -> str:
    """A button that copies ``text``."""
    done = word("copied", lang)
    told = f'data-copy="{esc(text)}" data-done="{done}"'
    return f'<button type="button" class="bt small" {told}>{word(label, lang)}</button>'


def table(head: str, rows: str, kind: str = "tb") -> str:
    """A table in a region that scrolls by itself."""
    top = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f'<div class="scroll" tabindex="0"><table class="{kind}">{top}<tbody>{rows}</tbody></table></div>'


def swatch(colour: str, dashed: bool = False, ring: bool = False) -> str:
    """The coloured square that stands for a method wherever it appears.

    Half filled for its second run, a ring for a rarer method that shares the hue of its nearest kin.
    """
    more = " half" if dashed else " ring" if ring else ""
    return f'<i class="sw{more}" style="--m:{esc(colour)}" aria-hidden="true"></i>'


VOID = '<span class="void"></span>'
"""What an empty part says, so that its panel is not drawn."""


def badge(kind: str, text: str) -> str:
    """A verdict: ``kind`` is ok, warn, err, live or plain."""
    return f'<span class="bd {esc(kind)}">{esc(text)}</span>'


def button(act: str, text: str, kind: str = "", target: str = "", disabled: bool = False) -> str:
    """A button that says ``act`` (and ``target``) to the page's script; ``kind`` is primary, small or both."""
    off = ' disabled aria-disabled="true"' if disabled else ""
    name = f' data-id="{esc(target)}"' if target else ""
    return f'<button type="button" class="bt {esc(kind)}" data-act="{esc(act)}"{name}{off}>{esc(text)}</button>'


def notice(kind: str, text: str) -> str:
    """A sentence that stands out; ``kind`` is warn, err or info, and what it holds between backticks is code."""
    return f'<p class="nt {esc(kind)}">{coded(text)}</p>'


def empty(title: str, text: str, more: str = "") -> str:
    """What an empty place says, with ``more`` (HTML) below it."""
    return f'<div class="nil"><b>{esc(title)}</b><p>{esc(text)}</p>{more}</div>'


def duration(seconds: float, lang: str) -> str:
    """Such as 1 min 34 s."""
    whole = round(seconds)
    if 0 < seconds < 10:
        return t("unit_s", lang, n=f"{seconds:.2f}" if seconds < 1 else f"{seconds:.1f}")
    if whole < 60:
        return t("unit_s", lang, n=whole)
    if whole < 3600:
        return t("unit_min_s", lang, m=whole // 60, s=whole % 60)
    return t("unit_h_min", lang, h=whole // 3600, m=whole % 3600 // 60)


def size(count: float) -> str:
    """Bytes with their unit, such as 9.2 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit in ("B", "kB") or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return MISSING


def amount(count: float) -> str:
    """A large number in short, such as 3.2 M."""
    for unit, scale in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:.0f}"


def clock(seconds: float) -> str:
    """The time of day, such as 14:06:31."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def day(seconds: float) -> str:
    """Date and time, such as 2026-11-22 14:06."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def disk_use(folder: Path) -> int:
    """Bytes of all files under ``folder``."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
