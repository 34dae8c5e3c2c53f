"""The only file that finds pictures that are nearly the same, among many, from their fingerprints."""

from collections.abc import Sequence
from typing import Final

import numpy as np

NEAR: Final = 5  # of 64 bits that may differ
ALIKE: Final = 16.0  # of 255: mean distance of the colours of 4 x 4 places
BANDS: Final = NEAR + 1  # of two hashes that differ in NEAR bits at least one band is equal
_BITS: Final = np.array_split(np.arange(64, dtype=np.uint64), BANDS)


def near_duplicates(looks: Sequence[str], colours: Sequence[str]) -> dict[int, int]:
    """Of the pictures that are nearly the same as an earlier one: their index, and that of the earliest.

    ``looks`` and ``colours`` are as `measure.Measured` has them; those that are empty are like no other.
    """
    known = [index for index, look in enumerate(looks) if look]
    if not known:
        return {}
    hashes = np.array([int(looks[index], 16) for index in known], dtype=np.uint64)
    paints = np.stack([np.frombuffer(bytes.fromhex(colours[index]), np.uint8) for index in known]).astype(np.int16)
    kinds, first, kind_of = np.unique(
        np.concatenate([hashes[:, None], paints.astype(np.uint64)], 1), axis=0, return_index=True, return_inverse=True
    )
    kind_of = kind_of.reshape(-1)
    order = np.argsort(first, kind="stable")  # kinds by their first picture, so that the earliest leads
    hashes, paints, first = kinds[order, 0], paints[first[order]], first[order]
    place = np.empty(len(order), dtype=int)
    place[order] = np.arange(len(order))
    leader = _leaders(hashes, paints)
    found = {}
    for number, kind in enumerate(place[kind_of].tolist()):
        original = int(first[leader[kind]])
        if original != number:
            found[known[number]] = known[original]
    return found


def across(learnt: Sequence[tuple[str, str]], judged: Sequence[tuple[str, str]]) -> dict[int, int]:
    """The pictures of ``judged`` that are nearly the same as one of ``learnt``: their index, and that of the earliest.

    Both are ``look`` and ``colours`` as `near_duplicates` takes them.
    """
    both = [*learnt, *judged]
    pairs = near_duplicates([look for look, _ in both], [colours for _, colours in both])
    count = len(learnt)
    return {index - count: other for index, other in pairs.items() if index >= count > other}


def _leaders(hashes: np.ndarray, paints: np.ndarray) -> list[int]:
    """For each kind the earliest one that is near it, itself where none is earlier."""
    leader = list(range(len(hashes)))
    for bits in _BITS:
        band = (hashes >> bits[0]) & np.uint64((1 << len(bits)) - 1)
        order = np.argsort(band, kind="stable")
        ends = np.flatnonzero(np.diff(band[order])) + 1
        for group in np.split(order, ends):
            for place in range(1, len(group)):
                index, before = group[place], group[:place]
                close = before[np.bitwise_count(hashes[before] ^ hashes[index]) <= NEAR]
                if len(close):
                    same = close[np.abs(paints[close] - paints[index]).mean(1) <= ALIKE]
                    if len(same):
                        leader[index] = min(leader[index], int(same.min()))
    for kind, earlier in enumerate(leader):  # a chain ends at its earliest picture
        leader[kind] = leader[earlier]
    return leader
