"""The only file that turns the command line's words into calls on finished files: generate, export, extract, merge."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path


def add_words(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The grammar of all four."""
    word = add("generate", help="draw a picture with a base model and files stacked on it")
    word.add_argument("--base", default="starter", help="the base model")
    word.add_argument(
        "--use", action="append", default=[], metavar="FILE_OR_RUN[:WEIGHT]", help="what to stack; repeatable"
    )
    more = "folder of files that the prompt may call, beside outputs/files and the exports of all runs; repeatable"
    word.add_argument("--files", action="append", default=[], type=Path, metavar="DIR", help=more)
    word.add_argument("--prompt", required=True, help="in A1111's language: <lora:NAME:0.8>, (word:1.2), BREAK")
    word.add_argument("--negative", default="", help="what the picture should not show")
    word.add_argument("--width", type=int, default=0, help="in pixels; default: the base's own")
    word.add_argument("--height", type=int, default=0, help="in pixels; default: the base's own")
    word.add_argument("--seed", type=int, default=42)
    word.add_argument("--steps", type=int, default=25)
    word.add_argument("--guidance", type=float, default=5.0)
    word.add_argument("--out", type=Path, default=Path("picture.png"), metavar="FILE")
    word.add_argument("--json", action="store_true", help="the result as JSON")
    word.set_defaults(call=generate)

    word = add("export", help="write a run's files for other programs again")
    word.add_argument("run", type=Path, metavar="RUN_DIR")
    word.add_argument(
        "--as", dest="formats", action="append", default=[], metavar="FORMAT", help="repeatable; else all"
    )
    word.add_argument("--json", action="store_true", help="one JSON object a line")
    word.set_defaults(call=export)

    word = add("extract", help="make a LoRA of what a dreambooth or fine-tuned model has learnt")
    word.add_argument("model", metavar="MODEL_OR_RUN", help="a checkpoint, a diffusers folder, or a dreambooth run")
    word.add_argument("--base", default="", help="the model that it was made from; a run knows its own")
    word.add_argument("--rank", type=int, default=32, help="more keeps more of the change, in a larger file")
    word.add_argument("--conv-rank", type=int, help="rank of 3x3 convolutions; default: the same; 0 leaves them out")
    word.add_argument("--dtype", choices=("fp16", "bf16", "fp32"), default="fp16", help="precision of the file")
    word.add_argument("--out", type=Path, metavar="FILE", help="file to write; default: MODEL-loraRANK.safetensors")
    word.add_argument("--json", action="store_true", help="the result as JSON")
    word.set_defaults(call=extract)

    word = add("merge", help="make one file of several LoRAs, each with its weight")
    word.add_argument("uses", nargs="+", metavar="FILE_OR_RUN[:WEIGHT]")
    word.add_argument("--base", default="starter", help="the base model below them")
    word.add_argument(
        "--as", dest="form", choices=("lora", "checkpoint"), default="lora",
        help="one LoRA (the default), or the base with them baked in",
    )  # fmt: skip
    word.add_argument("--rank", type=int, default=32, help="of the LoRA; more keeps more of the sum, in a larger file")
    word.add_argument("--dtype", choices=("fp16", "bf16", "fp32"), default="fp16", help="precision of the file")
    word.add_argument("--out", type=Path, metavar="FILE", help="file to write; default: their names joined")
    word.add_argument("--json", action="store_true", help="the result as JSON")
    word.set_defaults(call=merge)


def generate(arguments: argparse.Namespace) -> int:
    """Draw one picture."""
    from studio.engine.generate import Place, generate, settings
    from studio.engine.sample import Wanted
    from studio.formats import infotext

    spec = settings(arguments.negative, arguments.steps, arguments.guidance)
    place = Place(arguments.width, arguments.height, tuple(arguments.files))
    picture = generate(arguments.base, arguments.use, Wanted(arguments.prompt, arguments.seed), spec, place)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    infotext.save(picture, arguments.out)
    print(json.dumps({"path": str(arguments.out), "seed": arguments.seed}) if arguments.json else arguments.out)
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Write a run's files again."""
    from studio.console import follow
    from studio.engine.run import export_again
    from studio.engine.worker import Resident
    from studio.store import RunStore

    store = RunStore(arguments.run)
    events = export_again(store, Resident(), tuple(arguments.formats))
    return follow(((store.path.name, event) for event in events), arguments.json, store.path)


def extract(arguments: argparse.Namespace) -> int:
    """Make a LoRA of a finished model."""
    from studio.engine.extract import Order, extract

    names = ("base", "rank", "conv_rank", "dtype", "out")
    found = extract(Order(arguments.model, **{name: getattr(arguments, name) for name in names}))
    print(json.dumps(asdict(found) | {"path": str(found.path)}) if arguments.json else found)
    return 0


def merge(arguments: argparse.Namespace) -> int:
    """Make one file of several."""
    from studio.engine.merge import Merged, Order, merge

    names = ("base", "form", "rank", "dtype", "out")
    for said in merge(Order(tuple(arguments.uses), **{name: getattr(arguments, name) for name in names})):
        if isinstance(said, Merged):
            print(json.dumps(asdict(said) | {"path": str(said.path)}) if arguments.json else said)
    return 0
