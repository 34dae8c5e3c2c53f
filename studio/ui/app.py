"""The only file that runs the page's server: port, address, first words, and a clean end."""

import contextlib
import http.client
import logging
import os
import socket
import sys
import tempfile
import threading
import webbrowser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from studio.errors import UserError
from studio.ui.i18n import LOCALES, language
from studio.ui.stubless import stubless

FIRST_PORT = 7860
THEME_COOKIE = "crucible_theme"
MOST_UPLOAD = "4gb"  # of one zip or picture; files for the library come another way
BESIDE = ("caption", "check", "forecast", "looks", "touched")  # threads that may be deep in torch when the page ends
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1",
}  # fmt: skip


def serve(outputs: Path, port: int | None = None, listen: bool = False, browser: bool = True, token: str = "") -> None:
    """Show the page until Ctrl-C. ``listen`` opens it to the network and demands a ``token``; raises UserError."""
    if listen and not token:
        raise UserError("Listening to the network needs a token: add --token WORD.")
    host = "0.0.0.0" if listen else "127.0.0.1"
    taken = bind(host, port)
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    os.environ.setdefault("GRADIO_TEMP_DIR", _private_folder())

    import uvicorn

    from studio.ui.late import LateWorker

    worker = LateWorker()
    app = application(outputs, worker, token if listen else "")
    number = taken.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    server.shutdown = _quietly(server.shutdown)  # type: ignore[method-assign]
    threading.Thread(target=_announce, args=(number, token if listen else "", browser), daemon=True).start()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[taken])
    finally:
        worker.shutdown()
        if worker.current or _is_deep_in_thought():  # runs are on disk, and their locks die with this process
            sys.stdout.flush()
            os._exit(0)


def _quietly(shutdown: Any) -> Any:
    """The same without complaints in the terminal of pages that are still open: they are cut off."""

    async def ended(*args: Any, **kwargs: Any) -> None:
        for name in ("uvicorn.error", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        await shutdown(*args, **kwargs)

    return ended


def _is_deep_in_thought() -> bool:
    """Whether a thread of the page computes beside the worker; Python would abort where it ends one amid torch."""
    return any(thread.name in BESIDE for thread in threading.enumerate())


def build(outputs: Path, worker: Any) -> Any:
    """The page over ``outputs`` as gr.Blocks, giving its work to ``worker``."""
    from studio.ui.desk import Desk
    from studio.ui.page import assemble

    return assemble(Desk(outputs, worker))


def application(outputs: Path, worker: Any, token: str = "") -> Any:
    """The whole server as an ASGI application: page, media routes, guard."""
    with stubless():
        import gradio as gr
    from fastapi import FastAPI

    from studio.ui import faults, sparing, turns
    from studio.ui.bring import router as bringing
    from studio.ui.desk import Desk
    from studio.ui.guard import Guard
    from studio.ui.handout import handout
    from studio.ui.media import router
    from studio.ui.page import I18N, assemble
    from studio.ui.theme import SCRIPT, STYLE, theme

    outputs.mkdir(parents=True, exist_ok=True)
    desk, kept = Desk(outputs, worker), faults.Faults()
    page = assemble(desk)
    turns.in_turn(page)
    faults.guarded(page, kept)
    sparing.sparing(page)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(router(desk.outputs, desk.shelf))
    app.include_router(handout(desk.outputs))
    app.include_router(faults.router(kept))
    app.include_router(bringing(desk))
    script, styles = SCRIPT.read_text(encoding="utf-8"), sorted(STYLE.parent.glob("*.css"))
    closed = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    gr.mount_gradio_app(
        app, page, path="/", theme=theme(), css_paths=styles, js=script, i18n=I18N, run_history=False,
        enable_monitoring=False, footer_links=[], max_file_size=MOST_UPLOAD, show_error=False,
        ssr_mode=False, pwa=False, mcp_server=False, app_kwargs=closed,
    )  # fmt: skip
    return Guard(app, token, dressed)


def dressed(page: bytes, headers: dict[str, str]) -> bytes:
    """Gradio's page with the visitor's language and theme set before its scripts run."""
    from studio.ui.guard import cookies
    from studio.ui.theme import ANSWERS

    kept = cookies(headers)
    lang = language(kept, headers.get("accept-language", ""))
    locale = LOCALES[lang]
    theme = kept.get(THEME_COOKIE, "")
    script = (
        f"Object.defineProperty(navigator,'language',{{get:()=>'{locale}'}});"
        f"Object.defineProperty(navigator,'languages',{{get:()=>['{locale}']}});"
        f"document.documentElement.lang='{locale}';{ANSWERS}"
    )
    style = ""
    if theme in ("light", "dark"):
        script += (
            "(()=>{const ask=window.matchMedia.bind(window);window.matchMedia=q=>q.includes('prefers-color-scheme')?"
            f"{{matches:q.includes('{theme}'),media:q,onchange:null,addEventListener(){{}},removeEventListener(){{}},"
            "addListener(){},removeListener(){}}:ask(q)})();"
        )
        ground = "#161819" if theme == "dark" else "#F1F3F3"
        style = f"<style>html,body{{background:{ground}!important}}</style>"
    return page.replace(b"<head>", f"<head><script>{script}</script>{style}".encode(), 1)


def bind(host: str, port: int | None) -> socket.socket:
    """A socket on ``port``, or on the next free one from 7860; raises UserError when there is none."""
    for number in [port] if port else range(FIRST_PORT, FIRST_PORT + 100):
        taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if os.name != "nt":
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((host, number))
            taken.listen(2048)  # of two that start at once, both may bind
        except OSError:
            taken.close()
            continue
        return taken
    raise UserError(f"Port {port or FIRST_PORT} is taken; choose another with --port.")


def _private_folder() -> str:
    folder = Path(tempfile.gettempdir()) / f"crucible-{os.getuid() if hasattr(os, 'getuid') else os.getlogin()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return str(folder)


def _announce(port: int, token: str, browser: bool) -> None:
    """Say the one line when the page answers, and open it."""
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/")
            connection.getresponse().read()
            break
        except OSError:
            threading.Event().wait(0.1)
    admitted = f"/?token={quote(token)}" if token else ""
    address = f"http://127.0.0.1:{port}{admitted}"
    there = f"; from other machines at http://{_own_address()}:{port}{admitted}" if token else ""
    print(f"Crucible is ready at {address}{there}", flush=True)
    if browser:
        webbrowser.open(address)


def _own_address() -> str:
    """This machine's address in its network; asked of the system's routes, nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("10.255.255.255", 9))
            return str(asked.getsockname()[0])
        except OSError:
            return socket.gethostname()
