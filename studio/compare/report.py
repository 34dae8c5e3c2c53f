"""The only file that writes an experiment down: a page that needs no network, with table and sheet beside it."""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from studio.compare import gallery, particulars, record, sheet, table, weights
from studio.compare.gallery import Gallery, Strip
from studio.compare.members import Group, groups, open_experiment, same_draws
from studio.compare.table import BEST, TIE, WORST, Cell, Table
from studio.data.image import open_picture
from studio.errors import DataError
from studio.spec import Experiment
from studio.store import ExperimentStore, write_text

LARGEST = 256  # pixels on the longer side of a picture in the report
ONE_SEED = "Each method ran with one seed, so small differences may be chance; repeats would tell."
EXACT = 96  # up to this side a picture is kept without loss
STYLE = Path(__file__).with_name("report.css")


def write(store: ExperimentStore) -> Path:
    """Write table, ``grid.png``, ``experiment.json`` and ``report.html`` into the experiment; returns the report."""
    gallery.keep_learnt(store)
    figures = table.build(store)
    write_text(store.path / "table.csv", table.to_csv(figures))
    write_text(store.path / "table.md", table.to_markdown(figures))
    write_text(store.path / "experiment.json", record.to_json(store, figures))
    draft = store.path / ".partial-grid.png"
    sheet.grid(store).save(draft)
    draft.replace(store.path / "grid.png")
    page = store.path / "report.html"
    write_text(page, html(store, figures))
    return page


def html(store: ExperimentStore, figures: Table | None = None) -> str:
    """The report as one page: style, curves and pictures are inside it."""
    figures = figures or table.build(store)
    experiment, found = open_experiment(store), groups(store)
    style = STYLE.read_text(encoding="utf-8")
    body = [
        _head(experiment, found),
        _section("Figures", _figures(figures)),
        _section("Which one?", particulars.verdict(figures, weights.read(store))),
        _section("Prompts × methods", _grid(gallery.build(store))),
        _section("Figures against each other", particulars.drawings(store, figures)),
        _section("Blind votes", particulars.voted(store)),
        _section("Loss", particulars.curves(found)),
        _section("What the methods are", particulars.methods(found)),
        _section("Settings that differ", particulars.settings(found)),
        _section("Decisions", particulars.decisions(found)),
        _section("Files to use", particulars.exports(found)),
        _section("What the figures mean", _meanings(figures)),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:image/gif;base64,R0lGODlhAQABAAAAACw=">\n'
        f'<title translate="no">{escape(experiment.name)}</title>'
        f"\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def terms(experiment: Experiment, found: Sequence[Group]) -> tuple[dict[str, str], str]:
    """What all runs have alike or not - budget, steps, seeds - and whether they saw the same draws, as a sentence."""
    specs = [group.first.spec for group in found]
    seeds = sorted({member.spec.seed for group in found for member in group.members}) or [experiment.seed]
    steps = sorted({spec.schedule.steps for spec in specs})
    budget = experiment.terms
    equal = {"steps": "equal steps", "minutes": f"equal minutes, {budget.minutes:g} each"}
    facts = {
        "Budget": equal.get(budget.budget, "as each preset advises"),
        "Steps": f"{steps[0]} each" if len(steps) == 1 else ", ".join(map(str, steps)),
        "Training seeds": ", ".join(map(str, seeds)),
        "Sample seeds": ", ".join(map(str, experiment.sample.seeds)),
    }
    if specs and same_draws(specs):
        promise = "At every step all runs of one seed saw the same pictures with the same noise and timesteps."
    else:
        promise = "The runs share seeds, but not the batch size: steps of different runs saw different pictures."
    return facts, promise


def _head(experiment: Experiment, found: Sequence[Group]) -> str:
    data, (agreed, promise) = experiment.data, terms(experiment, found)
    own_words = {  # which no other language has
        "Dataset": Path(data.folder).name,
        "Called": data.subject,
        "Base model": Path(experiment.base.model).name,
    }
    titles = ", ".join(f"<span>{escape(group.title)}</span>" for group in found)
    rows = f"<dt>Methods</dt><dd>{titles}</dd>"
    for key, value in {**own_words, **agreed}.items():
        own = ' translate="no"' if key in own_words else ""
        rows += f"<dt>{escape(key)}</dt><dd{own}>{escape(value)}</dd>"
    name = f'<h1 translate="no">{escape(experiment.name)}</h1>'
    return f"<section>\n{name}\n<dl>{rows}</dl>\n<p>{promise}</p>\n</section>"


# -- the table


def _figures(figures: Table) -> str:
    heads = "".join(
        f'<th scope="col" title="{escape(m.why)} {escape(m.misleads)}"><span>{escape(m.title)}</span></th>'
        for m in figures.columns
    )
    rows = []
    for n, row in enumerate(figures.rows):
        state = f'<span class="state">{escape(row.state)}</span>' if row.state else ""
        head = f'<th scope="row">{particulars.swatch(row.colour, row.ring)}{escape(row.title)}{state}</th>'
        cells = "".join(_cell(row.cells[metric.name]) for metric in figures.columns)
        rows.append(f"<tr{' class=base' if n == 0 else ''}>{head}{cells}</tr>")
    repeated = any(len(row.seeds) > 1 for row in figures.rows)
    spread = " ± is the deviation over seeds." if repeated else f" {ONE_SEED}"
    eye = f" Likeness, prompt fit and forgetting are seen by the {figures.eye}." if figures.eye else ""
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in figures.notes)
    return (
        '<div class="scroll" tabindex="0" aria-label="Figures"><table class="figures">\n'
        f'<thead><tr><th scope="col">Method</th>{heads}</tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody></table>"
        f'</div>\n<p class="faint">{BEST} best, {WORST} worst, {TIE} tie with the best; the base is not ranked.'
        f"{spread}{escape(eye)}</p>{notes}"
    )


def _cell(cell: Cell) -> str:
    kind = {BEST: "best", WORST: "worst"}.get(cell.mark, "" if cell.value is not None else "none")
    word = {BEST: "best", WORST: "worst", TIE: "tie with the best"}.get(cell.mark, "")
    label = f' role="img" aria-label="{word}"' if word else ""
    mark = f'<span class="mark"{label}>{cell.mark}</span>'
    spread = f'<span class="spread">{escape(cell.spread_text)}</span>' if cell.spread_text else ""
    title = f' title="{escape(cell.reason)}"' if cell.reason else ""
    return f'<td class="{kind}"{title}><span class="v">{escape(cell.text)}</span>{spread}{mark}</td>'


def _meanings(figures: Table) -> str:
    rows = "".join(
        f"<dt>{escape(m.title)}</dt><dd>{escape(m.why)} <span class='quiet'>{escape(m.misleads)}</span></dd>"
        for m in figures.columns
    )
    return f"<dl>{rows}</dl>"


# -- the grid


def _grid(shown: Gallery) -> str:
    many = len({column.seed for column in shown.columns}) > 1
    heads = []
    for i, column in enumerate(shown.columns):
        seed = f'<div class="faint">seed {column.seed}</div>' if many else ""
        heads.append(f'<th scope="col"{_ruled(shown, i)}><div translate="no">{escape(column.prompt)}</div>{seed}</th>')
    learnt = shown.trained_on[: len(shown.columns)]
    padded: tuple[Path | None, ...] = (*learnt, *[None] * (len(shown.columns) - len(learnt)))
    strips = [Strip("", "Training pictures", "var(--ln)", "", None, padded)] if learnt else []
    rows = []
    for strip in [*strips, *shown.strips]:
        state = f'<br><span class="state">{escape(strip.state)}</span>' if strip.state else ""
        cells = "".join(
            f"<td{_ruled(shown, i)}>{_picture(path, _alt(shown, strip, i))}</td>"
            for i, path in enumerate(strip.pictures)
        )
        head = f"{particulars.swatch(strip.colour, strip.ring)}{escape(strip.title)}{state}"
        rows.append(f'<tr><th scope="row">{head}</th>{cells}</tr>')
    first = shown.first_without_subject
    said = "" if first is None else " Right of the rule stand prompts without the trigger: there nothing should change."
    return (
        f'<p class="quiet">The newest samples of each run at equal seeds.{said}</p>'
        '<div class="scroll grid" tabindex="0" aria-label="Prompts by methods"><table>\n'
        f"<thead><tr><th></th>{''.join(heads)}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>"
    )


def _ruled(shown: Gallery, column: int) -> str:
    return ' class="ruled"' if column == shown.first_without_subject else ""


def _alt(shown: Gallery, strip: Strip, column: int) -> str:
    return f"{strip.title}: {shown.columns[column].prompt}" if strip.name else "a training picture"


def _picture(path: Path | None, alt: str) -> str:
    source = data_url(path) if path else ""
    return f'<img src="{source}" alt="{escape(alt)}">' if source else '<div class="well">no picture</div>'


def data_url(path: Path) -> str:
    """The picture, no larger than LARGEST, as text that stands in a page; empty when it cannot be read."""
    try:
        picture = open_picture(path)
    except DataError:
        return ""
    picture.thumbnail((LARGEST, LARGEST))
    kind = "png" if max(picture.size) <= EXACT else "jpeg"
    out = io.BytesIO()
    picture.save(out, kind, **({"optimize": True} if kind == "png" else {"quality": 88}))
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"
