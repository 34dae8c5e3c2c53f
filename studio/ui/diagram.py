"""The only file that draws where a method learns: Stable Diffusion in outline, the learning parts filled."""

from studio.ui.i18n import t
from studio.ui.markup import esc, word
from studio.ui.touched import Places

SIGNS = {
    "loha": "double", "glora": "double", "lokr": "split", "ia3": "ticks", "oft": "rings", "boft": "rings",
    "full": "whole",
}  # fmt: skip
"""How a method's sign looks where it is not a thin plate; where the signs stand is what ``attach`` touched."""

BARS = ((104, 44), (120, 34), (136, 24), (152, 24), (168, 34), (184, 44))  # x, height
FLOOR = 66
WORDS = (
    ("diagram_tokens", 20, 80), ("diagram_encoder", 58, 80), ("diagram_unet", 149, 95), ("diagram_vae", 211, 80),
)  # fmt: skip


def diagram(kind: str, title: str, lang: str, places: Places | None = None) -> str:
    """The SVG of one method, with a label for those who do not see it; without ``places`` all of it in outline."""
    sign = SIGNS.get(kind, "plates")
    seen = places or Places()
    drawn = _tokens(seen) + _encoder(seen) + _unet(seen, sign) + _vae()
    words = "".join(f'<text x="{x}" y="{y}" text-anchor="middle">{word(key, lang)}</text>' for key, x, y in WORDS)
    waits = "" if places else " waits"
    label = esc(said(kind, title, lang, places))
    return f'<svg class="dg{waits}" viewBox="0 0 248 98" role="img" aria-label="{label}">{drawn}{words}</svg>'


def said(kind: str, title: str, lang: str, places: Places | None) -> str:
    """What the diagram shows, in words."""
    if places is None:
        return t("diagram_waits", lang, title=title)
    names = [_part(part, SIGNS.get(kind, "plates"), lang) for part in places.parts]
    return t("diagram_label", lang, title=title, parts=", ".join(names) or t("part_none", lang))


def _part(part: str, sign: str, lang: str) -> str:
    if part in ("kv", "rims") and sign in ("rings", "ticks", "whole"):
        return t(f"part_{part}_{sign}", lang)
    return t(f"part_{part}", lang)


def _tokens(seen: Places) -> str:
    rows = []
    for index in range(5):
        on = index == 4 and seen.tokens
        rows.append(
            f'<rect class="{"on" if on else "fr"}" x="10" y="{18 + 10 * index}" width="20" height="7" rx="1.5"/>'
        )
    return "".join(rows) + '<path class="wire" d="M30 42H42"/>'


def _encoder(seen: Places) -> str:
    cls = "on" if seen.encoder and seen.bars else "fr"
    drawn = f'<path class="{cls}" d="M43 20L72 29V55L43 64Z"/><path class="wire" d="M72 42H84V74H190"/>'
    if seen.encoder and not seen.bars:  # beside its weights
        drawn += '<path class="on" d="M74.5 29.6V54.4H76.8V30.4Z"/>'
    return drawn


def _unet(seen: Places, sign: str) -> str:
    skips = '<path class="wire" d="M109 20V10H189V20M125 28V16H173V28"/>'
    return skips + "".join(_bar(number, seen, sign) for number in range(len(BARS)))


def _bar(number: int, seen: Places, sign: str) -> str:
    x, height = BARS[number]
    top = FLOOR - 2 - height
    whole = sign == "whole"
    bar = "on" if number in seen.bars or (whole and number in seen.rims) else "fr"
    drawn = f'<rect class="{bar}" x="{x}" y="{top}" width="10" height="{height}" rx="1.5"/>'
    if number in seen.attention:
        block = "on" if number in seen.bars or (whole and number in seen.kv) else "fr"
        drawn += f'<rect class="{block}" x="{x + 1}" y="{FLOOR}" width="8" height="8" rx="1.5"/>'
    if number in seen.kv and not whole:
        drawn += _at_attention(x, sign)
    if number in seen.rims and not whole:
        drawn += _rims(x, top, height, sign)
    if number in seen.before:
        drawn += f'<path class="on" d="M{x + 5} {FLOOR + 10}l4.5 4.5l-4.5 4.5l-4.5 -4.5z"/>'
    return drawn


def _at_attention(x: int, sign: str) -> str:
    if sign == "ticks":
        return f'<path class="on" d="M{x + 3} {FLOOR + 2}h4v1.2h-4zM{x + 3} {FLOOR + 4.8}h4v1.2h-4z"/>'
    if sign == "rings":
        return f'<circle class="ring" cx="{x + 5}" cy="{FLOOR + 4}" r="6.5"/>'
    return f'<path class="on" d="M{x + 9} {FLOOR + 0.5}h2.2v7h-2.2zM{x + 12.4} {FLOOR + 2}h2.2v4h-2.2z"/>'


def _rims(x: int, top: int, height: int, sign: str) -> str:
    """Signs along a bar: a plate, two, one in two pieces, scales or a ring."""
    middle = top + height / 2
    if sign == "ticks":
        return f'<path class="on" d="M{x + 3} {middle - 2}h4v1.2h-4zM{x + 3} {middle + 1}h4v1.2h-4z"/>'
    if sign == "rings":
        return f'<circle class="ring" cx="{x + 5}" cy="{middle}" r="6.5"/>'
    pieces = [(11.2, top, float(height))]
    if sign == "split":
        half = (height - 3) / 2
        pieces = [(11.2, top, half), (11.2, int(top + half + 3), half)]
    elif sign == "double":
        pieces.append((14, top, float(height)))
    return "".join(f'<rect class="on" x="{x + at}" y="{y}" width="1.6" height="{tall}"/>' for at, y, tall in pieces)


def _vae() -> str:
    return (
        '<path class="wire" d="M194 42H201"/><path class="fr" d="M202 36L221 22V62L202 48Z"/>'
        '<rect class="fr" x="225" y="31" width="20" height="22" rx="2"/>'
        '<path class="wire" d="M227 48l5 -6l4 4l3 -3l4 5"/>'
    )
