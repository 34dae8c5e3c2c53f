"""The only file that turns words on a command line into calls; it imports lazily and holds no logic."""

import argparse
import io
import json
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio import cli_bases, cli_captions, cli_compare, cli_data, cli_edits, cli_files, cli_machine, cli_runs
from studio.errors import CrucibleError, SpecError, UserError

OUTPUTS = Path(__file__).resolve().parent.parent / "outputs"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 good, 2 the user's mistake, 1 ours, 130 interrupted."""
    quiet()
    arguments = parser().parse_args(argv)
    try:
        if int(os.environ.get("WORLD_SIZE", "1")) > 1 and arguments.call not in (train, resume):
            raise UserError("Only train and resume are for several processes; start this word without a launcher.")
        result: int = arguments.call(arguments)
        return result
    except KeyboardInterrupt:
        print("Interrupted; `resume` goes on from the last checkpoint.", file=sys.stderr)
        return 130
    except CrucibleError as error:
        print(str(error), file=sys.stderr)
        return error.exit_code


def quiet() -> None:
    """Keep libraries from talking to the network or over the program's own words, and let every name be printed."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal cannot show becomes an escape
            stream.reconfigure(errors="backslashreplace")
    for name, value in {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "DIFFUSERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }.items():
        os.environ.setdefault(name, value)
    for name in ("bitsandbytes", "xformers", "torchao", "diffusers", "transformers", "accelerate"):
        logging.getLogger(name).setLevel(logging.ERROR)


def parser() -> argparse.ArgumentParser:
    """The whole grammar."""
    top = argparse.ArgumentParser(
        prog="launch.py", description="Crucible: train it every way, keep the best. Without a word, the page opens."
    )
    words = top.add_subparsers(metavar="WORD")
    top.set_defaults(call=ui, port=None, listen=False, no_browser=False, token="", outputs=OUTPUTS)
    add = words.add_parser

    word = add("ui", help="open the page (the default)")
    _page(word)
    _page(top)  # so that the page's words may stand before any word, too; `train` and `compare` heed --outputs
    word.set_defaults(call=ui)

    word = add("train", help="train one run from a preset or a spec file")
    word.add_argument("spec", metavar="PRESET_OR_SPEC.toml")
    _settings(word)
    word.add_argument("--estimate", action="store_true", help="only say how much memory it will need")
    word.set_defaults(call=train)

    word = add("resume", help="go on with an interrupted, stopped or finished run")
    word.add_argument("run", type=Path, metavar="RUN_DIR")
    word.add_argument("--steps", type=int, help="go on to this many steps in all")
    word.add_argument("--json", action="store_true", help="one JSON object a line")
    word.set_defaults(call=resume)

    word = add("find-lr", help="train for a moment at rising learning rates, and say which one suits")
    word.add_argument("spec", metavar="PRESET_OR_SPEC.toml")
    _settings(word, out=False)
    word.add_argument("--low", type=float, default=1e-7, help="the rate to begin with")
    word.add_argument("--high", type=float, default=1.0, help="the rate to end with")
    word.add_argument("--tries", type=int, default=100, help="how many steps to take between them")
    word.set_defaults(call=find_lr)

    cli_compare.add_words(add, _settings).set_defaults(call=compare)
    cli_files.add_words(add)
    cli_bases.add_words(add)
    cli_captions.add_words(add)
    cli_data.add_words(add)
    cli_edits.add_words(add)

    cli_runs.add_words(add)
    cli_machine.add_words(add)
    return top


def _page(word: argparse.ArgumentParser) -> None:
    usual: dict[str, Any] = {"default": argparse.SUPPRESS}  # which is that of the whole grammar, given or not
    word.add_argument("--port", type=int, help="port to use; default: the first free one from 7860", **usual)
    word.add_argument("--listen", action="store_true", help="answer other machines too; demands --token", **usual)
    word.add_argument("--token", help="secret that other machines must give", **usual)
    word.add_argument("--no-browser", action="store_true", help="do not open a browser", **usual)
    word.add_argument("--outputs", type=Path, help="folder of experiments", **usual)


def _settings(word: argparse.ArgumentParser, out: bool = True) -> None:
    for option, key, kind, text in (
        ("--base", "base.model", str, "base model: starter, a folder, a .safetensors file"),
        ("--data", "data.folder", str, "folder of pictures, or corgi / starter-style"),
        ("--trigger", "data.trigger", str, "the word that will call the subject"),
        ("--class-word", "data.class_word", str, "what kind of thing the subject is"),
        ("--steps", "schedule.steps", int, "optimizer updates"),
        ("--seed", "seed", int, "seed of noise, order and initial weights"),
    ):
        word.add_argument(option, dest=key, type=kind, help=text)
    word.add_argument("--set", action="append", default=[], metavar="SECTION.FIELD=VALUE", help="repeatable")
    if out:
        word.add_argument("--out", type=Path, metavar="DIR", help="folder to make; default: a new one under outputs/")
    word.add_argument("--json", action="store_true", help="one JSON object a line")


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    from studio.spec import parse_value

    found = {
        key: value for key, value in vars(arguments).items() if value is not None and (key == "seed" or "." in key)
    }
    for text in arguments.set:
        key, equals, value = text.partition("=")
        if not equals:
            raise SpecError(f"--set takes section.field=value, not '{text}'.")
        found[key.strip()] = parse_value(value.strip())
    return found


def ui(arguments: argparse.Namespace) -> int:
    """Open the page."""
    from studio.ui.app import serve

    if arguments.listen and not arguments.token:
        raise UserError("--listen lets other machines in; add --token WORD, which they must then give.")
    serve(arguments.outputs, arguments.port, arguments.listen, not arguments.no_browser, arguments.token)
    return 0


def train(arguments: argparse.Namespace) -> int:
    """Train one run."""
    from studio.engine.run import begin, train
    from studio.engine.worker import Resident
    from studio.spec import load_spec

    spec = load_spec(arguments.spec, _overrides(arguments))
    if arguments.estimate:
        return cli_machine.estimate(spec, arguments.json)
    store = begin(spec, arguments.out, arguments.outputs)
    return _follow(((store.path.name, event) for event in train(store, Resident())), arguments.json, store.path)


def resume(arguments: argparse.Namespace) -> int:
    """Go on with a run."""
    from studio.engine.run import extend, train
    from studio.engine.worker import Resident
    from studio.store import RunStore

    store = RunStore(arguments.run)
    extend(store, arguments.steps)
    return _follow(((store.path.name, event) for event in train(store, Resident())), arguments.json, store.path)


def find_lr(arguments: argparse.Namespace) -> int:
    """Look for a learning rate."""
    from tqdm import tqdm

    from studio.engine.finder import Found, Sweep, find
    from studio.engine.worker import Resident
    from studio.events import Progress
    from studio.spec import load_spec

    sweep = Sweep(arguments.low, arguments.high, arguments.tries)
    with tqdm(leave=False, disable=None) as bar:  # None: silent where nobody watches
        for said in find(load_spec(arguments.spec, _overrides(arguments)), Resident(), sweep):
            if isinstance(said, Progress):
                bar.set_description(said.stage, refresh=False)
                bar.total = said.total
                bar.update(said.done - bar.n)
            elif isinstance(said, Found):
                bar.close()
                print(json.dumps(asdict(said)) if arguments.json else said)
    return 0


def compare(arguments: argparse.Namespace) -> int:
    """Train several presets and compare them."""
    from studio.spec import load_spec

    return cli_compare.compare(
        arguments, lambda name, shared: load_spec(name, {**shared, **_overrides(arguments)}), arguments.outputs
    )


def _follow(events: Iterable[tuple[str, Any]], as_json: bool, folder: Path) -> int:
    from studio.console import follow

    return follow(events, as_json, folder)


if __name__ == "__main__":
    sys.exit(main())
