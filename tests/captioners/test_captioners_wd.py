"""The WD taggers on a network made by hand, the registry, and where files lie."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from studio.captioners import captioner, registry
from studio.captioners.base import Captioner, Source
from studio.captioners.wd import square
from studio.captioners.weights import downloaded, is_whole
from studio.errors import ModelError, SpecError
from studio.hardware import Hardware
from tests.captioners import tiny_captioners
from tests.captioners.conftest import PLAN

BLUE, SEA = Image.new("RGB", (8, 8), (0, 0, 255)), Image.new("RGB", (8, 8), (10, 120, 230))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_captioners.wd(tmp_path_factory.mktemp("wd") / "tagger")


def tagger(folder: Path, **options: Any) -> Captioner:
    cls = captioner("wd-swinv2")
    made = cls(cls.Options(folder=str(folder), **options))
    made.load(PLAN)
    return made


def test_blue_is_the_first_channel_and_characters_come_first(folder: Path) -> None:
    told = tagger(folder, spaces=False).caption([BLUE])[0]
    assert told.text == "hatsune_miku, blue_sky" and told.listed
    assert [(tag.name, tag.score, tag.category) for tag in told.tags] == [
        ("hatsune_miku", 1.0, "character"), ("blue_sky", 1.0, "general"),
    ]  # fmt: skip


def test_thresholds_are_per_category(folder: Path) -> None:
    def said(**options: Any) -> str:
        return tagger(folder, **options).caption([SEA])[0].text

    assert said() == "hatsune miku, blue sky, green grass"  # 230, 120 and 10 of 255
    assert said(character=0.95) == "blue sky, green grass"
    assert said(general=0.5) == "hatsune miku, blue sky"
    assert said(general=0.01, character=1) == "blue sky, green grass, red (colour), >_<"
    assert said(rating=0.4) == "hatsune miku, blue sky, green grass, general"
    assert said(leave_out="Blue Sky, hatsune_miku") == "green grass"
    assert said(general=0.01, most=2) == "hatsune miku, blue sky"
    assert said(general=0.01, character=1, escape=True) == r"blue sky, green grass, red \(colour\), >_<"


def test_the_picture_is_whole_on_white_and_not_scaled_to_one() -> None:
    wide = square(Image.new("RGB", (40, 20), (0, 0, 200)), 16)
    assert wide.shape == (16, 16, 3) and wide.dtype == np.float32
    assert wide[0].min() == 255 and wide[-1].min() == 255  # what was added above and below
    assert wide[8, 8].tolist() == [200.0, 0.0, 0.0]


def test_a_network_for_one_picture_at_a_time_gives_the_same(folder: Path, tmp_path: Path) -> None:
    alone = tagger(tiny_captioners.wd(tmp_path, alone=True))
    assert alone.caption([BLUE, SEA]) == tagger(folder).caption([BLUE, SEA])


@pytest.mark.parametrize(
    ("file", "content", "text"),
    [
        ("selected_tags.csv", b"tag_id,name,category,count\n1,a,0,1\n", "knows 6 tags and its selected_tags.csv 1"),
        ("selected_tags.csv", b"\xff\xfe", "is no list of tags"),
        ("selected_tags.csv", None, "holds no whole model"),
        ("model.onnx", b"<html>", "is damaged or no such model"),
    ],
)
def test_what_is_no_tagger_is_refused_in_a_sentence(
    folder: Path, tmp_path: Path, file: str, content: bytes | None, text: str
) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / file).unlink() if content is None else (tmp_path / file).write_bytes(content)
    with pytest.raises(ModelError, match=text) as told:
        tagger(tmp_path)
    assert "\n" not in str(told.value)


def test_without_onnxruntime_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
    assert "onnxruntime" in captioner("wd-eva02").missing(Hardware(memory=10**11))


def test_every_captioner_says_what_it_is_and_pins_what_it_brings() -> None:
    found = registry()
    assert list(found)[:2] == ["embedded", "wd-swinv2"] and len(found) == 10
    for name, cls in found.items():
        assert cls.name == name and cls.title and cls.licence and cls.sentence.endswith(".")
        assert all(field.description for field in cls.Options.model_fields.values()), name
        if cls.source:
            assert len(cls.source.commit) == 40 and cls.source.size > 10**8 and cls.memory > cls.source.size * 0.5
    with pytest.raises(SpecError, match="'bilp' is not a captioner; use one of embedded, wd-swinv2"):
        captioner("bilp")
    with pytest.raises(ValidationError):
        found["wd-swinv2"].Options(general=1.5)


def test_a_download_counts_when_all_its_weights_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    source = Source("owner/name", "c" * 40, 1)
    assert downloaded(source) is None
    place = tmp_path / "models--owner--name" / "snapshots" / source.commit
    place.mkdir(parents=True)
    (place / "config.json").touch()
    assert downloaded(source) is None
    parts = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (place / "model.safetensors.index.json").write_text(json.dumps(parts))
    (place / "model-1.safetensors").touch()
    assert downloaded(source) is None
    (place / "model-2.safetensors").symlink_to(place / "gone")
    assert downloaded(source) is None
    (place / "model-2.safetensors").unlink()
    (place / "model-2.safetensors").touch()
    assert downloaded(source) == place
    assert not is_whole(place, Source("owner/name", "c" * 40, 1, ("model.onnx",)))
    cls = captioner("florence-base")
    with pytest.raises(
        ModelError, match=r"not on this machine \(0.5 GB, MIT\); `caption --with florence-base --download`"
    ):
        cls(cls.Options()).load(PLAN)
