"""The only file that finds a finished file by the name that a prompt calls it by."""

import difflib
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from studio.errors import ModelError

OUTPUTS = Path(__file__).resolve().parents[2] / "outputs"
FILES = "files"  # the folder below outputs for files of other programs
TITLES = {"lora": "LoRA", "hypernetwork": "Hypernetwork", "embedding": "embedding"}


class Shelf:
    """Finished files by name: what is given by hand, then the user's folders, then the exports of all runs.

    A name is a file's without its ending, in capitals or not, or else the name that it was trained under. In the
    folders (``folders`` and ``outputs/files``) a name must be unambiguous; of several runs that exported a name the
    newest wins. ``own`` is the name of the run in hand, whose exports in ``home`` are not looked at.
    """

    def __init__(
        self,
        outputs: Path | None = None,
        folders: Sequence[Path] = (),
        given: Sequence[Path] = (),
        own: str = "",
        home: Path | None = None,
    ) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise ModelError(f"There is no folder '{folder}' to look for files in.")
        self._outputs = outputs or OUTPUTS
        self._folders = [*folders, self._outputs / FILES]
        self._given = list(given)
        self.own = own
        self._home = home

    @classmethod
    def of_run(cls, run: Path, own: str) -> "Shelf":
        """What a run in the folder ``run`` may call: the files of its own outputs folder, else of the usual one."""
        in_experiment = (run.parent / "experiment.toml").is_file()
        return cls(run.parent.parent if in_experiment else None, own=own, home=run)

    def find(self, kind: str, name: str) -> Path:
        """The file of ``kind`` (lora, hypernetwork, embedding) called ``name``; raises ModelError with near names."""
        for called in (_stem, _alias):
            for tier, newest in self._tiers:
                if found := [path for path in tier if called(path) == name.lower() and _is(path, kind)]:
                    return found[0] if newest else _only(found, name)
        near = difflib.get_close_matches(name.lower(), self._names(kind), 3, 0.4)
        hint = (
            f"did you mean {', '.join(near)}?" if near else f"put the file into {self._folders[-1]}, or name it right."
        )
        raise ModelError(f"There is no {TITLES[kind]} '{name}'; {hint}")

    def words(self, text: str) -> dict[str, Path]:
        """The embeddings whose names stand in ``text`` as words, by name."""
        found: dict[str, Path] = {}
        for path in (path for tier, _ in self._tiers for path in tier):
            stem = _stem(path)
            called = stem != self.own.lower() and re.search(rf"(?<!\w){re.escape(stem)}(?!\w)", text.lower())
            if called and stem not in found and _is_embedding(path):
                found[stem] = self.find("embedding", stem)
        return found

    @cached_property
    def _tiers(self) -> list[tuple[list[Path], bool]]:
        """Lists of files to look through one after the other, and whether the first in a list wins."""
        folders = [path for folder in self._folders if folder.is_dir() for path in _files(folder.rglob("*"))]
        runs = [
            path
            for run in (*self._outputs.glob("*/exports"), *self._outputs.glob("*/*/exports"))
            if run.parent != self._home
            for path in _files(run.iterdir())
        ]
        runs.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        return [(self._given, True), (list(dict.fromkeys(folders)), False), (runs, True)]

    def _names(self, kind: str) -> list[str]:
        """Names to suggest: of files that could be of this kind by their ending, without opening them."""
        pickled = kind == "hypernetwork"
        return [_stem(path) for tier, _ in self._tiers for path in tier if (path.suffix == ".pt") == pickled]


def _files(paths: Iterable[Path]) -> list[Path]:
    from studio.formats.recognise import is_known_suffix  # it needs torch, which the page's start can do without

    return sorted(path for path in paths if is_known_suffix(path) and path.is_file() and path.name[0] != ".")


def _stem(path: Path) -> str:
    return path.stem.lower()


def _alias(path: Path) -> str:
    from studio.formats.recognise import recognise

    try:
        return recognise(path).alias.lower() if path.suffix == ".safetensors" else ""
    except ModelError:  # a torn file among others is nobody's business until it is called by its own name
        return ""


def _is(path: Path, kind: str) -> bool:
    from studio.formats.recognise import recognise

    return recognise(path).kind == kind


def _is_embedding(path: Path) -> bool:
    """Whether a file that a mere word of the prompt points at is an embedding; a torn picture called "a" is not."""
    try:
        return _is(path, "embedding")
    except ModelError:
        if path.suffix.lower() != ".png":
            raise
        return False


def _only(found: Sequence[Path], name: str) -> Path:
    """The one file; of one folder's .safetensors and .pt the first; raises ModelError naming two places."""
    apart = {path.with_suffix("") for path in found}
    if len(apart) > 1:
        raise ModelError(f"'{name}' is in two places, {found[0]} and {found[1]}; rename one of them.")
    return min(found, key=lambda path: path.suffix != ".safetensors")
