"""The only file that draws the labelled sheet: one picture that holds the whole grid."""

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from studio.compare import gallery
from studio.compare.gallery import Gallery
from studio.data.image import open_picture
from studio.errors import DataError
from studio.store import ExperimentStore

SIDE, GAP, PAD, LABEL, LINE = 128, 6, 14, 168, 17
INK, SOFT, RULE, PAPER, WELL = "#1B1F20", "#565E61", "#B4BABC", "#FFFFFF", "#F1F3F3"
CJK_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/Hiragino Sans GB.ttc",
    "C:/Windows/Fonts/msyh.ttc",
    "C:/Windows/Fonts/simsun.ttc",
)


@dataclass(frozen=True)
class Row:
    """A line of the sheet: its name with a square (or ``ring``) in ``colour``, a note below, and its pictures."""

    title: str
    note: str
    colour: str
    pictures: tuple[Path | None, ...]
    ring: bool = False


def grid(store: ExperimentStore, side: int = SIDE) -> Image.Image:
    """The sheet: prompts across, training pictures, base and methods down."""
    shown = gallery.build(store)
    count = max(len(shown.columns), 1)
    learnt: tuple[Path | None, ...] = shown.trained_on[:count]
    rows = [Row("Training pictures", "", RULE, learnt)] if learnt else []
    for strip in shown.strips:
        note = strip.state or (f"step {strip.step}" if strip.step else "")
        rows.append(Row(strip.title, note, strip.colour, strip.pictures, strip.ring))
    heads = [_head(shown, i, side) for i in range(len(shown.columns))]
    return laid(heads, rows, side, shown.first_without_subject)


def laid(heads: Sequence[Sequence[str]], rows: Sequence[Row], side: int = SIDE, rule: int | None = None) -> Image.Image:
    """Pictures of ``side`` pixels under ``heads``, lines of text each, with a rule before the column ``rule``."""
    count = max(len(heads), 1)
    top = PAD + LINE * max((len(head) for head in heads), default=0) + GAP
    width = PAD + LABEL + count * (side + GAP) + PAD
    sheet = Image.new("RGB", (width, top + len(rows) * (side + GAP) + PAD), PAPER)
    pen = ImageDraw.Draw(sheet)
    for i, head in enumerate(heads):
        for n, line in enumerate(head):
            _write(pen, (_left(i, side), PAD + n * LINE), line, SOFT if line.startswith("seed ") else INK)
    for n, row in enumerate(rows):
        _draw_row(sheet, row, top + n * (side + GAP), side, count)
    if rule:
        x = _left(rule, side) - GAP // 2
        pen.line((x, PAD, x, sheet.height - PAD), fill=RULE)
    return sheet


def _draw_row(sheet: Image.Image, row: Row, y: int, side: int, count: int) -> None:
    pen = ImageDraw.Draw(sheet)
    middle = y + side // 2
    square = (PAD, middle - 6, PAD + 11, middle + 5)
    if row.ring:
        pen.ellipse(square, outline=row.colour, width=3)
    else:
        pen.rectangle(square, fill=row.colour)
    name = unicodedata.normalize("NFKC", row.title)  # Pillow's own font has no small figures, such as that of (IA)³
    title, note = wrapped(name, LABEL - 26, lines=2), wrapped(row.note, LABEL - 26, lines=2) if row.note else []
    for n, line in enumerate([*title, *note]):
        _write(pen, (PAD + 20, middle - 9 + n * LINE), line, INK if n < len(title) else SOFT)
    for i in range(count):
        path = row.pictures[i] if i < len(row.pictures) else None
        sheet.paste(_thumbnail(path, side), (_left(i, side), y))


def _thumbnail(path: Path | None, side: int) -> Image.Image:
    """The picture fitted into a square of ``side``, an empty well where there is none."""
    well = Image.new("RGB", (side, side), WELL)
    if path is None:
        return well
    try:
        picture = open_picture(path)
    except DataError:
        return well
    scale = side / max(picture.size)
    picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    well.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return well


def _left(column: int, side: int) -> int:
    return PAD + LABEL + column * (side + GAP)


def _head(shown: Gallery, column: int, side: int) -> list[str]:
    seeds = {c.seed for c in shown.columns}
    here = shown.columns[column]
    return wrapped(here.prompt, side, lines=3) + ([f"seed {here.seed}"] if len(seeds) > 1 else [])


def wrapped(text: str, width: int, lines: int) -> list[str]:
    """``text`` broken into at most ``lines`` lines of ``width`` pixels, the last one cut with an ellipsis."""
    done: list[str] = []
    line = ""
    for word in _pieces(text):
        if line and _width(line + word) > width:
            done.append(line.strip())
            line = ""
        line += word
    done.append(line.strip())
    if len(done) > lines:
        done = [*done[: lines - 1], done[lines - 1] + "…"]
    return [_cut(part, width) for part in done]


def _pieces(text: str) -> list[str]:
    """Words with the space behind them; Chinese breaks between any two signs."""
    pieces = [""]
    for sign in text:
        wide = ord(sign) >= 0x2E80
        if wide or pieces[-1].endswith(" ") or (pieces[-1] and ord(pieces[-1][-1]) >= 0x2E80):
            pieces.append(sign)
        else:
            pieces[-1] += sign
    return [piece for piece in pieces if piece]


def _cut(line: str, width: int) -> str:
    if _width(line) <= width:
        return line
    while line and _width(line + "…") > width:
        line = line[:-1]
    return line + "…"


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, ink: str) -> None:
    pen.text(at, text, fill=ink, font=_font(_is_wide(text)))


def _width(text: str) -> float:
    return _font(_is_wide(text)).getlength(text)


def _is_wide(text: str) -> bool:
    return any(ord(sign) >= 0x2E80 for sign in text)


@functools.cache
def _font(wide: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font; for Chinese, Japanese or Korean text the first font of the system that has it."""
    if wide:
        for path in CJK_FONTS:
            if Path(path).is_file():
                return ImageFont.truetype(path, 13)
    return ImageFont.load_default(13)
