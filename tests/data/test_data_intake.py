from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from studio import starter
from studio.data.intake import Taken, take
from studio.data.parcel import Sent, inside
from studio.data.scan import scan
from studio.errors import DataError
from tests.data.nasty import png

ONE, TWO = png(0), png(2)


def put(folder: Path, **files: bytes) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return path


def taken(folder: Path, *sources: Path | Sent, limit: int = 2**20) -> Taken:
    *_, last = take(sources, folder, limit)
    assert isinstance(last, Taken)
    return last


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
            and not path.name.startswith(".")}  # fmt: skip


def test_nested_names_captions_and_masks_come_along(tmp_path: Path) -> None:
    files = {
        "3_dog/a.png": ONE,
        "3_dog/a.txt": b"one",
        "狗.png": TWO,
        "狗-mask.png": ONE,
        "notes.md": b"x",
        ".DS_Store": b"",
    }
    result = taken(tmp_path / "set", packed(tmp_path / "a.zip", files))
    assert tree(tmp_path / "set") == {
        name: files[name] for name in ("3_dog/a.png", "3_dog/a.txt", "狗.png", "狗-mask.png")
    }
    assert [(one.name, one.reason) for one in result.refused] == [("notes.md", "It is no picture, caption or mask.")]
    assert [one.repeats for one in scan(tmp_path / "set")] == [3, 1]
    source = put(tmp_path / "3_dog", **{"a.png": ONE})
    assert taken(tmp_path / "other", source).taken == {"3_dog/a.png": "3_dog/a.png"}
    assert taken(tmp_path / "third", tmp_path / "set").pictures == 3


def test_what_a_browser_sends_keeps_the_names_that_it_had(tmp_path: Path) -> None:
    sent = put(tmp_path / "sent", a=ONE, b=b"one", c=TWO)
    names = {"a": "set/3_狗/一.png", "b": "set/3_狗/一.txt", "c": "5_cat/x.png"}
    brought = [Sent(sent / file, name) for file, name in names.items()]
    hidden = [Sent(sent / "a", "set/__MACOSX/._x.png"), Sent(sent / "a", "../out.png")]
    result = taken(tmp_path / "set", *brought, *hidden)
    assert tree(tmp_path / "set") == {"3_狗/一.png": ONE, "3_狗/一.txt": b"one", "5_cat/x.png": TWO}
    assert [(one.name, one.reason) for one in result.refused] == [("../out.png", "Its name leads out of the folder.")]


def test_nothing_is_written_over_and_a_caption_goes_with_its_picture(tmp_path: Path) -> None:
    place = put(tmp_path / "set", **{"a.png": ONE, "a.txt": b"old", "b.jpg": ONE})
    new = put(tmp_path / "new", **{"A.png": TWO, "A.txt": b"new", "A-mask.png": ONE, "b.jpg": ONE, "b.txt": b"late"})
    before = tree(place)
    result = taken(place, *sorted(new.iterdir()))
    after = tree(place)
    assert {name: after[name] for name in before} == before
    assert after["A-2.png"] == TWO and after["A-2.txt"] == b"new" and after["A-2-mask.png"] == ONE
    assert after["b.txt"] == b"late" and len(after) == 7  # the picture was there, its caption was not
    assert [(one.name, one.reason) for one in result.refused] == [("b.jpg", "It is there already.")]
    late = put(tmp_path / "late", **{"a.txt": b"other", "c.txt": b"lonely", "b-mask.png": TWO})
    reasons = {one.name: one.reason for one in taken(place, *late.iterdir()).refused}
    assert set(reasons) == {"a.txt", "c.txt"} and "nothing is written over" in reasons["a.txt"]
    assert tree(place)["a.txt"] == b"old" and tree(place)["b-mask.png"] == TWO


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    names = [
        "../up.png",
        "/root.png",
        "a/../../up.png",
        "..\\up.png",
        "C:\\x.png",
        "good/../fine.png",
        "\\\\host\\a.png",
    ]
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    path = packed(tmp_path / "a.zip", {**dict.fromkeys(names, ONE), "ok\\in.png": TWO})
    with zipfile.ZipFile(path, "a") as target:
        target.writestr(link, "/etc/passwd")
    result = taken(tmp_path / "set", path)
    assert tree(tmp_path / "set") == {"ok/in.png": TWO}
    assert len(result.refused) == len(names) + 1 and not (tmp_path / "up.png").exists()
    assert str(inside("con/a?b. /NUL.png", windows=True)) == "_con/a_b/_NUL.png"


def test_a_bomb_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    bomb = packed(tmp_path / "bomb.zip", {f"{n}.png": bytes(2**20) for n in range(20)})
    assert bomb.stat().st_size < 2**16
    with pytest.raises(DataError, match="more than"):
        taken(tmp_path / "set", bomb, limit=2**22)
    assert not (tmp_path / "set").exists()


def test_damaged_and_foreign_sources_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="is no zip"):
        taken(tmp_path / "set", tmp_path / "a.zip")
    with pytest.raises(DataError, match="no file and no folder"):
        taken(tmp_path / "set", tmp_path / "none")
    with pytest.raises(DataError, match="embedded example"):
        taken(starter.CORGI, tmp_path / "a.zip")
    whole = packed(tmp_path / "b.zip", {"a.png": bytes(range(256)) * 64, "b.png": ONE})
    content = bytearray(whole.read_bytes())
    content[60:80] = bytes(20)
    whole.write_bytes(content)
    result = taken(tmp_path / "set", whole)
    assert tree(tmp_path / "set") == {"b.png": ONE}
    assert [one.name for one in result.refused] == ["a.png"]
    assert not list((tmp_path / "set").glob(".partial*"))


def test_the_captions_of_a_table_are_written_beside_and_names_from_china_are_read(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"in/metadata.jsonl": b'{"file_name": "a.png", "text": "one"}', "in/a.png": ONE})
    taken(put(tmp_path / "set", **{"in__a.png": TWO}), path)
    assert tree(tmp_path / "set")["in/a-2.txt"] == b"one\n"
    raw = packed(tmp_path / "b.zip", {"xxxx.png": ONE}).read_bytes().replace(b"xxxx", "小狗".encode("gbk"))
    (tmp_path / "b.zip").write_bytes(raw)
    assert taken(tmp_path / "set", tmp_path / "b.zip").taken == {"小狗.png": "小狗.png"}


def test_files_of_one_name_are_all_taken(tmp_path: Path) -> None:
    one, two = (
        put(tmp_path / "1", **{"a.png": ONE, "a.txt": b"1"}),
        put(tmp_path / "2", **{"a.png": TWO, "a.txt": b"2"}),
    )
    result = taken(tmp_path / "set", *(folder / name for folder in (one, two) for name in ("a.png", "a.txt")))
    assert tree(tmp_path / "set") == {"a.png": ONE, "a.txt": b"1", "a-2.png": TWO, "a-2.txt": b"2"}
    assert result.pictures == 2 and len(result.taken) == 4 and not result.refused
    result = taken(tmp_path / "other", one / "a.png", two / "a.png", two / "a.txt", one / "a.png")
    assert tree(tmp_path / "other") == {"a.png": ONE, "a-2.png": TWO}  # nobody can tell whose caption it is
    assert [one.name for one in result.refused] == ["a.txt", "a.png"]
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as target, pytest.warns(UserWarning, match="Duplicate"):
        target.writestr("a.png", ONE)
        target.writestr("a.png", TWO)
    assert taken(tmp_path / "third", tmp_path / "twice.zip").pictures == len(tree(tmp_path / "third")) == 2
