from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch

from studio import cli
from studio.errors import ModelError
from studio.families.base import BaseSpec
from studio.families.detect import PIPELINES, detect
from studio.hub import errand as hub
from studio.hub.errand import Errand
from studio.hub.files import WEIGHED, choose, downloaded
from studio.hub.wire import CHUNK
from tests import tiny, tiny_families
from tests.families.conftest import PLAN
from tests.hub.hub_double import COMMIT, Hub, serving

MODEL = "painter/tiny"
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub model as they are: weights twice, as safetensors and as pickles, and things nobody needs."""
    place = tiny.save_pipeline(tmp_path_factory.mktemp("hub") / "tiny")
    tiny.pipeline().save_pretrained(place, variant="fp16")
    torch.save({"a": torch.zeros(9)}, place / "unet" / "diffusion_pytorch_model.bin")
    for needless in (
        "README.md",
        "v1.ckpt",
        "vae/flax_model.msgpack",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
    ):
        (place / needless).write_text("needless")
    return place


@pytest.fixture
def server(folder: Path) -> Iterator[Hub]:
    with serving({MODEL: folder}) as hub_:
        yield hub_


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, for the process by its environment and for this one by the constant that it was read into."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def said(errand: Errand) -> dict[str, Any]:
    """The last line."""
    return list(errand)[-1]


def sentence(errand: Errand) -> str:
    line = said(errand)
    assert line["kind"] == "failed" and "\n" not in line["text"]
    return str(line["text"])


def test_a_look_says_what_it_weighs_and_brings_nothing(server: Hub, kept: Path, folder: Path) -> None:
    found = said(Errand(MODEL, mirror=server.url, look=True))
    assert (found["kind"], found["commit"], found["licence"], found["variant"]) == ("found", COMMIT, "openrail", "fp16")
    assert found["size"] == found["missing"] == sum((folder / f["path"]).stat().st_size for f in found["files"])
    names = [file["path"] for file in found["files"]]
    assert names[-1] == "model_index.json" and found["pickles"] == []
    assert {name for name in names if name.endswith((".bin", ".ckpt", ".safetensors"))} == {
        "unet/diffusion_pytorch_model.fp16.safetensors", "vae/diffusion_pytorch_model.fp16.safetensors",
        "text_encoder/model.fp16.safetensors",
    }  # fmt: skip
    assert not any(path.is_file() for path in kept.rglob("*"))


@pytest.mark.parametrize("variant", ["fp16", "fp32"])
def test_what_was_downloaded_loads_without_network(
    server: Hub, kept: Path, variant: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = list(Errand(MODEL, variant, server.url))
    assert [line["kind"] for line in lines if line["kind"] != "progress"] == ["found", "done"]
    heard = [line["done"] for line in lines if line["kind"] == "progress"]
    assert heard == sorted(heard) and heard[-1] == lines[0]["size"]
    assert lines[-1]["commit"] == COMMIT and Path(lines[-1]["path"]).name == COMMIT
    monkeypatch.setattr(server, "models", {})
    models = detect(MODEL).load(BaseSpec(model=MODEL), PLAN)
    plain = detect(str(folder)).load(BaseSpec(model=str(folder)), PLAN)
    assert all(
        torch.equal(one, other)
        for one, other in zip(models.unet.state_dict().values(), plain.unet.state_dict().values(), strict=True)
    )
    ((name, commit, size),) = [(one.model, one.commit, one.size) for one in downloaded()]
    assert (name, commit, size) == (MODEL, COMMIT, lines[0]["size"])


def test_a_second_download_asks_for_no_file_again(server: Hub, kept: Path) -> None:
    said(Errand(MODEL, mirror=server.url))
    server.asked.clear()
    lines = list(Errand(MODEL, mirror=server.url))
    assert lines[0]["missing"] == 0 and lines[-1]["kind"] == "done"
    assert [path for method, path, _ in server.asked if method == "GET" and path.endswith(".safetensors")] == []


def test_a_line_that_breaks_is_taken_up_at_its_byte(server: Hub, kept: Path) -> None:
    server.drop_after[WEIGHTS] = CHUNK + 5_000
    assert said(Errand(MODEL, "fp32", server.url))["kind"] == "done"
    assert f"bytes={CHUNK}-" in server.ranges(WEIGHTS)
    assert detect(MODEL).load(BaseSpec(model=MODEL), PLAN)


def test_a_download_that_is_cancelled_goes_on_where_it_was(server: Hub, kept: Path, folder: Path) -> None:
    server.slow = 0.1
    errand = Errand(MODEL, "fp32", server.url)
    for line in errand:
        if line["kind"] == "progress" and line["file"] == f"unet/{WEIGHTS}" and line["done"] > CHUNK:
            errand.cancel()
    assert errand.cancelled and line["kind"] == "failed" and "was cancelled" in line["text"]
    with pytest.raises(ModelError, match=r"not on this machine.*download"):
        detect(MODEL)
    (part,) = kept.rglob("*.incomplete")
    here, server.slow = part.stat().st_size, 0.0
    assert 0 < here < (folder / "unet" / WEIGHTS).stat().st_size
    assert said(Errand(MODEL, "fp32", server.url))["kind"] == "done"
    assert f"bytes={here}-" in [span for _, _, span in server.asked]
    assert not list(kept.rglob("*.incomplete")) and detect(MODEL).name == "sd1"


def test_a_file_that_arrives_damaged_is_not_kept(server: Hub, kept: Path) -> None:
    server.garbled = WEIGHTS
    assert "arrived damaged" in sentence(Errand(MODEL, "fp32", server.url))
    assert not list(kept.rglob("*.incomplete"))
    with pytest.raises(ModelError):
        detect(MODEL)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((404, "RepoNotFound"), "There is no model"),
        ((401, "RepoNotFound"), "There is no model"),
        ((401, ""), "refuses with 401; give your token"),
        ((401, "GatedRepo"), "is gated"),
        ((403, "GatedRepo"), "is gated"),
        ((403, ""), "refuses with 403"),
        ((503, ""), "refuses with 503; try again later"),
    ],
)
def test_a_refusal_is_one_sentence(server: Hub, kept: Path, refusal: tuple[int, str], words: str) -> None:
    server.refused[MODEL] = refusal
    assert words in sentence(Errand(MODEL, mirror=server.url))


def test_a_hub_that_is_none_or_not_there_is_one_sentence(server: Hub, kept: Path) -> None:
    assert "cannot be reached" in sentence(Errand(MODEL, mirror="http://127.0.0.1:9"))
    server.refused["painter/page"] = (200, "")
    assert "does not answer as a model hub" in sentence(Errand("painter/page", mirror=server.url))


def test_a_token_stays_away_from_a_mirror_that_was_typed(
    server: Hub, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    said(Errand(MODEL, mirror=server.url, look=True))
    assert set(server.tokens) == {""}
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    assert said(Errand(MODEL, look=True))["kind"] == "found"
    assert "Bearer hf_secret" in server.tokens


@pytest.mark.parametrize(
    ("model", "mirror"),
    [("tiny", ""), ("a/b/c", ""), ("../x", ""), ("-x/y", ""), ("", ""), (MODEL, "ftp://x"), (MODEL, "x")],
)
def test_what_can_be_no_id_or_address_is_refused_before_any_process(model: str, mirror: str) -> None:
    with pytest.raises(ModelError, match="is not a"):
        Errand(model, mirror=mirror)


def test_models_of_other_kinds_are_named_before_they_are_downloaded(server: Hub, kept: Path, tmp_path: Path) -> None:
    for name, files in {
        "flux": {"model_index.json": '{"_class_name": "FluxPipeline"}'},
        "single": {"a.ckpt": ""},
    }.items():
        server.models[f"x/{name}"] = tmp_path / name
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text)
    assert "is a FluxPipeline model" in sentence(Errand("x/flux", mirror=server.url))
    assert "is not a diffusers pipeline" in sentence(Errand("x/single", mirror=server.url))
    assert WEIGHED.keys() == PIPELINES.keys()


@pytest.mark.parametrize("family", ["sdxl"])
def test_shards_of_a_variant_load(server: Hub, kept: Path, family: str, tmp_path: Path) -> None:
    place = tmp_path / family
    tiny_families.BUILDERS[family]().save_pretrained(place, variant="fp16", max_shard_size="300KB")
    assert len(list((place / "unet").glob("*.safetensors"))) > 1
    server.models["painter/large"] = place
    found = list(Errand("painter/large", "fp16", server.url))
    assert found[-1]["kind"] == "done" and found[0]["variant"] == "fp16"
    models = detect("painter/large").load(BaseSpec(model="painter/large"), PLAN)
    assert models.family.name == family


INDEX = json.loads('{"_class_name": "StableDiffusionPipeline", "unet": ["d", "U"], "vae": ["d", "V"], '
                   '"text_encoder": ["t", "T"], "safety_checker": ["d", "S"], "scheduler": [null, null]}')  # fmt: skip


def sizes(*names: str) -> dict[str, int]:
    return dict.fromkeys(("model_index.json", *names), 1)


def test_pickles_are_taken_only_where_there_is_nothing_else_and_are_named() -> None:
    whole = sizes("unet/diffusion_pytorch_model.bin", "vae/diffusion_pytorch_model.fp16.bin",
                  "vae/diffusion_pytorch_model.safetensors", "text_encoder/pytorch_model.bin",
                  "text_encoder/model.safetensors", "safety_checker/model.safetensors")  # fmt: skip
    choice = choose("a/b", whole, INDEX, "fp16")
    assert choice.pickles == ("unet/diffusion_pytorch_model.bin",) and choice.variant == "fp32"
    assert "text_encoder/model.safetensors" in [file.path for file in choice.files]
    assert not any("safety" in file.path for file in choice.files)


def test_a_model_without_weights_is_said() -> None:
    with pytest.raises(ModelError, match="holds no weights of its vae"):
        choose("a/b", sizes("unet/diffusion_pytorch_model.safetensors"), INDEX, "fp32")


def test_the_process_answers_by_itself(
    server: Hub, kept: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(os.environ)
    try:
        assert hub.main(["--look", "not-an-id"]) == 2
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert "OWNER/NAME" in json.loads(capsys.readouterr().out)["text"]


def test_the_command_line_brings_a_model_and_says_what_it_did(
    server: Hub, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["download", MODEL, "--mirror", server.url, "--look"]) == 0
    assert "licence openrail" in capsys.readouterr().out and not list(kept.rglob("*.safetensors"))
    assert cli.main(["download", MODEL, "--mirror", server.url]) == 0
    assert f"--base {MODEL} uses it now, commit {COMMIT[:12]}" in capsys.readouterr().out
    assert cli.main(["download", MODEL, "--mirror", server.url, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["kind"] == "found" and lines[-1]["kind"] == "done"
    assert cli.main(["download", "painter/none", "--mirror", server.url]) == 2
    assert capsys.readouterr().err.startswith("There is no model 'painter/none'")
