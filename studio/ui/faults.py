"""The only file that keeps errors of the program itself: the page says each in a sentence, with details to copy."""

import functools
import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import gradio as gr
from fastapi import APIRouter, HTTPException
from fastapi.responses import PlainTextResponse

from studio.ui.i18n import t
from studio.ui.markup import esc
from studio.ui.speak import lang_of, request_in, told

MOST: Final = 50  # faults that are kept
SILENCE: Final = 60.0  # seconds in which what recurs by itself is not said to one visitor twice
NAMED: Final = ("gradio", "torch", "diffusers", "transformers", "peft")
HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class Faults:
    """What went wrong since the start; what goes wrong at one place in one way is kept once, however often it comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, str] = {}
        self._numbers: dict[tuple[object, ...], int] = {}
        self._told: dict[tuple[str, int], float] = {}
        self._count = 0

    def keep(self, error: Exception) -> int:
        """Keep an error's trace, print it where it is new, and return its number."""
        frames = traceback.extract_tb(error.__traceback__)
        place = (type(error), *((frame.filename, frame.lineno) for frame in frames))
        with self._lock:
            number = self._numbers.get(place, 0)
            if number in self._known:
                return number
            self._count = number = self._count + 1
            self._numbers[place] = number
            self._known[number] = text = "".join(traceback.format_exception(error))
            self._known.pop(number - MOST, None)
        print(text, file=sys.stderr, end="", flush=True)
        return number

    def details(self, number: int) -> str:
        """What somebody needs who shall mend it; KeyError where it is no longer kept."""
        found = [f"{name} {_version(name)}" for name in NAMED]
        return (
            f"Crucible\nPython {platform.python_version()}, {platform.platform()}\n{', '.join(found)}\n\n"
            + (self._known[number])
        )

    def is_news(self, visitor: str, number: int) -> bool:
        """Whether a visitor was not told of it within the last minute."""
        now = time.monotonic()
        with self._lock:
            last = self._told.get((visitor, number), -SILENCE)
            if now - last < SILENCE:
                return False
            self._told = {key: at for key, at in self._told.items() if now - at < SILENCE} | {(visitor, number): now}
        return True


def guarded(page: gr.Blocks, faults: Faults) -> None:
    """Let no handler of ``page`` end in an error of the program: it is kept and said, and the page stays as it was."""
    for one in page.fns.values():
        if one.fn is not None:
            one.fn = _heard(one.fn, faults, any(event in ("tick", "load") for _, event in one.targets))


def _heard(handler: Callable[..., Any], faults: Faults, recurs: bool) -> Callable[..., Any]:
    sentences = told(handler)

    @functools.wraps(handler)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return sentences(*args, **kwargs)
        except Exception as error:  # the page must stand
            number = faults.keep(error)
            asked = request_in(args, kwargs)
            if not recurs or faults.is_news(str(getattr(asked, "session_hash", "")), number):
                gr.Warning(_sentence(error, number, lang_of(asked)), title="Crucible", duration=None)
            return gr.skip()

    return wrapped


def _sentence(error: Exception, number: int, lang: str) -> str:
    link = f'<a href="/fault/{number}" target="_blank">{esc(t("fault_details", lang))}</a>'
    return f"{esc(t('fault_ours', lang, what=f'{type(error).__name__}: {error}'[:200]))} {link}"


def router(faults: Faults) -> APIRouter:
    """The details of each fault, as plain text."""
    routes = APIRouter()

    @routes.get("/fault/{number}")
    def fault(number: int) -> PlainTextResponse:
        try:
            return PlainTextResponse(faults.details(number), headers=HEADERS)
        except KeyError as error:
            raise HTTPException(404) from error

    return routes


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not installed"
