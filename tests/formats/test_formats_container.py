from __future__ import annotations

import hashlib
import json

import pytest
import torch
from safetensors import safe_open

from studio.errors import ModelError
from studio.formats import metadata
from studio.formats.container import cast, read_file, read_header, write_with_hash


def test_the_hash_is_that_of_the_data_and_metadata_is_kept(about, tmp_path) -> None:
    said = metadata.lora_metadata(about)
    path = write_with_hash(tmp_path / "x.safetensors", {"a": torch.arange(6.0).reshape(2, 3)}, said)
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    with safe_open(path, framework="pt") as file:
        back = file.metadata()
    assert back == {**said, "sshs_model_hash": hashlib.sha256(content[start:]).hexdigest()}
    assert read_header(path) == {"a": (2, 3)}
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.safetensors"]


def test_parts_of_one_tensor_are_written_and_numbers_come_back(tmp_path) -> None:
    whole = torch.randn(4, 4)
    tensors = {"a": whole, "b": whole[1:], "c": whole.t(), "d": torch.tensor([1, 2])}
    back, _ = read_file(write_with_hash(tmp_path / "x.safetensors", tensors, {}))
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


def test_a_refused_write_leaves_the_old_file(tmp_path) -> None:
    path = write_with_hash(tmp_path / "x.safetensors", {"a": torch.ones(1)}, {})
    before = path.read_bytes()
    for tensors, said in (({"a": torch.tensor([float("nan")])}, {}), ({"a": torch.ones(2)}, {"step": 3})):
        with pytest.raises(ModelError):
            write_with_hash(path, tensors, said)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda b: b[:-5], "cut short"),
        (lambda b: b[:20], "cut short"),
        (lambda b: b[:5], "not a safetensors"),
        (lambda b: b"", "not a safetensors"),
        (lambda b: b + b"more", "longer"),
        (lambda b: b"<!DOCTYPE html><html>" + b, "web page"),
        (lambda b: b"version https://git-lfs.github.com/spec/v1\n", "pointer"),
        (lambda b: b"PK\x03\x04" + b, "pickle"),
        (lambda b: b"\x80\x02}q" + b, "pickle"),
        (lambda b: b"GGUF\x03\0\0\0" + b, "GGUF"),
        (lambda b: b[:8] + b"{" * 20 + b[28:], "damaged"),
        (lambda b: b.replace(b"shape", b"shade"), "damaged"),
    ],
)
def test_a_file_that_is_no_model_is_refused_with_one_sentence(change, fault, tmp_path) -> None:
    path = write_with_hash(tmp_path / "x.safetensors", {"a": torch.ones(50)}, {})
    path.write_bytes(change(path.read_bytes()))
    for reader in (read_header, read_file):
        with pytest.raises(ModelError, match=fault) as caught:
            reader(path)
        assert str(path) in str(caught.value) and str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        read_header(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("family", "prediction", "version", "second", "architecture"),
    [
        ("sd1", "epsilon", "sd_v1", "False", "stable-diffusion-v1"),
        ("sd1", "v_prediction", "sd_v1_v", "False", "stable-diffusion-v1"),
        ("sd2", "epsilon", "sd_v2", "True", "stable-diffusion-v2-512"),
        ("sd2", "v_prediction", "sd_v2_v", "True", "stable-diffusion-v2-768-v"),
        ("sdxl", "epsilon", "sdxl_base_v1-0", "False", "stable-diffusion-xl-v1-base"),
    ],
)
def test_metadata_tells_the_family(family, prediction, version, second, architecture, about) -> None:
    from dataclasses import replace

    told = replace(about, family=family, prediction=prediction)
    for said, kind in (
        (metadata.lora_metadata(told), "/lora"),
        (metadata.embedding_metadata(told), "/textual-inversion"),
        (metadata.checkpoint_metadata(told), ""),
    ):
        assert all(isinstance(key, str) and isinstance(value, str) for key, value in said.items())
        assert (said["ss_base_model_version"], said["ss_v2"]) == (version, second)
        assert said["modelspec.architecture"] == architecture + kind
        assert said["modelspec.prediction_type"] == ("v" if prediction == "v_prediction" else "epsilon")


def test_metadata_tells_pure_noise_under_the_key_that_kohya_gave_it(about) -> None:
    from dataclasses import replace

    for wanted in (False, True):
        said = metadata.lora_metadata(replace(about, zero_terminal_snr=wanted))
        assert said["ss_zero_terminal_snr"] == str(wanted)


def test_metadata_carries_trigger_spec_tags_and_picture(about) -> None:
    said = metadata.lora_metadata(about)
    assert {"ss_network_module", "ss_network_dim", "ss_network_alpha", "ss_network_args"} <= set(said)
    assert said["modelspec.trigger_phrase"] == "sks dog" and said["crucible.spec"] == about.spec_toml
    assert json.loads(said["ss_tag_frequency"]) == {"corgi": {"dog": 10}}
    assert said["modelspec.thumbnail"] == "data:image/png;base64,iVBORw=="
    assert said["modelspec.date"] == "2023-11-14T22:23:20"
    with pytest.raises(ModelError):
        metadata.network_metadata("sd9")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
def test_one_bad_number_among_many_is_seen(dtype, bad) -> None:
    values = torch.randn(1000).to(dtype)
    values[537] = float(bad)
    with pytest.raises(ModelError, match="'w' holds NaN or infinity"):
        cast({"w": values}, torch.float32)
    assert cast({"empty": torch.ones(0), "steps": torch.tensor([3])}, dtype)["steps"].dtype == torch.int64
