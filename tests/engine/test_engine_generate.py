"""Pictures from prompts that call files: where files are found, what is drawn, what a picture says of itself."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from studio.data.scan import DataSpec
from studio.engine.generate import Place, generate, resolve, settings
from studio.engine.run import begin, train
from studio.engine.sample import Easel, Wanted, draw_pictures
from studio.engine.worker import Resident
from studio.errors import ModelError, SpecError
from studio.events import Exported, Note, Sampled
from studio.families.base import BaseSpec, Models
from studio.families.calls import Placed, problems, request
from studio.families.detect import detect
from studio.formats import infotext, shelf
from studio.formats.metadata import About
from studio.formats.shelf import Shelf
from studio.hardware import Hardware, MachineSpec, decide
from studio.methods import method
from studio.methods.base import Target
from studio.spec import SampleSpec
from tests import tiny

DATA = DataSpec(folder="x", trigger="sks", class_word="toy", resolution=tiny.SIDE)
QUICK = SampleSpec(steps=2, negative="dull")


@pytest.fixture(scope="module")
def models(base: Path) -> Models:
    return detect(str(base)).load(BaseSpec(model=str(base)), decide(Hardware(), MachineSpec(), "adamw"))


@pytest.fixture(scope="module")
def files(models: Models, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `red`, a LoRA trained under the name of `Rosso`; `net`, a Hypernetwork; `pet`, an embedding."""
    folder = tmp_path_factory.mktemp("files")
    for kind, name, alias in (("lora", "red", "Rosso"), ("hypernetwork", "net", ""), ("textual-inversion", "pet", "")):
        cls = method(kind)
        learning = cls(models, cls.Options(**{"kind": kind, **tiny.METHODS[kind]["method"]}), DATA, 7)
        numbers = {"resolution": 64, "steps": 1, "seed": 1, "learning_rate": 0.1, "batch_size": 1, "num_images": 1}
        texts = {"trigger": "sks", "optimizer": "adamw", "base_name": "tiny", "prediction": "epsilon"}
        about = About(name=alias or name, family="sd1", **numbers, **texts, started=1.0, finished=2.0)
        with learning.attached(), torch.no_grad():
            for parameter in learning.live.values():
                parameter += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)) * 0.05
            next(iter(learning.exports.values()))(learning, Target(folder, name, torch.float32, about))
    return folder


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An outputs folder of the test's own."""
    monkeypatch.setattr(shelf, "OUTPUTS", tmp_path / "outputs")
    return tmp_path / "outputs"


def copy(source: Path, target: Path, when: int = 0) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    if when:
        os.utime(target, (when, when))
    return target


# -- where a name is found ---------------------------------------------------------------------------------------------


def test_a_name_is_found_in_any_spelling_or_as_the_name_of_its_training(files: Path) -> None:
    here = Shelf(folders=[files])
    for name in ("red", "RED", "rosso"):
        assert here.find("lora", name) == files / "red.safetensors"
    assert here.find("hypernetwork", "Net") == files / "net.pt"
    assert here.words("a Pet on a red net, carpet") == {"pet": files / "pet.safetensors"}


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [("lora", "redd", "did you mean red"), ("lora", "net", "There is no LoRA 'net'"), ("hypernetwork", "ned", "net")],
)
def test_an_unknown_name_is_told_with_near_ones(kind: str, name: str, near: str, files: Path) -> None:
    with pytest.raises(ModelError, match=near):
        Shelf(folders=[files]).find(kind, name)


def test_given_files_come_before_folders_and_those_before_runs_of_which_the_newest_wins(
    files: Path, outputs: Path, tmp_path: Path
) -> None:
    red = files / "red.safetensors"
    old = copy(red, outputs / "toys" / "one" / "exports" / "red.safetensors", 1_000)
    new = copy(red, outputs / "toys" / "two" / "exports" / "red.safetensors", 2_000)
    assert Shelf().find("lora", "red") == new
    assert Shelf(own="red", home=new.parents[1]).find("lora", "red") == old
    folder = copy(red, outputs / "files" / "deep" / "red.safetensors")
    assert Shelf().find("lora", "red") == folder
    given = copy(red, tmp_path / "given" / "red.safetensors")
    assert Shelf(given=[given]).find("lora", "red") == given
    other = copy(red, tmp_path / "other" / "red.safetensors")
    with pytest.raises(ModelError, match="two places") as caught:
        Shelf(folders=[other.parent]).find("lora", "red")
    assert str(other) in str(caught.value) and str(folder) in str(caught.value)
    with pytest.raises(ModelError, match="no folder"):
        Shelf(folders=[tmp_path / "nowhere"])


def test_a_torn_picture_named_like_a_word_of_the_prompt_is_no_embedding(files: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert Shelf(tmp_path, [tmp_path, files]).words("a pet") == {"pet": files / "pet.safetensors"}


def test_kinds_do_not_stand_in_each_others_way_and_a_torn_file_only_in_its_own(files: Path, outputs: Path) -> None:
    copy(files / "net.pt", outputs / "files" / "red.pt")
    (outputs / "files" / "torn.safetensors").write_bytes(b"12345678{")
    red = copy(files / "red.safetensors", outputs / "files" / "red.safetensors")
    assert Shelf().find("lora", "red") == red and Shelf().find("lora", "rosso") == red
    with pytest.raises(ModelError, match=r"torn\.safetensors"):
        Shelf().find("lora", "torn")


# -- what a prompt asks for --------------------------------------------------------------------------------------------


def test_a_prompt_calls_files_and_words_in_order(files: Path) -> None:
    asked = request("a <hypernet:net:0.4>pet <lora:red:0.5:2>", "no (PET:1.2)", Shelf(folders=[files]))
    assert asked.prompt == "a pet " and asked.negative == "no (PET:1.2)"
    assert asked.placed == (
        Placed(files / "net.pt", "hypernetwork", 0.4, 0.4),
        Placed(files / "red.safetensors", "lora", 2.0, 0.5),
        Placed(files / "pet.safetensors", "embedding", word="pet"),
    )


def test_what_the_prompt_calls_itself_is_not_put_on_twice(files: Path) -> None:
    always = (Placed(files / "red.safetensors", "lora"), Placed(files / "net.pt", "hypernetwork"))
    asked = request("<lora:red:0.5>", "", Shelf(folders=[files]), always)
    assert [(file.path.stem, file.weight) for file in asked.placed] == [("net", 1.0), ("red", 0.5)]


def test_the_run_in_hand_is_on_already(files: Path) -> None:
    own = Shelf(folders=[files], own="Red")
    assert request("a <lora:red> toy", "", own).placed == ()
    with pytest.raises(SpecError, match="this run itself"):
        request("a <lora:red:0.5> toy", "", own)


def test_each_problem_of_prompts_is_told_once(files: Path) -> None:
    told = problems(["fine", "<lora:blue:1>", "x <lora:blue:1>", "[a:b:1]", "<lora:red:x>"], "", Shelf(folders=[files]))
    assert len(told) == 3 and "'blue'" in told[0] and "not done here" in told[1] and "<lora:red:x>" in told[2]
    assert "negative prompt calls no files" in problems(["a"], "<lora:red:1>", Shelf(folders=[files]))[0]


# -- what is drawn -----------------------------------------------------------------------------------------------------


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


def same(one: Image.Image, other: Image.Image) -> bool:
    return bool((pixels(one) == pixels(other)).all())


def test_pictures_in_one_call_are_those_of_calls_of_their_own(models: Models, files: Path) -> None:
    easel = Easel((tiny.SIDE, tiny.SIDE), Shelf(folders=[files]))
    prompts = ["a toy", "a toy <lora:red:1>", "a pet", "a toy <hypernet:net:1>", "toy, " * 100, "a (toy:1.4)"]
    orders = [Wanted(prompt, 5) for prompt in prompts]
    together = list(draw_pictures(models, None, orders, QUICK, easel))
    apart = [next(iter(draw_pictures(models, None, [order], QUICK, easel))) for order in orders]
    assert all(same(one, other) for one, other in zip(together, apart, strict=True))
    assert len({picture.tobytes() for picture in together}) == len(prompts)


def test_negative_prompts_are_in_the_same_language(models: Models, files: Path) -> None:
    easel = Easel((tiny.SIDE, tiny.SIDE), Shelf(folders=[files]))
    found = [
        next(iter(draw_pictures(models, None, [Wanted("a toy", 5)], SampleSpec(steps=2, negative=negative), easel)))
        for negative in ("dull", "(dull:1.5)", "pet", "dull, " * 60)
    ]
    assert len({picture.tobytes() for picture in found}) == len(found)


def drawn(base: Path, files: Path, prompt: str, *uses: str, **place: Any) -> Image.Image:
    return generate(str(base), uses, Wanted(prompt, 5), QUICK, Place(folders=(files,), **place))


def test_used_files_are_those_that_the_prompt_calls(base: Path, files: Path, tmp_path: Path) -> None:
    red, net, pet = files / "red.safetensors", files / "net.pt", files / "pet.safetensors"
    plain = drawn(base, files, "a toy")
    for use, call in (
        (f"{red}", "<lora:red:1>"),
        (f"{red}:0.5", "<lora:rosso:.5>"),
        (f"{net}:0.7", "<hypernet:net:0.7>"),
    ):
        used = drawn(base, files, "a toy", use)
        assert same(used, drawn(base, files, f"a toy{call}")) and not same(used, plain)
        assert same(used, drawn(base, files, f"a toy{call}", str(red if "lora" in call else net)))
    assert same(drawn(base, tmp_path, "a pet", str(pet)), drawn(base, files, "a pet"))


def test_a_picture_has_the_size_that_is_asked_for(base: Path, files: Path) -> None:
    assert drawn(base, files, "a toy", width=48, height=64).size == (48, 64)
    with pytest.raises(SpecError, match="--width must be a multiple of 8"):
        drawn(base, files, "a toy", width=50)


def test_bad_input_gets_one_sentence(base: Path, files: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no LoRA 'blue'"):
        drawn(base, files, "<lora:blue:1>")
    with pytest.raises(SpecError, match="takes no weight"):
        resolve(f"{files / 'pet.safetensors'}:0.5")
    with pytest.raises(ModelError, match="no file or run"):
        resolve(str(tmp_path / "nothing:0.5"))
    (tmp_path / "odd.pt").write_bytes((files / "net.pt").read_bytes()[:50])
    with pytest.raises(ModelError, match="cannot be read safely"):
        resolve(str(tmp_path / "odd.pt"))
    with pytest.raises(SpecError, match="steps"):
        settings("", 0, 5.0)


# -- what a picture says of itself -------------------------------------------------------------------------------------

PARAMETER = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')  # A1111's grammar of the last line


def as_a1111_reads(text: str) -> dict[str, str]:
    """Lines until `Negative prompt:` are the prompt, the last line holds the settings, quoted ones are JSON."""
    *lines, last = text.strip().split("\n")
    found = {"Prompt": "", "Negative prompt": ""}
    part = "Prompt"
    for line in lines:
        if line.startswith("Negative prompt:"):
            part, line = "Negative prompt", line.removeprefix("Negative prompt:").strip()
        found[part] += ("\n" if found[part] else "") + line.strip()
    for name, value in PARAMETER.findall(last):
        found[name] = json.loads(value) if value.startswith('"') else value
    return found


def test_the_text_is_read_back_as_it_was_meant(tmp_path: Path) -> None:
    made = infotext.Made(
        prompt='a "toy", (red:1.2)\nBREAK \u732b <lora:red:0.5>',
        negative="dull, (grey:1.1)\nflat",
        steps=25,
        guidance=5.5,
        seed=7,
        size=(48, 64),
        model="my: base, v1",
        loras={"red, old": "0123456789ab", "blue": "ba9876543210", "unknown": ""},
    )
    infotext.save(infotext.put(Image.new("RGB", (8, 8)), made), tmp_path / "one.png")
    infotext.save(infotext.put(Image.new("RGB", (8, 8)), made), tmp_path / "one.jpg")
    with Image.open(tmp_path / "one.png") as picture:
        assert as_a1111_reads(picture.info["parameters"]) == {
            "Prompt": made.prompt,
            "Negative prompt": made.negative,
            "Steps": "25",
            "Sampler": "DPM++ 2M",
            "Schedule type": "Uniform",
            "CFG scale": "5.5",
            "Seed": "7",
            "Size": "48x64",
            "Model": "my base v1",
            "Lora hashes": "red old: 0123456789ab, blue: ba9876543210",
            "Version": "Crucible",
        }


def test_a_used_file_is_called_in_the_text_so_that_a1111_draws_the_same(base: Path, files: Path) -> None:
    text = as_a1111_reads(drawn(base, files, "a toy <lora:red:0.3>", str(files / "net.pt") + ":0.6").info["parameters"])
    assert text["Prompt"] == "a toy <lora:red:0.3> <hypernet:net:0.6>" and text["Negative prompt"] == "dull"
    assert re.fullmatch(r"red: [0-9a-f]{12}", text["Lora hashes"]) and text["Seed"] == "5" and text["Model"] == "tiny"


# -- a run's own samples -----------------------------------------------------------------------------------------------


def test_samples_of_a_run_call_files_and_say_so(
    spec: Callable[..., Any], resident: Resident, files: Path, outputs: Path
) -> None:
    copy(files / "red.safetensors", outputs / "files" / "red.safetensors")
    prompts = ["a {trigger}", "a {trigger} <lora:toys-lora:1>", "a {trigger} <lora:red:1>", "toys-lora toy, (a:1.2)"]
    wanted = spec("lora", schedule={"steps": 1}, sample={"prompts": prompts, "every": 0})
    store = begin(wanted, None, outputs)
    events = list(train(store, resident))
    first = next(event for event in events if isinstance(event, Sampled))
    drawn = [Image.open(store.path / picture.path).copy() for picture in first.pictures]
    assert same(drawn[0], drawn[1]) and not same(drawn[0], drawn[2])
    with Image.open(store.path / first.pictures[2].path) as picture:
        text = as_a1111_reads(picture.info["parameters"])
    assert text["Prompt"] == "a sks toy <lora:red:1>" and text["Lora hashes"].startswith("red: ")
    assert text["Size"] == f"{tiny.SIDE}x{tiny.SIDE}"
    exported = next(event for event in events if isinstance(event, Exported))
    used = resolve(str(store.path))
    assert used.path == store.path / exported.path and used.what == "lora" and used.trigger == "sks"
    (outputs / "files" / "red.safetensors").unlink()  # what is gone later costs the samples, not the run
    from studio.engine.bench import Bench
    from studio.engine.machine import Machine

    plan = decide(Hardware(), MachineSpec(), "adamw")
    bench = Bench(wanted, resident.models_for(wanted, plan), Machine(plan), resident.cache)
    (note,) = bench.samples(store, 5, None)
    assert isinstance(note, Note) and "'red'" in note.text and not store.sample_folder(5).exists()


def test_a_run_that_made_a_word_is_used_by_its_trigger_or_its_name(
    spec: Callable[..., Any], resident: Resident, outputs: Path, base: Path
) -> None:
    prompts = ["a sks", "a TOYS-textual-inversion", "a toy"]
    over = {"schedule": {"steps": 1}, "sample": {"prompts": prompts, "every": 0}}
    store = begin(spec("textual-inversion", **over), None, outputs)
    events = list(train(store, resident))
    assert events[-1].kind == "finished"
    last = [event for event in events if isinstance(event, Sampled)][-1]
    by_trigger, by_name, plain = (Image.open(store.path / picture.path).copy() for picture in last.pictures)
    assert same(by_trigger, by_name) and not same(by_name, plain)
    text = drawn(base, outputs.parent, "a sks, now", str(store.path)).info["parameters"]
    assert text.startswith("a toys-textual-inversion, now\n")


def test_a_word_learnt_beside_a_lora_comes_with_it(
    spec: Callable[..., Any], resident: Resident, outputs: Path, base: Path
) -> None:
    over = {"schedule": {"steps": 1}, "sample": {"prompts": ["a sks"], "every": 0}, "method": {"new_words": 3}}
    store = begin(spec("lora", **over), None, outputs)
    assert list(train(store, resident))[-1].kind == "finished"
    told = drawn(base, outputs.parent, "a sks", str(store.path)).info["parameters"]
    assert told.startswith("a toys-lora-word <lora:toys-lora:1>\n")


def test_a_negative_word_goes_into_the_negative_prompts_that_ask_for_it(models: Models) -> None:
    cls = method("textual-inversion")
    learning = cls(models, cls.Options(**{"kind": "textual-inversion", "negative": True, "init": "a"}), DATA, 7)
    orders = [Wanted("a toy", 5), Wanted("a toy, sks", 5)]
    with learning.attached():
        together = list(draw_pictures(models, learning, orders, QUICK, tiny.SIDE))
        apart = [next(iter(draw_pictures(models, learning, [order], QUICK, tiny.SIDE))) for order in orders]
    assert not same(*together)
    for one, other in zip(together, apart, strict=True):  # alone or in a batch, but for the rounding of its sums
        assert np.abs(pixels(one) - pixels(other)).max() <= 1


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("a <lora:blue:1>", "There is no LoRA 'blue'"),
        ("a <lora:toys-lora:0.5>", "this run itself"),
        ("a [cat:dog:0.5]", "not done here"),
    ],
)
def test_a_prompt_that_cannot_be_drawn_is_refused_before_the_run(
    prompt: str, told: str, spec: Callable[..., Any], outputs: Path, resident: Resident, tmp_path: Path
) -> None:
    wanted = spec("lora", sample={"prompts": ["a {trigger}", prompt]})
    with pytest.raises(SpecError, match=told):
        begin(wanted, None, outputs)
    assert not outputs.exists()
    with pytest.raises(SpecError, match=told):
        list(train(tiny.new_run(tmp_path / "run", wanted), resident))
    assert not (tmp_path / "run" / "events.jsonl").exists()
