"""The only file that knows how our own tensor files are written: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor


def save_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> Path:
    """Write `tensors` to `path` so that a reader, or a crash at any moment, sees the old file or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # clone: safetensors refuses views that share storage
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".draft")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(save(plain, metadata=dict(metadata) if metadata else None))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return path


def load_tensors(path: str | Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, on the CPU; raises SafetensorError or OSError for a damaged or missing one."""
    return load_file(path, device="cpu")


def read_metadata(path: str | Path) -> dict[str, str]:
    """The metadata in a safetensors file's header, empty where it has none; raises as `load_tensors`."""
    with safe_open(path, framework="pt", device="cpu") as file:
        return dict(file.metadata() or {})
