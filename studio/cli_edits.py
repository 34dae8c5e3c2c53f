"""The only file that turns the command line's word `captions` into calls."""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import SpecError

if TYPE_CHECKING:
    from studio.data.edits import Captions, Change
    from studio.data.journal import Action, Journal


class _Asked(argparse.Action):
    """Keeps edits in the order in which they are written."""

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        given = [values] if isinstance(values, str) else list(values or ())
        namespace.edits = [*namespace.edits, ((option or "").removeprefix("--"), given)]


def add_words(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The grammar of it."""
    word = add("captions", help="edit the captions of a folder, all at once; --undo takes it back")
    word.add_argument("folder", metavar="FOLDER", help="folder of pictures, or corgi / starter-style to look at")
    edits: tuple[tuple[str, Any, Any, str], ...] = (
        ("--replace", 2, ("FIND", "BY"), "put BY wherever FIND stands"),
        ("--add-tag", None, "TAG", "add a tag where it is missing"),
        ("--remove-tag", None, "TAG", "take a tag out everywhere"),
        ("--rename-tag", 2, ("TAG", "BY"), "call a tag something else"),
        ("--prefix", None, "TEXT", "put this before every caption"),
        ("--suffix", None, "TEXT", "put this behind every caption"),
        ("--trigger", None, "WORD", "put this word before every caption without it"),
        ("--sort", None, "name|count", "sort each caption's tags by name, or by how common they are"),
        ("--unique", 0, None, "let every tag stand once in a caption"),
    )
    for option, count, name, text in edits:
        word.add_argument(
            option, nargs=count, metavar=name, action=_Asked, dest="edits", default=[], help=f"{text}; repeatable"
        )
    word.add_argument("--pattern", action="store_true", help="FIND is a regular expression; BY may say \\1")
    word.add_argument("--ignore-case", action="store_true", help="FIND finds capitals too")
    word.add_argument("--first", action="store_true", help="add tags in front")
    word.add_argument("--separator", default=",", metavar="SIGN", help="what stands between tags; default: a comma")
    more = word.add_mutually_exclusive_group()
    more.add_argument("--undo", action="store_true", help="take the newest change back")
    more.add_argument("--redo", action="store_true", help="do again what was taken back last")
    more.add_argument("--history", action="store_true", help="name the changes that can be taken back")
    more.add_argument("--list", action="store_true", help="show every picture with its caption")
    more.add_argument("--tags", action="store_true", help="count the tags")
    word.add_argument("--dry-run", action="store_true", help="show old and new, and write nothing")
    word.add_argument("--json", action="store_true", help="one JSON object a line")
    word.set_defaults(call=captions)


def captions(arguments: argparse.Namespace) -> int:
    """Edit, take back, or look."""
    from studio.data.journal import Journal
    from studio.data.scan import resolve_folder

    folder = resolve_folder(arguments.folder)
    looks = {"undo": _moved, "redo": _moved, "history": _history, "list": _listed, "tags": _tags}
    asked = next((name for name in looks if getattr(arguments, name)), "")
    if bool(asked) == bool(arguments.edits):
        raise SpecError("Give either edits such as --add-tag TAG, or one of --undo, --redo, --history, --list, --tags.")
    if asked:
        looks[asked](folder, Journal(folder), arguments)
    else:
        _edited(folder, Journal(folder), arguments)
    return 0


def _edited(folder: Path, journal: "Journal", arguments: argparse.Namespace) -> None:
    from studio.data.edits import Change, written

    before = _captions(folder)
    after = dict(before)
    for name, given in arguments.edits:
        after |= written(_edit(name, given, after, arguments))[0]
    changes = [Change(path, old, after[path]) for path, old in before.items() if after[path] != old]
    for change in changes:
        _say(arguments.json, _line(folder, change), "\n".join(_lines(folder, change)))
    if arguments.dry_run:
        text = f"{_counted(len(changes))} would change; nothing is written."
        _say(arguments.json, {"would_change": len(changes)}, text)
        return
    new, old = written(changes)
    what = ", ".join(" ".join((name, *given)) for name, given in arguments.edits)
    _told(journal.write(new, what, was=old), arguments.json, "written")


def _edit(name: str, given: list[str], held: "Captions", arguments: argparse.Namespace) -> Sequence["Change"]:
    """One of the edits of the grammar."""
    from studio.data import edits
    from studio.data.setting import DataSpec
    from studio.section import valid

    sign: dict[str, Any] = {"separator": arguments.separator}
    if name == "sort":
        if given[0] not in ("name", "count"):
            raise SpecError(f"--sort takes name or count, not '{given[0]}'.")
        return edits.sort_tags(held, "name" if given[0] == "name" else "count", **sign)
    if name == "replace":
        return edits.replace(held, *given, pattern=arguments.pattern, case=not arguments.ignore_case)
    if name == "trigger":
        return edits.trigger(held, valid(DataSpec, {"trigger": given[0]}))
    calls: dict[str, Callable[[], Sequence[Change]]] = {
        "add-tag": lambda: edits.add_tag(held, *given, first=arguments.first, **sign),
        "remove-tag": lambda: edits.remove_tag(held, *given, **sign),
        "rename-tag": lambda: edits.rename_tag(held, *given, **sign),
        "prefix": lambda: edits.prefix(held, *given),
        "suffix": lambda: edits.suffix(held, *given),
        "unique": lambda: edits.unique_tags(held, **sign),
    }
    return calls[name]()


def _moved(_folder: Path, journal: "Journal", arguments: argparse.Namespace) -> None:
    done = journal.undo() if arguments.undo else journal.redo()
    if done is None:
        raise SpecError(f"There is nothing to {'undo' if arguments.undo else 'redo'} in this folder.")
    _told(done, arguments.json, "taken back" if arguments.undo else "done again")


def _history(_folder: Path, journal: "Journal", arguments: argparse.Namespace) -> None:
    for action in journal.actions():
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(action.when))
        back = " (taken back)" if action.undone else ""
        _say(arguments.json, _of(action), f"{when}  {action.count:5}  {action.what}{back}")


def _listed(folder: Path, _journal: "Journal", arguments: argparse.Namespace) -> None:
    from studio.data.names import shown

    for path, text in _captions(folder).items():
        name = path.relative_to(folder).as_posix()
        _say(arguments.json, {"path": name, "caption": text}, f"{shown(name)}\n  {text or '(no caption)'}")


def _tags(folder: Path, _journal: "Journal", arguments: argparse.Namespace) -> None:
    from studio.data.tags import kind, tally

    held = _captions(folder)
    found = tally(held, arguments.separator)
    for tag in found.tags:
        _say(arguments.json, {"tag": tag.text, "count": tag.count}, f"{tag.count:6}  {tag.text}")
    line = {"captions": found.captions, "pictures": len(held), "kind": kind(held, arguments.separator)}
    _say(arguments.json, line, f"{found.captions} of {len(held)} pictures have captions; kind: {line['kind']}.")


def _captions(folder: Path) -> dict[Path, str | None]:
    from studio.data.scan import scan

    return {example.path: example.caption for example in scan(folder)}


def _line(folder: Path, change: "Change") -> dict[str, Any]:
    return {"path": change.picture.relative_to(folder).as_posix(), "old": change.old, "new": change.new}


def _lines(folder: Path, change: "Change") -> list[str]:
    from studio.data.names import shown

    old, new = ([f"  {sign} {line}" for line in (text or "").split("\n") if line]
                for sign, text in (("-", change.old), ("+", change.new)))  # fmt: skip
    return [shown(change.picture.relative_to(folder).as_posix()), *old, *new]


def _of(action: "Action") -> dict[str, Any]:
    return {
        "what": action.what, "when": action.when, "count": action.count, "undone": action.undone, "left": action.left,
    }  # fmt: skip


def _told(action: "Action", as_json: bool, done: str) -> None:
    _say(as_json, _of(action), f"{_counted(action.count)} {done}: {action.what}. {action.warning}".strip())


def _counted(count: int) -> str:
    return f"{count} caption" if count == 1 else f"{count} captions"


def _say(as_json: bool, line: dict[str, Any], text: str) -> None:
    print(json.dumps(line) if as_json else text)
