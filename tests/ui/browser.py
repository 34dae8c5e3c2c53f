"""The page as a person meets it: the studio in a process of its own, and a visitor who sees it through Chromium."""

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-quic",
]  # fmt: skip
ROOT = Path(__file__).resolve().parents[2]
SERVE = Path(__file__).with_name("quick_server.py")
DRAWN = "(where) => [...document.querySelectorAll(where + ' img')].every((image) => image.naturalWidth > 0)"
CUT = re.compile("Unexpected error 404: Not Found|ERR_INCOMPLETE_CHUNKED_ENCODING|^TypeError: network error$")
LONG = 180_000  # milliseconds that anything on a page may take where the machine is busy with other things too


@dataclass
class Server:
    """The studio as a person starts it."""

    outputs: Path
    process: Any = None
    url: str = ""
    foretold: bool = False
    """Whether memory and time of what is set up are worked out: that takes a processor for half a minute."""

    def start(self) -> None:
        env = {
            **os.environ,
            "PYTHONUTF8": "1",
            "GRADIO_TEMP_DIR": str(self.outputs.parent / "gradio"),
            "HF_HOME": str(self.outputs.parent / "hub"),
            "OMP_NUM_THREADS": "1",
        }
        words = [sys.executable, str(SERVE), str(self.outputs), *(["foretold"] if self.foretold else [])]
        with open(self.outputs.parent / "stderr.txt", "a") as said_wrong:
            self.process = subprocess.Popen(
                words, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=said_wrong, text=True
            )
        said = self.process.stdout.readline()
        found = re.fullmatch(r"Crucible is ready at (http://127\.0\.0\.1:\d+)\n", said)
        assert found, (said, (self.outputs.parent / "stderr.txt").read_text()[-2000:])
        self.url = found[1]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code: int = self.process.wait(30)
        return code


@dataclass
class Visitor:
    """A browser with what it complained of and whom it asked."""

    browser: Any
    server: Server
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def open(self, tab: str = "", **context: Any) -> Any:
        context.setdefault("viewport", {"width": 1280, "height": 720})
        page = self.browser.new_context(**context).new_page()
        page.set_default_timeout(LONG)
        page.on("console", lambda said: self.errors.append(said.text) if counts(said) else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or "data"))
        page.goto(self.server.url + (f"/#{tab}" if tab else ""))
        page.wait_for_selector("#bar .bar")
        return page

    def forgive(self) -> None:
        """Forget what calls complained of that were cut off because their page was left; what else was wrong stays."""
        self.errors[:] = [said for said in self.errors if not CUT.search(said)]

    def leave(self) -> None:
        for context in self.browser.contexts:
            context.close()


def counts(said: Any) -> bool:
    """An error that is not merely a request cut off because the page is being left."""
    return said.type == "error" and not re.search("AbortError|Connection errored out", said.text)


def tab(page: Any, number: int) -> None:
    page.locator("#tabs > .tab-wrapper button[role=tab]:visible").nth(number).click()
