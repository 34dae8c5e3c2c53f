"""The only file that writes, for the report, what is known of the runs beside their pictures and figures."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from studio.compare import amounts, plots, votes
from studio.compare import curves as drawing
from studio.compare.facts import HEADS, columns, facts
from studio.compare.members import Group, differences
from studio.compare.table import Table
from studio.compare.verdict import after
from studio.errors import SpecError
from studio.store import ExperimentStore


def swatch(colour: str, ring: bool = False) -> str:
    """A coloured square, or a ring for a method that shares the hue of its nearest kin."""
    drawn = f"box-shadow:inset 0 0 0 3px {escape(colour)};border-radius:50%" if ring else f"background:{escape(colour)}"
    return f'<span class="swatch" style="{drawn}"></span>'


def verdict(figures: Table, weights: Mapping[str, float]) -> str:
    """Which method served best by ``weights`` of metrics, and why; "" where nothing counts."""
    found = after(figures, weights) if any(weights.values()) else None
    if found is None or not found.ranked:
        return ""
    titles = {metric.name: metric.title for metric in figures.columns}
    counted = {titles[name]: weight for name, weight in weights.items() if weight}
    said = ", ".join(f"<span>{escape(title)}</span> <span>{weight:g}</span>" for title, weight in counted.items())
    signs = {row.name: (row.colour, row.ring) for row in figures.rows}
    rows = "".join(
        f'<tr><th scope="row">{swatch(*signs[one.name])}{escape(one.title)}</th>'
        f'<td><span class="bar" style="--m:{signs[one.name][0]};--s:{100 * one.score:.0f}%"></span></td>'
        f'<td class="score">{one.score:.2f}'
        f'<span class="spread">{f"±{one.spread:.2f}" if one.spread else ""}</span></td>'
        f'<td class="quiet">{escape(" ".join(one.reasons))}</td></tr>'
        for one in found.ranked
    )
    notes = "".join(f'<p class="note">{escape(text)}</p>' for text in found.cautions)
    return (
        f"<p><b>{escape(found.sentence)}</b></p>{notes}"
        '<div class="scroll" tabindex="0" aria-label="Which one?"><table class="places">'
        f"<tbody>{rows}</tbody></table></div>"
        f'<p class="faint">What counted: {said}. Other weights may say otherwise.</p>'
    )


def drawings(store: ExperimentStore, figures: Table) -> str:
    """Likeness over time, against prompt fit, and against size."""
    made = (
        (plots.over_time(store, figures), "Likeness over training time, at each round of samples."),
        (plots.against_prompts(figures), "Likeness against prompt fit: up and to the right is better."),
        (plots.against_size(figures), "Likeness against file size: none beats those on the dashed front in both."),
    )
    drawn = [f'<figure>{svg}<figcaption class="faint">{said}</figcaption></figure>' for svg, said in made if svg]
    named = "".join(f"<span>{swatch(row.colour, row.ring)}{escape(row.title)}</span>" for row in figures.rows)
    return f'<div class="plots">{"".join(drawn)}</div><p class="legend">{named}</p>' if drawn else ""


def voted(store: ExperimentStore) -> str:
    """What the user's own eye said in blind votes."""
    rows = "".join(
        f"<dt>{swatch(one.colour, one.ring)}{escape(one.title)}</dt>"
        f"<dd>{one.rate:.0%} of {one.votes} votes won, {one.low:.0%} to {one.high:.0%} with 95% confidence</dd>"
        for one in votes.tally(store)
    )
    return listed([rows]) if rows else ""


def methods(found: Sequence[Group]) -> str:
    """The article's columns for each method."""
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in HEADS)
    rows = ""
    for kind, group in {group.first.spec.method.kind: group for group in found}.items():
        try:
            about = facts(kind)
        except SpecError:
            continue
        cells = "".join(f"<td>{escape(text)}</td>" for text in columns(about))
        rows += f'<tr><th scope="row">{swatch(group.colour, group.ring)}{escape(about.title)}</th>{cells}</tr>'
    return (
        f'<div class="scroll"><table><thead><tr><th></th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
        if rows
        else ""
    )


def curves(found: Sequence[Group]) -> str:
    """The training loss of each group, smoothed; a second one of a colour is dashed. Empty before the first step."""
    seen: set[str] = set()
    lines = []
    for group in found:
        lines.append(drawing.Line(group.title, group.colour, group.shown.view.losses, group.colour in seen))
        seen.add(group.colour)
    drawn = drawing.svg(lines, "Training loss by step")
    titles = [(line.colour, f"{line.title}, dashed" if line.dashed else line.title) for line in lines]
    legend = "".join(f"<span>{swatch(colour)}{escape(title)}</span>" for colour, title in titles)
    said = "Training loss by step, smoothed. A low loss is no likeness: see the pictures."
    return f'{drawn}<p class="legend">{legend}</p><p class="faint">{said}</p>' if drawn else ""


def settings(found: Sequence[Group]) -> str:
    """The settings in which the groups differ; empty where they differ in none."""
    apart = differences([group.first.spec for group in found])
    if not apart:
        return ""
    heads = "".join(f'<th scope="col">{swatch(group.colour, group.ring)}{escape(group.title)}</th>' for group in found)
    rows = ""
    for key, values in apart.items():
        cells = "".join(f'<td translate="no">{escape(_setting(value))}</td>' for value in values)
        rows += f'<tr><th scope="row"><code>{escape(key)}</code></th>{cells}</tr>'
    return f'<div class="scroll"><table><thead><tr><th></th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _setting(value: Any) -> str:
    if value is None:
        return "·"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def decisions(found: Sequence[Group]) -> str:
    """What was decided for the machine and why, with the groups that it holds for unless it holds for all."""
    said: dict[tuple[str, str], list[str]] = {}
    for group in found:
        for decision in group.shown.view.decisions:
            said.setdefault((decision.what, decision.reason), []).append(group.title)
    rows = (
        f"<dt>{escape(what.replace('_', ' '))}</dt><dd>{escape(reason)}{_of(titles, len(found))}</dd>"
        for (what, reason), titles in said.items()
    )
    return listed(rows)


def _of(titles: Sequence[str], everyone: int) -> str:
    unique = list(dict.fromkeys(titles))
    return "" if len(unique) == everyone else f' <span class="faint">({escape(", ".join(unique))})</span>'


def exports(found: Sequence[Group]) -> str:
    """Every finished file, how large it is, and how it is called in a prompt."""
    rows = []
    for group in found:
        run = group.shown
        for export in run.view.exports:
            path = run.store.path / export.path
            size = f", {amounts.size(path.stat().st_size)}" if path.is_file() else ""
            usage = f" <code>{escape(export.usage)}</code>" if export.usage else ""
            file = escape(f"{run.name}/{export.path}")
            rows.append(f"<dt>{swatch(group.colour, group.ring)}{escape(group.title)}</dt>")
            rows.append(f"<dd><code>{escape(export.format)}</code>: <code>{file}</code>{size}{usage}</dd>")
    return listed(rows)


def listed(rows: Iterable[str]) -> str:
    """A list of terms and what is said of them; ``rows`` are its <dt> and <dd>. Empty for none."""
    inside = "".join(rows)
    return f"<dl>{inside}</dl>" if inside else ""
