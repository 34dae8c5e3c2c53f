"""The only file that speaks with a model hub over the network; `hub` runs it in a process of its own."""

import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal

from studio.errors import ModelError
from studio.hub.files import WEIGHED, File, choose, choose_named

ETAG = re.compile(r"[\w.-]{8,128}")
SHA256 = re.compile(r"[0-9a-f]{64}")
WAIT = 15.0  # seconds for an answer
TRIES = 2  # rounds without a new byte before a broken connection is given up; each is some tries of the library's
CHUNK = (
    1 << 16
)  # bytes that are written at once; what a broken line loses (the library's 10 MB are minutes of a slow one)
SPARE = 500_000_000  # bytes that stay free on the disk
Variant = Literal["fp16", "fp32"]


@dataclass(frozen=True)
class Found:
    """What a hub has of a model: the ``commit`` that is pinned, and what of it is ``missing`` here, in bytes."""

    model: str
    commit: str
    pipeline: str
    licence: str
    gated: bool
    variant: str
    size: int
    missing: int
    free: int
    host: str
    files: tuple[File, ...]
    pickles: tuple[str, ...]
    pinned: bool = False
    """The commit was asked for, and is not made the one that the model's bare name means."""


class Hub:
    """One hub, spoken to from the process that may."""

    def __init__(self, mirror: str = "") -> None:
        from huggingface_hub import HfApi, constants

        constants.DOWNLOAD_CHUNK_SIZE = CHUNK  # of this process alone
        self.endpoint = mirror.strip().rstrip("/") or constants.ENDPOINT
        self.host = self.endpoint.partition("//")[2]
        # the user's token goes where the user's own settings point, never to an address typed into a field
        self.token = False if self.endpoint != constants.ENDPOINT else None
        self.cache = Path(constants.HF_HUB_CACHE)
        self.api = HfApi(endpoint=self.endpoint, token=self.token)

    def look(self, model: str, variant: Variant) -> Found:
        """Ask what the model is and weighs; raises ModelError where it is no base model of ours."""
        info = self.api.model_info(model, files_metadata=True, timeout=WAIT)
        if not info.sha or info.siblings is None:
            raise ValueError("no commit")
        sizes = {file.rfilename: file.size or 0 for file in info.siblings}
        if "model_index.json" not in sizes:
            raise ModelError(
                f"'{model}' is not a diffusers pipeline; download its .safetensors file by hand and give the path."
            )
        index = self._index(model, info.sha)
        pipeline = str(index.get("_class_name", ""))
        if pipeline not in WEIGHED:
            raise ModelError(
                f"'{model}' is a {pipeline} model; only Stable Diffusion 1, 2 and SDXL base models are trained."
            )
        choice = choose(model, sizes, index, variant)
        found = Found(
            model=model, commit=info.sha, pipeline=pipeline, licence=_licence(info.tags), gated=bool(info.gated),
            variant=choice.variant, size=sum(file.size for file in choice.files), missing=0, free=self._free(),
            host=self.host, files=choice.files, pickles=choice.pickles,
        )  # fmt: skip
        return self._weighed(found)

    def look_at(self, model: str, commit: str, weights: Sequence[str]) -> Found:
        """Ask what of a model is needed whose ``commit`` and names of ``weights`` are known; raises ModelError."""
        info = self.api.model_info(model, revision=commit, files_metadata=True, timeout=WAIT)
        if info.sha != commit or info.siblings is None:
            raise ValueError("another commit")
        choice = choose_named(model, {file.rfilename: file.size or 0 for file in info.siblings}, weights)
        found = Found(
            model=model, commit=commit, pipeline="", licence=_licence(info.tags), gated=bool(info.gated), variant="",
            size=sum(file.size for file in choice.files), missing=0, free=self._free(), host=self.host,
            files=choice.files, pickles=choice.pickles, pinned=True,
        )  # fmt: skip
        return self._weighed(found)

    def _weighed(self, found: Found) -> Found:
        return replace(found, missing=sum(file.size for file in found.files if not self._here(found, file.path)))

    def _index(self, model: str, commit: str) -> dict[str, Any]:
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers

        text = io.BytesIO()
        url = hf_hub_url(model, "model_index.json", revision=commit, endpoint=self.endpoint)
        http_get(url, text, headers=build_hf_headers(token=self.token))
        index = json.loads(text.getvalue())
        if not isinstance(index, dict):
            raise ValueError("model_index.json")
        return index

    def _free(self) -> int:
        place = next(folder for folder in (self.cache, *self.cache.parents) if folder.exists())
        return shutil.disk_usage(place).free

    def _here(self, found: Found, path: str) -> bool:
        from huggingface_hub import try_to_load_from_cache

        return isinstance(try_to_load_from_cache(found.model, path, revision=found.commit), str)

    def download(self, found: Found, tell: Callable[[int, str], None]) -> Path:
        """Bring every file, then name the commit as the one to use; ``tell`` hears (bytes here, file).

        The folder of the snapshot. Raises ModelError; what has arrived stays, and the next call goes on from there.
        """
        from filelock import FileLock, Timeout
        from huggingface_hub.file_download import repo_folder_name

        if found.missing + SPARE > found.free:
            need, free = (f"{count / 1e9:.1f} GB" for count in (found.missing + SPARE, found.free))
            raise ModelError(f"The disk has {free} free, and '{found.model}' needs {need}; make room and start again.")
        folder = self.cache / repo_folder_name(repo_id=found.model, repo_type="model")
        (folder / "blobs").mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / "crucible.lock", timeout=0):
                done = 0
                for file in found.files:
                    self._bring(found, file, folder / "blobs", partial(_after, tell, done, file.path))
                    done += file.size
                if not found.pinned:
                    (folder / "refs").mkdir(exist_ok=True)
                    (folder / "refs" / "main").write_text(found.commit, encoding="utf-8")
        except Timeout as error:
            raise ModelError(
                f"'{found.model}' is being downloaded already; wait for it, or cancel it there."
            ) from error
        tell(done, "")
        return folder / "snapshots" / found.commit

    def _bring(self, found: Found, file: File, blobs: Path, tell: Callable[[int], None]) -> None:
        from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

        if self._here(found, file.path):
            return
        where: dict[str, Any] = {"revision": found.commit, "endpoint": self.endpoint}
        url = hf_hub_url(found.model, file.path, **where)
        metadata = get_hf_file_metadata(url, token=self.token, timeout=WAIT, endpoint=self.endpoint)
        if not metadata.commit_hash or not ETAG.fullmatch(metadata.etag or ""):
            raise ValueError("no commit or etag")
        blob = blobs / str(metadata.etag)
        part = blobs / f"{blob.name}.incomplete"  # the library throws away what is incomplete, so this is ours
        if not blob.exists():
            self._stream(url, part, metadata.size, tell)
            if SHA256.fullmatch(blob.name):
                _verify(part, blob.name, file.path)
            os.replace(part, blob)
        hf_hub_download(found.model, file.path, token=self.token, etag_timeout=WAIT, **where)  # links what is here

    def _stream(self, url: str, part: Path, size: int | None, tell: Callable[[int], None]) -> None:
        from huggingface_hub.errors import HfHubHTTPError, HTTPError
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers

        headers = build_hf_headers(token=self.token) | {"Accept-Encoding": "identity"}
        left = TRIES
        if part.exists() and size is not None and part.stat().st_size > size:
            part.unlink()
        while True:
            with part.open("ab") as file:
                begun = file.tell()
                try:
                    http_get(url, _Heard(file, tell), resume_size=begun, headers=headers, expected_size=size)
                    return
                except HfHubHTTPError:
                    raise
                except HTTPError:
                    left = TRIES if file.tell() > begun else left - 1
                    if not left:
                        raise


def _licence(tags: Sequence[str] | None) -> str:
    return next((tag.partition(":")[2] for tag in tags or () if tag.startswith("license:")), "")


def _after(tell: Callable[[int, str], None], before: int, path: str, count: int) -> None:
    tell(before + count, path)


class _Heard:
    """A file that says how long it is whenever something is written to it."""

    def __init__(self, file: BinaryIO, tell: Callable[[int], None]) -> None:
        self._file, self._tell = file, tell
        tell(file.tell())

    def write(self, data: bytes) -> int:
        count = self._file.write(data)
        self._tell(self._file.tell())
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _verify(part: Path, expected: str, name: str) -> None:
    with part.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != expected:
            part.unlink()
            raise ModelError(f"'{name}' arrived damaged and was thrown away; start the download again.")


def sentence(error: Exception, model: str, host: str) -> str:
    """What went wrong between here and ``host``, in one sentence with what to do."""
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", 0)
    if isinstance(error, errors.GatedRepoError):
        return (
            f"'{model}' is gated: accept its licence on its page at {host}, give your token in HF_TOKEN or by "
            "`hf auth login`, and start again."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"There is no model '{model}' at {host}, or it is private; check the spelling, or give a token in HF_TOKEN."
        )
    if isinstance(error, errors.EntryNotFoundError | errors.RevisionNotFoundError):
        return f"A file of '{model}' is no longer at {host}; look at the model again."
    if status:
        return f"{host} refuses with {status}; " + (
            "give your token in HF_TOKEN and start again." if status in (401, 403) else "try again later."
        )
    names = {cls.__name__ for cls in type(error).__mro__}  # httpx's, whichever of its versions the library brings
    if "TimeoutException" in names:
        return f"{host} did not answer in {WAIT:.0f} seconds; try again, or name a mirror."
    if names & {"ConnectError", "ProxyError", "UnsupportedProtocol", "InvalidURL"}:
        return f"{host} cannot be reached; check the network and the mirror's address."
    if isinstance(error, errors.HTTPError):
        return f"The connection to {host} broke off; start again, it goes on from where it was."
    if isinstance(error, OSError):
        return f"'{model}' could not be stored: {error.strerror or error}."
    return f"{host} does not answer as a model hub; check the mirror's address."
