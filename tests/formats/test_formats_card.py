from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from studio.errors import ModelError
from studio.formats import card
from studio.formats.metadata import About
from tests import tiny


@pytest.fixture
def about() -> About:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    return tiny.about(name="corgi-lora", family="sdxl", steps=7, spec_toml="seed = 1\n", thumbnail=buffer.getvalue())


def test_a_file_gets_the_card_that_a1111_shows(about: About, tmp_path: Path) -> None:
    path = tmp_path / "corgi-lora.safetensors"
    path.write_bytes(b"weights")
    card.write(path, about, "<lora:corgi-lora:1> sks dog")
    said = json.loads((tmp_path / "corgi-lora.json").read_text(encoding="utf-8"))
    assert said["description"] == "<lora:corgi-lora:1> sks dog"
    assert (said["sd version"], said["activation text"], said["preferred weight"]) == ("SDXL", "sks", 1.0)
    with Image.open(tmp_path / "corgi-lora.preview.png") as picture:
        assert picture.size == (8, 8)
    assert path.read_bytes() == b"weights"


def test_a_folder_gets_a_readme_that_says_how_it_was_made(about: About, tmp_path: Path) -> None:
    card.write(tmp_path, about, "choose corgi as checkpoint")
    said = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "`choose corgi as checkpoint`" in said and "seed = 1" in said and "preview.png" in said
    assert (tmp_path / "preview.png").is_file()


def test_a_disk_that_refuses_is_said_in_one_sentence(about: About, tmp_path: Path) -> None:
    (tmp_path / "toy.json").mkdir()
    with pytest.raises(ModelError, match="cannot be written"):
        card.write(tmp_path / "toy.safetensors", about, "x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.json"]
