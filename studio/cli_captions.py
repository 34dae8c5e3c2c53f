"""The only file that turns the command line's word `caption` into calls."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from studio.errors import DataError, ModelError, SpecError

if TYPE_CHECKING:
    from studio.engine.captioning import Batch, Ended
    from studio.engine.proposals import Proposed


def add_words(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The grammar of it."""
    word = add("caption", help="find words for every picture of a folder; goes on where it was ended")
    word.add_argument("folder", nargs="?", metavar="FOLDER", help="folder of pictures, or corgi / starter-style")
    word.add_argument("--with", dest="captioner", default="embedded", metavar="NAME", help="see --list")
    more = "what becomes of captions that are there"
    word.add_argument("--mode", choices=("keep", "append", "overwrite"), default="keep", help=more)
    word.add_argument("--trigger", default="", help="a word that every caption shall hold")
    word.add_argument("--prefix", default="", help="words before what is found")
    word.add_argument("--suffix", default="", help="words after what is found")
    word.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", help="of the captioner; repeatable")
    word.add_argument("--dry-run", action="store_true", help="show old and new, and write nothing; without it, go on")
    word.add_argument("--download", action="store_true", help="bring the captioner's files first, where they lack")
    word.add_argument("--mirror", default="", metavar="URL", help="another hub of the same kind; default: HF_ENDPOINT")
    word.add_argument("--list", action="store_true", help="name the captioners, their size, licence and options")
    word.add_argument("--json", action="store_true", help="one JSON object a line")
    word.set_defaults(call=caption)


def caption(arguments: argparse.Namespace) -> int:
    """Caption a folder, or list the captioners, or bring one."""
    if arguments.list:
        return _list(arguments.json)
    if arguments.download:
        _bring(arguments.captioner, arguments.mirror, arguments.json)
    if arguments.folder:
        return _caption(arguments)
    if not arguments.download:
        raise SpecError("Give a folder of pictures, or --list to see who can caption it.")
    return 0


def _caption(arguments: argparse.Namespace) -> int:
    from studio.data.listing import listing
    from studio.data.scan import none_in, resolve_folder
    from studio.engine.captioning import Batch, accept, is_example, ready
    from studio.engine.proposals import CaptionSpec
    from studio.section import valid

    folder = resolve_folder(arguments.folder)
    if is_example(folder) and not arguments.dry_run:
        raise DataError("The example's captions stay as they are; add --dry-run, or copy its folder to change them.")
    names = ("captioner", "mode", "trigger", "prefix", "suffix")
    spec = valid(CaptionSpec, {name: getattr(arguments, name) for name in names})
    found_here = listing(folder)
    if not found_here.pictures and not found_here.left:
        raise none_in(arguments.folder)
    batch = Batch(folder, spec, ready(spec.captioner, _settings(arguments.set)))
    found: list[Proposed] = []
    try:
        ended = _follow(batch, found, arguments.json)
    except KeyboardInterrupt:
        print("Interrupted; the same command goes on where it was.", file=sys.stderr)
        return 130
    if arguments.dry_run:
        _say(arguments.json, asdict(ended) | {"kind": "ended"}, f"{_summary(ended)}; nothing is written.")
        return 0
    action = accept(folder, [one for one in found if one.changes], what=f"caption with {spec.captioner}")
    text = f"{_summary(ended)}; {action.count} written. {action.warning}".strip()
    _say(arguments.json, asdict(ended) | {"kind": "written", "count": action.count, "left": action.left}, text)
    return 0


def _follow(batch: "Batch", found: list["Proposed"], as_json: bool) -> "Ended":
    """Show what is proposed as it comes, and collect it."""
    from tqdm import tqdm

    from studio.engine.captioning import Ended, Looked, Unread

    with tqdm(leave=False, disable=True if as_json else None) as bar:  # None: silent where nobody watches
        for told in batch.propose():
            if isinstance(told, Ended):
                return told
            if isinstance(told, Looked):
                bar.total = told.total
                bar.update(told.done - bar.n)
                continue
            name = told.path.relative_to(batch.folder).as_posix()
            if isinstance(told, Unread):
                _say(as_json, {"kind": "unread", "path": name, "text": told.text}, f"! {told.text}")
                continue
            found.append(told)
            line = asdict(told) | {"kind": "proposed", "path": name}
            _say(as_json, line, "\n".join(_lines(name, told)))
    raise AssertionError("a batch ends by saying so")


def _lines(name: str, told: "Proposed") -> Iterator[str]:
    from studio.data.names import shown

    yield shown(name)
    if told.changes:
        yield from [f"  - {told.old}"] if told.old else []
        yield f"  + {told.new}"
    else:
        yield f"  = {told.old or 'nothing that is sure'}"
    if told.note:
        yield f"    {told.note}"


def _summary(ended: "Ended") -> str:
    parts = [f"{ended.proposed} proposed", f"{ended.same} as before", f"{ended.kept} kept unlooked"]
    return ", ".join([*parts, f"{ended.unread} unreadable"])


def _say(as_json: bool, line: dict[str, Any], text: str) -> None:
    from tqdm import tqdm

    tqdm.write(json.dumps(line, default=str) if as_json else text, file=sys.stdout)
    sys.stdout.flush()  # who reads it through a pipe sees each as it comes


def _settings(given: list[str]) -> dict[str, Any]:
    from studio.spec import parse_value

    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise SpecError(f"--set takes option=value, not '{text}'.")
        found[name.strip()] = parse_value(value.strip())
    return found


def _list(as_json: bool) -> int:
    from studio.engine.captioning import offers

    for one in offers():
        fields = {name: field.description or "" for name, field in one.options.model_fields.items()}
        line = {name: value for name, value in asdict(one).items() if name != "options"} | {"options": fields}
        where = "here" if one.here else f"{one.size / 1e9:.1f} GB to download"
        state = f"cannot run here: {one.missing}" if one.missing else where
        _say(as_json, line, f"{one.name}: {one.title}, {one.licence}; {state}\n    {one.sentence}")
        if not as_json:
            print(f"    --set {', '.join(fields)}")
    return 0


def _bring(name: str, mirror: str, as_json: bool) -> None:
    from studio.engine.captioning import fetch, offers

    if any(one.here for one in offers() if one.name == name):
        return
    for line in fetch(name, mirror) or ():
        if line["kind"] == "failed":
            raise ModelError(line["text"])
        text = ""
        if line["kind"] == "found":
            licence = line["licence"] or "not said"
            text = f"{line['model']} at {line['host']}: {line['size'] / 1e9:.2f} GB, licence {licence}"
        elif line["kind"] == "done":
            text = f"{name} is here."
        if text or as_json:
            _say(as_json, line, text)
