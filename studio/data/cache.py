"""The only file that keeps encoded pictures on disk, so that the VAE sees each picture once for all runs."""

import contextlib
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from studio.data.buckets import Fit, fit, size_of
from studio.data.image import Unreadable, hides_all, open_mask, open_picture
from studio.data.ledger import Facts, Ledger
from studio.data.names import listed
from studio.data.pixels import cells, pixels
from studio.data.scan import Example
from studio.data.setting import DataSpec
from studio.errors import DataError
from studio.formats.tensors import save_tensors

VERSION = "3"  # raise it when the meaning of a cached tensor changes
KEPT_AS = torch.float16  # off by 0.0002 of the spread of the starter's latents, bfloat16 by 0.0017 (measured)
IN_MEMORY = 256 * 2**20  # bytes: 4096 pictures of 512 x 512 under SD 1's VAE, 1024 of 1024 x 1024
ABANDONED = 600  # seconds after which a half written entry has no writer any more


class PictureEncoder(Protocol):
    """What encodes pictures; a loaded base model is one."""

    resolution: int
    """Native side in pixels."""

    @property
    def side_step(self) -> int:
        """A picture's sides must be multiples of this many pixels."""

    def fingerprint(self) -> str:
        """Names the encoder by its weights, so that another one never finds these latents."""

    def moments(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in -1..1 -> mean and deviation, (B, 2C, h, w) float32."""


class Cache:
    """A folder of entries, and of them in memory those lately used, ``limit`` bytes at most. Threads may share it."""

    def __init__(self, folder: Path, limit: int = IN_MEMORY) -> None:
        self.folder = folder
        self._limit = limit
        self._recent: OrderedDict[Path, Tensor] = OrderedDict()
        self._held = 0  # bytes
        self._guard = threading.Lock()

    def entry(self, *key: object) -> Path:
        """Where what ``key`` names is kept."""
        name = hashlib.sha256("/".join(str(part) for part in (VERSION, *key)).encode()).hexdigest()[:40]
        return self.folder / f"{name}.safetensors"

    def shape(self, path: Path) -> tuple[int, ...]:
        """The shape of a whole entry, from its header; () when there is none, or a damaged one."""
        try:
            with safe_open(path, framework="pt") as file:
                return tuple(file.get_slice("kept").get_shape())
        except (SafetensorError, OSError):
            return ()

    def put(self, path: Path, tensor: Tensor) -> None:
        """Keep ``tensor``, in half precision unless that cannot hold it."""
        half = tensor.to(KEPT_AS)
        save_tensors(path, {"kept": half if torch.isfinite(half).all() else tensor})

    def get(self, path: Path) -> Tensor:
        """An entry as float32; raises DataError when it went away or bad after it was made."""
        with self._guard:
            if path in self._recent:
                self._recent.move_to_end(path)
                return self._recent[path].float()
        try:
            found = load_file(path)["kept"]
        except (SafetensorError, OSError, KeyError) as error:
            raise DataError(
                "A cached picture was removed while it was needed; resume, it is then made anew."
            ) from error
        with self._guard:
            self._held += 0 if path in self._recent else found.nbytes
            self._recent[path] = found
            while self._held > self._limit and len(self._recent) > 1:
                self._held -= self._recent.popitem(last=False)[1].nbytes
        return found.float()

    def sweep(self) -> None:
        """Remove what writers that were killed left behind."""
        for draft in self.folder.glob(".*.draft"):
            with contextlib.suppress(FileNotFoundError):  # another rank's, finished meanwhile
                if time.time() - draft.stat().st_mtime > ABANDONED:
                    draft.unlink()


@dataclass(frozen=True)
class Encoded:
    """An example ready to train: the (h, w) of its latent, and where its one or two views, one mirrored, are kept."""

    example: Example
    shape: tuple[int, int]
    cache: Cache
    entries: tuple[Path, ...]
    masks: tuple[Path, ...] = ()

    def view(self, number: int = 0) -> Tensor:
        """Moments (1, 2C, h, w) float32: mean, then deviation; raises DataError as `Cache.get` does."""
        return self.cache.get(self.entries[number])

    def mask(self, number: int = 0) -> Tensor | None:
        """What of the view counts, (1, 1, h, w) float32 in 0..1; None where all does."""
        return self.cache.get(self.masks[number]) if self.masks else None


def encode(
    examples: Sequence[Example],
    spec: DataSpec,
    encoder: PictureEncoder,
    cache: Cache,
    size: tuple[int, int] | None = None,
) -> Iterator[Encoded]:
    """Yield each example encoded, from ``cache`` where it was kept before.

    A picture that was seen before is neither decoded nor, unless it was touched, read. ``size`` (width, height)
    overrules the buckets. Pictures that are unreadable raise one DataError that names them, when all others are done.
    """
    fingerprint = encoder.fingerprint()
    resolution = spec.resolution or encoder.resolution
    cache.sweep()
    ledger = Ledger(cache.folder)
    broken: list[Example] = []
    try:
        for example in examples:
            try:
                of = ledger.facts(example.path)
                shape = size or size_of(of.width, of.height, resolution, encoder.side_step, spec.buckets)
                fitting = fit(of.width, of.height, shape, example.focus)
                entries = _views(example, spec, (of, fitting), cache, (fingerprint, encoder))
            except Unreadable as error:
                broken.append(example)
                reason = error
                continue
            *_, high, wide = cache.shape(entries[0])
            masks = _masks(example, spec, (ledger, cache), fitting, (high, wide))
            yield Encoded(example, (high, wide), cache, entries, masks)
    finally:
        ledger.keep()
    if len(broken) == 1:
        raise reason
    if broken:
        raise Unreadable(refusal(listed(one.path.name for one in broken), len(broken)))


def refusal(names: str, count: int) -> str:
    """What is said when pictures cannot be trained on, and were not left out on purpose."""
    many = "picture" if count == 1 else "pictures"
    return f"{count} {many} cannot be used: {names}; mend or remove them, or name them in data.leave_out."


def _views(
    example: Example, spec: DataSpec, found: tuple[Facts, Fit], cache: Cache, by: tuple[str, PictureEncoder]
) -> tuple[Path, ...]:
    """Entries of the one or two views of a picture, made where they are missing."""
    (of, fitting), (fingerprint, encoder) = found, by
    flips = (False, True) if spec.flip else (False,)
    behind = (spec.background.lower(),) if of.alpha else ()
    key = (fingerprint, fitting.size, fitting.box, *behind)
    entries = tuple(cache.entry(*key, flip, of.content) for flip in flips)
    if not all(cache.shape(entry) for entry in entries):
        picture = open_picture(_unchanged(example.path, of.content), example.path.name, spec.background)
        for flip, entry in zip(flips, entries, strict=True):
            if not cache.shape(entry):
                view = pixels(picture, fitting.size, flip, example.focus)
                cache.put(entry, encoder.moments(view.unsqueeze(0)).cpu())
    return entries


def _masks(
    example: Example, spec: DataSpec, kept: tuple[Ledger, Cache], fitting: Fit, grid: tuple[int, int]
) -> tuple[Path, ...]:
    """Entries of the masks of the views, made where they are missing; none for a picture without one."""
    ledger, cache = kept
    of = ledger.facts(example.path)
    source = example.mask if spec.masks == "file" else example.path if spec.masks == "alpha" and of.alpha else None
    if source is None:
        return ()
    content = ledger.facts(source).content
    picture = (of.width, of.height)
    flips = (False, True) if spec.flip else (False,)
    entries = tuple(cache.entry("mask", spec.masks, picture, fitting, grid, flip, content) for flip in flips)
    if not all(cache.shape(entry) for entry in entries):
        mask = open_mask(_unchanged(source, content), source.name, alpha=spec.masks == "alpha")
        covered = cells(mask, picture, fitting.box, grid)
        if not covered.any():
            raise DataError(hides_all(example.path.name))
        for flip, entry in zip(flips, entries, strict=True):
            cache.put(entry, covered.flip(-1) if flip else covered)
    return entries


def _unchanged(path: Path, content: str) -> bytes:
    """The bytes of ``path``, if they are those whose hash was taken: an entry must not lie under another's name."""
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != content:
        raise DataError(f"'{path.name}' changed while it was read; start again when it is finished.")
    return data


def draw_latents(moments: Tensor, noise: Tensor) -> Tensor:
    """One sample of the VAE's posterior: mean + deviation * noise; (B, 2C, h, w), (B, C, h, w) -> (B, C, h, w)."""
    mean, deviation = torch.chunk(moments, 2, 1)
    return mean + deviation * noise
