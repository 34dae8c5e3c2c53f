"""What tests of the page ask for by name; one that names neither visitor nor server starts neither of them."""

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.ui.stubless import stubless

with stubless():
    import gradio  # noqa: F401  # two seconds sooner

from studio.ui.app import BESIDE
from studio.ui.behind import Behind
from studio.ui.desk import Desk
from tests.ui import browser as seen
from tests.ui.browser import Server, Visitor
from tests.ui.doubles import NoWorker


@pytest.fixture(scope="session", autouse=True)
def beside() -> Iterator[None]:
    """Python would abort where it ends a thread amid torch: what works beside a page ends first."""
    yield
    for one in gc.get_objects():
        if type(one) is Behind:
            one._wanted.clear()
    for thread in threading.enumerate():
        if thread.name in BESIDE:
            thread.join(120)


@pytest.fixture
def worker() -> NoWorker:
    return NoWorker()


@pytest.fixture
def desk(tmp_path: Path, worker: NoWorker) -> Desk:
    return Desk(tmp_path, worker)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where it is. In the checks, a machine without it fails; at home it skips what needs it."""
    if not Path(seen.CHROMIUM).exists() and not os.environ.get("CI"):
        pytest.skip("chromium is not installed")
    return seen.CHROMIUM


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs folder of the studio that a file's tests visit: an empty one, where the file makes none."""
    return tmp_path_factory.mktemp("studio") / "outputs"


@pytest.fixture(scope="module")
def foretold() -> bool:
    """Whether the studio works out what runs will need; a file that looks at that says True."""
    return False


@pytest.fixture(scope="module")
def server(chromium: str, served: Path, foretold: bool) -> Iterator[Server]:
    running = Server(served, foretold=foretold)
    running.start()
    yield running
    if running.process.poll() is None:
        running.process.kill()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """One for a file, and not for longer: its event loop would stand in the way of the tests that have their own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=chromium, args=seen.FLAGS)
        yield running
        running.close()


@pytest.fixture
def visitor(browser: Any, server: Server) -> Iterator[Visitor]:
    """Somebody new, who at the end must have had nothing to complain of and asked nobody but the studio."""
    somebody = Visitor(browser, server)
    yield somebody
    somebody.leave()
    assert somebody.errors == []
    assert somebody.hosts <= {"127.0.0.1", "data"}


@pytest.fixture
def no_draft(served: Path) -> None:
    """What one visitor set up, the next would find."""
    (served / ".draft.json").unlink(missing_ok=True)
