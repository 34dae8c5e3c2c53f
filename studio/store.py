"""The only file that knows how an experiment and its runs lie on disk.

outputs/<experiment>/experiment.toml
outputs/<experiment>/<run>/{spec.toml, plan.json, events.jsonl, control.json, lock, samples/, checkpoints/, exports/}
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.disk import DRAFT, guarded, published, write_text
from studio.errors import StoreError
from studio.events import Event, RunView, fold, from_line, to_line
from studio.lock import Lock
from studio.outgrown import renewed

__all__ = ["Cursor", "ExperimentStore", "RunStore", "experiments", "published", "safe_name", "write_text"]

WISHES = ("stop", "discard", "sample", "save", "pause", "resume")
NAME_BYTES = 160  # of the 255 that file systems take, so that drafts have room for their prefix
STEP_NAME = re.compile(r"\d{7}")


def safe_name(text: str) -> str:
    """Make a folder name of ``text`` that every file system takes; raises StoreError when nothing is left of it."""
    name = re.sub(r"[^\w.-]+", "-", text.strip(), flags=re.UNICODE).strip("-. ")[:80]
    name = name.encode()[:NAME_BYTES].decode("utf-8", "ignore").strip("-. ")
    if not name or re.match(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)", name):
        raise StoreError(f"'{text}' cannot be a folder name; use letters and digits.")
    return name


@dataclass(frozen=True)
class Cursor:
    """How far a reader has come in ``events.jsonl``: bytes read, and what they add up to."""

    offset: int = 0
    view: RunView = RunView()


class RunStore:
    """One run's folder. Readers never lock; the engine writes inside ``with store.writing():``."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._events = self.path / "events.jsonl"
        self._control = self.path / "control.json"
        self._lock = Lock(self.path)

    @classmethod
    def create(cls, path: Path, spec_text: str) -> "RunStore":
        """Make the folder with its complete spec; raises StoreError if a run lies there already."""
        if (path / "spec.toml").exists():
            raise StoreError(f"'{path}' already holds a run; choose another name, or resume it.")
        path.mkdir(parents=True, exist_ok=True)
        write_text(path / "spec.toml", spec_text)
        return cls(path)

    def spec_text(self) -> str:
        """The complete spec as TOML, in today's settings; raises StoreError when the folder is not a run."""
        return renewed(self._spec_text())[0]

    def outgrown(self) -> list[str]:
        """What of the spec on disk is an earlier version's, one sentence each; raises StoreError as `spec_text`."""
        return renewed(self._spec_text())[1]

    def _spec_text(self) -> str:
        try:
            return (self.path / "spec.toml").read_text(encoding="utf-8")
        except OSError as error:
            raise StoreError(f"'{self.path}' is not a run folder: it has no readable spec.toml.") from error

    def replace_spec(self, spec_text: str) -> None:
        """Put a changed spec in place, as when a finished run goes on for more steps."""
        write_text(self.path / "spec.toml", spec_text)

    # -- the engine's side ------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock; cut a torn last line; sweep drafts of a dead engine. Raises StoreError if one is alive."""
        with self._lock.held():
            self._mend()
            yield

    def _mend(self) -> None:
        with guarded(self.path):  # nobody's wish is half written now
            self._sweep()
            self._control.unlink(missing_ok=True)
        if self._events.exists():
            data = self._events.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                os.truncate(self._events, whole)

    def _sweep(self) -> None:
        ours = [*self.path.glob(f"{DRAFT}*"), *self.path.glob(f"*/{DRAFT}*")]
        for draft in [*ours, *self.path.glob("*/.*.draft")]:
            kept = draft.with_name(draft.name.removeprefix(f"{DRAFT}old-"))
            if draft.name.startswith(f"{DRAFT}old-") and not kept.exists():
                os.replace(draft, kept)  # killed between the two renames of published()
            elif draft.is_dir():
                shutil.rmtree(draft, ignore_errors=True)
            else:
                draft.unlink(missing_ok=True)

    def append(self, event: Event) -> None:
        """Add one line; it is whole or, after a crash, cut at the next opening. Raises StoreError for a lost lock."""
        self._lock.check()
        with open(self._events, "a", encoding="utf-8", newline="\n") as file:
            file.write(to_line(event) + "\n")

    def write_plan(self, plan: dict[str, Any]) -> None:
        """Keep the machine, its decisions and the package versions of the latest sitting."""
        write_text(self.path / "plan.json", json.dumps(plan, indent=2, ensure_ascii=False))

    def take_wish(self) -> str | None:
        """Take the oldest of the user's wishes out of the queue: one of WISHES, or None."""
        if not self._control.exists():
            return None
        with guarded(self.path):
            wishes = self._wishes()
            if len(wishes) > 1:
                write_text(self._control, json.dumps({"wishes": wishes[1:]}))
            else:
                self._control.unlink(missing_ok=True)
        return wishes[0] if wishes else None

    def _wishes(self) -> list[str]:
        try:
            said = json.loads(self._control.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        found = said.get("wishes") if isinstance(said, dict) else None
        return [wish for wish in found if wish in WISHES] if isinstance(found, list) else []

    # -- everyone's side --------------------------------------------------------------------------------------------

    def wish(self, what: str) -> None:
        """Ask the engine for one of WISHES; it obeys after the step in hand, in the order of asking.

        Asking again for what is the last in the queue adds nothing: the engine has not come to it yet.
        """
        if what not in WISHES:
            raise StoreError(f"'{what}' is not a wish; use one of {', '.join(WISHES)}.")
        with guarded(self.path):
            wishes = self._wishes()
            if wishes[-1:] != [what]:
                write_text(self._control, json.dumps({"wishes": [*wishes, what]}))

    def sign_of_life(self) -> dict[str, Any] | None:
        """The lock's content (pid, host, time), or None."""
        return self._lock.sign()

    def holder(self) -> int:
        """The pid of the living engine that holds this run, or 0."""
        return self._lock.holder()

    def declare_dead(self, silence: float) -> None:
        """Take the run from an engine that gave no sign for ``silence`` seconds; raises StoreError if it did."""
        self._lock.declare_dead(silence)

    def read(self, cursor: Cursor | None = None) -> Cursor:
        """Read what was appended since ``cursor`` and return the new one; its ``view`` is the truth on disk."""
        cursor = cursor or Cursor()
        try:
            with open(self._events, "rb") as file:
                file.seek(0, os.SEEK_END)
                if file.tell() < cursor.offset:
                    cursor = Cursor()
                file.seek(cursor.offset)
                data = file.read()
        except FileNotFoundError:
            return cursor
        whole = data.rfind(b"\n") + 1
        if not whole:
            return cursor
        # not splitlines: JSON leaves U+2028 and its like as they are
        parsed = (_parse(line) for line in data[:whole].decode("utf-8", "replace").split("\n"))
        return Cursor(cursor.offset + whole, fold(cursor.view, (event for event in parsed if event)))

    def view(self, cursor: Cursor | None = None) -> RunView:
        """The run as it is, with ``interrupted`` where an engine should be at work and none lives."""
        view = (cursor or self.read()).view
        return replace(view, state="interrupted") if view.busy and not self.holder() else view

    def checkpoints(self) -> list[tuple[int, Path]]:
        """Whole checkpoints as (step, folder), oldest first."""
        folder = self.path / "checkpoints"
        found = [child for child in folder.glob("*") if STEP_NAME.fullmatch(child.name)] if folder.is_dir() else []
        return sorted((int(child.name), child) for child in found)

    def checkpoint_folder(self, step: int) -> Path:
        """Where the checkpoint of ``step`` stands or will stand."""
        return self.path / "checkpoints" / f"{step:07d}"

    def sample_folder(self, step: int) -> Path:
        """Where the samples of ``step`` stand or will stand."""
        return self.path / "samples" / f"{step:07d}"


class ExperimentStore:
    """One experiment's folder: its description, its runs, its table and report."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, outputs: Path, name: str, text: str) -> "ExperimentStore":
        """Make a folder for ``name`` under ``outputs``, with a number added when the name is taken."""
        base = safe_name(name)
        for number in range(1, 10_000):
            path = outputs / (base if number == 1 else f"{base}-{number}")
            with contextlib.suppress(FileExistsError):
                path.mkdir(parents=True)
                write_text(path / "experiment.toml", text)
                return cls(path)
        raise StoreError(f"'{outputs}' holds too many experiments called '{base}'; choose another name.")

    @property
    def exists(self) -> bool:
        """True when the folder describes an experiment."""
        return (self.path / "experiment.toml").is_file()

    def text(self) -> str:
        """The experiment's TOML; raises StoreError when the folder is not one."""
        try:
            return (self.path / "experiment.toml").read_text(encoding="utf-8")
        except OSError as error:
            raise StoreError(f"'{self.path}' is not an experiment: it has no readable experiment.toml.") from error

    def replace_text(self, text: str) -> None:
        """Put a changed description in place."""
        write_text(self.path / "experiment.toml", text)

    def run(self, name: str) -> RunStore:
        """The store of the run called ``name``, whether it exists yet or not."""
        return RunStore(self.path / safe_name(name))

    def runs(self) -> list[RunStore]:
        """The runs that exist, by name."""
        return [RunStore(spec.parent) for spec in sorted(self.path.glob("*/spec.toml"))]


def experiments(outputs: Path) -> list[ExperimentStore]:
    """Every experiment under ``outputs``, the newest first."""
    found = [path.parent for path in outputs.glob("*/experiment.toml")]
    return [ExperimentStore(p) for p in sorted(found, key=lambda p: p.stat().st_mtime, reverse=True)]


def _parse(line: str) -> Event | None:
    try:
        return from_line(line)
    except (ValueError, TypeError, KeyError):
        return None  # a line that a crash or another program garbled says nothing
