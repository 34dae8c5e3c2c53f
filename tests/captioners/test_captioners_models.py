"""Each network of transformers' on a random one of its real architecture, saved and loaded as users do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from studio.captioners import captioner
from studio.captioners.base import Captioner
from studio.captioners.blip import tidy
from studio.captioners.qwen import TALK
from studio.errors import ModelError
from studio.hardware import Hardware
from tests.captioners import tiny_captioners
from tests.captioners.conftest import PLAN

BUILDERS: dict[str, Callable[[Path], Path]] = {
    "blip-large": tiny_captioners.blip,
    "florence-base": tiny_captioners.florence,
    "joycaption": tiny_captioners.joycaption,
    "qwen3-vl-2b": tiny_captioners.qwen,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: build(tmp_path_factory.mktemp("captioners") / name) for name, build in BUILDERS.items()}


def made(name: str, folder: Path, **options: Any) -> Captioner:
    cls = captioner(name)
    return cls(cls.Options(folder=str(folder), **options))


def loaded(name: str, folder: Path, **options: Any) -> Captioner:
    found = made(name, folder, **options)
    found.load(PLAN)
    return found


@pytest.mark.parametrize("name", BUILDERS)
def test_it_says_something_of_each_picture_and_the_same_alone_and_together(
    name: str, folders: dict[str, Path], sights: list[Image.Image]
) -> None:
    assert "torchvision" not in sys.modules
    found = loaded(name, folders[name], length=12)
    together = found.caption(sights)
    assert all(one.text and "\n" not in one.text and "<|" not in one.text for one in together)
    assert together[0] != together[1]  # what it sees decides
    assert [found.caption([sight])[0] for sight in sights] == together


def test_blip_goes_on_from_given_words(folders: dict[str, Path], sights: list[Image.Image]) -> None:
    found = loaded("blip-large", folders["blip-large"], begin="a photo of", length=12)
    assert all(one.text.startswith("a photo of") and len(one.text) > 12 for one in found.caption(sights))
    assert tidy("arafed dog on\n the grass") == "dog on the grass" and tidy("a paragraph") == "a paragraph"


def test_blip_base_is_read_from_its_pickle_without_code(tmp_path: Path, sights: list[Image.Image]) -> None:
    pickled = tiny_captioners.blip(tmp_path / "pickled", pickled=True)
    assert not list(pickled.glob("*.safetensors"))
    assert loaded("blip-base", pickled, length=12).caption(sights)[0].text
    torch.save({"a": _Harm()}, pickled / "pytorch_model.bin")
    with pytest.raises(ModelError, match="'pickled' is damaged or no such model"):
        loaded("blip-base", pickled)
    assert _Harm.done == []
    with pytest.raises(ModelError, match="holds no whole model"):  # no other one is read from pickles
        loaded("blip-large", pickled)


class _Harm:
    done: list[int] = []

    def __reduce__(self) -> Any:
        return _Harm.done.append, (1,)


def test_florence_has_three_lengths(folders: dict[str, Path], sights: list[Image.Image]) -> None:
    asked = []
    for detail in ("short", "detailed", "long"):
        found = loaded("florence-base", folders["florence-base"], detail=detail, length=10)
        process = found._process  # type: ignore[attr-defined]
        original = process.prepare_inputs_layout
        process.prepare_inputs_layout = lambda keep=original, **given: _kept(asked, keep(**given))
        assert found.caption(sights[:1])[0].text
    assert [len({one for one in asked if word in one}) for word in ("What does", "in detail", "paragraph")] == [1, 1, 1]


def _kept(asked: list[str], answer: Any) -> Any:
    asked.extend(answer[1])
    return answer


def test_joycaption_in_four_bits_leaves_its_eye_alone(folders: dict[str, Path], sights: list[Image.Image]) -> None:
    found = loaded("joycaption", folders["joycaption"], bits="4", kind="tags", length=10)
    kinds = {name: type(part).__name__ for name, part in found._model.named_modules()}  # type: ignore[attr-defined]
    packed = [name for name, kind in kinds.items() if kind == "Linear4bit"]
    assert packed and not [name for name in packed if "vision" in name or "projector" in name or "lm_head" in name]
    told = found.caption(sights[:1])[0]
    assert told.text and told.listed


def test_joycaption_asks_what_was_chosen_and_without_a_template_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = folders["joycaption"]
    assert made("joycaption", folder, kind="prompt", words="short").request == (  # type: ignore[attr-defined]
        "Output a short Stable Diffusion prompt that is indistinguishable from a real one."
    )
    assert made("joycaption", folder, ask="Only the clothes.").request == "Only the clothes."  # type: ignore[attr-defined]
    for file in folder.iterdir():
        if file.name != "chat_template.jinja":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelError, match="no chat template"):
        loaded("joycaption", tmp_path)


def test_qwen_reads_what_its_own_processor_would_give_it(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import ProcessorMixin, Qwen3VLProcessor

    found: Any = loaded("qwen3-vl-2b", folders["qwen3-vl-2b"], side=512)
    sights = [Image.effect_noise((400, 700), 90).convert("RGB"), Image.effect_noise((900, 300), 90).convert("RGB")]
    monkeypatch.setattr(ProcessorMixin, "check_argument_for_proper_class", lambda self, name, given: type(given))
    video = type("NoVideo", (), {"model_input_names": []})()  # the part that needs torchvision; pictures never reach it
    own = Qwen3VLProcessor(found._look, found._tokenizer, video)
    asked = [TALK.format(ask=found.options.ask)] * 2
    size = {"shortest_edge": 65536, "longest_edge": 512**2}
    theirs = own(images=sights, text=asked, return_tensors="pt", padding=True, padding_side="left", size=size)
    ours = found.inputs(sights)
    assert set(theirs) == set(ours)
    assert all(torch.equal(value.to(ours[name].dtype), ours[name]) for name, value in theirs.items())


MACHINES = [
    ("joycaption", Hardware(), "needs a graphics card of 10 GB or more"),
    ("joycaption", Hardware("cuda", "Card", 8_000_000_000, probes={"bitsandbytes": ""}), "Card has 8; choose"),
    ("joycaption", Hardware("cuda", "Card", 12_000_000_000, probes={"bitsandbytes": "it is not installed."}),
     "fits Card in 4 bits only, which needs bitsandbytes: it is not installed."),
    ("joycaption", Hardware("cuda", "Card", 12_000_000_000, probes={"bitsandbytes": ""}), ""),
    ("joycaption", Hardware("cuda", "Card", 24_000_000_000, probes={"bitsandbytes": "it is not installed."}), ""),
    ("qwen3-vl-4b", Hardware("cuda", "Card", 8_000_000_000), "Qwen3-VL 4B needs 11 GB of memory and Card has 8"),
    ("qwen3-vl-2b", Hardware("cpu", memory=16_000_000_000), ""),
    ("blip-base", Hardware("cpu", memory=1_000_000_000), "this computer has 1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "hardware", "text"), MACHINES)
def test_what_a_machine_lacks_is_one_sentence(name: str, hardware: Hardware, text: str) -> None:
    said = captioner(name).missing(hardware)
    assert text in said and bool(said) == bool(text) and "\n" not in said


@pytest.mark.parametrize("name", BUILDERS)
def test_damage_is_one_sentence(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    for file in folders[name].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "model.safetensors").read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"is damaged or no such model") as told:
        loaded(name, tmp_path)
    assert "\n" not in str(told.value) and len(str(told.value)) < 400
