"""The only file that turns the command line's words about a run under way into calls: tell."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from studio.errors import StoreError
from studio.store import WISHES, RunStore

MEANS = {
    "stop": "save, and end",
    "discard": "end without saving",
    "save": "write a checkpoint",
    "sample": "draw the sample prompts",
    "pause": "wait, with everything in memory",
    "resume": "end the pause",
}


def add_words(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The grammar."""
    word = add("tell", help="ask a run that trains elsewhere to stop, save, sample, pause, resume or discard")
    word.add_argument("run", type=Path, metavar="RUN_DIR")
    means = "; ".join(f"{wish}: {MEANS[wish]}" for wish in WISHES)
    word.add_argument("wish", choices=WISHES, metavar="WISH", help=means)
    word.add_argument("--json", action="store_true", help="the answer as JSON")
    word.set_defaults(call=tell)


def tell(arguments: argparse.Namespace) -> int:
    """Leave a wish for the engine that trains a run; raises StoreError where there is none."""
    store = RunStore(arguments.run)
    store.spec_text()
    holder = store.holder()
    if not holder:
        raise StoreError(
            f"Nobody is training '{arguments.run}' now, so '{arguments.wish}' was not said; "
            f"`resume {arguments.run}` goes on with it."
        )
    store.wish(arguments.wish)
    if arguments.json:
        print(json.dumps({"run": store.path.name, "wish": arguments.wish, "pid": holder}))
    else:
        print(f"Process {holder} was told to {arguments.wish}; it obeys after the step in hand.")
    return 0
