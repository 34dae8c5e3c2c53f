"""The only file that starts a download from a model hub, as a process of its own, and hears what it says.

Everything else in the program is offline, and `huggingface_hub` decides that once, when it is imported. So an `Errand`
runs this module as a process: it prints one JSON object a line (``kind``: found, progress, done, failed) and leaves
what has arrived where the next one goes on from. Its cache is the hub's own, which other programs read too.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.errors import CrucibleError, ModelError

ROOT = Path(__file__).resolve().parents[2]
ONLINE = {
    "HF_HUB_OFFLINE": "0",
    "TRANSFORMERS_OFFLINE": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_XET": "1",  # plain ranges: an interrupted file goes on at its last byte
    "PYTHONUTF8": "1",
}
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
BEAT = 0.25  # seconds between two lines of progress
Line = dict[str, Any]


@dataclass(frozen=True)
class Pin:
    """A model of which the ``commit`` is known, and by which patterns of file names its ``weights`` are."""

    commit: str
    weights: tuple[str, ...]


class Errand:
    """A process that looks a model up or brings it; iterating gives what it says, found, done or failed the last."""

    def __init__(
        self, model: str, variant: str = "fp16", mirror: str = "", look: bool = False, pin: Pin | None = None
    ) -> None:
        """``look`` asks only what the model is and weighs; raises ModelError for what cannot be an id or an address.

        Without a ``pin`` it is a base model, at its newest commit.
        """
        self.model = checked(model, mirror)
        words = [sys.executable, "-m", "studio.hub.errand", f"--variant={variant}", f"--mirror={mirror}"]
        words += [f"--commit={pin.commit}", *(f"--weights={name}" for name in pin.weights)] if pin else []
        self._process = subprocess.Popen(
            [*words, *(["--look"] if look else []), "--", self.model], cwd=ROOT, env=os.environ | ONLINE,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
        )  # fmt: skip
        self.cancelled = False

    def __iter__(self) -> Iterator[Line]:
        """Every line as it is said; who stops listening ends the process."""
        assert self._process.stdout is not None
        last = ""
        try:
            for text in self._process.stdout:
                line: Line = json.loads(text)
                last = line["kind"]
                yield line
            if self._process.wait() and last != "failed":
                said = "was cancelled" if self.cancelled else "was ended from outside"
                yield {"kind": "failed", "text": f"The download of '{self.model}' {said}; start it again to go on."}
        finally:
            self._process.terminate()
            self._process.wait()
            self._process.stdout.close()

    def cancel(self) -> None:
        """End it; what has arrived stays for the next one."""
        self.cancelled = True
        self._process.terminate()


def checked(model: str, mirror: str = "") -> str:
    """The id without blanks; raises ModelError where it, or the mirror's address, cannot be one."""
    if not NAME.fullmatch(model.strip()):
        raise ModelError(f"'{model.strip()}' is not a hub id; write it as OWNER/NAME.")
    if mirror.strip() and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", mirror.strip()):
        raise ModelError(f"'{mirror.strip()}' is not a mirror's address; it begins with https://.")
    return model.strip()


def main(argv: Sequence[str] | None = None) -> int:
    """The process: look, then download unless it is only to look."""
    os.environ.update(ONLINE)
    parser = argparse.ArgumentParser(prog="python -m studio.hub.errand")
    parser.add_argument("model")
    parser.add_argument("--variant", choices=("fp16", "fp32"), default="fp16")
    parser.add_argument("--mirror", default="")
    parser.add_argument("--look", action="store_true")
    parser.add_argument("--commit", default="")
    parser.add_argument("--weights", action="append", default=[])
    given = parser.parse_args(argv)
    try:
        return _run(checked(given.model, given.mirror), given)
    except CrucibleError as error:
        _say(kind="failed", text=str(error))
        return error.exit_code
    except BrokenPipeError:  # who asked is gone; what has arrived stays
        return 130
    except Exception as error:  # the outer wall of the process: whoever asked must hear it
        _say(kind="failed", text=f"The download of '{given.model}' ended by an error of ours: {error}")
        return 1


def _run(model: str, given: argparse.Namespace) -> int:
    from huggingface_hub.errors import HTTPError

    from studio.hub.wire import Hub, sentence

    hub = Hub(given.mirror)
    try:
        found = hub.look_at(model, given.commit, given.weights) if given.commit else hub.look(model, given.variant)
        _say(kind="found", **asdict(found))
        if not given.look:
            place = hub.download(found, _Progress(found.size))
            _say(kind="done", model=model, commit=found.commit, path=str(place))
    except BrokenPipeError:
        raise
    except (HTTPError, OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(sentence(error, model, hub.host)) from error
    return 0


class _Progress:
    """Says how far it is, a few times a second."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._last = 0.0

    def __call__(self, done: int, path: str) -> None:
        if time.monotonic() - self._last >= BEAT or not path:
            self._last = time.monotonic()
            _say(kind="progress", done=done, total=self._total, file=path)


def _say(**line: Any) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main())
