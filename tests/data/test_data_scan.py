from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from studio import starter
from studio.data.scan import DataSpec, dataset, read_caption, resolve_folder, scan
from studio.errors import DataError


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Make a picture at a path below the test's folder, with a caption's bytes beside it."""

    def make(name: str, caption: bytes | None = None, ending: str = ".txt") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path, format="PNG")
        if caption is not None:
            path.with_suffix(ending).write_bytes(caption)
        return path

    return make


def names(folder: Path) -> list[str]:
    return [example.path.relative_to(folder).as_posix() for example in scan(folder)]


def test_pictures_come_in_the_order_a_person_counts(tmp_path: Path, put: Callable[..., Path]) -> None:
    for name in ("img10.png", "img2.png", "IMG1.PNG", "b/1.webp", "a/1²2.png", "²/³.png", "img2b.jpeg"):
        put(name)
    assert names(tmp_path) == ["a/1²2.png", "b/1.webp", "IMG1.PNG", "img2.png", "img2b.jpeg", "img10.png", "²/³.png"]


def test_hidden_and_foreign_files_are_left_out(tmp_path: Path, put: Callable[..., Path]) -> None:
    for name in ("a.png", ".hidden.png", ".cache/b.png", "sub/.thumbs/c.png", "sub/d.png"):
        put(name)
    (tmp_path / "notes.md").write_text("x")
    (tmp_path / "folder.png").mkdir()
    assert names(tmp_path) == ["a.png", "sub/d.png"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"a red dog", "a red dog"),
        (b"\xef\xbb\xbfa red dog\r\n", "a red dog"),
        ("一只红色的狗".encode("gbk"), "一只红色的狗"),
        ("一只红色的狗".encode(), "一只红色的狗"),
        (b"  a\tred \n\n dog\x00 \n", "a red\ndog"),
        ("a red dog".encode("utf-16"), "a red dog"),
        ("a red dog".encode("utf-16-be"), "a red dog"),
        ("un café, déjà vu".encode("cp1252"), "un café, déjà vu"),
        (b"", ""),
    ],
)
def test_captions(put: Callable[..., Path], content: bytes, text: str) -> None:
    assert read_caption(put("a.png", content)) == text
    assert read_caption(put("b.png", content, ".caption")) == text
    assert read_caption(put("c.png")) is None


def test_a_caption_that_is_no_text_is_named(put: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match=r"b\.txt.*save it as UTF-8"):
        read_caption(put("b.png", b"\xff\xfe\x00"))


@pytest.mark.parametrize(("count", "held"), [(1, 0), (4, 0), (5, 1), (6, 1), (11, 1), (12, 2), (30, 5)])
def test_one_in_six_is_held_back_of_a_folder_of_at_least_five(
    tmp_path: Path, put: Callable[..., Path], count: int, held: int
) -> None:
    for index in range(count):
        put(f"{index}.png")
    found = dataset(DataSpec(folder=str(tmp_path)))
    assert (len(found.train), len(found.held_out)) == (count - held, held)
    assert not set(found.train) & set(found.held_out)
    assert found == dataset(DataSpec(folder=str(tmp_path)))


def test_an_own_held_out_folder_is_never_trained_on_even_inside_the_other(
    tmp_path: Path, put: Callable[..., Path]
) -> None:
    for name in ("a.png", "b.png", "judge/c.png"):
        put(name)
    found = dataset(DataSpec(folder=str(tmp_path), held_out=str(tmp_path / "judge")))
    assert [example.path.name for example in found.train] == ["a.png", "b.png"]
    assert [example.path.name for example in found.held_out] == ["c.png"]
    with pytest.raises(DataError, match="held out"):
        dataset(DataSpec(folder=str(tmp_path), held_out=str(tmp_path)))


@pytest.mark.parametrize("name", starter.DATASETS)
def test_the_embedded_examples(name: str) -> None:
    found = dataset(DataSpec(folder=name))
    assert len(found.train) >= 8 and len(found.held_out) >= 4
    assert all(example.caption for example in (*found.train, *found.held_out))
    assert DataSpec(folder=name).completed().class_word == starter.CLASS_WORDS[name]


def test_what_is_no_dataset_is_said_with_what_to_do(tmp_path: Path) -> None:
    for folder, said in (
        (str(tmp_path / "none"), "There is no folder"),
        (str(tmp_path), "holds no pictures"),
        (" ", "No dataset"),
    ):
        with pytest.raises(DataError, match=said) as caught:
            dataset(DataSpec(folder=folder))
        assert "corgi" in str(caught.value) or "PNG" in str(caught.value)
    assert resolve_folder("corgi") == starter.CORGI


def test_prompts_are_filled_in() -> None:
    spec = DataSpec(trigger="sks", class_word="dog")
    assert spec.fill("a {trigger} and a {class}, {other}") == "a sks dog and a dog, {other}"
    assert DataSpec(trigger="sks").fill("{trigger} {class}") == "sks sks"


def test_a_mask_is_no_picture_wherever_one_looks(tmp_path: Path, put: Callable[..., Path]) -> None:
    for name in ("a.jpg", "a-mask.png", "b.png", "B-MASK.PNG", "b-Mask.png", "c-mask.png", "a-mask.jpg"):
        put(name)
    assert names(tmp_path) == ["a-mask.jpg", "a.jpg", "B-MASK.PNG", "b.png", "c-mask.png"]
    assert [example.mask and example.mask.name for example in scan(tmp_path)] == [
        None, "a-mask.png", None, "b-Mask.png", None
    ]  # fmt: skip


def test_pictures_are_held_back_and_left_out_by_name(tmp_path: Path, put: Callable[..., Path]) -> None:
    for index in range(7):
        put(f"sub/é{index}.png")
    names_ = [f"sub/e\u0301{index}.png" for index in range(7)]  # as other file systems spell it
    found = dataset(DataSpec(folder=str(tmp_path), hold_back=tuple(names_[:2]), leave_out=tuple(names_[2:4])))
    assert [example.path.name for example in found.held_out] == ["é0.png", "é1.png"]
    assert [example.path.name for example in found.train] == ["é4.png", "é5.png", "é6.png"]
    with pytest.raises(DataError, match=r"data\.hold_back names 'none\.png'"):
        dataset(DataSpec(folder=str(tmp_path), hold_back=("none.png",)))


def test_a_picture_whose_caption_is_no_text_can_be_left_out(tmp_path: Path, put: Callable[..., Path]) -> None:
    put("a.png")
    put("b.png", b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"b\.txt"):
        dataset(DataSpec(folder=str(tmp_path)))
    assert len(dataset(DataSpec(folder=str(tmp_path), leave_out=("b.png",))).train) == 1


def test_folders_are_repeated_as_kohya_has_them(tmp_path: Path, put: Callable[..., Path]) -> None:
    for name in ("10_sks dog/a.png", "10_sks dog/in/b.png", "10_x/2_y/c.png", "2024_trip/d.png", "0_e/e.png", "f.png"):
        put(name)
    assert {one.path.name: one.repeats for one in scan(tmp_path)} == {
        "a.png": 10, "b.png": 10, "c.png": 2, "d.png": 1, "e.png": 1, "f.png": 1
    }  # fmt: skip


def test_links_lead_to_each_folder_once(tmp_path: Path, put: Callable[..., Path]) -> None:
    put("set/real/a.png")
    put("away/b.png")
    (tmp_path / "set" / "again").symlink_to(tmp_path / "set" / "real")
    (tmp_path / "set" / "away").symlink_to(tmp_path / "away")
    (tmp_path / "set" / "real" / "up").symlink_to(tmp_path / "set")
    assert names(tmp_path / "set") == ["away/b.png", "real/a.png"]
