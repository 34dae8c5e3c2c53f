"""The only file that takes files of one's own into the library: sent by the browser as they are, or by their path."""

import contextlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from studio.errors import CrucibleError, ModelError
from studio.formats.shelf import FILES
from studio.ui.desk import CHECKPOINTS, MODELS, Desk
from studio.ui.i18n import tr
from studio.ui.markup import size as sized
from studio.ui.markup import word
from studio.ui.speak import lang_of
from studio.ui.stock import SUFFIXES

COMING = ".incoming"  # in outputs, and hidden: what has arrived is moved to its place, not copied a second time
STALE = 86_400.0  # seconds after which what lies there was left by a program that was killed
SPARE = 2**30  # bytes that stay free
PIECE = 4 * 2**20  # bytes that are written at once
ENDINGS = (*dict.fromkeys((*SUFFIXES, *CHECKPOINTS)),)


def panel(lang: str) -> str:
    """Where files are chosen, dropped or named; the page's script opens it and shows how far one is."""
    told = {"cancel": "task_cancel", "close": "task_close", "cut": "bring_cut", "judged": "bring_judged"}
    words = " ".join(f'data-{name}="{word(key, lang)}"' for name, key in told.items())
    return (
        f'<div class="pan bringp" id="library_intake_panel" hidden {words}><div class="ln">'
        f'<button type="button" class="bt primary" data-do="choose">{word("bring_choose", lang)}</button>'
        f'<span class="mute">{word("bring_drop", lang)}</span><input type="file" multiple hidden '
        f'accept="{",".join(ENDINGS)}"></div>'
        f'<div class="ln bringpath"><label for="library_path">{word("bring_path", lang)}</label>'
        f'<input type="text" id="library_path" class="grow" autocomplete="off" spellcheck="false" '
        f'placeholder="{word("bring_path_like", lang)}"><button type="button" class="bt" data-do="path">'
        f'{word("bring_take", lang)}</button></div><p class="faint">{word("bring_help", lang)}</p></div>'
    )


class Bringing:
    """The files on their way into one outputs folder; a file is looked into before it lies where others look."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.coming = desk.outputs / COMING

    def asked(self, name: str, size: int) -> None:
        """Raises ModelError for a file that would not be taken, before any of its ``size`` bytes are sent."""
        if Path(name).suffix.lower() not in ENDINGS:
            raise ModelError(f"'{name}' is no file to use: its name ends with none of {', '.join(ENDINGS)}.")
        for folder in (FILES, MODELS):
            _free(self.desk.outputs / folder / name)
        self.desk.outputs.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.desk.outputs).free
        if size + SPARE > free:
            raise ModelError(f"'{name}' has {sized(size)}, and the disk has {sized(free)} free; make room first.")

    def draft(self, name: str) -> Path:
        """A place for a file that comes; what killed programs left there goes."""
        self.coming.mkdir(parents=True, exist_ok=True)
        for left in self.coming.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > STALE:
                    left.unlink()
        return self.coming / f"{uuid.uuid4().hex}{Path(name).suffix.lower()}"

    def settle(self, draft: Path, name: str) -> Path:
        """Move what has arrived to where it belongs; raises ModelError for what cannot be used, which goes."""
        try:
            to = self.place(draft, name)
            to.parent.mkdir(parents=True, exist_ok=True)
            os.replace(draft, to)
            return to
        finally:
            draft.unlink(missing_ok=True)

    def place(self, path: Path, name: str) -> Path:
        """Where a file shall lie, called ``name``; raises ModelError for what cannot be used or is there already."""
        from studio.formats.recognise import recognise

        self.desk.looks.begin()
        self.desk.looks.ready.wait()  # a file is read with torch, which two threads must not bring in
        try:
            found = recognise(path)
        except CrucibleError as error:  # the folder that it was sent to says nothing to anybody
            raise ModelError(str(error).replace(f"{path.parent}{os.sep}", "").replace(path.name, name)) from error
        if found.kind == "unknown":
            raise ModelError(f"'{name}' is neither a base model nor a file to stack on one; choose another.")
        to = self.desk.outputs / (MODELS if found.kind == "base" else FILES) / name
        return _free(to)

    def take(self, text: str) -> Iterator[dict[str, Any]]:
        """Link a file of this machine into the library, or copy it where it lies on another disk; yields how far it is.

        The last says its ``name`` and whether it is ``linked``: one file under two names, which takes no further room
        and stays when the other name goes. Raises ModelError.
        """
        given = Path(text.strip().strip("\"'")).expanduser()
        if given.is_dir():
            raise ModelError(f"'{given}' is a folder; name the file in it.")
        if not given.is_file():
            raise ModelError(f"There is no file '{given}' on this machine; check the path.")
        source, total = given.resolve(), given.stat().st_size
        draft = self.draft(given.name)
        try:
            self.asked(given.name, 0)
            self.place(source, given.name)  # before the copy, which may take minutes
            linked = _linked(source, draft)
            if not linked:
                self.asked(given.name, total)
                yield from _copied(source, draft, total)
            yield {"name": self.settle(draft, given.name).name, "linked": linked}
        finally:
            draft.unlink(missing_ok=True)


def _free(to: Path) -> Path:
    """The same path, where nothing lies yet; else raises ModelError."""
    if to.exists():
        raise ModelError(f"There is a file '{to.name}' in the library already; rename the new one.")
    return to


def _linked(source: Path, to: Path) -> bool:
    try:
        os.link(source, to)
    except OSError:  # another disk, or a file system that cannot
        return False
    return True


def _copied(source: Path, to: Path, total: int) -> Iterator[dict[str, Any]]:
    done = 0
    try:
        with open(source, "rb") as reading, open(to, "wb") as writing:
            while piece := reading.read(PIECE):
                writing.write(piece)
                done += len(piece)
                yield {"done": done, "total": total}
    except OSError as error:
        raise ModelError(f"'{source.name}' cannot be copied: {error.strerror or error}.") from error


def router(desk: Desk) -> APIRouter:
    """All routes under /bring. What goes wrong is said as ``error``, in the visitor's language."""
    routes, bringing = APIRouter(prefix="/bring"), Bringing(desk)

    @routes.get("/ask")
    def ask(request: Request, name: str, size: int) -> JSONResponse:
        try:
            bringing.asked(Path(name).name, size)
        except CrucibleError as error:
            return JSONResponse({"error": tr(str(error), lang_of(request))})
        return JSONResponse({})

    @routes.put("/file")
    async def file(request: Request, name: str) -> JSONResponse:
        name = Path(name).name
        expected = int(request.headers.get("content-length") or 0)
        try:
            bringing.asked(name, expected)
            draft = bringing.draft(name)
            try:
                await _arrived(request, draft, name, expected)
                to = await run_in_threadpool(bringing.settle, draft, name)
            finally:
                draft.unlink(missing_ok=True)
        except CrucibleError as error:
            return JSONResponse({"error": tr(str(error), lang_of(request))})
        return JSONResponse({"name": to.name})

    @routes.post("/path")
    def path(request: Request, path: str) -> StreamingResponse:
        return StreamingResponse(_lines(bringing.take(path), lang_of(request)), media_type="application/x-ndjson")

    return routes


async def _arrived(request: Request, draft: Path, name: str, expected: int) -> None:
    """Write a request's body as it comes, in large pieces and beside the server's own thread."""
    held, done = bytearray(), 0
    try:
        with open(draft, "wb") as writing:
            async for piece in request.stream():
                held += piece
                done += len(piece)
                if len(held) >= PIECE:
                    await run_in_threadpool(writing.write, bytes(held))
                    held.clear()
            await run_in_threadpool(writing.write, bytes(held))
    except (ClientDisconnect, OSError) as error:
        why = getattr(error, "strerror", "") or "it was cut off"
        raise ModelError(f"'{name}' did not come whole: {why}.") from error
    if done < expected:
        raise ModelError(f"'{name}' did not come whole: it was cut off.")


def _lines(taking: Iterator[dict[str, Any]], lang: str) -> Iterator[str]:
    try:
        for line in taking:
            yield json.dumps(line) + "\n"
    except CrucibleError as error:
        yield json.dumps({"error": tr(str(error), lang)}) + "\n"
    finally:
        taking.close()  # type: ignore[attr-defined]  # a visitor who cancels leaves nothing behind
