"""Eyes other than the starter's: DINOv2 and CLIP from local folders, tiny and random."""

import json
from pathlib import Path

import pytest
import torch
from compare_doubles import Engine, spec
from PIL import Image
from test_compare_metrics import save_tiny_clip

from studio.compare import experiment, table
from studio.compare.eye import DinoEye, open_eye
from studio.errors import ModelError
from studio.spec import Terms

PICTURES = [Image.effect_noise((40, 24), sigma).convert("RGB") for sigma in (5.0, 90.0)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import CLIPImageProcessorPil

    folder = save_tiny_clip(tmp_path_factory.mktemp("eye") / "clip")
    CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def dino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import BitImageProcessorPil, Dinov2Config, Dinov2Model

    folder = tmp_path_factory.mktemp("eye") / "dino"
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    torch.manual_seed(0)
    Dinov2Model(Dinov2Config(**shape)).save_pretrained(folder)
    BitImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}).save_pretrained(folder)
    return folder


def test_dino_gives_directions_and_cannot_read(dino: Path) -> None:
    eye = open_eye(str(dino))
    seen = eye.images(PICTURES)
    assert seen.shape == (2, 16) and torch.allclose(seen.norm(dim=1), torch.ones(2))
    assert not torch.allclose(seen[0], seen[1]) and torch.equal(eye.images(PICTURES), seen)
    assert eye.name.startswith("DINOv2 ") and eye.reader is None


def test_clip_sees_and_reads_in_one_space(clip: Path) -> None:
    eye = open_eye(str(clip))
    assert eye.images(PICTURES).shape == eye.reader.texts(["a dog", "a cat"]).shape == (2, 8)
    assert eye.name.startswith("CLIP ") and eye.reader is eye


def test_dino_sees_and_clip_reads_under_one_name(dino: Path, clip: Path) -> None:
    eye = open_eye(f"{dino}+{clip}")
    assert isinstance(eye, DinoEye) and eye.reader is not None
    assert eye.images(PICTURES).shape == (2, 16) and eye.reader.images(PICTURES).shape == (2, 8)
    assert eye.reader.name in eye.name and eye.name != open_eye(str(dino)).name


def test_another_version_of_the_weights_has_another_name(dino: Path, tmp_path: Path) -> None:
    from transformers import Dinov2Model

    model = Dinov2Model.from_pretrained(dino)
    with torch.no_grad():
        model.layernorm.weight.add_(1)
    model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_bytes((dino / "preprocessor_config.json").read_bytes())
    assert open_eye(str(tmp_path)).name != open_eye(str(dino)).name


def test_what_is_no_eye_is_refused(dino: Path, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    for name, said in (
        ("nobody/here", "There is no eye 'nobody/here'"),
        (str(tmp_path), "neither a CLIP nor a DINOv2"),
        (f"{dino}+{dino}", "cannot read prompts"),
        (f"{clip}+{clip}", "name it alone"),
    ):
        with pytest.raises(ModelError, match=said.replace("+", r"\+")):
            open_eye(name)
    (tmp_path / "config.json").write_bytes((dino / "config.json").read_bytes())
    with pytest.raises(ModelError, match="holds no weights"):
        open_eye(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(ModelError, match="no whole DINOv2"):
        open_eye(str(tmp_path))


def test_the_experiments_eye_judges_and_says_what_it_cannot(
    data: Path, engine: Engine, tmp_path: Path, dino: Path, clip: Path
) -> None:
    store = experiment.create(tmp_path, "x", [spec(data)], terms=Terms(eye=str(dino)))
    list(experiment.run(store, None))
    built = table.build(store)
    assert built.eye.startswith("DINOv2") and built.rows[1].cells["likeness"].value is not None
    cell = built.rows[1].cells["prompt_fidelity"]
    assert cell.value is None and "cannot read" in cell.reason
    both = experiment.create(tmp_path, "y", [spec(data)], terms=Terms(eye=f"{dino}+{clip}"))
    list(experiment.run(both, None))
    cell = table.build(both).rows[1].cells["prompt_fidelity"]
    assert cell.value is not None and "read by the CLIP" in cell.reason
    assert any("read by the CLIP" in note for note in table.build(both).notes)
