"""The only file that finds the pictures to judge by of which nearly the same is learnt: copying would be praised."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from studio.data.check import THREADS, known
from studio.data.measure import fingerprint
from studio.data.scan import Dataset, held_folder, resolve_folder
from studio.data.setting import DataSpec
from studio.data.similar import across

Print = tuple[str, str]


def leaks(found: Dataset, spec: DataSpec) -> dict[Path, Path]:
    """Pictures of ``found`` that are judged by, each with the one that is learnt and nearly the same.

    What `check` noted of unchanged pictures is not decoded again; what cannot be decoded is like no other.
    """
    if not found.held_out:
        return {}
    train, judged = ([one.path for one in part] for part in (found.train, found.held_out))
    place = held_folder(spec)
    noted = {**known(resolve_folder(spec.folder), [*train, *judged]), **(known(place, judged) if place else {})}
    missing = [path for path in (*train, *judged) if path not in noted]
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1), "leak") as pool:
        prints = dict(zip(missing, pool.map(_print, missing), strict=True))
    prints |= {path: (one.look, one.colours) for path, one in noted.items()}
    pairs = across([prints[path] for path in train], [prints[path] for path in judged])
    return {judged[index]: train[other] for index, other in pairs.items()}


def told(pairs: dict[Path, Path], judged: Sequence[object]) -> str:
    """One sentence about ``pairs`` of `leaks`, of so many that are ``judged`` by; "" where there are none."""
    if not pairs:
        return ""
    first, same = next(iter(pairs.items()))
    return (
        f"{len(pairs)} of {len(judged)} pictures to judge by look nearly the same as one that is learnt "
        f"('{first.name}' as '{same.name}'), so copying would be praised; leave out one of each two."
    )


def _print(path: Path) -> Print:
    try:
        state = path.stat()
    except OSError:
        return "", ""
    return _of(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=50_000)
def _of(path: Path, size: int, changed: int) -> Print:
    """The fingerprint of a file in one state: the runs of an experiment follow each other in one process."""
    return fingerprint(path)
