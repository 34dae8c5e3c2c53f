"""The only file that knows how a Textual Inversion file is laid out, ours and everybody's.

kohya, A1111:  SD1, SD2 {"emb_params": (n, d)}; SDXL {"clip_l": (n, 768), "clip_g": (n, 1280)}
A1111 .pt:     {"string_to_param": {"*": (n, d)}, ...};  OneTrainer "emp_params";  diffusers {"<token>": (n, d)}
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from studio.errors import ModelError
from studio.formats.container import cast, read_file, write_with_hash
from studio.formats.names import EMBEDDING_KEYS

_PICKLES: Final = (".pt", ".bin")


def write(path: str | Path, vectors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Path:
    """Write learned vectors (n, d) by pipeline part as a float32 .safetensors file that every tool loads.

    ``{"text_encoder": ...}`` gives SD1's and SD2's layout, with ``text_encoder_2`` besides SDXL's. In A1111 the file's
    name is the word to type; diffusers needs ``load_textual_inversion(..., token=...)``. Raises ModelError for other
    parts, shapes that do not fit, non-finite values, or a file that does not read back.
    """
    keys = EMBEDDING_KEYS["sdxl" if "text_encoder_2" in vectors else "sd1"]
    if set(vectors) != set(keys):
        raise ModelError(
            f"An embedding for {', '.join(vectors) or 'nothing'} cannot be written: it needs text_encoder."
        )
    plain = cast({keys[part]: tensor for part, tensor in vectors.items()}, torch.float32)
    _check(path, plain)
    written = write_with_hash(path, plain, metadata)
    back = read(written)
    if set(back) != set(vectors) or not all(torch.equal(back[part], plain[key]) for part, key in keys.items()):
        raise ModelError(f"{path} does not read back as it was written; save it again.")
    return written


def read(path: str | Path) -> dict[str, Tensor]:
    """Read a Textual Inversion file of any known spelling as ``{"text_encoder": (n, d)}``, SDXL also text_encoder_2.

    Float32 on the CPU, from .safetensors, .pt or .bin; nothing in a pickle is run. Raises ModelError with the reason.
    """
    path = Path(path)
    data = _read_pickle(path) if path.suffix in _PICKLES else dict(read_file(path)[0])
    inner = data.get("string_to_param")
    if isinstance(inner, nn.ParameterDict):
        inner = inner._parameters  # a ParameterDict of torch 1.11 has lost its own list of keys
    if isinstance(inner, Mapping):
        data = dict(inner)
    sdxl = {key: part for part, key in EMBEDDING_KEYS["sdxl"].items()}
    if set(sdxl) <= set(data):
        found = {sdxl[key]: value for key, value in data.items() if key in sdxl}
    else:
        found = dict(zip(EMBEDDING_KEYS["sd1"], data.values(), strict=False))
    if len(data) != len(found) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise ModelError(f"{path} is not a Textual Inversion file that is known here: it holds {_names(data)}.")
    plain = cast({part: _matrix(value) for part, value in found.items()}, torch.float32)
    _check(path, plain)
    return plain


def _read_pickle(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ModelError(f"{path} does not exist or is not a file; choose a Textual Inversion file.")
    try:
        # A1111's oldest files keep a ParameterDict, which torch does not count as safe by itself
        with torch.serialization.safe_globals([nn.ParameterDict]):
            data = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} cannot be read safely: it is damaged or wants to run code.") from error
    if not isinstance(data, dict):
        raise ModelError(f"{path} is not a Textual Inversion file: it holds a {type(data).__name__}.")
    return data


def _matrix(vectors: Tensor) -> Tensor:
    """(n, d) without gradient; one vector (d,) is a matrix of one row."""
    plain = vectors.detach()
    return plain.unsqueeze(0) if plain.ndim == 1 else plain


def _check(path: str | Path, vectors: Mapping[str, Tensor]) -> None:
    rows = {int(tensor.shape[0]) for tensor in vectors.values() if tensor.ndim == 2 and tensor.numel()}
    if len(rows) != 1 or any(tensor.ndim != 2 for tensor in vectors.values()):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in vectors.values())
        raise ModelError(f"{path}: vectors of the shape {shapes} are no embedding; each part needs the same rows.")


def _names(data: Mapping[str, Any]) -> str:
    listed = ", ".join(str(key) for key in list(data)[:4])
    return listed + (", ..." if len(data) > 4 else "") if data else "nothing"
