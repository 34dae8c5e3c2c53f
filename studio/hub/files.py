"""The only file that chooses which of a hub model's files are needed, and finds those that are here."""

import fnmatch
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import ModelError

NEEDLESS = frozenset({"safety_checker", "feature_extractor", "image_encoder"})
WEIGHED = {  # pipeline -> its parts that are weights
    "StableDiffusionPipeline": ("unet", "vae", "text_encoder"),
    "StableDiffusionXLPipeline": ("unet", "vae", "text_encoder", "text_encoder_2"),
}
WEIGHT = re.compile(
    r"(?:model|pytorch_model|diffusion_pytorch_model)(?:\.(\w+))?(?:-\d{5}-of-\d{5})?(?:\.(\w+))?\.(safetensors|bin)"
)
INDEX = re.compile(r"\w+\.(safetensors|bin)\.index(?:\.(\w+))?\.json")
WORDS = (".json", ".txt", ".model")  # configs and tokenizers


@dataclass(frozen=True)
class File:
    """A file of a hub model by its ``path`` there; ``size`` in bytes."""

    path: str
    size: int


@dataclass(frozen=True)
class Choice:
    """The files of a base model, its index the last; ``variant`` is fp16, fp32 or mixed."""

    files: tuple[File, ...]
    variant: str
    pickles: tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """A model of the hub that is on this machine; ``size`` in bytes."""

    model: str
    commit: str
    size: int


def choose(model: str, sizes: Mapping[str, int], index: Mapping[str, Any], variant: str) -> Choice:
    """Of all files (path -> bytes) those that loading reads; raises ModelError where a part has no weights.

    The ``variant`` that is asked for where it exists, else the other; pickles only where there is nothing else.
    """
    parts = [name for name, value in index.items() if isinstance(value, list) and value[0] and name not in NEEDLESS]
    taken, pickles, variants = [], [], set()
    for part in parts:
        names = [path.partition("/")[2] for path in sizes if path.startswith(f"{part}/") and path.count("/") == 1]
        taken += [f"{part}/{name}" for name in names if name.endswith(WORDS) and not INDEX.fullmatch(name)]
        if part not in WEIGHED.get(str(index.get("_class_name")), ()):
            continue
        ending, which, weights = _weights(names, variant)
        if not weights:
            raise ModelError(f"'{model}' holds no weights of its {part}; choose another model.")
        taken += [f"{part}/{name}" for name in weights]
        pickles += [f"{part}/{name}" for name in weights if ending == "bin"]
        variants.add(which or "fp32")
    ordered = [*sorted(set(taken), key=lambda path: (sizes[path], path)), "model_index.json"]
    files = tuple(File(path, sizes[path]) for path in ordered)
    return Choice(files, variants.pop() if len(variants) == 1 else "mixed", tuple(pickles))


def choose_named(model: str, sizes: Mapping[str, int], weights: Sequence[str]) -> Choice:
    """Of all files (path -> bytes) the top folder's configs and tokenizers, and then the ``weights``: name patterns.

    The weights come last, so that they are whole only when everything is here; raises ModelError where a pattern
    finds none.
    """
    top = [path for path in sizes if "/" not in path]
    heavy = [path for pattern in weights for path in fnmatch.filter(top, pattern)]
    if lacking := [pattern for pattern in weights if not fnmatch.filter(top, pattern)]:
        raise ModelError(f"'{model}' no longer holds {', '.join(lacking)}; update the studio, or give a folder.")
    light = [path for path in top if path.endswith((*WORDS, ".jinja")) and path not in heavy]
    ordered = [*sorted(light, key=lambda path: (sizes[path], path)), *sorted(set(heavy))]
    pickles = tuple(path for path in ordered if path.endswith(".bin"))
    return Choice(tuple(File(path, sizes[path]) for path in ordered), "", pickles)


def _weights(names: list[str], variant: str) -> tuple[str, str, list[str]]:
    """Ending, variant and names of one complete set of weights, with the index of its shards."""
    order = ("fp16", "") if variant == "fp16" else ("", "fp16")
    for ending in ("safetensors", "bin"):
        for which in order:
            found = [
                name
                for name in names
                if (m := WEIGHT.fullmatch(name)) and (m[1] or m[2] or "", m[3]) == (which, ending)
            ]
            if found:
                found += [
                    name for name in names if (m := INDEX.fullmatch(name)) and (m[2] or "", m[1]) == (which, ending)
                ]
                return ending, which, found
    return "", "", []


def downloaded() -> list[Kept]:
    """The base models in the hub's cache that `locate` finds by their id, by name."""
    from huggingface_hub import constants, try_to_load_from_cache

    kept = []
    for folder in sorted(Path(constants.HF_HUB_CACHE).glob("models--*--*")):
        model = folder.name.removeprefix("models--").replace("--", "/", 1)
        index = try_to_load_from_cache(model, "model_index.json")
        if not isinstance(index, str) or not _is_base(Path(index)):
            continue
        snapshot = Path(index).parent
        size = sum(path.stat().st_size for path in snapshot.rglob("*") if path.is_file())
        kept.append(Kept(model, snapshot.name, size))
    return kept


def _is_base(index: Path) -> bool:
    try:
        pipeline = json.loads(index.read_text(encoding="utf-8")).get("_class_name")
    except (OSError, ValueError, AttributeError):
        return False
    return pipeline in WEIGHED and any(WEIGHT.fullmatch(path.name) for path in (index.parent / "unet").glob("*"))
