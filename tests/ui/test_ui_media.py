"""Files reach the browser only from where they belong, and only as what they are."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from studio.ui import media
from studio.ui.app import THEME_COOKIE
from studio.ui.media import Shelf
from studio.ui.thumbs import DAY, LEFT, Thumbs


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    run = tmp_path / "outputs" / "first" / "lora"
    for folder in ("samples/0000003", "exports", "checkpoints/0000003"):
        (run / folder).mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(run / "samples" / "0000003" / "00.png")
    (run / "samples" / "0000003" / "evil.html").write_text("<script>alert(1)</script>")
    (run / "exports" / "lora.safetensors").write_bytes(b"weights")
    (run / "spec.toml").write_text("secret = 1")
    (run.parent / "report.html").write_text('<html lang="en"><p>report</p>')
    (run.parent / "table.csv").write_text("a,b")
    (tmp_path / "secret.png").write_bytes(b"secret")
    return tmp_path / "outputs"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def browser(outputs: Path, shelf: Shelf) -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(media.router(outputs, shelf))
    with TestClient(app) as client:
        yield client


def test_samples_exports_report_and_table_are_served_as_what_they_are(browser: TestClient) -> None:
    sample = browser.get("/media/sample/first/lora/samples/0000003/00.png")
    assert sample.headers["content-type"] == "image/png" and sample.headers["x-content-type-options"] == "nosniff"
    export = browser.get("/media/export/first/lora/lora.safetensors")
    assert export.content == b"weights" and "attachment" in export.headers["content-disposition"]
    report = browser.get("/media/report/first")
    assert "default-src 'none'" in report.headers["content-security-policy"]
    assert "script" not in report.headers["content-security-policy"] and "data-theme" not in report.text
    dark = {"cookie": f"{THEME_COOKIE}=dark"}
    assert 'data-theme="dark"' in browser.get("/media/report/first?lang=zh", headers=dark).text
    assert browser.get("/media/table/first").headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize(
    "path",
    [
        "/media/sample/first/lora/spec.toml",
        "/media/sample/first/lora/samples/0000003/evil.html",
        "/media/sample/first/lora/samples/../spec.toml",
        "/media/sample/first/lora/samples/%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret.png",
        "/media/sample/%2e%2e/%2e%2e/secret.png",
        "/media/sample/first/lora//etc/passwd",
        "/media/export/first/lora/..%2Fspec.toml",
        "/media/export/first/%2e%2e/report.html",
        "/media/export/first/lora/nothing",
        "/media/report/%2e%2e",
        "/media/report/nothing",
        "/media/table/first%2Flora",
        "/media/picture/unknown/160/a.png",
    ],
)
def test_nothing_else_is_served(browser: TestClient, path: str) -> None:
    assert browser.get(path).status_code == 404


def test_a_link_out_of_the_outputs_is_not_followed(browser: TestClient, outputs: Path) -> None:
    (outputs / "first" / "lora" / "samples" / "out.png").symlink_to(outputs.parent / "secret.png")
    assert browser.get("/media/sample/first/lora/samples/out.png").status_code == 404


def test_dataset_pictures_are_made_anew_and_only_from_opened_folders(
    browser: TestClient, shelf: Shelf, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (900, 600), "blue").save(folder / "a.jpg")
    (folder / "fake.png").write_text("<html><script>alert(1)</script></html>")
    (folder / "notes.txt").write_text("secret")
    name = shelf.put(folder)
    good = browser.get(f"/media/picture/{name}/160/a.jpg")
    assert good.headers["content-type"] == "image/webp" and good.content[:4] == b"RIFF"
    cross = browser.get(f"/media/picture/{name}/160/fake.png")  # and not an error that a browser would complain of
    assert cross.headers["content-type"] == "image/webp" and b"script" not in cross.content
    assert browser.get(f"/media/picture/{name}/160/notes.txt").status_code == 404
    assert browser.get(f"/media/picture/{name}/4000/a.jpg").status_code == 404
    assert browser.get(f"/media/picture/{name}/160/%2e%2e/secret.png").status_code == 404


def test_thumbnails_are_kept_up_to_a_size_and_those_go_first_that_nobody_looks_at(tmp_path: Path) -> None:
    pictures = [tmp_path / f"{number}.png" for number in range(9)]
    for picture in pictures:
        Image.effect_noise((64, 64), 90).save(picture)
    place, now = tmp_path / "kept", time.time()
    thumbs = Thumbs(place)
    made = {}
    for age, picture in enumerate(pictures):
        before = set(place.rglob("*.webp"))
        data = thumbs.of(picture, 160)
        made[picture] = (set(place.rglob("*.webp")) - before).pop()
        os.utime(made[picture], (now - (9 - age) * DAY,) * 2)
    assert thumbs.of(pictures[0], 160) == made[pictures[0]].read_bytes()  # the oldest, but it was looked at
    few = Thumbs(place, most=5 * len(data))
    few.sweep()
    left = [picture for picture in pictures if made[picture].exists()]
    assert pictures[0] in left and left[1:] == pictures[10 - len(left) :] and len(left) > 2
    assert sum(made[picture].stat().st_size for picture in left) <= 5 * len(data) * LEFT
