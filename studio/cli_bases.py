"""The only file that turns the command line's words about base models into calls: download and trigger."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio.errors import ModelError


def add_words(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The grammar of both."""
    word = add("download", help="bring a base model from a model hub to this machine; goes on where it was cut off")
    word.add_argument("model", metavar="OWNER/NAME")
    word.add_argument("--variant", choices=("fp16", "fp32"), default="fp16", help="which weights, where it has both")
    word.add_argument("--mirror", default="", metavar="URL", help="another hub of the same kind; default: HF_ENDPOINT")
    word.add_argument("--look", action="store_true", help="say what it is and weighs, and bring nothing")
    word.add_argument("--json", action="store_true", help="one JSON object a line")
    word.set_defaults(call=download)

    word = add("trigger", help="say what a base makes of a trigger word, and name better ones")
    word.add_argument("word")
    word.add_argument("--base", default="starter", help="the base model")
    word.add_argument("--class-word", default="", help="what kind of thing the subject is")
    word.add_argument("--out", type=Path, metavar="DIR", help="write what the untrained base draws for it here")
    word.add_argument("--json", action="store_true", help="everything as JSON")
    word.set_defaults(call=trigger)


def download(arguments: argparse.Namespace) -> int:
    """Bring a base model, or only look."""
    from studio.hub.errand import Errand

    for line in Errand(arguments.model, arguments.variant, arguments.mirror, arguments.look):
        if arguments.json:
            print(json.dumps(line, ensure_ascii=False), flush=True)
        elif line["kind"] != "failed":
            _show(line)
        if line["kind"] == "failed":
            raise ModelError(line["text"])
    return 0


def _show(line: dict[str, Any]) -> None:
    if line["kind"] == "found":
        licence = line["licence"] or "not said"
        print(f"{line['model']} at {line['host']}: {line['size'] / 1e9:.2f} GB, {line['variant']}, licence {licence}")
        print(f"commit {line['commit']}, {line['missing'] / 1e9:.2f} GB to bring, {line['free'] / 1e9:.0f} GB free")
        if line["pickles"]:
            print(
                f"It has no safetensors for {', '.join(line['pickles'])}; these pickles are read without running code."
            )
    elif line["kind"] == "progress" and sys.stdout.isatty():
        share = 100 * line["done"] / max(1, line["total"])
        print(f"\r{line['done'] / 1e9:.2f} of {line['total'] / 1e9:.2f} GB, {share:.0f} %", end="", flush=True)
    elif line["kind"] == "done":
        print(f"\n--base {line['model']} uses it now, commit {line['commit'][:12]}.")


def trigger(arguments: argparse.Namespace) -> int:
    """Judge a trigger word."""
    from studio.engine.machine import this_hardware
    from studio.engine.trigger import Scale, pictures, prompts, strip
    from studio.engine.worker import Resident
    from studio.families.base import BaseSpec
    from studio.hardware import MachineSpec, decide

    models = Resident().models(BaseSpec(model=arguments.base), decide(this_hardware(), MachineSpec(), "adamw"))
    scale = Scale(models)
    found, better = scale.find(arguments.word), scale.suggestions()
    place = None
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        place = arguments.out / "trigger.png"
        drawn = list(pictures(models, found.word, arguments.class_word))
        strip(drawn, prompts(found.word, arguments.class_word)).save(place)
    if arguments.json:
        said = asdict(found) | {"verdict": found.verdict(), "good": found.good, "pictures": str(place or "")}
        print(json.dumps(said | {"suggestions": [asdict(one) for one in better]}, ensure_ascii=False))
        return 0
    print("\n".join([found.verdict(), *found.facts(), f"Better: {', '.join(one.word for one in better)}"]))
    if place:
        print(place)
    return 0
