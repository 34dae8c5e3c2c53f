"""The only file that gives the browser what runs and datasets hold: each route one kind, inside one folder, typed."""

import hashlib
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, Cookie, HTTPException, Response
from fastapi.responses import FileResponse, HTMLResponse

from studio.data.scan import ENDINGS
from studio.ui.app import THEME_COOKIE
from studio.ui.reporting import themed, translated, written
from studio.ui.thumbs import Thumbs

SAMPLE_TYPES = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
REPORT_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox allow-popups"
)
SIZES = (160, 512)
THUMBNAILS = ".thumbnails"  # in outputs; hidden, so no experiment can have the name
KEEP = {"cache-control": "private, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
FRESH = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}


class Shelf:
    """The dataset folders that the page has opened; only these are shown, each under a name that tells nothing."""

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}

    def put(self, folder: Path) -> str:
        """Open ``folder`` to the browser and return its name."""
        path = folder.resolve()
        name = hashlib.sha256(str(path).encode()).hexdigest()[:16]
        self._folders[name] = path
        return name

    def find(self, name: str) -> Path:
        """The folder of that name; KeyError where the page never opened it."""
        return self._folders[name]


def inside(folder: Path, relative: str) -> Path:
    """The file at ``relative`` inside ``folder``; whatever leads out of it, or is not a file, is a 404."""
    root = folder.resolve()
    try:
        path = (root / relative).resolve(strict=True)
    except (OSError, ValueError) as error:
        raise HTTPException(404) from error
    if not path.is_relative_to(root) or not path.is_file():
        raise HTTPException(404)
    return path


def stamped(url: str, path: Path) -> str:
    """``url`` with the file's time of change, so that a browser may keep it for ever."""
    try:
        return f"{url}?v={path.stat().st_mtime_ns:x}"
    except OSError:
        return url


def sample_url(run: Path, relative: str) -> str:
    """Where the browser finds a sample of ``run``."""
    return stamped(f"/media/sample/{quote(run.parent.name)}/{quote(run.name)}/{quote(relative)}", run / relative)


def picture_url(shelf_name: str, folder: Path, picture: Path, side: int) -> str:
    """Where the browser finds a picture of a dataset, at most ``side`` pixels wide."""
    relative = picture.relative_to(folder).as_posix()
    return stamped(f"/media/picture/{shelf_name}/{side}/{quote(relative)}", picture)


def export_url(run: Path, file: Path) -> str:
    """Where the browser downloads an exported file."""
    return f"/media/export/{quote(run.parent.name)}/{quote(run.name)}/{quote(file.name)}"


def router(outputs: Path, shelf: Shelf) -> APIRouter:
    """All routes under /media."""
    routes = APIRouter(prefix="/media")
    thumbs = Thumbs(outputs / THUMBNAILS)

    @routes.get("/sample/{experiment}/{run}/{path:path}")
    def sample(experiment: str, run: str, path: str) -> Response:
        found = inside(outputs, f"{experiment}/{run}/{path}")
        kind = SAMPLE_TYPES.get(found.suffix.lower())
        if kind is None or not path.startswith("samples/"):
            raise HTTPException(404)
        return FileResponse(found, media_type=kind, headers=KEEP)

    @routes.get("/picture/{name}/{side}/{path:path}")
    def picture(name: str, side: int, path: str) -> Response:
        try:
            found = inside(shelf.find(name), path)
        except KeyError as error:
            raise HTTPException(404) from error
        if found.suffix.lower() not in ENDINGS or side not in SIZES:
            raise HTTPException(404)
        return Response(thumbs.of(found, side), media_type="image/webp", headers=KEEP)

    @routes.get("/export/{experiment}/{run}/{name}")
    def export(experiment: str, run: str, name: str) -> Response:
        found = inside(inside_folder(outputs, experiment, run, "exports"), name)
        return FileResponse(found, media_type="application/octet-stream", filename=found.name, headers=FRESH)

    @routes.get("/report/{experiment}")
    def report(experiment: str, lang: str = "en", theme: str = Cookie("", alias=THEME_COOKIE)) -> Response:
        found = inside(inside_folder(outputs, experiment), "report.html")
        headers = {**FRESH, "content-security-policy": REPORT_POLICY}
        page = themed(written(found), theme)
        return HTMLResponse(translated(page, lang), headers=headers)

    @routes.get("/table/{experiment}")
    def table(experiment: str) -> Response:
        found = inside(inside_folder(outputs, experiment), "table.csv")
        return FileResponse(found, media_type="text/csv; charset=utf-8", filename=f"{experiment}.csv", headers=FRESH)

    return routes


def inside_folder(outputs: Path, *parts: str) -> Path:
    """A folder under ``outputs``; each part must be one plain name."""
    path = outputs.resolve()
    for part in parts:
        if part in ("", ".", "..") or "/" in part or "\\" in part:
            raise HTTPException(404)
        path = path / part
    if not path.resolve().is_relative_to(outputs.resolve()):
        raise HTTPException(404)
    return path
