"""The only file that draws the pictures of a comparison: the grid, the film of one run, and two laid on each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.ui.i18n import t, tr
from studio.ui.markup import VOID, esc, swatch, word
from studio.ui.markup import table as table_html
from studio.ui.media import sample_url


@dataclass(frozen=True)
class Shot:
    """One picture: who drew it, at which step, in which column of the grid."""

    path: Path
    run: str
    title: str
    colour: str
    ring: bool
    step: int
    column: int

    @property
    def name(self) -> str:
        """What the page calls it by."""
        return f"{self.run}:{self.step}:{self.column}"


@dataclass(frozen=True)
class Wall:
    """Every picture of a comparison by its name; the newest of each row make the grid."""

    gallery: Any
    films: Sequence[Any]
    shots: Mapping[str, Shot] = field(default_factory=dict)
    newest: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """Row and column -> name of the picture that stands there in the grid."""

    def pair(self, place: Mapping[str, Any]) -> tuple[Shot | None, Shot | None]:
        """A and B; the first and the last drawn row until they are chosen."""
        drawn = list(self.newest.values())
        if not drawn:
            return None, None
        a = self.shots.get(place.get("a") or "", self.shots[drawn[0]])
        b = self.shots.get(place.get("b") or "")
        last = self.shots[drawn[-1]].run
        return a, b or self.shots[self.newest.get((last, a.column), drawn[-1])]

    def beside(self, name: str | None, column: int) -> str | None:
        """The picture of the same run and step in another column, where it is drawn."""
        shot = self.shots.get(name or "")
        other = f"{shot.run}:{shot.step}:{column}" if shot else ""
        return other if other in self.shots else name


def wall(store: Any) -> Wall:
    """Everything that is drawn of an experiment by now."""
    from studio.compare import gallery

    built, films = gallery.build(store), gallery.films(store)
    shots: dict[str, Shot] = {}
    newest: dict[tuple[str, int], str] = {}
    for film in films:
        for step, frame in zip(film.steps, film.frames, strict=True):
            for column, path in enumerate(frame):
                if path:
                    shot = Shot(path, film.name, film.title, film.colour, film.ring, step, column)
                    shots[shot.name] = shot
    for strip in built.strips:
        for column, path in enumerate(strip.pictures):
            if path:
                shot = Shot(path, strip.name, strip.title, strip.colour, strip.ring, strip.step or 0, column)
                shots[shot.name] = shot
                newest[strip.name, column] = shot.name
    return Wall(built, films, shots, newest)


def grid(of: Wall, place: Mapping[str, Any], lang: str) -> str:
    """Prompts across, methods down, at equal seeds."""
    if not of.newest:
        return f'<p class="mute">{word("grid_none", lang)}</p>'
    shown, rule = of.gallery, of.gallery.first_without_subject
    seeds = len({column.seed for column in shown.columns}) > 1
    head = "".join(
        f'<th scope="col"{_ruled(index, rule)} title="{esc(column.prompt)}">{esc(column.prompt)}'
        f"{'<br>' + word('seed_n', lang, n=column.seed) if seeds else ''}</th>"
        for index, column in enumerate(shown.columns)
    )
    rows = ""
    for strip in shown.strips:
        cells = "".join(
            _cell(of, of.newest.get((strip.name, column)), place, (column, rule), lang)
            for column in range(len(shown.columns))
        )
        state = f'<small class="faint">{esc(tr(strip.state, lang))}</small>' if strip.state else ""
        name = f"{swatch(strip.colour, ring=strip.ring)} {esc(tr(strip.title, lang))}{state}"
        rows += f'<tr><th scope="row">{name}</th>{cells}</tr>'
    return _framed('<td class="corner"></td>' + head, rows, len(shown.columns), lang)


def film(of: Wall, place: Mapping[str, Any], lang: str) -> str:
    """Steps across, prompts down, of one run; a row of buttons chooses which."""
    if not of.films:
        return f'<p class="mute">{word("cmp_no_film", lang)}</p>'
    chosen = next((film for film in of.films if film.name == place.get("film")), of.films[0])
    picks = "".join(
        f'<button type="button" role="radio" data-act="film" data-id="{esc(film.name)}" '
        f'aria-checked="{"true" if film is chosen else "false"}">{swatch(film.colour, ring=film.ring)}'
        f"{esc(tr(film.title, lang))}</button>"
        for film in of.films
    )
    head = "".join(f'<th scope="col">{word("step_n", lang, n=step)}</th>' for step in chosen.steps)
    rows = ""
    for column, what in enumerate(chosen.columns):
        cells = "".join(
            _cell(of, f"{chosen.name}:{step}:{column}", place, (column, None), lang) for step in chosen.steps
        )
        said = f"{esc(what.prompt)} <small class='faint'>{word('seed_n', lang, n=what.seed)}</small>"
        rows += f'<tr><th scope="row" class="say" title="{esc(what.prompt)}">{said}</th>{cells}</tr>'
    body = _framed('<td class="corner"></td>' + head, rows, len(chosen.steps), lang)
    label = word("cmp_film_of", lang)
    return f'<div class="segs runs-of" role="radiogroup" aria-label="{label}">{picks}</div>{body}'


def _framed(head: str, rows: str, count: int, lang: str) -> str:
    said = {
        "close": "cmp_close",
        "base": "cmp_base_key",
        "keys": "cmp_zoom_keys",
        "before": "cmp_before",
        "after": "cmp_after",
    }
    words = " ".join(f'data-{name}="{word(key, lang)}"' for name, key in said.items())
    return f'<div class="cwall" {words} style="--n:{count}">{table_html(head, rows, "gridx")}</div>'


def _ruled(index: int, rule: int | None) -> str:
    return ' class="rule"' if rule is not None and index == rule else ""


def _cell(of: Wall, name: str | None, place: Mapping[str, Any], at: tuple[int, int | None], lang: str) -> str:
    column, rule = at
    shot = of.shots.get(name or "")
    if shot is None:
        return f'<td{_ruled(column, rule)}><span class="cell"></span></td>'
    a, b = of.pair(place)
    sign = "".join(letter for letter, one in (("A", a), ("B", b)) if one and one.name == shot.name)
    mark = f'<span class="ab">{sign}</span>' if sign else ""
    base = of.shots.get(of.newest.get(("base", column), ""))
    plain = f' data-plain="{esc(address(base))}"' if base else ""
    return (
        f'<td{_ruled(column, rule)}><button type="button" class="cell{" sel" if sign else ""}" data-act="pick" '
        f'data-id="{esc(shot.name)}" tabindex="{0 if "A" in sign else -1}" data-say="{esc(_said(of, shot, lang))}'
        f'"{plain} '
        f'aria-label="{esc(_said(of, shot, lang))}"><img src="{esc(address(shot))}" alt="" '
        f'decoding="async">{mark}</button></td>'
    )


def _said(of: Wall, shot: Shot, lang: str) -> str:
    column = of.gallery.columns[shot.column]
    step = f" · {t('step_n', lang, n=shot.step)}" if shot.step else ""
    return f"{tr(shot.title, lang)}{step} · {column.prompt} · {t('seed_n', lang, n=column.seed)}"


def address(shot: Shot) -> str:
    """Where the browser finds it."""
    run = next(parent.parent for parent in shot.path.parents if parent.name == "samples")
    return sample_url(run, shot.path.relative_to(run).as_posix())


def flip(of: Wall, place: Mapping[str, Any], lang: str) -> str:
    """Two pictures on one another with a divider that mouse, arrow keys and X move."""
    a, b = of.pair(place)
    if a is None or b is None:
        return VOID
    pictures = (
        f'<div class="flip"><img src="{esc(address(a))}" alt="A: {esc(_said(of, a, lang))}">'
        f'<img class="b" src="{esc(address(b))}" alt="B: {esc(_said(of, b, lang))}"><span class="bar2"></span>'
        f'<input type="range" min="0" max="100" value="50" aria-label="{word("ab_label", lang)}"></div>'
    )
    column = of.gallery.columns[a.column]
    under = f"{column.prompt} · {t('seed_n', lang, n=column.seed)}"
    base = of.newest.get(("base", a.column))
    deeds = f'<button type="button" class="bt small" data-large="{esc(a.name)}">{word("cmp_large", lang)}</button>'
    if base and base not in (a.name, b.name):
        deeds += (
            f'<button type="button" class="bt small" data-act="against" data-id="{esc(base)}">'
            f"{word('cmp_against_base', lang)}</button>"
        )
    deeds += f'<button type="button" class="bt small" data-act="swap">{word("cmp_swap", lang)}</button>'
    return (
        f'<div class="ln abh">{_side("A", a, lang)}<span class="grow"></span>{_side("B", b, lang)}</div>{pictures}'
        f'<p class="mute">{esc(under)}</p><div class="ln">{deeds}</div><p class="faint">{word("ab_help", lang)}</p>'
    )


def _side(letter: str, shot: Shot, lang: str) -> str:
    step = f' <small class="faint">{word("step_n", lang, n=shot.step)}</small>' if shot.step else ""
    name = f"{swatch(shot.colour, ring=shot.ring)}<b>{esc(tr(shot.title, lang))}</b>{step}"
    return f'<span class="bd live">{letter}</span>{name}' if letter == "A" else f'{name}<span class="bd live">B</span>'
