"""The only file that knows how the published starter is measured, and how its card says what was found."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from studio.starter import (
    BASE,
    CORGI,
    CORGI_HELD_OUT,
    EYE,
    ROOT,
    compose,
    drawing,
    example,
    networks,
    pictures,
    sprites,
    stage_vae,
    training,
    world,
)
from studio.starter.look import Look

SAMPLES: Final = ROOT / "samples.png"
CARD: Final = ROOT / "README.md"
TEMPLATE: Final = ROOT / "card-template.md"
Rows = list[tuple[str, str]]


def reconstruction(vae: Any, work: Path) -> Rows:
    scores = stage_vae.measure(vae, work)
    paths = [path for folder in (CORGI, CORGI_HELD_OUT) for path in sorted(folder.glob("*.png"))]
    images = torch.cat([stage_vae.tensor(example.small(path)[None]) for path in paths])
    scores["corgi"] = float(stage_vae.psnr(stage_vae.reconstruct(vae, images), images).mean())
    words = {"world": "the world's things, composed anew", "foreign": "drawings never trained on", "corgi": "the corgi"}
    return [(words[name.split(",")[0]] + (", mostly green" if "green" in name else ""), f"{score:.1f} dB")
            for name, score in scores.items()]  # fmt: skip


def retrieval(look: Look, work: Path) -> Rows:
    """How well the eye does on clean held-out pictures, before it judges anything."""
    whats = [world.picture(pictures.HELD_OUT_SEED, index) for index in range(pictures.HELD_OUT)]
    pixels = pictures.load(work, "world-held-out")
    texts = [world.caption(what, np.random.default_rng(index)) for index, what in enumerate(whats)]
    fit = look.pictures(pixels) @ look.words(texts).T
    pairs = fit.unflatten(0, (-1, 64)).unflatten(2, (-1, 64))
    own = torch.stack([pairs[block, :, block] for block in range(len(pairs))])
    first = (own.argmax(dim=2) == torch.arange(64)).float().mean()
    named = sum(found == what.name for found, what in zip(look.names(pixels), whats, strict=True)) / len(whats)
    return [(f"names the thing (one of {len(world.NAMES)}), held-out pictures", f"{named:.1%}"),
            ("finds the caption of a picture among 64", f"{first:.1%}")]  # fmt: skip


def recognition(look: Look, drawn: Sequence[pictures.Pictures]) -> tuple[Rows, list[str]]:
    wanted = [drawing.thing(prompt) for prompt in drawing.prompts()]
    right, missed = 0, []
    for seed, pixels in zip(drawing.SEEDS, drawn, strict=True):
        for prompt, want, found in zip(drawing.prompts(), wanted, look.names(pixels), strict=True):
            right += want == found
            missed += [] if want == found else [f"{prompt} (seed {seed}: {found})"]
    count = len(wanted) * len(drawn)
    return [(f"{len(wanted)} listed prompts, {len(drawn)} seeds: the eye names the thing asked for",
             f"{right} of {count}, {right / count:.0%}")], missed  # fmt: skip


def spent(work: Path) -> Rows:
    rows = []
    for name in ("vae", "text", "unet", "eye"):
        facts = training.spent(work / f"{name}.safetensors")
        rows.append((name, f"{facts['minutes']:.0f} min, {facts['samples']:,.0f} samples"))
    return rows


def sizes(pipeline: Any, look: Look) -> Rows:
    parts = {"vae": pipeline.vae, "unet": pipeline.unet, "text_encoder": pipeline.text_encoder}
    rows = [(name, _size(model, BASE / name)) for name, model in parts.items()]
    rows.append(("tokenizer", f"{len(pipeline.tokenizer):,} tokens, {_megabytes(BASE / 'tokenizer'):.1f} MB"))
    rows.append(("eye", _size(look.model, EYE)))
    whole = sum(_megabytes(folder) for folder in (BASE, EYE, ROOT / "data"))
    return [*rows, ("all, examples counted in", f"{whole:.1f} MB")]


def _size(model: torch.nn.Module, folder: Path) -> str:
    return f"{networks.parameters(model) / 1e6:.1f} M, {_megabytes(folder):.1f} MB"


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def _table(head: tuple[str, str], rows: Rows) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows)]
    return "\n".join(lines)


def _licences() -> str:
    rows = [f"| {source.package} {source.version} | {source.credit} | {source.licence} |" for source in sprites.SOURCES]
    return "\n".join(["| npm package | drawings | licence |", "|---|---|---|", *rows])


def likeness(look: Look, work: Path) -> dict[str, float]:
    train, held = ([example.small(path) for path in sorted(folder.glob("*.png"))] for folder in (CORGI, CORGI_HELD_OUT))
    whats = [world.picture(pictures.HELD_OUT_SEED, index) for index in range(pictures.HELD_OUT)]
    pixels = pictures.load(work, "world-held-out")
    dogs = [picture for picture, what in zip(pixels, whats, strict=True) if what.name == "dog"]
    rest = [picture for picture, what in zip(pixels, whats, strict=True) if what.name != "dog"]
    seen = look.pictures(np.stack(train))

    def near(found: Sequence[pictures.Pictures]) -> float:
        return float((look.pictures(np.stack(found)) @ seen.T).mean())

    return {"likeness": near(held), "strangeness": near(dogs), "far": near(rest)}


def make(work: Path) -> None:
    """Measure what is published, draw the listed prompts, write the card."""
    pipeline, look = drawing.load(), Look()
    drawn = [drawing.draw(pipeline, drawing.prompts(), seed) for seed in drawing.SEEDS]
    sheet = compose.sheet(list(drawn[0]), 10, 1)
    sheet.save(SAMPLES, optimize=True)
    found, missed = recognition(look, drawn)
    text = TEMPLATE.read_text(encoding="utf-8").format(
        count=len(world.DRAWN),
        listed=len(drawing.prompts()),
        steps=drawing.STEPS,
        guidance=drawing.GUIDANCE,
        recognition=_table(("samples", "recognised, top 1"), found),
        missed="; ".join(missed) or "none",
        retrieval=_table(("the eye on clean pictures", "right"), retrieval(look, work)),
        reconstruction=_table(("through the autoencoder and back", "PSNR"), reconstruction(pipeline.vae, work)),
        things=", ".join(world.DRAWN),
        others=", ".join(sorted(world.NOT_DRAWN)) or "nothing",
        styles=", ".join(world.STYLES),
        tints=", ".join(world.TINTS),
        backdrops=", ".join(world.BACKDROPS),
        places=", ".join(world.SCENES.values()),
        spent=_table(("stage", "training"), spent(work)),
        sizes=_table(("part", "parameters, on disk (fp16)"), sizes(pipeline, look)),
        licences=_licences(),
        **likeness(look, work),
    )
    draft = CARD.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, CARD)
