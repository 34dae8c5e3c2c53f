"""The only file that hands out what comparisons and the library made: tables, sheets, pictures, files brought in."""

from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import FileResponse

from studio.formats.shelf import FILES
from studio.ui.media import FRESH, KEEP, inside, inside_folder, stamped
from studio.ui.reporting import REPORT, written

TABLES = {
    "table.csv": "text/csv; charset=utf-8", "table.md": "text/markdown; charset=utf-8",
    "experiment.json": "application/json", "grid.png": "image/png", REPORT: "application/octet-stream",
}  # fmt: skip
"""What is written beside an experiment, each as it is saved by a browser."""
SHEETS = "sheets"
PICTURES = "pictures"  # folder under outputs for what was tried


def paper_url(experiment: Path, name: str) -> str:
    """Where the browser saves a file that stands beside an experiment."""
    return f"/handout/paper/{quote(experiment.name)}/{quote(name)}"


def sheet_url(sheet: Path) -> str:
    """Where the browser finds a sheet: outputs/EXPERIMENT/sheets/FOLDER/NAME.png."""
    folder = sheet.parent
    experiment = folder.parent.parent.name
    return stamped(f"/handout/sheet/{quote(experiment)}/{quote(folder.name)}/{quote(sheet.name)}", sheet)


def tried_url(picture: Path) -> str:
    """Where the browser finds a picture that was tried."""
    return stamped(f"/handout/tried/{quote(picture.name)}", picture)


def file_url(relative: Path) -> str:
    """Where the browser saves a file of outputs/files."""
    return f"/handout/file/{quote(relative.as_posix())}"


def handout(outputs: Path) -> APIRouter:
    """All routes under /handout."""
    routes = APIRouter(prefix="/handout")

    @routes.get("/paper/{experiment}/{name}")
    def paper(experiment: str, name: str) -> Response:
        if name not in TABLES:
            raise HTTPException(404)
        found = inside(inside_folder(outputs, experiment), name)
        if found.name == REPORT:
            written(found)
        return FileResponse(found, media_type=TABLES[name], filename=f"{experiment}-{name}", headers=FRESH)

    @routes.get("/sheet/{experiment}/{folder}/{name}")
    def sheet(experiment: str, folder: str, name: str) -> Response:
        found = inside(inside_folder(outputs, experiment, SHEETS, folder), name)
        return _picture(found)

    @routes.get("/tried/{name}")
    def tried(name: str) -> Response:
        return _picture(inside(inside_folder(outputs, PICTURES), name))

    @routes.get("/file/{path:path}")
    def file(path: str) -> Response:
        found = inside(inside_folder(outputs, FILES), path)
        return FileResponse(found, media_type="application/octet-stream", filename=found.name, headers=FRESH)

    return routes


def _picture(found: Path) -> Response:
    if found.suffix != ".png":
        raise HTTPException(404)
    return FileResponse(found, media_type="image/png", headers=KEEP)
