"""The only file that knows trying and merging: what is stacked with which weight, a picture of it, one file of it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.errors import SpecError
from studio.formats.shelf import FILES
from studio.store import safe_name
from studio.ui import sheets
from studio.ui.desk import MODELS
from studio.ui.handout import PICTURES, tried_url
from studio.ui.i18n import t
from studio.ui.looks import Looks
from studio.ui.markup import button, esc, swatch, word
from studio.ui.stock import Item
from studio.ui.stocklist import titled
from studio.ui.tasks import Task

PICTURE, MERGE, EXPORT = "picture", "merge", "export"
FORMS = ("lora", "checkpoint")
MOST_WEIGHT = 1.5
LOSSY = 0.1  # relative error of a merge from which on it stands out


def panel(chosen: Sequence[Item], bases: Sequence[str], place: Mapping[str, Any], looks: Looks, lang: str) -> str:
    """The chosen files with a slider each, the prompt, and what can be made."""
    head = f'<h2 class="h">{word("lib_try_title", lang)}</h2>'
    if not chosen:
        return f'{head}<p class="mute">{word("lib_try_help", lang)}</p>'
    filled: Mapping[str, Any] = place.get("form") or {}
    stack = place.get("stack") or {}
    sliders = "".join(_slider(item, float(stack.get(item.key, 1.0)), looks, lang) for item in chosen)
    prompt = filled.get("prompt") or next((item.prompt for item in chosen if item.prompt), "")
    small = "".join(
        f'<div class="fd"><label for="try_{name}">{word(key, lang)}</label>'
        f'<input type="text" id="try_{name}" name="{name}" value="{esc(filled.get(name, usual))}" '
        f'autocomplete="off"></div>'
        for name, key, usual in (("seed", "lib_seed", "42"), ("steps", "lib_steps", "25"))
    )
    fields = (
        f'<div class="fd"><label for="try_prompt">{word("lib_prompt", lang)}</label>'
        f'<textarea id="try_prompt" name="prompt" rows="2">{esc(prompt)}</textarea></div>'
        f'<div class="fd"><label for="try_negative">{word("lib_negative", lang)}</label>'
        f'<input type="text" id="try_negative" name="negative" value="{esc(filled.get("negative", ""))}'
        f'" autocomplete="off">'
        f'</div><div class="row4">{_base(chosen, bases, filled, lang)}{small}</div>'
    )
    make = button("make", t("lib_make", lang), "primary wide")
    able = any(not item.whole for item in chosen)
    merge = button("merging", t("lib_merge", lang), "wide") if able else ""
    form = _merging(filled, chosen, lang) if place.get("merging") and able else ""
    return f'{head}{sliders}{fields}<div class="ln two">{make}{merge}</div>{form}'


def _slider(item: Item, weight: float, looks: Looks, lang: str) -> str:
    look = looks.of(item.method)
    name = titled(item, looks, lang)
    off = (
        f'<button type="button" class="bt small dots" data-act="unstack" data-id="{esc(item.key)}" '
        f'aria-label="{word("lib_taken_off", lang)}">×</button>'
    )
    title = f'<div class="ln">{swatch(look.colour, ring=look.ring)}<b class="grow">{esc(name)}</b>{off}</div>'
    if item.whole or item.method == "textual-inversion":
        return f'<div class="stackx">{title}</div>'
    label = word("lib_chosen", lang, name=name)
    return (
        f'<div class="stackx">{title}<div class="weight"><input type="range" min="0" max="{MOST_WEIGHT}" step="0.05" '
        f'value="{weight:g}" data-change="weight" data-id="{esc(item.key)}" aria-label="{label}">'
        f"<output>{weight:g}</output></div></div>"
    )


def _base(chosen: Sequence[Item], bases: Sequence[str], filled: Mapping[str, Any], lang: str) -> str:
    if any(item.whole for item in chosen):
        return ""
    wanted = filled.get("base") or next((item.base for item in chosen if item.base in bases), "starter")
    options = "".join(
        f'<option value="{esc(base)}"{" selected" if base == wanted else ""}>{esc(base.rpartition("/")[2])}</option>'
        for base in bases
    )
    label = word("lib_base_of", lang)
    return (
        f'<div class="fd"><label for="try_base">{label}</label><select id="try_base" name="base">{options}'
        f"</select></div>"
    )


def _merging(filled: Mapping[str, Any], chosen: Sequence[Item], lang: str) -> str:
    form = filled.get("as", "lora" if len(chosen) > 1 else "checkpoint")
    options = "".join(
        f'<option value="{name}"{" selected" if name == form else ""}>{word(key, lang)}</option>'
        for name, key in (("lora", "lib_lora"), ("checkpoint", "lib_baked"))
    )
    usual = "-".join(item.files[0].path.stem for item in chosen if not item.whole)[:60]
    kinds = "".join(
        f"<option{' selected' if kind == 'fp16' else ''}>{kind}</option>" for kind in ("fp16", "bf16", "fp32")
    )
    return (
        f'<div class="mergex"><p class="mute">{word("lib_merge_help", lang)}</p><div class="row4">'
        f'<div class="fd"><label for="merge_as">{word("lib_merge_as", lang)}</label>'
        f'<select id="merge_as" name="as">{options}</select></div>'
        f'<div class="fd"><label for="merge_rank">{word("lib_rank", lang)}</label>'
        f'<input type="text" id="merge_rank" name="rank" value="{esc(filled.get("rank", "32"))}" '
        f'inputmode="numeric"></div>'
        f'<div class="fd"><label for="merge_dtype">{word("lib_precision", lang)}</label>'
        f'<select id="merge_dtype" name="dtype">{kinds}</select></div></div>'
        f'<div class="fd"><label for="merge_name">{word("lib_merge_name", lang)}</label>'
        f'<input type="text" id="merge_name" name="name" value="{esc(filled.get("name") or usual)}'
        f'" autocomplete="off"></div>'
        f'<div class="ln">{button("merge", t("lib_merge_do", lang), "primary")}</div></div>'
    )


def result(tasks: Sequence[Task | None], lang: str) -> str:
    """How the picture, the merge and the export go, and the newest picture."""
    said = "".join(sheets.progress(task, "", lang) for task in tasks)
    drawn = next((task for task in tasks if task and task.kind == PICTURE and task.state == "done"), None)
    if drawn and drawn.results:
        url = esc(tried_url(drawn.results[-1]))
        said += (
            f'<figure class="tried"><img src="{url}" alt="{esc(drawn.title)}"><figcaption class="ln">'
            f'<span class="mute grow">{esc(drawn.results[-1].stem)}</span>'
            f'<a class="bt small" download="{esc(drawn.results[-1].name)}" href="{url}">{word("save_picture", lang)}'
            f"</a>"
            f"</figcaption></figure>"
        )
    merged = next((task for task in tasks if task and task.kind == MERGE and task.state == "done"), None)
    if merged and merged.results:
        last = merged.results[-1]
        kind = "ok" if last.error <= LOSSY else "warn"
        said += f'<p class="nt {kind}">{word("lib_merged", lang, name=last.path.name, error=f"{last.error:.2%}")}</p>'
    written = next((task for task in tasks if task and task.kind == EXPORT and task.state == "done"), None)
    if written:
        names = ", ".join(Path(one.path).name for one in written.results if hasattr(one, "path")) or written.title
        said += f'<p class="nt ok">{word("lib_exported", lang, name=names)}</p>'
    return said


def _uses(chosen: Sequence[Item], stack: Mapping[str, Any]) -> tuple[str, ...]:
    """What `generate --use` and `merge` are given."""
    found = []
    for item in chosen:
        weight = float(stack.get(item.key, 1.0))
        plain = item.whole or item.method == "textual-inversion" or weight == 1
        found.append(str(item.place) if plain else f"{item.place}:{weight:g}")
    return tuple(found)


def draw(
    chosen: Sequence[Item], place: Mapping[str, Any], filled: Mapping[str, Any], outputs: Path, heard: Any = None
) -> Any:
    """A job that draws one picture and keeps it, telling ``heard`` each step; raises SpecError for a wrong entry."""
    from studio.engine.generate import Place, generate, settings
    from studio.engine.sample import Wanted
    from studio.formats import infotext

    prompt = str(filled.get("prompt", "")).strip()
    if not prompt:
        raise SpecError("There is no prompt; write what the picture shall show.")
    order = Wanted(prompt, whole_number(filled.get("seed"), "seed"))
    spec = settings(str(filled.get("negative", "")), whole_number(filled.get("steps"), "steps"), 5.0)
    uses, base = _uses(chosen, place.get("stack") or {}), str(filled.get("base") or "starter")
    path = outputs / PICTURES / f"{time.strftime('%Y%m%d-%H%M%S')}-{order.seed}.png"

    def job(resident: Any) -> Iterator[Any]:
        yield None
        picture = generate(base, uses, order, spec, Place(resident=resident, heard=heard))
        path.parent.mkdir(parents=True, exist_ok=True)
        infotext.save(picture, path)
        yield path

    return job


def merged(chosen: Sequence[Item], place: Mapping[str, Any], filled: Mapping[str, Any], outputs: Path) -> Any:
    """A job that makes one file of the chosen ones; raises SpecError for what was filled in wrongly."""
    from studio.engine.merge import Order, merge

    files = [item for item in chosen if not item.whole]
    below = next((str(item.files[0].path) for item in chosen if item.whole), "")
    form = str(filled.get("as", "lora"))
    name = safe_name(str(filled.get("name") or "merged"))
    out = outputs / (MODELS if form == "checkpoint" else FILES) / f"{name}.safetensors"
    if out.exists():
        raise SpecError(f"There is a file '{out.name}' already; choose another name.")
    if len(files) < (1 if form == "checkpoint" else 2):
        raise SpecError("Choose at least two files to merge into one LoRA, or one to bake into a checkpoint.")
    order = Order(
        uses=_uses(files, place.get("stack") or {}), base=below or str(filled.get("base") or "starter"), form=form,
        rank=whole_number(filled.get("rank"), "rank"), out=out, dtype=str(filled.get("dtype") or "fp16"),
    )  # fmt: skip

    def job(resident: Any) -> Iterator[Any]:
        yield from merge(order)

    return job


def whole_number(text: Any, what: str) -> int:
    """A whole number of 0 or more; raises SpecError naming the field."""
    try:
        value = int(str(text).strip())
    except ValueError:
        value = -1
    if value < 0:
        raise SpecError(f"'{text}' is no whole number for {what}.")
    return value
