"""The only file that knows the order in which the starter is made from nothing: `python -m studio.starter.build`.

Every stage goes on from what lies in the work folder; a stage whose work is done passes at once. To train a network
for longer, ask for its stage with more minutes than it has had.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch

from studio.starter import adopt, card, example, latents, pictures, publish, sheets, training
from studio.starter.stage_eye import EyeTask
from studio.starter.stage_text import TextTask
from studio.starter.stage_unet import UnetTask
from studio.starter.stage_vae import VaeTask

MINUTES: Final = {"vae": 24.0, "text": 9.0, "unet": 80.0, "eye": 24.0}
"""Of both cores of a two-core machine; what was really spent stands on the card."""
TASKS: Final[dict[str, training.Maker]] = {"vae": VaeTask, "text": TextTask, "unet": UnetTask, "eye": EyeTask}
STAGES: Final = ("pictures", "vae", "latents", "text", "unet", "eye", "publish", "example", "card")


def device(wish: str) -> str:
    if wish != "auto":
        return wish
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found.type if found else "cpu"


def train(name: str, options: argparse.Namespace) -> None:
    where = device(options.device)
    processes = min(os.cpu_count() or 1, 2) if where == "cpu" else 1
    minutes = options.minutes if options.minutes and options.stage == name else MINUTES[name]
    training.run(training.Job(name, options.work, TASKS[name], minutes, processes, where))
    if draw := sheets.SHEETS.get(name):
        draw(options.work)


def stage(name: str, options: argparse.Namespace) -> None:
    work: Path = options.work
    plain: dict[str, Callable[[], None]] = {
        "pictures": lambda: pictures.make(work),
        "latents": lambda: latents.make(work, torch.device(device(options.device))),
        "publish": lambda: publish.everything(work),
        "example": lambda: example.make(work),
        "card": lambda: card.make(work),
        "adopt": lambda: adopt.adopt(work),
    }
    print(f"== {name}", flush=True)
    plain[name]() if name in plain else train(name, options)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the starter model, its eye and its example pictures.")
    parser.add_argument("--work", type=Path, default=Path("outputs/.starter-work"), help="folder of unfinished work")
    parser.add_argument(
        "--stage", choices=(*STAGES, "adopt"), help="only this one; adopt: begin at the published weights"
    )
    parser.add_argument("--minutes", type=float, help="training time of that stage in all, earlier time counted in")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ...")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for name in [options.stage] if options.stage else STAGES:
        stage(name, options)


if __name__ == "__main__":
    main()
