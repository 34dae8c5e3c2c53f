"""The Dataset tab in a real browser: captions found, edited, replaced, taken back, and there after every restart."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio import starter
from tests.ui.browser import DRAWN, LONG, Server, Visitor

pytestmark = pytest.mark.usefixtures("no_draft")
AREA = "#dataset_caption textarea"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Eight pictures without captions, and one that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for picture in sorted(starter.CORGI.glob("*.png"))[:7]:
        shutil.copy(picture, folder)
    with Image.open(starter.CORGI / "08.png") as picture:
        picture.resize((640, 256)).save(folder / "08 <wide>.png")
    yield folder


def open_folder(page: Any, folder: Path) -> None:
    page.wait_for_selector("#dataset_thumbs .thumb")
    page.fill("#dataset_folder input", str(folder))
    page.keyboard.press("Enter")
    page.wait_for_selector("#dataset_next [data-act=tool], #dataset_thumbs [data-id='08 <wide>.png']")


def captions(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8").strip() for path in sorted(folder.glob("*.txt"))}


def holds(page: Any, text: str) -> None:
    page.wait_for_function(f"(text) => document.querySelector('{AREA}')?.value === text", arg=text)


def test_captions_are_found_edited_replaced_taken_back_and_never_lost(
    visitor: Visitor, server: Server, photos: Path
) -> None:
    page = visitor.open()
    open_folder(page, photos)
    found_by_the_captioner(page, photos)
    edited_by_keyboard(page, photos)
    replaced_everywhere(page, photos)
    page.reload()
    page.click("#dataset_stage [data-act=undo] >> text=replace a by the (8)")
    holds(page, "sks dog, red scarf 你好")
    before = captions(photos)
    assert "the" not in str(before)
    page.close()
    assert server.stop() in (0, -signal.SIGINT)
    server.start()
    page = visitor.open()
    page.wait_for_selector("#dataset_stage [data-act=redo] >> text=replace a by the")
    assert captions(photos) == before
    page.click("#dataset_stage [data-act=undo] >> text=07.png")
    page.wait_for_selector("#dataset_next [data-id=caption] >> text=Caption 1 missing")
    assert "07" not in captions(photos)


def found_by_the_captioner(page: Any, photos: Path) -> None:
    page.click("#dataset_next [data-id=caption] >> text=Caption 8 missing")
    page.click("[data-act=caption_start]")
    page.wait_for_selector("#dataset_tool .diff:nth-child(8)", timeout=LONG)
    assert captions(photos) == {}
    page.click("#dataset_tool [data-act=take][data-id='07.png']")
    page.click("[data-act=caption_write] >> text=Write 7 captions")
    page.wait_for_selector("#dataset_next [data-id=caption] >> text=Caption 1 missing")
    found = captions(photos)
    assert len(found) == 7 and all("sks" in text for text in found.values())


def edited_by_keyboard(page: Any, photos: Path) -> None:
    page.click("#dataset_thumbs [data-id='06.png']")
    holds(page, captions(photos)["06"])
    page.focus(AREA)
    page.keyboard.press("Control+a")
    page.keyboard.type("sks dog, red scarf 你好")
    page.wait_for_selector("#dataset_stage .tchip >> text=red scarf")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(f"{AREA}[data-of='07.png']")
    assert captions(photos)["06"] == "sks dog, red scarf 你好"
    page.keyboard.type("a dog lying")
    page.keyboard.press("Alt+ArrowLeft")
    holds(page, "sks dog, red scarf 你好")
    assert captions(photos)["07"] == "a dog lying"


def replaced_everywhere(page: Any, photos: Path) -> None:
    page.click("#dataset_tags [data-id=edit]")
    page.fill("#ds_find", "sks")
    page.fill("#ds_by", "sks dog")
    page.click("[data-act=preview]")
    page.wait_for_selector("#dataset_tool .diff:nth-child(7) ins")
    assert "sks dog dog" not in str(captions(photos))
    page.fill("#ds_find", "a")
    page.fill("#ds_by", "the")
    page.click("[data-act=preview]")
    page.wait_for_selector("#dataset_tool .diff:nth-child(8) ins >> text=the")
    page.click("[data-act=apply]")
    page.wait_for_selector("text=8 captions were changed")
    assert str(captions(photos)).count("the") >= 8
    page.click("[data-act=close]")


def test_the_trained_part_is_drawn_and_moved(visitor: Visitor, photos: Path) -> None:
    page = visitor.open()
    open_folder(page, photos)
    page.click("#dataset_thumbs [data-id='08 <wide>.png']")
    page.wait_for_selector("#dataset_stage .crop[data-crop='1']", timeout=LONG)
    box = page.locator("#dataset_stage .crop").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 200, steps=3)
    page.mouse.up()
    page.wait_for_function("() => document.querySelector('.frame').style.getPropertyValue('--t') === '0.0000'")
    assert "wide" in (photos / ".crucible" / "crops.json").read_text()
    page.focus("#dataset_stage .crop")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("() => document.querySelector('.frame').style.getPropertyValue('--t') > 0")
    page.wait_for_function(DRAWN, arg="#dataset_stage")


def test_what_will_not_be_used_is_accepted(visitor: Visitor, server: Server, photos: Path) -> None:
    (photos / "no.heic").write_text("<html>")
    page = visitor.open()
    open_folder(page, photos)
    page.click("#dataset_tags [data-act=check_again]")
    page.wait_for_selector("#dataset_head .unused >> text=1 picture will not be used", timeout=LONG)
    page.click("#dataset_head .unused [data-act=verdict]")
    page.wait_for_function("() => document.querySelectorAll('#dataset_thumbs .thumb').length === 1")
    page.click("#dataset_head [data-act=accept]")
    page.wait_for_selector("#dataset_head >> text=1 left out", timeout=LONG)
    assert "no.heic" in (server.outputs / ".draft.json").read_text()


def test_pictures_are_filtered_selected_and_held_back(visitor: Visitor, photos: Path) -> None:
    page = visitor.open()
    open_folder(page, photos)
    page.click("#dataset_thumbs [data-id='01.png']")
    page.click("#dataset_thumbs [data-id='03.png']", modifiers=["Shift"])
    page.wait_for_selector("#dataset_thumbs >> text=3 selected")
    page.click("#dataset_thumbs [data-id='02.png']", modifiers=["Control"])
    page.wait_for_selector("#dataset_thumbs >> text=2 selected")
    page.click("#dataset_thumbs [data-act=hold]")
    page.wait_for_selector("#dataset_thumbs [data-id='03.png'] >> text=held back", timeout=LONG)
    page.fill("#dataset_find, #dataset_head input[type=search]", "02.png")
    page.wait_for_function("() => document.querySelectorAll('#dataset_thumbs .thumb').length === 1")
