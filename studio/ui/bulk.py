"""The only file that draws the tags of a dataset, and the tools that change many captions, with their difference."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from studio.data import edits
from studio.data.edits import Change
from studio.data.names import shown as readable
from studio.data.setting import DataSpec
from studio.ui import inputs
from studio.ui.album import Album
from studio.ui.i18n import t
from studio.ui.markup import button, esc, word
from studio.ui.media import picture_url
from studio.ui.places import Place

FEW: Final = 14  # tags that are shown before "more" is asked for
MANY: Final = 600
ROWS: Final = 40  # differences that are drawn at once
OPS: Final = ("replace", "add", "remove", "rename", "prefix", "suffix", "trigger", "unique", "sort")
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "replace": ("find", "by", "pattern", "case"), "add": ("tag", "first"), "remove": ("tag",), "rename": ("tag", "by"),
    "prefix": ("text",), "suffix": ("text",), "trigger": (), "unique": (), "sort": ("order",),
}  # fmt: skip
SWITCHES: Final = ("pattern", "case", "first")


def strip(album: Album, place: Place, lang: str) -> str:
    """The tags with their counts; a click shows the pictures that have one, Shift those that lack it."""
    found = album.tags()
    many = found.tags[:MANY] if place.all_tags else found.tags[:FEW]
    chips = "".join(_tag(one.text, one.count, found.captions, place, lang) for one in many)
    more = ""
    if len(found.tags) > FEW:
        text = t("ds_fewer", lang) if place.all_tags else t("ds_more", lang, n=len(found.tags) - FEW)
        more = button("all_tags", text, "link")
    tags = (
        f'<div class="ln tagstrip" role="group" data-rove=".fchip"><b>{word("ds_tags", lang)}</b>{chips}{more}</div>'
        if chips
        else ""
    )
    return f'<div class="ln tools">{_tools(album, lang)}</div>{tags}'


def _tools(album: Album, lang: str) -> str:
    """What can be done to many pictures."""
    own = (("caption", "ds_caption_open"), ("edit", "ds_edit_many")) if album.own else ()
    tools = [button("tool", t(name, lang), "small", tool) for tool, name in (*own, ("prepare", "ds_prepare_open"))]
    return "".join([*tools, button("check_again", t("ds_look_again", lang), "small")])


def _tag(text: str, count: int, of: int, place: Place, lang: str) -> str:
    state = "having" if text.casefold() in place.having else "lacking" if text.casefold() in place.lacking else ""
    rare = word("ds_everywhere", lang) if count == of > 1 else word("ds_once", lang) if count == 1 else ""
    title = f"{rare} {word('ds_tag_how', lang)}".strip()
    sign = "− " if state == "lacking" else ""
    return (
        f'<button type="button" class="fchip {state}" data-act="tag" data-id="{esc(text)}" title="{title}" '
        f'aria-pressed="{"true" if state else "false"}">{sign}{esc(readable(text))} <small>{count}</small></button>'
    )


# -- changing many at once --------------------------------------------------------------------------------------------


def changes(album: Album, place: Place, form: dict[str, Any], spec: DataSpec) -> tuple[Change, ...]:
    """What the tool would do to the pictures in its scope; raises DataError."""
    captions = {path: album.captions[path] for path in place.scope(album)}
    said = {name: str(form.get(name, "")) for name in ("find", "by", "tag", "text", "order")}
    on = {name: bool(form.get(name)) for name in SWITCHES}
    separator = spec.separator
    does: dict[str, Callable[[], tuple[Change, ...]]] = {
        "replace": lambda: edits.replace(
            captions, said["find"], said["by"], pattern=on["pattern"], case=on["case"]
        ),
        "add": lambda: edits.add_tag(captions, said["tag"], first=on["first"], separator=separator),
        "remove": lambda: edits.remove_tag(captions, said["tag"], separator=separator),
        "rename": lambda: edits.rename_tag(captions, said["tag"], said["by"], separator=separator),
        "prefix": lambda: edits.prefix(captions, said["text"]),
        "suffix": lambda: edits.suffix(captions, said["text"]),
        "trigger": lambda: edits.trigger(captions, spec),
        "unique": lambda: edits.unique_tags(captions, separator=separator),
        "sort": lambda: edits.sort_tags(
            captions, "count" if said["order"] == "count" else "name", keep=spec.keep_tokens, separator=separator
        ),
    }  # fmt: skip
    return does[form.get("op", "replace") if form.get("op") in does else "replace"]()


def called(form: dict[str, Any], lang: str) -> str:
    """What the action is called in Undo."""
    op = form.get("op", "replace")
    values = {"a": str(form.get("find") or form.get("tag") or form.get("text") or ""), "b": str(form.get("by", ""))}
    return t(f"act_ds_{op}", lang, **values)


def tool(album: Album, place: Place, shelf: str, lang: str) -> str:
    """The tool that changes many captions: what to do, in which pictures, and what it would make of them."""
    form = place.form
    op = form.get("op", "replace") if form.get("op") in OPS else "replace"
    fields = "".join(_field(name, form, lang) for name in FIELDS[op])
    scope = place.scope(album)
    where = t("ds_scope_selected" if place.selected else "ds_scope_shown", lang, n=len(scope))
    preview = button("preview", t("ds_preview", lang), "" if place.changes else "primary")
    ops = inputs.choice("op", t("ds_op", lang), {one: t(f"act_op_{one}", lang) for one in OPS}, op, act="op")
    return (
        f'<div class="tool" data-form><div class="ln"><h2 class="h grow">{word("ds_edit_title", lang)}</h2>'
        f"{button('close', t('ds_close', lang), 'small')}</div>"
        f'<div class="fields">{ops}{fields}</div>'
        f'<div class="ln"><span class="mute grow">{esc(where)}</span>{preview}{_apply(place, lang)}</div></div>'
        f"{_outcome(place, album, shelf, lang)}"
    )


def _apply(place: Place, lang: str) -> str:
    return button("apply", t("ds_apply", lang, n=len(place.changes)), "primary") if place.changes else ""


def _outcome(place: Place, album: Album, shelf: str, lang: str) -> str:
    if place.changes:
        return differences(album, place.changes, place, shelf, lang)
    return f'<p class="mute">{esc(place.said)}</p>' if place.said else ""


def _field(name: str, form: dict[str, Any], lang: str) -> str:
    label = t(f"part_field_{name}", lang)
    if name in SWITCHES:
        return inputs.switch(name, label, bool(form.get(name, name == "case")))
    if name == "order":
        names = {one: t(f"mode_order_{one}", lang) for one in ("name", "count")}
        return inputs.choice(name, label, names, str(form.get(name, "name")))
    return inputs.text(name, label, form.get(name, ""), enter="preview")


def differences(
    album: Album, found: Sequence[Change], place: Place, shelf: str, lang: str, picks: frozenset[Path] | None = None
) -> str:
    """Old and new, word by word, of the first pictures that change, and as many more as were asked for.

    With ``picks`` each can be left out, or reworded, as the one is being that the place's form names.
    """
    worded = str(place.form.get("reword", ""))
    many = ROWS * (1 + place.further)
    rows = "".join(_difference(album, one, shelf, (picks, worded), lang) for one in found[:many])
    left, more = len(found) - many, ""
    if left > 0:
        said = f'<span class="faint">{word("ds_rows_of", lang, n=many, of=len(found))}</span>'
        more = f'<div class="ln">{said}{button("further", t("ds_more_rows", lang, n=min(left, ROWS)), "small")}</div>'
    return f'<div class="diffs" tabindex="0" aria-label="{word("ds_preview", lang)}" role="group">{rows}</div>{more}'


def _difference(album: Album, one: Change, shelf: str, judged: tuple[frozenset[Path] | None, str], lang: str) -> str:
    picks, worded = judged
    marks = {"same": "{}", "removed": "<del>{}</del>", "added": "<ins>{}</ins>"}
    text = "".join(marks[kind].format(esc(piece)) for kind, piece in edits.difference(one.old, one.new))
    name = album.name(one.picture)
    url = esc(picture_url(shelf, album.root, one.picture, 160))
    off = " off" if picks is not None and one.picture not in picks else ""
    choice = "" if picks is None else _rewording(name, lang) + _choice(name, not off, lang)
    said = f'<span dir="auto">{text or "∅"}</span>'
    if picks is not None and name == worded:
        said = (
            f'<textarea rows="3" dir="auto" data-id="{esc(name)}" aria-label="{word("ds_reword", lang)}">'
            f"{esc(one.new or '')}</textarea>"
        )
    return (
        f'<div class="diff{off}"><img loading="lazy" src="{url}" alt=""><span class="grow">'
        f"<small>{esc(readable(name))}</small>{said}</span>{choice}</div>"
    )


def _rewording(name: str, lang: str) -> str:
    label = word("ds_reword", lang)
    return (
        f'<button type="button" class="bt small icon" data-act="reword" data-id="{esc(name)}" aria-label="{label}" '
        f'title="{label}">✎</button>'
    )


def _choice(name: str, on: bool, lang: str) -> str:
    """Whether a difference is taken."""
    label = word("ds_take_not" if on else "ds_take", lang)
    return (
        f'<button type="button" class="bt small icon" data-act="take" data-id="{esc(name)}" aria-label="{label}" '
        f'title="{label}" aria-pressed="{"true" if on else "false"}">{"✓" if on else "–"}</button>'
    )
