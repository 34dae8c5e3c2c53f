"""The only file that knows how a file or a folder takes another's place, whole, whatever crashes meanwhile."""

import contextlib
import errno
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from studio.environment import try_lock

DRAFT = ".partial-"
GUARD = ".guard"
ROOM = 180  # bytes of a name that fit behind what a draft's name begins with; file systems allow 255
PATIENCE = 5.0  # seconds to wait for a guard; whoever keeps one needs milliseconds


def write_text(path: Path, text: str, durable: bool = True) -> None:
    """Replace ``path`` by ``text`` so that a crash leaves either the old or the new content, never a mixture.

    What is not ``durable`` may be lost, or empty, after the power fails; a crash of the program does not hurt it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{DRAFT}{os.getpid()}-{threading.get_ident()}-{_short(path.name)}")
    try:
        with open(draft, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        flush_folder(path.parent)


def _short(name: str) -> str:
    """``name``, or of a long one enough that its draft's name is no longer than file systems allow."""
    whole = os.fsencode(name)
    return name if len(whole) <= ROOM else hashlib.sha256(whole).hexdigest()[:16]


@contextlib.contextmanager
def published(folder: Path) -> Iterator[Path]:
    """Give a draft folder to fill; on a clean exit it is flushed and takes ``folder``'s place, else it is removed."""
    draft = folder.with_name(f"{DRAFT}{os.getpid()}-{_short(folder.name)}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        for path in [*draft.rglob("*"), draft]:
            if path.is_dir():
                flush_folder(path)
            else:
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
        if folder.exists():
            old = folder.with_name(f"{DRAFT}old-{folder.name}")
            shutil.rmtree(old, ignore_errors=True)
            os.replace(folder, old)
            os.replace(draft, folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(draft, folder)
        flush_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def removed(folder: Path) -> None:
    """Take a folder away; what is killed meanwhile leaves it whole, or under a name that is swept later."""
    going = folder.with_name(f"{DRAFT}gone-{folder.name}")
    shutil.rmtree(going, ignore_errors=True)
    os.replace(folder, going)
    shutil.rmtree(going, ignore_errors=True)


def flush_folder(folder: Path) -> None:
    """Make the names in ``folder`` last through a power cut, where the system has a call for that."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network and FUSE file systems have no such call
            raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """One at a time, among all threads and processes, reads something in ``folder`` and writes what follows from it.

    The system lets go when a process dies. On a file system without locks the wait ends after PATIENCE, unguarded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + PATIENCE
    with open(folder / GUARD, "a+b") as file:
        while not try_lock(file.fileno()) and time.monotonic() < end:
            time.sleep(0.005)
        yield
