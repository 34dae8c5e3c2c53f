"""An engine and an eye that are quick and exact, for the tests of the comparison."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from studio.compare import experiment
from studio.events import (
    Decided,
    Event,
    Exported,
    Failed,
    Finished,
    Measured,
    Picture,
    Sampled,
    Saved,
    Started,
    Step,
    Stopped,
    Validated,
)
from studio.spec import RunSpec, make_spec, spec_from_toml
from studio.store import ExperimentStore, RunStore

COLOURS = {"red": (220, 40, 30), "green": (30, 160, 60), "blue": (40, 70, 220), "grey": (128, 128, 128)}
KINDS = {"lora": "kohya", "textual-inversion": "a1111", "dreambooth": "checkpoint"}


def paint(path: Path, colour: str | tuple[int, int, int], side: int = 16) -> Path:
    """A plain picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), COLOURS[colour] if isinstance(colour, str) else colour).save(path)
    return path


def spec(folder: Path, kind: str = "lora", /, **over: object) -> RunSpec:
    """A spec over the pictures in ``folder``: two prompts with the subject, one without, two seeds."""
    settings = {
        "method": {"kind": kind},
        "data": {
            "folder": str(folder / "train"),
            "held_out": str(folder / "held"),
            "trigger": "sks",
            "class_word": "red",
        },
        "sample": {"prompts": ["{trigger}", "a {class}", "green {trigger}"], "seeds": [1, 2]},
        "schedule": {"steps": 3},
        **over,
    }
    return make_spec(settings)


class ColourEye:
    """Sees only the mean colour; reads only the colour words."""

    def __init__(self, name: str = "colour eye") -> None:
        self.name = name
        self.looked = 0
        self.reader = self

    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        self.looked += len(pictures)
        means = [torch.tensor([c / 127.5 - 1 for c in picture.resize((1, 1)).getpixel((0, 0))]) for picture in pictures]
        return torch.nn.functional.normalize(torch.stack([torch.cat([m, torch.ones(1) * 0.1]) for m in means]), dim=-1)

    def texts(self, sentences: Sequence[str]) -> Tensor:
        named = [next((colour for colour in COLOURS if colour in sentence), "grey") for sentence in sentences]
        return self.images([Image.new("RGB", (2, 2), COLOURS[colour]) for colour in named])


class Engine:
    """Trains nothing, and keeps the contract: whole checkpoints after each step, resumed from the last of them.

    It hears sample, stop and discard before the next step, as the engine does. A step takes ``seconds``.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.done: list[tuple[str, int]] = []
        self.fails: dict[str, int] = {}
        self.stops: dict[str, int] = {}
        self.refuses: dict[str, Exception] = {}
        self.paints: dict[str, str] = {}

    def baseline(self, store: RunStore, spec: RunSpec, resident: object) -> Iterator[Event]:
        store.path.mkdir(exist_ok=True)
        with store.writing():
            yield from self._say(store, self._base(store, spec))

    def extend(self, store: RunStore, steps: int) -> None:
        spec = spec_from_toml(store.spec_text())
        schedule = spec.schedule.model_copy(update={"steps": steps})
        store.replace_spec(spec.model_copy(update={"schedule": schedule}).to_toml())

    def train(self, store: RunStore, resident: object) -> Iterator[Event]:
        if store.path.name in self.refuses:
            raise self.refuses[store.path.name]
        with store.writing():
            yield from self._say(store, self._run(store, spec_from_toml(store.spec_text())))

    def _say(self, store: RunStore, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            store.append(event)
            yield event

    def _base(self, store: RunStore, spec: RunSpec) -> Iterator[Event]:
        self.done.append(("base", 0))
        yield Started(step=0, total=0)
        yield self._sample(store, spec, 0, "grey")
        yield Validated(step=0, loss=0.5)
        yield Finished(step=0, seconds=0.0)

    def _run(self, store: RunStore, spec: RunSpec) -> Iterator[Event]:
        name = store.path.name
        kept = store.checkpoints()
        start, total = (kept[-1][0] if kept else 0), spec.schedule.steps
        yield Started(step=start, total=total)
        yield Decided(what="precision", choice="fp32", reason="float32 chosen for <this> machine.")
        yield Measured(values={"parameters": 3_200_000.0})
        if not start:
            yield self._sample(store, spec, 0, "grey")
        for step in range(start + 1, total + 1):
            if self.fails.get(name) == step:
                yield Failed(step=step - 1, text="It broke.", detail="here")
                return
            self.done.append((name, step))
            took = self.seconds.get(name, 0.5)
            self._save(store.checkpoint_folder(step), step, took)
            yield Step(step=step, loss=1 / step, lr=1e-4, grad_norm=1.0, seconds=took, memory=3_000_000_000)
            wishes = set(iter(store.take_wish, None))
            if "discard" in wishes:
                shutil.rmtree(store.path / "checkpoints")
                yield Stopped(step=step)
                return
            if "sample" in wishes and step < total:
                yield self._sample(store, spec, step, self.paints.get(name, "red"))
            yield Saved(step=step, path=f"checkpoints/{step:07d}")
            if self.stops.get(name) == step or ("stop" in wishes and step < total):
                yield Stopped(step=step)
                return
        if total not in store.view().samples:
            yield self._sample(store, spec, total, self.paints.get(name, "red"))
        yield Validated(step=total, loss=0.4)
        file = store.path / "exports" / f"{name}.safetensors"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bytes(9_000))
        usage = f"<lora:{name}:1>"
        yield Exported(step=total, format=KINDS[spec.method.kind], path=f"exports/{name}.safetensors", usage=usage)
        yield Finished(step=total, seconds=self.seconds.get(name, 0.5) * total)

    def _save(self, folder: Path, step: int, took: float) -> None:
        folder.mkdir(parents=True)
        place = {"step": step, "seconds": step * took}
        (folder / "state.json").write_text(json.dumps({"place": place}), encoding="utf-8")

    def _sample(self, store: RunStore, spec: RunSpec, step: int, colour: str) -> Sampled:
        shutil.rmtree(store.sample_folder(step), ignore_errors=True)
        pictures = []
        for i, (prompt, seed) in enumerate((p, s) for p in spec.prompts() for s in spec.sample.seeds):
            path = store.sample_folder(step) / f"{i:03d}.png"
            paint(path, colour if "sks" in prompt else "grey")
            relative = path.relative_to(store.path).as_posix()
            pictures.append(Picture(path=relative, prompt=prompt, seed=seed))
        return Sampled(step=step, pictures=tuple(pictures))


def three(folder: Path) -> ExperimentStore:
    """An experiment with a LoRA, a learnt word and a DreamBooth that failed, of the pictures in ``folder``."""
    engine = Engine()
    engine.paints, engine.fails = {"lora": "red", "textual-inversion": "green"}, {"dreambooth": 2}
    specs = [spec(folder, kind) for kind in ("lora", "textual-inversion", "dreambooth")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "_engine", lambda: engine)
        made = experiment.create(folder / "outputs", "three", specs)
        for _ in experiment.run(made, None, eye=ColourEye()):  # type: ignore[arg-type]
            pass
    return made
