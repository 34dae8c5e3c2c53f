"""A model hub on this machine: model_info, HEAD and GET with ETag, commit and ranges, and how one fails."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LFS = 20_000  # bytes from which a file is stored as the hub stores large ones: named by its sha256


@dataclass
class Hub:
    """What it has (id -> folder), whom it refuses (id -> status, X-Error-Code), and what it was asked."""

    models: dict[str, Path]
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """(method, path, Range)."""
    tokens: list[str] = field(default_factory=list)
    drop_after: dict[str, int] = field(default_factory=dict)
    """File -> bytes after which the line breaks, once."""
    slow: float = 0.0
    """Seconds before each 16 kB."""
    garbled: str = ""
    """A file whose bytes arrive changed."""
    url: str = ""

    def etag(self, file: Path) -> str:
        data = file.read_bytes()
        return hashlib.sha256(data).hexdigest() if len(data) >= LFS else hashlib.sha1(data).hexdigest()

    def ranges(self, name: str) -> list[str]:
        """The ranges that were asked of a file, "" for the whole."""
        return [span for method, path, span in self.asked if method == "GET" and path.endswith(name)]


@contextmanager
def serving(models: dict[str, Path]) -> Iterator[Hub]:
    """A hub that answers until the block ends."""
    hub = Hub(models)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answer", (_Answer,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Answer(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *words: object) -> None:
        pass

    def _answer(self, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append((self.command, path, self.headers.get("Range", "")))
        self.hub.tokens.append(self.headers.get("Authorization", ""))
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/[^/]+)?", path)
        resolve = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        model = (api or resolve)[1] if api or resolve else ""  # type: ignore[index]
        if model in self.hub.refused:
            status, code = self.hub.refused[model]
            self._send(status, b"{}", {"X-Error-Code": code} if code else {})
        elif model not in self.hub.models:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif api:
            self._send(200, json.dumps(self._info(model)).encode())
        else:
            assert resolve
            self._file(self.hub.models[model] / resolve[3], body)

    def _info(self, model: str) -> dict[str, object]:
        folder, siblings = self.hub.models[model], []
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            size, etag = file.stat().st_size, self.hub.etag(file)
            lfs = {"lfs": {"size": size, "sha256": etag, "pointerSize": 134}} if size >= LFS else {}
            siblings.append({"rfilename": file.relative_to(folder).as_posix(), "size": size, "blobId": etag, **lfs})
        return {"id": model, "sha": COMMIT, "siblings": siblings, "tags": ["license:openrail"], "private": False}

    def _file(self, file: Path, body: bool) -> None:
        if not file.is_file():
            self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        data = file.read_bytes()
        headers = {"ETag": f'"{self.hub.etag(file)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        first, status = 0, 200
        if span := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            first, status = int(span[1]), 206
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        if file.name == self.hub.garbled:
            data = bytes(byte ^ 1 for byte in data)
        until = self.hub.drop_after.pop(file.name, len(data)) if body else len(data)
        self._send(status, data[first:], headers, until - first, body)

    def _send(
        self,
        status: int,
        data: bytes,
        headers: dict[str, str] | None = None,
        until: int | None = None,
        body: bool = True,
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if not body or self.command == "HEAD":
            return
        until = len(data) if until is None else max(0, until)
        try:
            for at in range(0, until, 16_384):
                time.sleep(self.hub.slow)
                self.wfile.write(data[at : min(at + 16_384, until)])
            self.wfile.flush()
        except OSError:  # who asked is gone
            self.close_connection = True
        if until < len(data):
            self.close_connection = True
