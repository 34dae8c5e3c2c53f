"""The only file that knows where the embedded base model, its eye and its example pictures lie, and their names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent
BASE: Final = ROOT / "base"
"""A diffusers pipeline folder: what the name `starter` means where a base model is asked for."""
EYE: Final = ROOT / "eye"
"""A small CLIPModel that scores samples."""
CORGI: Final = ROOT / "data" / "corgi"
"""Ten captioned pictures of one dog (trigger `sks`, class word `dog`)."""
CORGI_HELD_OUT: Final = ROOT / "data" / "corgi-held-out"
STYLE: Final = ROOT / "data" / "starter-style"
"""Ten captioned pictures of many things in one drawing style (trigger `sks`, class word `drawing`)."""
STYLE_HELD_OUT: Final = ROOT / "data" / "starter-style-held-out"
PROMPTS: Final = ROOT / "prompts.txt"

BASES: Final = {"starter": BASE}
DATASETS: Final = {"corgi": CORGI, "starter-style": STYLE}
HELD_OUT: Final = {"corgi": CORGI_HELD_OUT, "starter-style": STYLE_HELD_OUT}
TRIGGER: Final = "sks"
CLASS_WORDS: Final = {"corgi": "dog", "starter-style": "drawing"}
SIZE: Final = 64
"""Side in pixels of everything that the starter sees and draws."""
