"""The only file that knows where a captioner's downloaded files lie, and how its network is loaded from them."""

import fnmatch
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from studio.captioners.base import Captioner, Local, Source
from studio.errors import ModelError, OutOfMemoryError
from studio.hardware import Plan
from studio.plan import NAMES

INDEX = "model.safetensors.index.json"
SAFE = "*.safetensors"


def downloaded(source: Source) -> Path | None:
    """The folder of the download when all its weights are there, else None."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    cache = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=source.model, repo_type="model")
    folder = cache / "snapshots" / source.commit
    return folder if is_whole(folder, source) else None


def is_whole(folder: Path, source: Source) -> bool:
    """Whether ``folder`` holds all of its weights, and every part of them where they are split."""
    safe = source.pickled or SAFE in source.weights
    try:
        names = {path.name for path in folder.iterdir() if path.is_file()}  # a link into nothing is no file
        if INDEX in names and safe:
            return set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()) <= names
    except (OSError, ValueError, KeyError, AttributeError):
        return False
    if safe and fnmatch.filter(names, SAFE):
        return True
    return all(fnmatch.filter(names, pattern) for pattern in source.weights)


def place(captioner: Captioner) -> Path:
    """The folder to load from: its options', or else the download; raises ModelError with what to do."""
    assert isinstance(captioner.options, Local) and captioner.source is not None
    folder = captioner.options.folder
    if folder:
        path = Path(folder).expanduser()
        if not is_whole(path, captioner.source):
            kind = ", ".join(captioner.source.weights)
            raise ModelError(f"'{folder}' holds no whole model ({kind}); give another folder, or download it.")
        return path
    found = downloaded(captioner.source)
    if found is None:
        raise ModelError(
            f"{captioner.title} is not on this machine ({captioner.source.size / 1e9:.1f} GB, {captioner.licence}); "
            f"`caption --with {captioner.name} --download` brings it."
        )
    return found


def network(kind: Any, folder: Path, plan: Plan, **more: Any) -> Any:
    """A transformers model in the plan's precision on its device, ready to answer.

    Never code from the folder, never the network, and a pickle only where there is nothing else (torch reads its
    tensors alone). Raises ModelError and OutOfMemoryError.
    """
    safe = any(folder.glob("*.safetensors"))
    dtype = getattr(torch, NAMES[plan.compute])
    model = checked(
        folder, kind.from_pretrained, folder, dtype=dtype, device_map={"": plan.device}, use_safetensors=safe,
        local_files_only=True, trust_remote_code=False, **more,
    )  # fmt: skip
    return model.eval().requires_grad_(False)


def words(kind: Any, folder: Path) -> Any:
    """A tokenizer or image processor from the folder; raises ModelError."""
    return checked(folder, kind.from_pretrained, folder, local_files_only=True, trust_remote_code=False)


def checked(folder: Path, call: Callable[..., Any], *values: Any, **more: Any) -> Any:
    """What ``call`` gives; what goes wrong becomes one sentence about the folder."""
    try:
        return call(*values, **more)
    except torch.OutOfMemoryError as error:
        raise OutOfMemoryError("The device has no room for this captioner; choose a smaller one.") from error
    except Exception as error:  # foreign files in a foreign library: whatever it raises is about the files
        reason = " ".join(str(error).split())[:160]
        raise ModelError(
            f"'{folder.name}' is damaged or no such model ({type(error).__name__}: {reason}); download it again."
        ) from error
