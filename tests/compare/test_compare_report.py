"""The report stands alone and shows what there is."""

import base64
import io
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pytest
from compare_doubles import ColourEye, Engine, paint, spec
from PIL import Image

from studio.compare import curves, experiment, gallery, report, sheet
from studio.compare.curves import Line
from studio.store import ExperimentStore

VOID = {"meta", "img", "br", "line", "link"}


class Reader(HTMLParser):
    """Collects tags and resources, and holds that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.resources: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.resources += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def test_the_report_is_one_well_formed_page(carried_out) -> None:
    store = carried_out("lora", "textual-inversion")
    page = (store.path / "report.html").read_text(encoding="utf-8")
    reader = read(page)
    assert reader.resources and all(source.startswith("data:image/") for source in reader.resources)
    assert not re.search(r"https?://|@import|url\(", page)
    assert not {"script", "iframe", "object"} & set(reader.seen) and reader.seen.count("link") == 1  # its sign
    assert reader.seen.count("img") == 3 * 6 + 3  # base and two methods at six columns, three training pictures
    for said in ("color-scheme: light dark", "same noise", "<lora:lora:1>".replace("<", "&lt;").replace(">", "&gt;"),
                 "float32 chosen for &lt;this&gt; machine", "method.rank", "9.0 kB", "<polyline"):  # fmt: skip
        assert said in page, said


def test_what_the_user_typed_is_escaped(data: Path, engine: Engine, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'&{trigger}"
    store = experiment.create(tmp_path, "x", [spec(data, sample={"prompts": [evil, "a"], "seeds": [1]})])
    store.replace_text(store.text().replace('name = "x"', "name = '<b>x'"))
    list(experiment.run(store, None, eye=ColourEye()))
    page = (store.path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page and "<b>x" not in page and "&lt;script&gt;" in page
    read(page)


def test_a_report_can_be_written_at_any_time(data: Path, engine: Engine, tmp_path: Path) -> None:
    store = experiment.create(tmp_path, "x", [spec(data), spec(data, "textual-inversion")])
    read(report.html(store))
    engine.fails["lora"] = 2
    list(experiment.run(store, None, eye=ColourEye()))
    page = report.html(store)
    assert "failed at 1" in page and "one seed" in page and str(data) not in page
    read(page)
    for folder in ("train", "held"):
        for path in (data / folder).iterdir():
            path.unlink()
    read(report.html(store))


def test_different_batches_break_the_promise_of_equal_noise(data: Path, engine: Engine, tmp_path: Path) -> None:
    larger = spec(data, "textual-inversion", schedule={"steps": 3, "batch_size": 2})
    page = report.html(experiment.create(tmp_path, "x", [spec(data), larger]))
    assert "same noise" not in page and "not the batch size" in page


def test_pictures_are_scaled_modestly(tmp_path: Path) -> None:
    large = report.data_url(paint(tmp_path / "large.png", "red", side=900))
    kind, text = large.split(";base64,")
    assert kind == "data:image/jpeg"
    assert Image.open(io.BytesIO(base64.b64decode(text))).size == (256, 256)
    assert report.data_url(paint(tmp_path / "small.png", "red", side=64)).startswith("data:image/png")
    (tmp_path / "torn.png").write_bytes(b"no picture")
    assert report.data_url(tmp_path / "torn.png") == ""


def test_columns_with_the_subject_come_first(carried_out) -> None:
    store = carried_out("lora")
    shown = gallery.build(store)
    assert [(c.prompt, c.seed) for c in shown.columns] == [
        ("sks red", 1), ("sks red", 2), ("green sks red", 1), ("green sks red", 2), ("a red", 1), ("a red", 2),
    ]  # fmt: skip
    assert shown.first_without_subject == 4
    places = [path.name for path in shown.strips[1].pictures if path]
    assert places == ["000.png", "001.png", "004.png", "005.png", "002.png", "003.png"]
    assert [strip.name for strip in shown.strips] == ["base", "lora"] and shown.strips[1].step == 3


@pytest.mark.parametrize("prompt", ["a {trigger}", "一张{trigger}的照片，蓝色背景，站在雪地里，远处有山", "x" * 90])
def test_the_sheet_holds_every_row_and_any_text(data: Path, engine: Engine, tmp_path: Path, prompt: str) -> None:
    store = experiment.create(tmp_path, "x", [spec(data, sample={"prompts": [prompt, "b"], "seeds": [1]})])
    list(experiment.run(store, None, eye=ColourEye()))
    drawn = sheet.grid(store, side=40)
    assert drawn.height > 3 * 40 and drawn.width > 2 * 40
    assert Image.open(store.path / "grid.png").size == sheet.grid(store).size
    colours = {drawn.getpixel((x, y)) for x in range(drawn.width) for y in range(drawn.height)}
    assert (220, 40, 30) in colours and (128, 128, 128) in colours


def test_lines_are_broken_to_fit() -> None:
    lines = sheet.wrapped("a photo of a dog on a very wide and very blue background by the sea", 80, lines=2)
    assert len(lines) == 2 and lines[-1].endswith("…")
    assert sheet.wrapped("short", 80, lines=2) == ["short"]
    assert sheet.wrapped("", 80, lines=2) == [""]


def test_curves_are_smooth_thin_and_well_formed() -> None:
    points = [(step, 1 / step + 0.1 * (step % 2)) for step in range(1, 2001)]
    smooth = curves.smoothed([*points, (2001, float("nan"))])
    assert len(smooth) <= curves.POINTS and smooth[-1][0] == 2000
    late = [y for x, y in smooth if x > 1000]
    assert max(late) - min(late) < 0.02
    drawing = ElementTree.fromstring(
        curves.svg([Line("A & B", "#2F9E58", points), Line("2", "#2F9E58", points, True)], "l")
    )
    assert len(drawing.findall("polyline")) == 2
    numbers = [float(n) for line in drawing.findall("polyline") for n in re.findall(r"[\d.]+", line.get("points", ""))]
    assert all(0 <= n <= curves.WIDTH for n in numbers)
    assert curves.svg([Line("x", "#000", [(1, 1.0)])], "l") == ""
    assert curves.svg([Line("x", "#000", [(1, 1.0), (2, 1.0)])], "l")


def test_ticks_are_round_and_hold_the_range() -> None:
    assert curves.ticks(0, 600, 6) == [0, 100, 200, 300, 400, 500, 600]
    for low, high in ((0.031, 0.187), (0.9, 0.9), (-2, 5), (0, 12)):
        found = curves.ticks(low, high, 5)
        assert found[0] <= low + 1e-9 and found[-1] >= high - 1e-9 and 2 <= len(found) <= 10


def test_writing_again_leaves_no_drafts(carried_out) -> None:
    store: ExperimentStore = carried_out("lora")
    report.write(store)
    assert not list(store.path.glob(".partial-*"))
