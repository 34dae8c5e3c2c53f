"""The only file that turns the command line's words about datasets into calls: check and prepare."""

import argparse
import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from studio.errors import CrucibleError, UserError
from studio.events import Progress

if TYPE_CHECKING:
    from studio.data.judge import Asked, Report
    from studio.data.prepare import Prepared

T = TypeVar("T")
SAID = 12  # tags that are shown of each kind


def add_words(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The grammar of both."""
    word = add("check", help="look at every picture and caption of a folder, and say what training will make of it")
    _common(word)
    word.add_argument(
        "--fast", action="store_true", help="read no more than headers: finds no blur, likeness or damage"
    )
    word.set_defaults(call=check)

    word = add("prepare", help="write copies as training sees them, cropped and to size, into a new folder")
    _common(word)
    word.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to make, apart from the originals")
    word.set_defaults(call=prepare)


def _common(word: argparse.ArgumentParser) -> None:
    word.add_argument("folder", metavar="FOLDER", help="folder of pictures, or corgi / starter-style")
    word.add_argument("--base", default="starter", help="base model, whose side and tokenizer count")
    word.add_argument("--resolution", type=int, default=0, help="side in pixels to train at; default: the base's own")
    word.add_argument("--trigger", help="the word that will call the subject")
    word.add_argument("--class-word", default="", help="what kind of thing the subject is")
    word.add_argument(
        "--leave-out", action="append", default=[], metavar="NAME", help="a picture that shall not be used; repeatable"
    )
    more = "any other setting, such as data.buckets=false; repeatable"
    word.add_argument("--set", action="append", default=[], metavar="data.FIELD=VALUE", help=more)
    word.add_argument("--json", action="store_true", help="everything as JSON")


def check(arguments: argparse.Namespace) -> int:
    """Judge a folder; 2 when it has no pictures, or some would not be used though nobody left them out."""
    from studio.data.check import check
    from studio.data.judge import Report
    from studio.data.scan import none_in

    spec, asked = _asked(arguments, arguments.fast)
    report = _drained(check(spec, asked), Report)
    if not report.verdicts:
        raise none_in(arguments.folder)
    if arguments.json:
        said = asdict(report) | {"counts": report.counts(), "unused": report.unused}
        for verdict, one in zip(said["verdicts"], report.verdicts, strict=True):
            verdict["severity"], verdict["kinds"] = one.severity, one.kinds
        print(json.dumps(said))
    else:
        print("\n".join(_told(report)))
    return UserError.exit_code if report.unused else 0


def prepare(arguments: argparse.Namespace) -> int:
    """Write the copies."""
    from studio.data.prepare import Prepared, prepare

    spec, asked = _asked(arguments)
    made = _drained(prepare(arguments.folder, arguments.out, spec, asked), Prepared)
    if arguments.json:
        print(json.dumps({"folder": made.folder, "pictures": made.pictures, "data": made.spec.model_dump(mode="json")}))
    else:
        there = "1 picture is" if made.pictures == 1 else f"{made.pictures} pictures are"
        print(f"{there} in {made.folder}; train with {_words_of(made)}")
    return 0


def _words_of(made: "Prepared") -> str:
    """What to say to `train` for the same split; the rest as before."""
    from studio.data.names import relative
    from studio.data.scan import dataset
    from studio.data.setting import DataSpec

    words, given = [f"--data {shlex.quote(made.folder)}"], made.spec
    by_itself = dataset(DataSpec(folder=made.folder)).held_out
    if given.held_out or {relative(one.path, Path(made.folder)) for one in by_itself} != set(given.hold_back):
        values = {"held_out": given.held_out, "hold_back": list(given.hold_back)}
        written = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items() if value}
        words += [f"--set {shlex.quote(f'data.{name}={value}')}" for name, value in written.items()]
    return " ".join(words)


def _asked(arguments: argparse.Namespace, fast: bool = False) -> "tuple[Any, Asked]":
    """The settings that a training would have, and what the base asks for."""
    from studio.data.judge import Asked
    from studio.data.setting import DataSpec
    from studio.engine.ground import ground
    from studio.errors import SpecError
    from studio.section import valid
    from studio.spec import parse_value

    given: dict[str, Any] = {"folder": arguments.folder, "resolution": arguments.resolution}
    given |= {"class_word": arguments.class_word, "leave_out": tuple(arguments.leave_out)}
    given |= {} if arguments.trigger is None else {"trigger": arguments.trigger}
    for text in arguments.set:
        name, equals, value = text.partition("=")
        if not equals or not name.strip().startswith("data."):
            raise SpecError(f"--set takes data.field=value here, not '{text}'.")
        given[name.strip().removeprefix("data.")] = parse_value(value.strip())
    base = ground(arguments.base)
    return valid(DataSpec, given).completed(), Asked(base.resolution, base.step, base.meter, fast)


def _drained(said: Iterator[Any], kind: type[T]) -> T:
    """The last word of a long work, with a bar for those who watch."""
    from tqdm import tqdm

    with tqdm(leave=False, disable=None) as bar:
        for one in said:
            if isinstance(one, kind):
                return one
            if isinstance(one, Progress):
                bar.set_description(one.stage, refresh=False)
                bar.total = one.total
                bar.update(one.done - bar.n)
    raise CrucibleError("The work ended without an answer; try again.")


def _told(report: "Report") -> Iterator[str]:
    """The report as lines of text: what is wrong with which picture first, then the sums."""
    from studio.data.names import shown

    for verdict in report.verdicts:
        for finding in verdict.findings:
            if finding.severity != "fine":
                yield f"{finding.severity:5}  {finding.kind:12}  {shown(verdict.name)}"
                yield f"       {finding.reason} {finding.mend}".rstrip()
    parts = {part: len(report.of(part)) for part in ("train", "held_out", "left_out", "unusable")}
    yield ", ".join(f"{count} {part.replace('_', ' ')}" for part, count in parts.items() if count) or "no pictures"
    yield "found: " + ", ".join(f"{kind} {count}" for kind, count in report.counts().items())
    for bucket in report.buckets:
        again = f", shown {bucket.shown} times an epoch" if bucket.shown != bucket.pictures else ""
        yield f"bucket {bucket.size[0]} x {bucket.size[1]}: {bucket.pictures}{again}"
    alone, four = report.steps_per_epoch(1), report.steps_per_epoch(4)
    yield f"steps of an epoch: {alone:g} with one picture at once, {four:g} with 4"
    for name, tags in (("tags", report.tags.tags), ("everywhere", report.tags.everywhere), ("once", report.tags.once)):
        if tags:
            more = f" and {len(tags) - SAID} more" if len(tags) > SAID else ""
            yield f"{name}: " + ", ".join(f"{shown(tag.text)} {tag.count}" for tag in tags[:SAID]) + more
    yield from report.problems
    if report.fast:
        yield "Only headers were read: blur, likeness and damage behind them are not known."
    if report.unused:
        count = len(report.unused)
        them = "1 picture" if count == 1 else f"{count} pictures"
        yield f"{them} will not be used; mend what is wrong, or name it with --leave-out."
