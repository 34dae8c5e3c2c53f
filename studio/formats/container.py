"""The only file that knows the bytes of a safetensors file that others will read: its header, its hash, its faults."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from studio.errors import ModelError

HASH: Final = "sshs_model_hash"
"""Metadata key of the sha256 over everything after the header, by which A1111 and model sites know a file."""
_NO_HASH: Final = "0" * 64
_LONGEST_HEADER: Final = 100_000_000
"""Bytes; the limit of the safetensors library itself."""
_FOREIGN: Final = {
    b"<": "is a web page and not a model: the download needs a login or a licence accepted; download it again",
    b"version https://git-lfs": "is only a Git LFS pointer: fetch the file itself with `git lfs pull`",
    b"PK": "is a pickle or zip file and not safetensors: convert it to .safetensors first",
    b"\x80": "is a pickle file and not safetensors: convert it to .safetensors first",
    b"GGUF": "is a GGUF file, which cannot be trained on: use the .safetensors original",
}


def read_header(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Tell what a safetensors file holds, tensor name -> shape, without loading it.

    Raises ModelError with one sentence for a file that is missing, cut short, or of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path} does not exist or is not a file; choose a .safetensors file.")
    size = path.stat().st_size
    with path.open("rb") as file:
        entries, start = _header(file, path, size)
    shapes, end = {}, 0
    for name, entry in entries.items():
        try:
            shapes[name] = tuple(int(side) for side in entry["shape"])
            end = max(end, int(entry["data_offsets"][1]))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ModelError(f"{path} is damaged: its header does not describe '{name}'; download it again.") from error
    if start + end != size:
        fault = "cut short" if size < start + end else "longer than its header says"
        raise ModelError(f"{path} is {fault}: it has {size} bytes instead of {start + end}; download or save it again.")
    return shapes


def _header(file: BinaryIO, path: Path, size: int) -> tuple[dict[str, Any], int]:
    """The tensors' entries of the header, and the offset at which the data begin."""
    head = file.read(64)
    for mark, fault in _FOREIGN.items():
        if head.lstrip().startswith(mark) and not head[8:9] == b"{":
            raise ModelError(f"{path} {fault}.")
    length = int.from_bytes(head[:8], "little")
    if len(head) < 10 or head[8:9] != b"{" or length > _LONGEST_HEADER:
        raise ModelError(f"{path} is not a safetensors file; choose another one or download it again.")
    if 8 + length > size:
        raise ModelError(f"{path} is cut short: it ends inside its header; download or save it again.")
    file.seek(8)
    try:
        entries = json.loads(file.read(length))
    except ValueError as error:
        raise ModelError(f"{path} is damaged: its header cannot be read; download it again.") from error
    entries.pop("__metadata__", None)
    return entries, 8 + length


def read_file(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Load a safetensors file as (tensors on the CPU, metadata); raises ModelError as `read_header` does."""
    read_header(path)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = dict(file.metadata() or {})
        return load_file(path, device="cpu"), metadata
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {error}; download it again.") from error


def cast(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Plain tensors on the CPU in ``dtype``, integers as they are; ModelError for what is or becomes non-finite."""
    return {name: _plain(name, tensor, dtype) for name, tensor in tensors.items()}


def _plain(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    plain = tensor.detach().cpu()
    if not plain.is_floating_point():
        return plain.contiguous()
    if not _finite(plain):
        raise ModelError(f"'{name}' holds NaN or infinity and is not saved; go back to an earlier checkpoint.")
    if plain.dtype != dtype:
        plain = plain.to(dtype)
        if not _finite(plain):
            raise ModelError(f"'{name}' does not fit into {str(dtype)[6:]}; save it as bf16 or fp32 instead.")
    return plain.contiguous()


def _finite(tensor: Tensor) -> bool:
    # the extremes carry a NaN with them, and are found ten times faster than isfinite() looks at every number
    return tensor.numel() == 0 or all(bool(torch.isfinite(extreme)) for extreme in tensor.aminmax())


def write_with_hash(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Path:
    """Write ``tensors`` and ``metadata`` plus their hash to ``path``, whole or not at all.

    The draft is read back and compared before it takes the name. Raises ModelError when it differs, when a tensor is
    not finite, when a metadata value is no string, or when the disk refuses.
    """
    path = Path(path)
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ModelError(f"{path.name} is not written: its metadata '{key}' is not text.")
    plain = _unshared({name: _plain(name, tensor, tensor.dtype) for name, tensor in tensors.items()})
    try:
        with _draft(path) as draft:
            save_file(plain, draft, metadata={**metadata, HASH: _NO_HASH})
            digest = _seal(draft)
            _compare(draft, path, plain, {**metadata, HASH: digest})
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be written: {error}; free some space or choose another folder.") from error
    return path


def _unshared(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies where tensors share storage or are parts of one, which safetensors refuses."""
    seen: set[int] = set()
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage()
        if storage.data_ptr() in seen or storage.nbytes() != tensor.numel() * tensor.element_size():
            tensors[name] = tensor.clone()
        seen.add(storage.data_ptr())
    return tensors


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A file beside ``path`` that takes its name, flushed, if the block ends well, and is gone otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".draft")
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.chmod(0o644)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _seal(draft: Path) -> str:
    """Put the sha256 of the data region in the place kept for it: the header's length does not change by it."""
    with draft.open("rb+") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length)
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        # quotes inside values are escaped, so this is found once, as the key itself
        before = f'"{HASH}":"'.encode()
        file.seek(8 + header.index(before + _NO_HASH.encode()) + len(before))
        file.write(digest.hexdigest().encode())
    return digest.hexdigest()


def _compare(draft: Path, path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    read_header(draft)
    with safe_open(draft, framework="pt", device="cpu") as file:
        if set(file.keys()) != set(tensors) or dict(file.metadata() or {}) != dict(metadata):
            raise ModelError(f"{path} was not written as intended: names or metadata differ; save it again.")
        for name, tensor in tensors.items():
            if not torch.equal(file.get_tensor(name), tensor):
                raise ModelError(f"{path} was not written as intended: '{name}' differs; save it again.")
