"""The only file that knows how an engine holds a run: one at a time, with signs of life, whatever becomes of it."""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from studio.disk import guarded, write_text
from studio.errors import StoreError

SIGN_OF_LIFE = 2.0  # seconds between two heartbeats of a working engine
NO_SIGN = 60.0  # a heartbeat older than this, on another host, counts as dead
DRIFT = 2.0  # seconds by which the birth of a process may seem to move while the clock is set


class Lock:
    """The lock of one run's folder: anyone may look, one holds it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "lock"
        self._sign: dict[str, Any] = {}
        self._ended = threading.Event()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold it, with a heartbeat from a thread of its own; raises StoreError when another engine is alive."""
        self._take()
        self._ended.clear()
        heart = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)
        heart.start()
        try:
            yield
        finally:
            self._ended.set()
            heart.join()
            self._release()

    def check(self) -> None:
        """Raise StoreError when another engine has taken the run, as it may from a machine that slept for long."""
        if self._sign.get("lost"):
            raise StoreError(f"'{self._folder.name}' was taken over by another process; this one ends.")

    def sign(self) -> dict[str, Any] | None:
        """What the holder says of itself (pid, born, host, time), or None."""
        try:
            sign: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            return {**sign, "pid": int(sign["pid"]), "born": float(sign["born"]), "time": float(sign["time"])}
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def holder(self) -> int:
        """The pid of the living engine that holds the run, or 0."""
        sign = self.sign()
        if not sign:
            return 0
        if sign.get("host") != socket.gethostname():
            alive = time.time() - sign["time"] < NO_SIGN
        else:
            alive = abs(born(sign["pid"]) - sign["born"]) < DRIFT
        return int(sign["pid"]) if alive else 0

    def declare_dead(self, silence: float) -> None:
        """Take the run from a holder that hangs: should it wake, it finds that and ends.

        Raises StoreError when it gave a sign of life less than ``silence`` seconds ago.
        """
        with guarded(self._folder):
            sign = self.sign()
            if sign is None:
                return
            if time.time() - sign["time"] < silence:
                raise StoreError(f"'{self._folder.name}' has just given a sign of life; it is not interrupted.")
            gone = {
                "pid": 0,
                "born": -1.0 - DRIFT,
                "host": socket.gethostname(),
                "token": uuid.uuid4().hex,
                "time": 0.0,
            }
            write_text(self._file, json.dumps(gone))

    def _take(self) -> None:
        pid = os.getpid()
        sign = {"pid": pid, "born": born(pid), "host": socket.gethostname(), "token": uuid.uuid4().hex}
        with guarded(self._folder):  # of two that find a dead one's lock, the second must find the first one's
            holder = self.holder()
            if holder:
                raise StoreError(f"'{self._folder.name}' is in use by process {holder}; stop it first.")
            self._file.unlink(missing_ok=True)
            try:
                with open(self._file, "x", encoding="utf-8") as file:
                    file.write(json.dumps({**sign, "time": time.time()}))
            except FileExistsError as error:
                raise StoreError(f"'{self._folder.name}' was taken by another process; stop it first.") from error
        self._sign = sign

    def _beat_on(self) -> None:
        while not self._ended.wait(SIGN_OF_LIFE):
            with contextlib.suppress(OSError):  # a full disk is told by what must be written
                self.beat()

    def beat(self) -> None:
        """Leave a sign of life."""
        with guarded(self._folder):
            if self._is_anothers():
                self._sign["lost"] = True
                return
            write_text(self._file, json.dumps({**self._sign, "time": time.time()}), durable=False)

    def _is_anothers(self) -> bool:
        sign = self.sign()
        return sign is not None and sign.get("token") != self._sign["token"]

    def _release(self) -> None:
        with guarded(self._folder):
            if not self._is_anothers():
                self._file.unlink(missing_ok=True)


def born(pid: int) -> float:
    """When the process started, so that a reused pid is not taken for the old engine; 0 if there is none."""
    try:
        return round(psutil.Process(pid).create_time(), 2)
    except (psutil.Error, ValueError, OverflowError):
        return 0.0
