"""The only file that draws the library: filters, a row for everything that can be used, and the trash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.ui.i18n import t, tr
from studio.ui.looks import Looks
from studio.ui.markup import button, copy, day, empty, esc, leave, size, swatch, word
from studio.ui.markup import table as table_html
from studio.ui.stock import ORDERS, Item, arranged

TRASH = "trash"


@dataclass(frozen=True)
class Thrown:
    """Something that can be restored by its ``key``."""

    key: str
    title: str
    time: float
    size: int


DTYPES = ("fp16", "bf16", "fp32")


def tools(items: Sequence[Item], thrown: int, place: Mapping[str, Any], looks: Looks, lang: str) -> str:
    """The search field, a chip for each method with its count, and the order."""
    counts: dict[str, int] = {}
    for item in items:
        counts[item.method] = counts.get(item.method, 0) + 1
    chosen = str(place.get("method", ""))
    chips = [_chip("", t("lib_all", lang), len(items), chosen)]
    for kind, count in sorted(counts.items()):
        look = looks.of(kind)
        chips.append(_chip(kind, tr(look.title, lang), count, chosen, swatch(look.colour, ring=look.ring)))
    chips.append(_chip(TRASH, t("lib_trash", lang), thrown, chosen))
    options = "".join(
        f'<option value="{name}"{" selected" if name == place.get("order", "date") else ""}>'
        f"{word(f'lib_by_{name}', lang)}</option>"
        for name in ORDERS
    )
    find = word("lib_find", lang)
    bring = (
        f'<button type="button" class="bt" id="library_import" aria-expanded="false" '
        f'aria-controls="library_intake_panel">{word("lib_import", lang)}</button>'
    )
    if not items and not thrown:
        return f'<div class="ln lib-tools"><span class="grow"></span>{bring}</div>'
    return (
        f'<div class="ln lib-tools"><input type="search" id="library_find" data-find="1" placeholder="{find}" '
        f'aria-label="{find}" autocomplete="off"><div class="chips" role="group" aria-label="{word("lib_show", lang)}">'
        f'{"".join(chips)}</div><select id="library_order" data-change="order" '
        f'aria-label="{word("lib_sort", lang)}">{options}</select>{bring}</div>'
    )


def _chip(name: str, title: str, count: int, chosen: str, sign: str = "") -> str:
    on = "true" if name == chosen else "false"
    return (
        f'<button type="button" class="chipx" data-act="method" data-id="{esc(name)}" aria-pressed="{on}">'
        f"{sign}{esc(title)} <small>{count}</small></button>"
    )


def rows(items: Sequence[Item], place: Mapping[str, Any], looks: Looks, lang: str) -> str:
    """A row for each item that the filters let through."""
    if not items:
        go = leave("methods", t("train_example", lang), name="library_train")
        return empty(t("library_none", lang), t("library_none_help", lang), go)
    found = arranged(items, str(place.get("find", "")), str(place.get("method", "")), str(place.get("order", "date")))
    if not found:
        return f'<p class="mute pad">{word("lib_no_match", lang)}</p>'
    heads = (("", ""), ("name", ""), ("library_use", ""), ("lib_by_likeness", "num hide-m"), ("", ""))
    head = "".join(
        f'<th scope="col" class="{cls}">{word(key, lang)}</th>' if key else "<td></td>" for key, cls in heads
    )
    stacked = place.get("stack") or {}
    return table_html(head, "".join(_row(item, stacked, place, looks, lang) for item in found), "tb lib")


def titled(item: Item, looks: Looks, lang: str) -> str:
    """What an item is called: experiment and method, with what its run is called beyond that, such as r2."""
    if not item.experiment:
        return item.name
    title = f"{item.experiment} / {tr(looks.of(item.method).title, lang)}"
    own = item.name.removeprefix(item.method).lstrip("-")
    return f"{title} {own}" if own else title


def _row(item: Item, stacked: Any, place: Mapping[str, Any], looks: Looks, lang: str) -> str:
    look = looks.of(item.method)
    shown = f'<img class="mini" src="{esc(item.picture)}" alt="">' if item.picture else '<span class="mini"></span>'
    title = titled(item, looks, lang)
    step = t("step_n", lang, n=item.step) if item.step is not None else t("lib_foreign", lang)
    told = filter(None, (item.base.rpartition("/")[2], step, day(item.time)[:10]))
    facts = " · ".join(f"<span>{esc(fact)}</span>" for fact in told)
    use = tr(item.usage, lang)
    line = f'<div class="use-line"><code>{esc(use)}</code>{copy(use, lang)}</div>' if use else ""
    files = f'<div class="files">{"".join(_file(file, lang) for file in item.files)}</div>'
    like = f"{item.likeness:.2f}" if item.likeness is not None else "–"
    opened = place.get("open") == item.key
    deeds = _deeds(item, opened, bool(stacked), lang)
    on = " on" if item.key in stacked else ""
    named = f' data-run="{esc(item.name)}"'
    more = f'<tr class="more"><td colspan="5">{_more(item, lang)}</td></tr>' if opened else ""
    return (
        f'<tr class="item{on}"{named}><td class="thumbx">{shown}</td><td class="name"><b>'
        f"{swatch(look.colour, item.run is not None and item.run.second, look.ring)} {esc(title)}</b>"
        f'<small>{facts}</small></td><td class="call">{line}{files}</td>'
        f'<td class="num hide-m">{like}</td><td class="deeds">{deeds}</td></tr>{more}'
    )


def _file(file: Any, lang: str) -> str:
    told = f'<span class="faint">{esc(file.form)}, {size(file.size)}</span>'
    if file.url:
        return f'<span><a href="{esc(file.url)}" download>{esc(file.path.name)}</a> {told}</span>'
    ending = "/" if file.path.is_dir() else ""
    return f'<span title="{esc(file.path)}">{esc(file.path.name)}{ending} {told}</span>'


def _deeds(item: Item, opened: bool, stacking: bool, lang: str) -> str:
    found = button("try", t("lib_try", lang), "small", item.key)
    if stacking:
        found += button("stack", t("lib_stack", lang), "small", item.key)
    state = "true" if opened else "false"
    return (
        f'<span class="ln end">{found}<button type="button" class="bt small dots" data-act="open" '
        f'data-id="{esc(item.key)}" '
        f'aria-expanded="{state}" aria-label="{word("lib_actions", lang)}">…</button></span>'
    )


def _more(item: Item, lang: str) -> str:
    """What else can be done with it: write it again, go on from it, throw it away."""
    deeds = button("continue", t("lib_continue", lang), "small", item.key)
    deeds += button("delete", t("lib_delete", lang), "small", item.key)
    return f'<div class="ln">{_again(item, lang)}<span class="grow"></span>{deeds}</div>'


def _again(item: Item, lang: str) -> str:
    if item.run is None:
        return ""
    if not item.run.store.checkpoints():
        return f'<span class="faint">{word("lib_export_none", lang)}</span>'
    from studio.methods import method

    forms = "".join(f'<option value="{esc(name)}">{esc(name)}</option>' for name in method(item.method).exports)
    kinds = "".join(f'<option value="{name}">{name}</option>' for name in DTYPES)
    return (
        f'<label class="inl">{word("lib_export_as", lang)} <select name="again_form">{forms}</select></label>'
        f'<label class="inl">{word("lib_precision", lang)} <select name="again_dtype">{kinds}</select></label>'
        f"{button('export', t('lib_export_do', lang), 'small', item.key)}"
    )


def trash(thrown: Sequence[Thrown], lang: str) -> str:
    """What waits in the trash."""
    if not thrown:
        return f'<p class="mute pad">{word("lib_trash_none", lang)}</p>'
    rows = "".join(
        f'<tr><td class="name"><b>{esc(one.title)}</b><small>{esc(day(one.time))} · {size(one.size)}</small></td>'
        f'<td class="deeds"><span class="ln end">{button("restore", t("lib_restore", lang), "small", one.key)}'
        f"</span></td></tr>"
        for one in thrown
    )
    whole = size(sum(one.size for one in thrown))
    ask, yes = word("empty_trash_ask", lang, n=len(thrown), size=whole), word("empty_trash_yes", lang)
    clear = (
        f'<button type="button" class="bt small" data-act="empty" data-ask="{ask}" data-yes="{yes}" '
        f'data-no="{word("keep", lang)}">{word("empty_trash", lang, size=whole)}</button>'
    )
    return f'<table class="tb lib"><tbody>{rows}</tbody></table><div class="ln pad">{clear}</div>'


def toast(told: Mapping[str, Any] | None, lang: str) -> str:
    """What was just done, with the way back."""
    if not told:
        return '<span class="void"></span>'
    undo = button("restore", t("lib_undo", lang, name=told["name"]), "small", told["undo"]) if told.get("undo") else ""
    go = leave("train", t("view_setup", lang), "small", "library_setup") if told.get("go") else ""
    go = go.replace("<button ", f'<button data-view="setup" data-auto="{esc(told.get("go", ""))}" ', 1)
    close = (
        f'<button type="button" class="bt small dots" data-act="hush" aria-label="{word("task_close", lang)}'
        f'">×</button>'
    )
    return f'<div class="toastx" role="status"><span>{esc(told["text"])}</span>{undo}{go}{close}</div>'
