"""The only file that knows what was made and brought in: every run's files, outputs/files, and merged bases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import CrucibleError
from studio.formats.shelf import FILES
from studio.ui.desk import CHECKPOINTS, MODELS, Desk
from studio.ui.handout import file_url
from studio.ui.media import export_url, sample_url
from studio.ui.watch import Seen

SUFFIXES = (".safetensors", ".pt", ".bin", ".pth", ".png")
ALGORITHMS = {"lora": "lora", "loha": "loha", "lokr": "lokr", "ia3": "ia3", "oft": "oft", "boft": "boft",
              "glora": "glora", "full": "full", "norm": "full"}  # fmt: skip
KINDS = {"embedding": "textual-inversion", "hypernetwork": "hypernetwork", "base": "dreambooth"}
USES = {"lora": "<lora:{name}:1>", "hypernetwork": "<hypernet:{name}:1>", "embedding": "{name}", "base": ""}


@dataclass(frozen=True)
class File:
    """One file or folder to take away; ``url`` is empty for a folder."""

    path: Path
    form: str
    size: int
    url: str = ""


@dataclass(frozen=True)
class Item:
    """Something to use: a run with its newest files, or a file that was brought in or merged."""

    key: str
    name: str
    method: str
    files: tuple[File, ...]
    time: float
    place: Path
    """What ``--use`` is given: the run's folder, or the file."""
    experiment: str = ""
    base: str = ""
    trigger: str = ""
    usage: str = ""
    prompt: str = ""
    step: int | None = None
    likeness: float | None = None
    picture: str = ""
    whole: bool = False
    """Whether it is a model of its own, below which nothing else is."""
    run: Seen | None = None

    @property
    def size(self) -> int:
        """Bytes of the smallest file: the one that is handed on."""
        return min((file.size for file in self.files), default=0)


class Stock:
    """Finds everything; what a foreign file is, is asked once."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._known: dict[tuple[Path, int], Any] = {}

    def items(self) -> list[Item]:
        """All of it, in no order."""
        return [*self._made(), *self._brought(self.desk.outputs / FILES, "file"), *self._models()]

    def item(self, key: str) -> Item | None:
        """One of them by its key."""
        return next((item for item in self.items() if item.key == key), None)

    def _made(self) -> Iterator[Item]:
        for experiment in self.desk.watch.experiments():
            for run in self.desk.watch.runs(experiment):
                files = _exports(run)
                if files:
                    yield self._of_run(experiment.path.name, run, files)

    def _of_run(self, experiment: str, run: Seen, files: tuple[File, ...]) -> Item:
        spec = self.desk.watch.spec(run.store)
        data, prompts = spec.get("data", {}), spec.get("sample", {}).get("prompts", [""])
        latest = run.view.exports[-1]
        trigger, called = str(data.get("trigger", "")), str(data.get("class_word", ""))
        subject = " ".join(filter(None, (trigger, called)))
        filled = str(prompts[0] if prompts else "").replace("{trigger}", subject).replace("{class}", called)
        picture = ""
        if run.newest is not None and run.view.samples[run.newest]:
            picture = sample_url(run.store.path, run.view.samples[run.newest][0].path)
        return Item(
            key=f"run/{experiment}/{run.name}", name=run.name, method=run.kind, files=files, time=latest.time,
            place=run.store.path, experiment=experiment, base=str(spec.get("base", {}).get("model", "")),
            trigger=subject, step=latest.step, picture=picture, prompt=filled,
            usage=next((export.usage for export in run.view.exports if export.usage), ""),
            likeness=_likeness(run), whole=any(file.form in ("single-file", "checkpoint") for file in files), run=run,
        )  # fmt: skip

    def _brought(self, folder: Path, where: str) -> Iterator[Item]:
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in SUFFIXES)
        for path in paths:
            found = self._what(path)
            if found is not None:
                yield _foreign(path, path.relative_to(folder), where, found)

    def _models(self) -> Iterator[Item]:
        folder = self.desk.outputs / MODELS
        for path in sorted(path for path in folder.glob("*") if path.is_file() and path.suffix in CHECKPOINTS):
            found = self._what(path)
            if found is not None:
                yield _foreign(path, path.relative_to(folder), "model", found)

    def _what(self, path: Path) -> Any:
        """What a file is, or None where it cannot be used or read."""
        from studio.formats.recognise import recognise

        key = (path, path.stat().st_mtime_ns)
        if key not in self._known:
            try:
                found = recognise(path)
            except CrucibleError:
                found = None
            self._known[key] = found if found and found.kind != "unknown" else None
        return self._known[key]


def _exports(run: Seen) -> tuple[File, ...]:
    """The newest file of each format that is still there."""
    newest = {export.format: export for export in run.view.exports}
    found = []
    for form, export in newest.items():
        path = run.store.path / export.path
        if path.is_file():
            found.append(File(path, form, path.stat().st_size, export_url(run.store.path, path)))
        elif path.is_dir():
            found.append(File(path, form, sum(one.stat().st_size for one in path.rglob("*") if one.is_file())))
    return tuple(found)


def _likeness(run: Seen) -> float | None:
    from studio.compare.measure import measured

    kept = measured(run.store, run.view)
    value = kept[1].get("likeness") if kept else None
    return value.value if value else None


def _foreign(path: Path, relative: Path, where: str, found: Any) -> Item:
    said = found.metadata
    method = ALGORITHMS.get(found.algorithms[0], "lora") if found.algorithms else KINDS.get(found.kind, "lora")
    stat = path.stat()
    file = File(path, path.suffix[1:], stat.st_size, file_url(relative) if where == "file" else "")
    return Item(
        key=f"{where}/{relative.as_posix()}", name=path.stem, method=method, files=(file,), time=stat.st_mtime,
        place=path, base=str(said.get("ss_sd_model_name", "")), trigger=str(said.get("modelspec.trigger_phrase", "")),
        usage=USES.get(found.kind, "").format(name=path.stem), whole=found.kind == "base",
        prompt=str(said.get("modelspec.trigger_phrase", "")),
    )  # fmt: skip


ORDERS = ("date", "name", "size", "likeness")


def arranged(items: Sequence[Item], find: str, method: str, order: str) -> list[Item]:
    """Those that hold all words of ``find`` and are of ``method`` (empty: any), in one of the ORDERS."""
    words = find.casefold().split()

    def text(item: Item) -> str:
        return f"{item.name} {item.experiment} {item.method} {item.base} {item.trigger} {item.usage}".casefold()

    found = [item for item in items if all(word in text(item) for word in words)]
    found = [item for item in found if not method or item.method == method]
    keys: dict[str, Any] = {
        "date": lambda item: -item.time,
        "name": lambda item: (item.experiment.casefold(), item.name.casefold()),
        "size": lambda item: -item.size,
        "likeness": lambda item: -(item.likeness if item.likeness is not None else -1.0),
    }
    return sorted(found, key=keys.get(order, keys["date"]))
