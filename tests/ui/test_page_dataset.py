"""The Dataset tab in a real browser: captions found, edited, replaced, taken back, and there after every restart."""

import shutil
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio import starter
from studio.data.mask import load_mask
from tests.ui.browser import DRAWN, LONG, Server, Visitor

pytestmark = pytest.mark.usefixtures("no_draft")
AREA = "#dataset_caption textarea"
INK = "document.querySelector('#dataset_paint')?.getContext('2d').getImageData(128, 128, 1, 1).data[3]"


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
    page.click("#dataset_tool [data-act=reword][data-id='02.png']")
    page.wait_for_function("() => document.activeElement?.dataset.id === '02.png'")
    page.fill("#dataset_tool .diff textarea", "a sks dog in my words")
    page.press("#dataset_tool .diff textarea", "Enter")
    page.wait_for_selector("#dataset_tool .diff ins >> text=in my words")
    page.click("[data-act=caption_write] >> text=Write 7 captions")
    page.wait_for_selector("#dataset_next [data-id=caption] >> text=Caption 1 missing")
    found = captions(photos)
    assert len(found) == 7 and all("sks" in text for text in found.values())
    assert found["02"] == "a sks dog in my words"


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
    page.hover("[data-act=preview]")
    page.mouse.down()  # the field is left, and what it says drawn: the button is elsewhere when it is let go
    page.wait_for_selector("[data-act=apply]", state="detached")
    page.mouse.up()
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


def test_a_zip_is_brought_a_folder_dropped_and_a_mask_painted(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "dogs.zip", "w") as packed:
        packed.write(starter.CORGI / "01.png", "set/01.png")
        packed.writestr("set/01.txt", "sks dog, alone")
    (tmp_path / "dogs" / "4_more").mkdir(parents=True)
    shutil.copy(starter.CORGI / "02.png", tmp_path / "dogs" / "4_more")
    page = visitor.open()
    page.wait_for_selector("#dataset_thumbs .thumb")
    refused(visitor, page, tmp_path / "dogs.zip")
    sent(page, tmp_path / "dogs.zip")
    page.wait_for_selector("#dataset_thumbs [data-id='set/01.png']")
    dropped(page, tmp_path / "dogs", "#dataset_stage .title")
    page.wait_for_selector("#dataset_thumbs [data-id='4_more/02.png']")
    (folder,) = (server.outputs / "datasets").iterdir()
    assert captions(folder / "set") == {"01": "sks dog, alone"}
    page.click("#dataset_thumbs [data-id='set/01.png']")
    painted(page)
    page.click("#dataset_mask_save")
    page.wait_for_selector("#dataset_stage >> text=has a mask")
    mask = load_mask(folder / "set" / "01.png")
    assert mask is not None and mask[128, 128] == mask[64, 128] == 255 and mask[4, 4] == mask[128, 190] == 0
    assert '"data.masks": "file"' in (server.outputs / ".draft.json").read_text()
    page.click("#dataset_stage [data-act=tool][data-id=mask]")
    page.wait_for_function(f"() => {INK} > 0")


def sent(page: Any, file: Path) -> None:
    with page.expect_file_chooser() as asked:
        page.click("#dataset_upload")
    asked.value.set_files(file)


def refused(visitor: Visitor, page: Any, file: Path) -> None:
    """What the server does not take, and what does not reach it, is said in a sentence each."""

    def large(route: Any) -> None:
        route.fulfill(status=413)

    def lost(route: Any) -> None:
        route.abort()

    for answer, said in ((large, "larger than the 4 GB"), (lost, "the studio does not answer")):
        page.route("**/upload", answer)
        sent(page, file)
        page.wait_for_selector(f"[role=alert] >> text={said}")
        page.unroute("**/upload")
    visitor.errors[:] = [error for error in visitor.errors if "413" not in error and "ERR_FAILED" not in error]


def dropped(page: Any, folder: Path, at: str) -> None:
    """As a file manager drops it."""
    box = page.locator(at).bounding_box()
    tools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        where = {"x": box["x"] + 5, "y": box["y"] + 5}
        tools.send("Input.dispatchDragEvent", {"type": kind, **where, "data": data})


def painted(page: Any) -> None:
    """A stroke through the middle, a part of it rubbed out again, and a spot above it by the keyboard."""
    page.click("#dataset_stage [data-act=tool][data-id=mask]", timeout=LONG)
    page.wait_for_selector("#dataset_paint")
    for tool, first, last in (("brush", 0.4, 0.75), ("eraser", 0.7, 0.8)):
        page.click(f"[data-paint={tool}]")
        box = page.locator("#dataset_paint").bounding_box()
        y = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + first * box["width"], y)
        page.mouse.down()
        page.mouse.move(box["x"] + last * box["width"], y, steps=3)
        page.mouse.up()
    page.click("[data-paint=brush]")
    page.focus("#dataset_paint")
    for key in ("]", "[", *["ArrowUp"] * 8, "Space"):
        page.keyboard.press(key)
    page.wait_for_selector("#dataset_tool [role=status] >> text=Brush at 50 %, 25 %")


def test_what_will_not_be_used_is_accepted(visitor: Visitor, server: Server, photos: Path) -> None:
    (photos / "no.heic").write_text("<html>")
    (photos / "torn.png").write_bytes((photos / "01.png").read_bytes()[:900])
    page = visitor.open()
    open_folder(page, photos)
    page.click("#dataset_tags [data-act=check_again]")
    page.wait_for_selector("#dataset_head .unused >> text=2 pictures will not be used", timeout=LONG)
    page.click("#dataset_head .unused [data-act=verdict]")
    page.wait_for_function("() => document.querySelectorAll('#dataset_thumbs .thumb').length === 2")
    page.click("#dataset_head [data-act=accept]")
    page.wait_for_selector("#dataset_head >> text=2 left out", timeout=LONG)
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
