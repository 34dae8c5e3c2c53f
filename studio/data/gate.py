"""The only file that decides, before any work, whether every picture can be used or was left out on purpose."""

from collections.abc import Iterator
from pathlib import Path

from studio.data.cache import refusal
from studio.data.image import Unreadable
from studio.data.ledger import Ledger
from studio.data.names import listed, relative
from studio.data.scan import Dataset, resolve_folder
from studio.data.setting import DataSpec


def gate(found: Dataset, spec: DataSpec, place: Path) -> Iterator[int]:
    """Look at the header of every picture, with the notes kept in ``place``, and yield how many are done.

    Masks that are asked for are looked at, too. At the end raises one Unreadable that names what cannot be used and is
    not in data.leave_out. What is broken behind its header is found when it is decoded.
    """
    folder = resolve_folder(spec.folder)
    broken = list(found.unusable)
    ledger = Ledger(place)
    try:
        for done, example in enumerate((*found.train, *found.held_out), 1):
            try:
                path = example.path
                ledger.facts(path)
                if spec.masks == "file" and example.mask:
                    path = example.mask
                    ledger.facts(path)
            except Unreadable:
                broken.append(relative(path, folder))
            yield done
    finally:
        ledger.keep()
    if broken:
        raise Unreadable(refusal(listed(broken), len(broken)))
