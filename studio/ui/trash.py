"""The only file that moves runs and experiments to the trash of an outputs folder, and back."""

import contextlib
import json
import os
import shutil
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from studio.disk import guarded
from studio.errors import StoreError
from studio.store import ExperimentStore, RunStore, write_text
from studio.ui.markup import disk_use

KEPT_IN = ".trash"  # in outputs; hidden, so no experiment can have the name
NOTE = "trash.json"
PATIENCE = 600.0  # seconds that a run which shall be thrown away is given for the step in hand


@dataclass(frozen=True)
class Thrown:
    """Something in the trash: a whole experiment, or a run of one."""

    key: str
    experiment: str
    run: str = ""
    place: int = 0
    """Where in the experiment's order the run stood."""
    time: float = 0.0


class RunTrash:
    """The trash of one outputs folder for runs and experiments; that for files is `studio.trash.FileTrash`."""

    def __init__(self, outputs: Path) -> None:
        self.outputs = outputs
        self.path = outputs / KEPT_IN

    def put(self, experiment: str, run: str = "") -> Thrown:
        """Throw an experiment away, or one run of it; raises StoreError for what is not there or at work."""
        store = ExperimentStore(self.outputs / experiment)
        path = store.run(run).path if run else store.path
        if not store.exists or not path.is_dir():
            raise StoreError(f"There is no '{run or experiment}' any more; look again.")
        if any(one.holder() for one in ([RunStore(path)] if run else store.runs())):
            raise StoreError(f"'{run or experiment}' is at work; stop it first.")
        thrown = Thrown(f"{time.time_ns():x}", experiment, run, self._leave(store, run) if run else 0, time.time())
        folder = self.path / thrown.key
        folder.mkdir(parents=True)
        write_text(folder / NOTE, json.dumps(asdict(thrown), ensure_ascii=False))
        os.replace(path, folder / path.name)
        return thrown

    def discard(self, experiment: str, run: str) -> bool:
        """Throw a run away; one at work ends first, without saving. Returns whether it lies there already.

        Raises StoreError for a run that is not there.
        """
        store = ExperimentStore(self.outputs / experiment).run(run)
        if not store.holder():
            self.put(experiment, run)
            return True
        store.wish("discard")
        threading.Thread(target=self._put_when_free, args=(store, experiment, run), daemon=True).start()
        return False

    def _put_when_free(self, store: RunStore, experiment: str, run: str) -> None:
        end = time.monotonic() + PATIENCE
        while store.holder() and time.monotonic() < end:
            time.sleep(0.1)
        with contextlib.suppress(StoreError):  # it goes on after all, or is gone: the page shows which
            self.put(experiment, run)

    def thrown(self) -> list[Thrown]:
        """What lies there, the newest first."""
        found = []
        for note in self.path.glob(f"*/{NOTE}"):
            with contextlib.suppress(OSError, ValueError, TypeError):
                found.append(Thrown(**json.loads(note.read_text(encoding="utf-8"))))
        return sorted(found, key=lambda one: one.time, reverse=True)

    def restore(self, key: str) -> Thrown:
        """Put something back where it was; raises StoreError where that place is taken or gone."""
        one = next((one for one in self.thrown() if one.key == key), None)
        if one is None:
            raise StoreError("It is no longer in the trash; look again.")
        store = ExperimentStore(self.outputs / one.experiment)
        there = store.run(one.run).path if one.run else store.path
        if one.run and not store.exists:
            raise StoreError(f"The experiment '{one.experiment}' of this run is gone; bring it back first.")
        if there.exists():
            raise StoreError(f"There is another '{there.name}' now; throw that one away first.")
        os.replace(self.path / key / there.name, there)
        if one.run:
            self._join(store, one)
        shutil.rmtree(self.path / key, ignore_errors=True)
        return one

    def empty(self) -> None:
        """Delete for ever what lies there."""
        for one in self.thrown():
            shutil.rmtree(self.path / one.key, ignore_errors=True)

    def size(self) -> int:
        """Bytes that emptying it gives back."""
        return disk_use(self.path) if self.path.is_dir() else 0

    def _leave(self, store: ExperimentStore, run: str) -> int:
        """Take a run out of its experiment's order; returns where it stood."""
        from studio.spec import Experiment

        with guarded(store.path):
            now = Experiment.from_toml(store.text())
            place = now.runs.index(run) if run in now.runs else len(now.runs)
            rest = tuple(name for name in now.runs if name != run)
            store.replace_text(now.model_copy(update={"runs": rest}).to_toml())
        return place

    def _join(self, store: ExperimentStore, one: Thrown) -> None:
        from studio.spec import Experiment

        with guarded(store.path):
            now = Experiment.from_toml(store.text())
            runs = list(now.runs)
            runs.insert(one.place, one.run)
            store.replace_text(now.model_copy(update={"runs": tuple(runs)}).to_toml())
