"""The only file that looks at a whole dataset and says of each picture, before any training, what will become of it."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

from studio.data.hidden import read_note, write_note
from studio.data.judge import Asked, Report, judged
from studio.data.ledger import SETTLED
from studio.data.listing import listing
from studio.data.measure import Measured, measure
from studio.data.names import relative
from studio.data.scan import held_folder, resolve_folder
from studio.data.setting import DataSpec
from studio.errors import DataError
from studio.events import Progress

NOTE: Final = "check.json"
VERSION: Final = 1  # raise it when a measure changes its meaning
THREADS: Final = 4  # decoders that work at once; Pillow lets others run meanwhile
AT_ONCE: Final = 64  # pictures between two looks at whether anyone still wants the answer


def check(spec: DataSpec, asked: Asked) -> Iterator[Progress | Report]:
    """Look at all pictures of ``spec``'s folder, masks that it asks for, and another folder's pictures to judge by.

    Yields how far it is, at last the Report.

    Close the generator to cancel: what was measured is kept in the folder, so that the next check goes on there, and
    a second one of an unchanged folder reads no picture at all. Raises DataError when there is no folder.
    """
    folder = resolve_folder(spec.folder)
    found = listing(folder)
    looked = list(dict.fromkeys([*found.pictures, *(found.masks.values() if spec.masks == "file" else ())]))
    place = held_folder(spec)
    apart = [] if place is None else listing(place).pictures
    total = len(looked) + len(apart)
    yield Progress(stage="checking", done=0, total=total)
    measured: dict[Path, Measured] = {}
    for done in _measured(folder, looked, asked.fast, measured):
        yield Progress(stage="checking", done=done, total=total)
    others: dict[Path, Measured] = {}
    for done in _measured(place, apart, asked.fast, others) if place else ():
        yield Progress(stage="checking", done=len(looked) + done, total=total)
    yield judged(folder, found, {**others, **measured}, (spec, asked))


def known(folder: Path, paths: Sequence[Path]) -> dict[Path, Measured]:
    """What is noted of unchanged pictures, without opening any."""
    notes = read_note(folder, NOTE)
    files = notes.get("files") if notes.get("version") == VERSION else None
    found = {}
    for path in paths if isinstance(files, dict) else ():
        noted = files.get(relative(path, folder)) if isinstance(files, dict) else None
        with contextlib.suppress(OSError, TypeError, ValueError, IndexError):
            size, changed, when, *rest = noted  # type: ignore[misc]
            state = path.stat()
            if (state.st_size, state.st_mtime_ns) == (size, changed) and when - changed / 1e9 > SETTLED:
                found[path] = Measured(*rest)
    return found


def _measured(folder: Path, paths: Sequence[Path], fast: bool, into: dict[Path, Measured]) -> Iterator[int]:
    """Measure what is not known yet; yields how many are done."""
    before = known(folder, paths)
    into.update({path: one for path, one in before.items() if one.whole or fast})
    missing = [path for path in paths if path not in into]
    fresh: dict[Path, list[Any]] = {}
    pool = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1), "check")
    try:
        for first in range(0, len(missing), AT_ONCE):
            for path, (noted, one) in zip(
                missing[first : first + AT_ONCE],
                pool.map(lambda path: _noted(path, fast), missing[first : first + AT_ONCE]),
                strict=True,
            ):
                into[path] = one
                if noted:
                    fresh[path] = [*noted, *astuple(one)]
            yield len(into)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if fresh:
            _note(folder, paths, before, fresh)


def _noted(path: Path, fast: bool) -> tuple[list[float], Measured]:
    """A picture's measures, with the size and time that they hold for; nothing of these for what is gone."""
    try:
        state = path.stat()
    except OSError:
        return [], measure(path, fast)
    return [state.st_size, state.st_mtime_ns, time.time()], measure(path, fast)


def _note(folder: Path, paths: Sequence[Path], before: dict[Path, Measured], fresh: dict[Path, list[Any]]) -> None:
    """Keep what was measured, without files that are gone; where nothing can be written, it only costs time."""
    old: dict[str, list[Any]] = read_note(folder, NOTE).get("files", {}) if before else {}
    files: dict[str, list[Any]] = {}
    for path in paths:
        name = relative(path, folder)
        if path in fresh:
            files[name] = fresh[path]
        elif path in before and name in old:
            files[name] = old[name]
    with contextlib.suppress(DataError):
        write_note(folder, NOTE, {"version": VERSION, "files": files}, durable=False)
