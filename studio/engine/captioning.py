"""The only file that knows how a folder is captioned: proposed picture by picture, then written as one action."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from pydantic import ValidationError

from studio import starter
from studio.captioners import captioner, registry
from studio.captioners.base import Caption, Captioner
from studio.captioners.weights import downloaded
from studio.data.image import open_picture
from studio.data.journal import Action, Journal
from studio.data.names import shown
from studio.data.scan import scan
from studio.engine.machine import this_hardware
from studio.engine.proposals import CaptionSpec, Draft, Proposed, merged
from studio.errors import CrucibleError, DataError, ModelError, OutOfMemoryError, SpecError
from studio.hardware import Hardware, MachineSpec, decide, release_memory
from studio.hub.errand import Errand, Pin
from studio.section import sentence

LARGEST = 2048  # pixels of a picture's longer side that a captioner is given: none looks more closely


@dataclass(frozen=True)
class Offer:
    """A captioner as it is offered: ``here`` when its files are on this machine, ``missing`` why it cannot run here."""

    name: str
    title: str
    sentence: str
    licence: str
    size: int
    """Bytes to download, about; 0 where nothing is."""
    here: bool
    missing: str
    options: type[Any]
    """The Section of what may be set of it."""
    model: str = ""


@dataclass(frozen=True)
class Looked:
    """How far a batch is: ``done`` of ``total`` pictures that are looked at, those of an earlier start counted in."""

    done: int
    total: int


@dataclass(frozen=True)
class Unread:
    """A picture that has no proposal, and the sentence that says why."""

    path: Path
    text: str


@dataclass(frozen=True)
class Ended:
    """A batch at its end: how many were ``proposed`` that change something, ``same`` that do not, ``kept`` unlooked."""

    proposed: int
    same: int
    kept: int
    unread: int
    cancelled: bool = False


Told = Looked | Proposed | Unread | Ended


def offers(hardware: Hardware | None = None) -> list[Offer]:
    """Every captioner, the one to try first the first."""
    hardware = hardware or this_hardware()
    return [
        Offer(
            name, cls.title, cls.sentence, cls.licence, cls.source.size if cls.source else 0,
            not cls.source or downloaded(cls.source) is not None, cls.missing(hardware), cls.Options,
            cls.source.model if cls.source else "",
        )
        for name, cls in registry().items()
    ]  # fmt: skip


def fetch(name: str, mirror: str = "", look: bool = False) -> Errand | None:
    """The errand that brings a captioner's files, or only says what they weigh; None where nothing is to bring."""
    source = captioner(name).source
    if source is None:
        return None
    return Errand(source.model, mirror=mirror, look=look, pin=Pin(source.commit, source.weights))


def ready(name: str, settings: Mapping[str, Any], hardware: Hardware | None = None) -> Captioner:
    """The captioner, loaded. Raises SpecError for a setting, ModelError where it cannot run or is not downloaded."""
    cls, hardware = captioner(name), hardware or this_hardware()
    try:
        made = cls(cls.Options(**settings))
    except ValidationError as error:
        raise SpecError(sentence(error)) from error
    if trouble := cls.missing(hardware):
        raise ModelError(trouble)
    made.load(decide(hardware, MachineSpec(), "adamw"))
    return made


class Batch:
    """One folder, one captioner, one wish: proposals first, then their acceptance."""

    def __init__(self, folder: Path, spec: CaptionSpec, made: Captioner) -> None:
        """``made`` is loaded. Of an embedded example, or a folder that may not be written, nothing is kept."""
        self.folder = Path(os.path.abspath(folder))
        self.spec = spec
        self._captioner = made
        kept = os.access(self.folder, os.W_OK) and not is_example(self.folder)
        self._draft = Draft(self.folder) if kept else None
        self.cancelled = threading.Event()
        """Set it from any thread to end `propose` after the pictures in hand."""

    def propose(self) -> Iterator[Told]:
        """Look at every picture that the mode lets it: Proposed or Unread of each, Looked now and then, at last Ended.

        What an earlier start of the same wish has proposed is taken over, unless the caption changed since. It may be
        closed at any moment: what was proposed stays for the next start. Raises OutOfMemoryError and StoreError.
        """
        examples = scan(self.folder)
        todo = [one for one in examples if self.spec.mode != "keep" or not (one.caption or "").strip()]
        wish = {"spec": self.spec.model_dump(), "options": self._captioner.options.model_dump()}
        earlier = self._draft.open(wish) if self._draft else {}
        old = {one.path: one.caption for one in todo}
        taken = [one for path, one in earlier.items() if path in old and old[path] == one.old]
        counts = {"proposed": 0, "same": 0, "unread": 0}
        for one in taken:
            counts["proposed" if one.changes else "same"] += 1
            yield one
        done = {one.path for one in taken}
        yield Looked(len(taken), len(old))
        left = [path for path in old if path not in done]
        size = self._captioner.together
        for start in range(0, len(left), size):
            if self.cancelled.is_set():
                break
            for told in self._part(left[start : start + size], old):
                counts[_kind(told)] += 1
                yield told
            yield Looked(len(taken) + min(start + size, len(left)), len(old))
        yield Ended(**counts, kept=len(examples) - len(todo), cancelled=self.cancelled.is_set())

    def _part(self, paths: Sequence[Path], old: Mapping[Path, str | None]) -> list[Proposed | Unread]:
        """What comes of a few pictures, in their order; kept before it is said."""
        told: dict[Path, Proposed | Unread] = {}
        pictures: dict[Path, Image.Image] = {}
        for path in paths:
            try:
                pictures[path] = open_picture(path)
                pictures[path].thumbnail((LARGEST, LARGEST))
            except DataError as error:
                told[path] = Unread(path, str(error))
        for path, found in zip(pictures, self._look(list(pictures.values())), strict=True):
            if isinstance(found, Caption):
                told[path] = Proposed(path, old[path], merged(old[path], found, self.spec), found.note, found.tags)
            else:
                why = f"{type(found).__name__}: {' '.join(str(found).split())[:120]}"
                told[path] = Unread(path, f"'{shown(path.name)}' gets no caption ({why}); write it by hand.")
        if self._draft:
            self._draft.add([one for path in paths if isinstance(one := told[path], Proposed)])
        return [told[path] for path in paths]

    def _look(self, pictures: Sequence[Image.Image]) -> list[Caption | Exception]:
        """Caption them together; where that fails, by halves, so that only the one at fault goes without."""
        if not pictures:
            return []
        try:
            return list(self._captioner.caption(pictures))
        except torch.OutOfMemoryError as error:
            if len(pictures) == 1:
                raise OutOfMemoryError("The device has no room for one picture; choose a smaller captioner.") from error
        except CrucibleError:
            raise
        except Exception as error:  # a library that chokes on one picture shall not end the batch
            if len(pictures) == 1:
                return [error]
        release_memory(this_hardware().device)
        half = len(pictures) // 2
        return self._look(pictures[:half]) + self._look(pictures[half:])


def proposals(folder: Path) -> list[Proposed]:
    """What is proposed for a folder and neither accepted nor dropped, also after a restart."""
    return list(Draft(Path(os.path.abspath(folder))).proposals())


def accept(
    folder: Path, chosen: Sequence[Proposed], edited: Mapping[Path, str] | None = None, what: str = ""
) -> Action:
    """Write proposals as one action of the folder's journal, and drop the others.

    ``edited`` are the user's own words in place of the proposed ones. A picture whose caption changed since it was
    proposed keeps that: see Action.left. Raises DataError and StoreError; then no caption has changed.
    """
    changes = {one.path: (edited or {}).get(one.path, one.new) for one in chosen}
    was = {one.path: one.old for one in chosen}
    action = Journal(folder).write(changes, what or "caption", was=was)
    drop(folder)
    return action


def drop(folder: Path) -> None:
    """Forget what is proposed."""
    Draft(Path(os.path.abspath(folder))).clear()


def is_example(folder: Path) -> bool:
    """Whether it is one of the embedded examples, whose captions stay as they are."""
    return Path(os.path.abspath(folder)).is_relative_to(starter.ROOT)


def _kind(told: Proposed | Unread) -> str:
    return "unread" if isinstance(told, Unread) else "proposed" if told.changes else "same"
