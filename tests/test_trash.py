"""What is thrown away comes back as it was, or is gone for good; nothing in between."""

from pathlib import Path

import pytest

from studio.errors import StoreError
from studio.trash import FileTrash


@pytest.fixture
def trash(tmp_path: Path) -> FileTrash:
    (tmp_path / "run" / "exports").mkdir(parents=True)
    (tmp_path / "run" / "exports" / "a.safetensors").write_bytes(b"123")
    (tmp_path / "run" / "exports" / "a.json").write_text("{}")
    return FileTrash(tmp_path)


def test_what_is_thrown_away_comes_back_whole(trash: FileTrash, tmp_path: Path) -> None:
    files = sorted((tmp_path / "run" / "exports").iterdir())
    thrown = trash.put(files, "a")
    assert (thrown.title, thrown.size, thrown.places) == ("a", 5, tuple(files))
    assert not any(path.exists() for path in files)
    assert [one.name for one in trash.found()] == [thrown.name]
    trash.restore(thrown.name)
    assert (tmp_path / "run" / "exports" / "a.safetensors").read_bytes() == b"123"
    assert trash.found() == [] and list(trash.path.iterdir()) == []


def test_a_folder_goes_and_comes_with_all_that_is_in_it(trash: FileTrash, tmp_path: Path) -> None:
    thrown = trash.put([tmp_path / "run"], "run")
    assert not (tmp_path / "run").exists()
    trash.restore(thrown.name)
    assert (tmp_path / "run" / "exports" / "a.json").read_text() == "{}"


def test_a_place_that_is_taken_again_is_not_overwritten(trash: FileTrash, tmp_path: Path) -> None:
    file = tmp_path / "run" / "exports" / "a.safetensors"
    thrown = trash.put([file], "a")
    file.write_bytes(b"new")
    with pytest.raises(StoreError, match="there again"):
        trash.restore(thrown.name)
    assert file.read_bytes() == b"new" and trash.found()


def test_emptying_frees_what_was_there(trash: FileTrash, tmp_path: Path) -> None:
    trash.put([tmp_path / "run" / "exports" / "a.safetensors"], "a")
    assert trash.empty() == 3 and trash.found() == []
    with pytest.raises(StoreError, match="no longer"):
        trash.restore("1234")
    with pytest.raises(StoreError, match="nothing left"):
        trash.put([tmp_path / "gone"], "gone")
