"""What is measured, and that it measures what it says."""

from pathlib import Path

import pytest
import torch
from compare_doubles import COLOURS, ColourEye, Engine, paint, spec
from PIL import Image

from studio.compare import experiment
from studio.compare.eye import StarterEye
from studio.compare.looks import nearest, plain_prompt
from studio.compare.measure import measure, measured
from studio.compare.members import member, members, subject_prompts
from studio.compare.metrics import METRICS
from studio.events import Exported
from studio.spec import SampleSpec
from studio.store import ExperimentStore


@pytest.fixture
def store(carried_out) -> ExperimentStore:
    return carried_out("lora")


def test_every_metric_explains_itself() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.why.endswith(".") and metric.misleads.endswith(".")
        assert metric.unit in ("score", "loss", "s", "time", "bytes", "energy", "count")


def test_the_figures_of_a_run(store: ExperimentStore, eye: ColourEye) -> None:
    values = measure(store.run("lora"), store.run("base"), members(store)[0].spec, eye)
    assert values["likeness"].value == pytest.approx(1, abs=1e-5)
    assert values["prompt_fidelity"].value == pytest.approx(1, abs=1e-5)  # red pictures, and the class word is red
    assert values["forgetting"].value == pytest.approx(0, abs=1e-5)
    assert values["held_out_loss"].value == 0.4
    assert values["seconds_per_step"].value == 0.5
    assert values["total_seconds"].value == 1.5
    assert values["peak_memory"].value == 3e9
    assert values["parameters"].value == 3.2e6
    assert values["artifact_size"].value == 9000


def test_the_base_is_not_trained_and_forgets_nothing(store: ExperimentStore, eye: ColourEye) -> None:
    base = store.run("base")
    values = measure(base, base, members(store)[0].spec, eye)
    assert values["forgetting"].value == 0
    assert values["held_out_loss"].value == 0.5
    assert values["likeness"].value < 0.9
    for name in ("seconds_per_step", "total_seconds", "peak_memory", "parameters", "artifact_size"):
        assert values[name].value is None and values[name].reason == "The base was not trained."


def save_tiny_clip(folder: Path) -> Path:
    """A random CLIP whose vocabulary is the bytes."""
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    signs = list(bytes_to_unicode().values())
    words = [*signs, *(sign + "</w>" for sign in signs), "<|startoftext|>", "<|endoftext|>"]
    CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[]).save_pretrained(folder)
    text = {"vocab_size": len(words), "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "max_position_embeddings": 24, "bos_token_id": len(words) - 2,
            "eos_token_id": len(words) - 1, "pad_token_id": len(words) - 1}  # fmt: skip
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 16, "patch_size": 8}  # fmt: skip
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(folder)
    return folder


def test_the_starters_eye_gives_directions(tmp_path: Path) -> None:
    eye = StarterEye(save_tiny_clip(tmp_path))
    pictures = [Image.effect_noise((40, 24), sigma).convert("RGB") for sigma in (5.0, 90.0)]
    seen, read = eye.images(pictures), eye.texts(["a dog", "a much longer sentence than the others that is cut"])
    assert seen.shape == read.shape == (2, 8)
    assert torch.allclose(seen.norm(dim=1), torch.ones(2)) and torch.allclose(read.norm(dim=1), torch.ones(2))
    assert torch.allclose(read[0], eye.texts(["a dog"])[0], atol=1e-5)  # padding changes nothing
    assert eye.name.startswith("starter eye ") and eye.name == StarterEye(save_tiny_clip(tmp_path)).name


def test_likeness_is_top_for_the_same_pictures_and_grows_along_a_mix(tmp_path: Path) -> None:
    eye = StarterEye(save_tiny_clip(tmp_path))
    held = eye.images([Image.effect_noise((16, 16), s).convert("RGB") for s in (10.0, 40.0, 80.0)])
    other = eye.images([Image.new("RGB", (16, 16), COLOURS["blue"])])
    assert nearest(held, held) == pytest.approx(1, abs=1e-5)
    mixes = [torch.nn.functional.normalize((1 - t) * other + t * held[:1], dim=-1) for t in torch.linspace(0, 1, 9)]
    along = [nearest(mix, held[:1]) for mix in mixes]
    assert along == sorted(along) and along[0] < along[-1] == pytest.approx(1, abs=1e-5)


def test_likeness_grows_with_the_colour_of_the_subject(data: Path, engine: Engine, tmp_path: Path) -> None:
    found = []
    for colour in ("blue", "grey", "red"):
        engine.paints["lora"] = colour
        store = experiment.create(tmp_path, "x", [spec(data)])
        list(experiment.run(store, None, eye=ColourEye()))
        found.append(measured(store.run("lora"), store.run("lora").view())[1]["likeness"].value)
    assert found == sorted(found) and found[0] < 0 < 0.99 < found[-1]


def test_forgetting_sees_what_moved(store: ExperimentStore, eye: ColourEye) -> None:
    run, one = store.run("lora"), members(store)[0]
    for index in (2, 3):  # the two seeds of the prompt without the trigger
        paint(run.path / one.view.samples[3][index].path, "green")
    (run.path / "metrics.json").unlink()
    values = measure(run, store.run("base"), one.spec, eye)
    assert values["forgetting"].value > 0.5
    assert values["likeness"].value == pytest.approx(1, abs=1e-5)


def test_a_figure_that_cannot_be_had_says_why(data: Path, engine: Engine, tmp_path: Path) -> None:
    only = {"sample": {"prompts": ["{trigger}"], "seeds": [1]}}
    own = {"folder": str(data / "train"), "trigger": "sks"}
    store = experiment.create(tmp_path, "x", [spec(data, data=own, **only)])
    list(experiment.run(store, None, eye=ColourEye()))
    values = measured(store.run("lora"), store.run("lora").view())[1]
    assert values["forgetting"].value is None and "leaves the subject out" in values["forgetting"].reason
    assert values["likeness"].value is not None and "training pictures" in values["likeness"].reason
    (store.path / "lora" / "metrics.json").unlink()
    (store.path / "lora/samples/0000003/000.png").unlink()
    values = measure(store.run("lora"), store.run("base"), members(store)[0].spec, ColourEye())
    assert values["likeness"].value is None and "is gone" in values["likeness"].reason
    assert values["total_seconds"].value == 1.5


def test_the_smallest_export_counts_and_folders_count_whole(store: ExperimentStore, eye: ColourEye) -> None:
    run, one = store.run("lora"), members(store)[0]
    folder = run.path / "exports" / "folder"
    paint(folder / "a.png", "red", side=1)
    (folder / "b.bin").write_bytes(bytes(100))
    run.append(Exported(step=3, format="diffusers", path="exports/folder", usage=""))
    (run.path / "metrics.json").unlink()
    size = measure(run, store.run("base"), one.spec, eye)["artifact_size"]
    assert size.value == 100 + (folder / "a.png").stat().st_size and "diffusers" in size.reason


def test_figures_are_kept_for_the_step_and_the_eye(store: ExperimentStore, eye: ColourEye) -> None:
    run, one = store.run("lora"), members(store)[0]
    before = eye.looked
    measure(run, store.run("base"), one.spec, eye)
    assert eye.looked == before
    other = ColourEye("another eye")
    measure(run, store.run("base"), one.spec, other)
    assert other.looked > 0
    assert measured(run, one.view)[0] == "another eye"
    assert measured(run, member(run).view.__class__(step=99)) is None
    (run.path / "metrics.json").write_text("torn", encoding="utf-8")
    assert measured(run, one.view) is None
    assert measure(run, store.run("base"), one.spec, eye)["likeness"].value is not None


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("a photo of {trigger}, blue background", "a photo of dog, blue background"),
        ("a photo of Sks dog in snow", "a photo of dog in snow"),
        ("a {class} beside {trigger}", "a dog beside dog"),
        ("sksy things", "sksy things"),
    ],
)
def test_the_plain_prompt_has_no_trigger(data: Path, typed: str, plain: str) -> None:
    asked = spec(data, data={"folder": str(data), "trigger": "sks", "class_word": "dog"})
    assert plain_prompt(asked, typed) == plain
    assert subject_prompts(asked.model_copy(update={"sample": SampleSpec(prompts=(typed,))})) == ["sksy" not in typed]
    bare = spec(data, data={"folder": str(data), "trigger": "sks"})
    assert plain_prompt(bare, "{trigger}, in snow") == "in snow"
