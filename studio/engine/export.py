"""The only file that turns a trained method into files for other programs, with what those files say of themselves."""

import io
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image

from studio.engine.bench import Bench, captions
from studio.engine.checkpoint import Place
from studio.errors import SpecError
from studio.events import Event, Exported, Progress
from studio.families.base import DTYPES
from studio.formats import card
from studio.formats.metadata import About
from studio.methods.base import Method, Target
from studio.spec import RunSpec
from studio.store import RunStore

THUMBNAIL = 256


def file_name(spec: RunSpec) -> str:
    """The name of the run's files without ending, such as corgi-lora: what a prompt will say."""
    return spec.file_name


def export_all(store: RunStore, method: Method, bench: Bench, place: Place) -> Iterator[Event]:
    """Write and read back every format that the spec asks for; raises SpecError for an unknown one."""
    spec = bench.spec
    formats = spec.save.formats or tuple(method.exports)
    unknown = [name for name in formats if name not in method.exports]
    if unknown:
        raise SpecError(f"{method.title} has no format {', '.join(unknown)}; use {', '.join(method.exports)}.")
    folder = store.path / "exports"
    folder.mkdir(exist_ok=True)
    target = Target(folder, file_name(spec), DTYPES[bench.machine.plan.save], _about(store, bench, place))
    for index, name in enumerate(formats):
        yield Progress(stage="exporting", done=index, total=len(formats))
        with torch.no_grad():
            path = method.exports[name](method, target)
        usage = method.usage_line(target.name, name)
        card.write(path, target.about, usage)
        yield Exported(step=place.step, format=name, path=path.relative_to(store.path).as_posix(), usage=usage)
    yield Progress(stage="exporting", done=len(formats), total=len(formats))


def _about(store: RunStore, bench: Bench, place: Place) -> About:
    spec, models = bench.spec, bench.models
    examples = [encoded.example for encoded in bench.train]
    options = spec.method.model_dump()
    started = (store.path / "spec.toml").stat().st_mtime
    return About(
        name=file_name(spec),
        trigger=spec.data.trigger,
        family=models.family.name,
        prediction=models.prediction,
        resolution=spec.data.resolution or models.resolution,
        steps=place.step,
        seed=spec.seed,
        learning_rate=spec.optim.lr,
        batch_size=spec.schedule.batch_size,
        num_images=len(examples),
        optimizer=bench.machine.plan.optimizer,
        base_name=Path(spec.base.model).name,
        started=started,
        finished=time.time(),
        rank=options.get("rank"),
        alpha=options.get("alpha"),
        tag_frequency={Path(spec.data.folder).name: captions(examples, spec)},
        spec_toml=spec.to_toml(),
        thumbnail=_thumbnail(store),
        zero_terminal_snr=bool(models.scheduler.config.get("rescale_betas_zero_snr")),
    )


def _thumbnail(store: RunStore) -> bytes | None:
    """The newest sample as a small PNG, or None."""
    drawn = [pictures for _, pictures in sorted(store.read().view.samples.items()) if pictures]
    if not drawn:
        return None
    with Image.open(store.path / drawn[-1][0].path) as picture:
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
    return buffer.getvalue()
