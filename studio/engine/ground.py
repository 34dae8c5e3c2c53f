"""The only file that says what a base asks of a dataset without being loaded: its side, its step, its tokenizer."""

import json
from dataclasses import dataclass

from studio import starter
from studio.data.tokens import Meter, meter
from studio.families import loading
from studio.families.about import about


@dataclass(frozen=True)
class Ground:
    """``resolution`` is the base's native side in pixels; a picture's sides are multiples of ``step``."""

    resolution: int
    step: int
    meter: Meter


def ground(base: str) -> Ground:
    """What ``base`` asks for; raises ModelError that names what it is instead."""
    from transformers import CLIPTokenizer

    known, place = about(base), loading.locate(base)
    plain = starter.BASE if known.side <= starter.SIZE else loading.CONFIGS / known.family
    config = place if place.is_dir() else plain
    levels = [json.loads((config / part / "config.json").read_text("utf-8")) for part in ("vae", "unet")]
    step = 2 ** sum(len(one["block_out_channels"]) - 1 for one in levels)
    words = next(folder for folder in (config / "tokenizer", starter.BASE / "tokenizer") if folder.is_dir())
    return Ground(known.side, step, meter(CLIPTokenizer.from_pretrained(str(words))))
