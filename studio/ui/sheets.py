"""The only file that knows the sheets of a comparison: any of its runs with any prompts, weights and seeds."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from studio.errors import SpecError
from studio.ui.handout import SHEETS, sheet_url
from studio.ui.i18n import t, tr
from studio.ui.markup import button, esc, notice, swatch, word
from studio.ui.tasks import Task

LAYOUTS = {
    "prompts": (("prompt", "seed"), ("run", "weight"), ()),
    "weights": (("weight",), ("run",), ("prompt", "seed")),
    "runs": (("run",), ("prompt", "seed"), ("weight",)),
}
"""How the four axes share columns, rows and sheets."""
MOST = 400  # pictures of one order
KIND = "sheet"


def form(store: Any, place: Mapping[str, Any], lang: str) -> str:
    """What is to be drawn."""
    from studio.compare.members import groups, open_experiment

    found, shared = groups(store), open_experiment(store).sample
    filled: Mapping[str, Any] = place.get("form") or {}
    ready = [group for group in found if _exported(group.shown.store)]
    if not ready:
        return f'<p class="mute">{word("sheet_no_files", lang)}</p>'
    chosen = filled.get("runs", [group.shown.name for group in ready])
    runs = "".join(
        f'<label class="tickx"><input type="checkbox" name="runs" value="{esc(one.shown.name)}"'
        f"{' checked' if one.shown.name in chosen else ''}>{swatch(one.colour, ring=one.ring)} "
        f"{esc(tr(one.title, lang))}</label>"
        for one in ready
    )
    prompts = filled.get("prompts", "\n".join(shared.prompts[:3]))
    layout = filled.get("layout", "prompts")
    options = "".join(
        f'<option value="{name}"{" selected" if name == layout else ""}>{word(f"sheet_{name}", lang)}</option>'
        for name in LAYOUTS
    )
    seeds = ", ".join(map(str, shared.seeds[:2]))
    small = "".join(
        f'<div class="fd"><label for="sheet_{key}">{word(f"sheet_{key}", lang)}</label>'
        f'<input type="text" id="sheet_{key}" name="{key}" value="{esc(filled.get(key, usual))}" '
        f'autocomplete="off"></div>'
        for key, usual in (("weight", "0.6, 1"), ("seeds", seeds), ("steps", "25"))
    )
    return (
        f'<p class="mute">{word("sheet_help", lang)}</p><div class="ticks" role="group" '
        f'aria-label="{word("sheet_runs_of", lang)}">'
        f'{runs}</div><div class="fd"><label for="sheet_prompts_of">{word("sheet_prompts_of", lang)}</label>'
        f'<textarea id="sheet_prompts_of" name="prompts" rows="4">{esc(prompts)}</textarea></div>'
        f'<div class="row4">{small}<div class="fd"><label for="sheet_layout">{word("sheet_layout", lang)}</label>'
        f'<select id="sheet_layout" name="layout">{options}</select></div></div>'
        f'<div class="ln">{button("sheet", t("sheet_draw", lang), "primary")}</div>'
    )


def _exported(run: Any) -> bool:
    return any((run.path / export.path).exists() for export in run.read().view.exports)


def order(store: Any, filled: Mapping[str, Any]) -> Any:
    """The order for what was filled in; raises SpecError for what cannot be read."""
    from studio.compare.members import open_experiment
    from studio.compare.xyz import Order
    from studio.engine.generate import settings

    runs = tuple(str(store.path / name) for name in _list(filled.get("runs")))
    prompts = tuple(line.strip() for line in str(filled.get("prompts", "")).splitlines() if line.strip())
    seeds = tuple(int(value) for value in _numbers(filled.get("seeds"), whole=True))
    weights = tuple(_numbers(filled.get("weight")))
    if not runs or not prompts:
        raise SpecError("A sheet needs at least one run, prompt, seed and weight.")
    count = len(runs) * len(prompts) * len(seeds) * len(weights)
    if count > MOST:
        raise SpecError(f"That would be {count} pictures; a sheet has at most {MOST}. Take fewer of something.")
    x, y, z = LAYOUTS.get(str(filled.get("layout")), LAYOUTS["prompts"])
    steps = int(_numbers(filled.get("steps"), whole=True)[0])
    shared = open_experiment(store).sample
    return Order(runs, prompts, seeds, weights, settings(shared.negative, steps, shared.guidance), x=x, y=y, z=z)


def work(store: Any, asked: Any) -> Any:
    """A job for the worker that draws the sheets of an order into the experiment."""
    folder = store.path / SHEETS / time.strftime("%Y%m%d-%H%M%S")

    def job(resident: Any) -> Iterator[Any]:
        from studio.compare.xyz import draw

        yield from draw(asked, resident, folder)

    return job


def made(store: Any, task: Task | None, lang: str) -> str:
    """How the newest order goes, and the sheets that there are, the newest first."""
    said = progress(task, store.path.name, lang)
    found = sorted((store.path / SHEETS).glob("*/*.png"), key=lambda path: path.stat().st_mtime, reverse=True)[:6]
    pictures = "".join(
        f'<figure class="sheetx"><a href="{esc(sheet_url(path))}" target="_blank" rel="noopener">'
        f'<img src="{esc(sheet_url(path))}" alt="{word("sheet_of", lang, name=path.parent.name)}" loading="lazy"></a>'
        f'<figcaption class="ln"><span class="mute grow">{esc(path.parent.name)} {esc(path.stem)}</span>'
        f'<a class="bt small" download="{esc(store.path.name)}-{esc(path.stem)}.png" href="{esc(sheet_url(path))}">'
        f"{word('save_picture', lang)}</a></figcaption></figure>"
        for path in found
    )
    return f"{said}{pictures}"


def progress(task: Task | None, about: str, lang: str) -> str:
    """A task with its bar and cancel, or how it ended."""
    if task is None or task.about != about:
        return ""
    if task.state == "waiting":
        cancel = button("cancel", t("task_cancel", lang), "small", task.kind)
        return (
            f'<div class="ln taskx"><span class="mute grow">{word("task_waits", lang, title=task.title)}'
            f"</span>{cancel}</div>"
        )
    if task.state == "working":
        share = 100 * task.done / max(1, task.total)
        count = t("task_count", lang, n=task.done, of=task.total) if task.total > 1 else ""
        bar = (
            f'<div class="track grow" role="progressbar" aria-valuenow="{share:.0f}" aria-valuemin="0" '
            f'aria-valuemax="100" '
            f'aria-label="{esc(task.title)}"><i style="width:{share:.1f}%"></i></div>'
        )
        cancel = button("cancel", t("task_cancel", lang), "small", task.kind)
        return (
            f'<div class="ln taskx"><span>{esc(task.title)}</span>{bar}<span class="mute">{esc(count)}'
            f"</span>{cancel}</div>"
        )
    if task.state == "failed":
        close = button("forget", t("task_close", lang), "small", task.kind)
        return f'<div class="ln taskx">{notice("err", tr(task.error, lang))}{close}</div>'
    if task.state == "cancelled":
        close = button("forget", t("task_close", lang), "small", task.kind)
        said = word("task_cancelled", lang, title=task.title)
        return f'<div class="ln taskx"><span class="mute grow" role="status">{said}</span>{close}</div>'
    return ""


def _list(value: Any) -> list[str]:
    return [Path(str(one)).name for one in value] if isinstance(value, list) else []


def _numbers(text: Any, whole: bool = False) -> list[float]:
    try:
        found = [float(int(part) if whole else float(part)) for part in str(text or "").replace("，", ",").split(",")]
    except ValueError:
        raise SpecError(f"'{text}' are no numbers with commas between them.") from None
    return found
