"""A base is named for what it is, gets the presets of its family, and comes from a hub by one errand at a time."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from studio import starter
from studio.engine import trigger
from studio.engine.worker import Resident, Worker
from studio.errors import ModelError, SpecError
from studio.families.about import About, about
from studio.families.base import BaseSpec
from studio.families.detect import LDM_TEXT, detect
from studio.hardware import Hardware, MachineSpec, decide
from studio.store import ExperimentStore
from studio.ui import shelf, verdicts
from studio.ui.cards import Known, about_line, card, rail
from studio.ui.desk import Desk
from studio.ui.fetch import Doing, Fetch, _after
from studio.ui.i18n import tr
from studio.ui.offers import USUAL, offers, usual
from studio.ui.order import Order
from tests import tiny, tiny_families
from tests.hub.hub_double import COMMIT, serving
from tests.ui.doubles import NoWorker

EVIL = "<img src=x onerror=alert(1)>"
LARGE = About("x/y", "sd1", "Stable Diffusion 1.x", "epsilon", 512, 4_000_000_000)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))


@pytest.fixture
def desk(tmp_path: Path, kept: None) -> Desk:
    made = Desk(tmp_path / "outputs", NoWorker())
    made.looks.begin()
    made.looks.ready.wait()
    return made


@pytest.fixture
def presets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tiers of one method, and one of another."""
    made = [
        ("lora-sd15-6gb", "lora", "sd15", 6.0, 1000), ("lora-sd15-8gb", "lora", "sd15", 8.0, 1500),
        ("loha-sd15-8gb", "loha", "sd15", 8.0, 1500), ("lora-sdxl-8gb", "lora", "sdxl", 8.0, 1500),
    ]  # fmt: skip
    monkeypatch.setattr("studio.ui.offers._presets", lambda: made)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_a_base_is_is_said_from_its_headers(base: Path, tmp_path: Path) -> None:
    said = about("starter")
    assert (said.family, said.prediction, said.side, said.presets) == ("sd1", "v_prediction", starter.SIZE, "starter")
    place = tmp_path / "xl"
    pipeline = tiny_families.sdxl()
    pipeline.unet.register_to_config(sample_size=128)
    pipeline.save_pretrained(place)
    said = about(str(place))
    assert (said.family, said.prediction, said.side, said.presets) == ("sdxl", "epsilon", 512, "sdxl")
    assert said.size == sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    (place / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(ModelError, match="lacks a part"):
        about(str(place))


@pytest.mark.parametrize(
    ("family", "key", "said"),
    [
        ("sd1", "", ("epsilon", 512)),
        ("sd1", "v_pred", ("v_prediction", 512)),
        ("sd2", "", ("", 768)),
        ("sdxl", "", ("epsilon", 1024)),
    ],
)
def test_a_single_file_tells_its_side_and_what_it_can_of_its_prediction(
    tmp_path: Path, family: str, key: str, said: tuple[str, int]
) -> None:
    words = next(name for name, of in LDM_TEXT.items() if of == family)
    tensors = {
        words: torch.zeros(2, 768),
        "model.diffusion_model.x": torch.zeros(1),
        "first_stage_model.x": torch.zeros(1),
    }
    save_file(tensors | ({key: torch.zeros(0)} if key else {}), tmp_path / "a.safetensors")
    found = about(str(tmp_path / "a.safetensors"))
    assert (found.family, found.prediction, found.side) == (family, *said)


def test_every_method_gets_the_largest_preset_that_fits_or_the_smallest(desk: Desk, presets: None) -> None:
    def lora(memory: float) -> tuple[str, bool]:
        found = {offer.look.kind: offer for offer in offers(desk.looks, LARGE, int(memory * 1e9))}
        return found["lora"].preset, found["lora"].short

    assert lora(24) == ("lora-sd15-8gb", False)
    assert lora(7) == ("lora-sd15-6gb", False)
    assert lora(2) == ("lora-sd15-6gb", True)
    wide = {offer.look.kind: offer for offer in offers(desk.looks, dataclasses.replace(LARGE, family="sdxl"), 10**12)}
    assert wide["lora"].preset == "lora-sdxl-8gb" and wide["loha"].reason == "offer_preset"
    other = offers(desk.looks, dataclasses.replace(LARGE, family="none"), 10**12)
    assert {offer.reason for offer in other} == {"offer_family"} and usual(other) == []
    assert usual(desk.offers(LARGE)) == ["lora", "loha"]


def test_the_methods_of_the_article_are_picked_at_first(desk: Desk) -> None:
    """Every preset that is shipped is a file that the desk can offer."""
    assert set(usual(desk.offers(LARGE))) == set(USUAL)


def test_a_method_that_cannot_train_a_base_says_so_and_cannot_be_picked(desk: Desk, presets: None) -> None:
    found = desk.offers(dataclasses.replace(LARGE, family="sdxl"))
    bad = next(offer for offer in found if offer.reason)
    for lang in ("en", "zh"):
        drawn = card(bad, False, LARGE, lang)
        assert 'aria-disabled="true"' in drawn and "data-act" not in drawn and "tabindex" not in drawn
    assert found == sorted(found, key=lambda offer: bool(offer.reason))
    order = Order("x", (bad.look.kind,), "corgi", "sks", "dog")
    with pytest.raises(SpecError, match="cannot train"):
        desk.compare(dataclasses.replace(order, kinds=("nonsense",)))
    short = dataclasses.replace(found[0], short=True)
    assert "Tight memory" in rail([(short, Known(1))], 1, "en")
    assert "Tight memory" not in rail([(found[0], Known(1))], 1, "en")


def test_a_comparison_on_ones_own_base_takes_its_familys_presets(desk: Desk, tmp_path: Path) -> None:
    place = tmp_path / "own"
    pipeline = tiny.pipeline()
    pipeline.unet.register_to_config(sample_size=64)
    pipeline.save_pretrained(place)
    store = desk.compare(Order("mine", ("lora", "locon"), "corgi", "sks", "dog", base=str(place)))
    assert store is not None
    for run in store.runs():
        spec = run.spec_text()
        assert f'model = "{place}"' in spec and "steps = 1500" in spec
    with pytest.raises(ModelError, match="no base model"):
        desk.compare(Order("mine", ("lora",), "corgi", "sks", "dog", base="/nowhere"))
    with pytest.raises(ModelError):
        desk.compare(Order("mine", ("lora",), "corgi", "sks", "dog", base=""))


def test_the_chooser_lists_what_is_here(desk: Desk, base: Path) -> None:
    models = desk.outputs / "models"
    (models / "folder").mkdir(parents=True)
    (models / "notes.txt").write_text("no model")
    (models / "one.safetensors").write_bytes(b"")
    (models / "folder" / "model_index.json").write_text("{}")
    for name, used in (("a", str(base)), ("b", "/gone/away.safetensors"), ("c", "starter")):
        ExperimentStore.create(desk.outputs, name, f'name = "{name}"\n[base]\nmodel = "{used}"\n')
    assert desk.bases() == ["starter", str(models / "folder"), str(models / "one.safetensors"), str(base)]


def test_models_are_judged_and_names_are_harmless(desk: Desk) -> None:
    (desk.outputs / "models").mkdir(parents=True)
    save_file({"emb_params": torch.zeros(1)}, desk.outputs / "models" / "<b>.safetensors")
    drawn = shelf._list(desk, True, "en")
    assert "&lt;b&gt;.safetensors" in drawn and "<b>.saf" not in drawn and "Textual Inversion embedding" in drawn
    assert EVIL not in about_line(dataclasses.replace(LARGE, title=EVIL, commit=EVIL), "en")
    found = {"model": EVIL, "licence": EVIL, "commit": EVIL, "size": 1, "missing": 1, "free": 1, "variant": EVIL}
    found |= {"files": [{"path": EVIL, "size": 1}], "gated": True, "pickles": [EVIL]}
    for state in ("looking", "found", "running", "done", "failed", "cancelled"):
        assert EVIL not in shelf._errand(Doing(state, EVIL, None if state == "looking" else found, 1, 2, EVIL), "en")


@pytest.fixture
def hub(tmp_path: Path, base: Path) -> Iterator[Any]:
    with serving({"painter/tiny": base}) as server:
        yield server


def test_an_errand_is_the_same_for_all_and_one_at_a_time(hub: Any, desk: Desk) -> None:
    desk.fetch.start("painter/tiny", "fp16", hub.url, look=True)
    until(lambda: desk.fetch.doing.state == "found")
    assert "openrail" in shelf._errand(desk.fetch.doing, "en") and "Cancel" not in shelf._errand(desk.fetch.doing, "en")
    hub.slow = 0.2
    desk.fetch.start("painter/tiny", "fp16", hub.url, look=False)
    until(lambda: desk.fetch.doing.state == "running" and 0 < desk.fetch.doing.done < desk.fetch.doing.total)
    assert 'role="progressbar"' in shelf._errand(desk.fetch.doing, "zh")
    with pytest.raises(ModelError, match="is being downloaded"):
        desk.fetch.start("painter/tiny", "fp16", hub.url, look=False)
    desk.fetch.cancel()
    desk.fetch.forget()  # not before it has ended
    until(lambda: desk.fetch.doing.state == "cancelled")
    assert "painter/tiny" not in desk.bases() and 'data-act="forget"' in shelf._errand(desk.fetch.doing, "en")
    desk.fetch.forget()
    assert shelf._errand(desk.fetch.doing, "en") == ""
    hub.slow = 0.0
    desk.fetch.start("painter/tiny", "fp16", hub.url, look=False)
    until(lambda: not desk.fetch.doing.busy)
    assert desk.fetch.doing.state == "done" and "painter/tiny" in desk.bases()
    assert desk.about("painter/tiny").commit == COMMIT
    desk.fetch.start("painter/none", "fp16", hub.url, look=False)
    until(lambda: not desk.fetch.doing.busy)
    error = desk.fetch.doing.error
    assert "There is no model" in error and tr(error, "zh") != error


def test_nothing_is_asked_for_what_is_no_id() -> None:
    fetch = Fetch()
    with pytest.raises(ModelError, match="OWNER/NAME"):
        fetch.start("", "fp16", "", look=True)
    fetch.cancel()
    assert fetch.doing == Doing()
    assert _after(Doing("starting"), {"kind": "failed", "text": "x"}, False).state == "failed"


def test_a_check_waits_behind_a_training_and_its_words_are_offered(
    tmp_path: Path, kept: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plain(*given: Any) -> Iterator[Image.Image]:
        yield from [Image.new("RGB", (64, 64))] * 4

    monkeypatch.setattr(trigger, "pictures", plain)
    worker = Worker(Resident(tmp_path / "latents"))
    desk, go = Desk(tmp_path, worker), []

    def training(resident: Any) -> Iterator[object]:
        while not go:
            time.sleep(0.02)
            yield

    worker.submit("corgi", training)
    until(lambda: worker.current == "corgi")
    with pytest.raises(SpecError, match="no trigger word"):
        desk.checks.start(" ", "dog", "starter")
    desk.checks.start("sks", "dog", "starter")
    assert "waits until corgi has ended" in verdicts.drawn(desk, "en")
    with pytest.raises(SpecError, match="still being checked"):
        desk.checks.start("zwx", "dog", "starter")
    go.append(True)
    until(lambda: desk.checks.now.state in ("done", "failed"))
    for lang, said in (("en", "know it as a rifle"), ("zh", "步枪")):
        drawn = verdicts.drawn(desk, lang)
        assert said in drawn and drawn.count("data:image/webp") == 4 and drawn.count('data-act="take"') == 4
        assert "<code>sks&lt;/w&gt;</code>" in drawn
    desk.checks.start("a" + EVIL, "", "starter")
    until(lambda: desk.checks.now.state in ("done", "failed"))
    assert EVIL not in verdicts.drawn(desk, "en")
    desk.checks.start("sks", "", "/nowhere")
    until(lambda: desk.checks.now.state == "failed")
    assert "no base model" in verdicts.drawn(desk, "en") and worker.last_error == ""
    worker.shutdown()


@pytest.fixture(scope="module")
def scale() -> trigger.Scale:
    plan = decide(Hardware(), MachineSpec(), "adamw")
    return trigger.Scale(detect("starter").load(BaseSpec(), plan))


@pytest.mark.parametrize("word", ["dog", "ohwx", "wheelbarrow", "red dog", "asdfqwerty", "x", "犬", "zwx", "sks"])
def test_every_verdict_is_translated(scale: trigger.Scale, word: str) -> None:
    chinese = tr(scale.find(word).verdict(), "zh")
    assert not any(english in chinese for english in ("token", "choose", " it ", "means", "pieces"))
