"""Small cards: a base in few bits, parts that take turns, decoding in tiles; and blocks compiled and not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.engine.generate import generate, settings
from studio.engine.machine import this_hardware
from studio.engine.run import train
from studio.engine.sample import Wanted, draw_pictures, evaluating, together, wanted
from studio.engine.stack import stacked
from studio.engine.worker import Resident
from studio.events import Decided, Event, Exported, Step
from studio.families.base import BaseSpec, Models
from studio.families.calls import Placed
from studio.families.detect import detect
from studio.families.quantized import Linear
from studio.formats.tensors import load_tensors
from studio.hardware import Hardware, MachineSpec, decide
from studio.methods import registry
from studio.spec import SampleSpec
from studio.store import RunStore
from tests import tiny
from tests.methods.test_methods_contract import answers, assert_same, fit, make, picture_of

Make = Callable[..., Any]
PROMPT = "a photo of a toy"


def loaded(base: Path, **machine: Any) -> Models:
    models = detect(str(base)).load(BaseSpec(model=str(base)), decide(this_hardware(), MachineSpec(**machine), "adamw"))
    models.family.encode(models, [PROMPT])  # transformers hooks its encoders at the first call, and stays there
    return models


@pytest.fixture(scope="module")
def few(base: Path) -> Models:
    return loaded(base, quantize="nf4")


@pytest.fixture(scope="module")
def whole(base: Path) -> Models:
    return loaded(base)


@pytest.fixture(scope="module")
def run(
    base: Path, pictures: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunStore, list[Event]]:
    """A LoRA learnt on four bits by the engine that trains runs."""
    wish = tiny.spec("lora", base, pictures, machine={"quantize": "nf4"}, schedule={"steps": 12})
    store = tiny.new_run(tmp_path_factory.mktemp("few") / "run", wish)
    return store, list(train(store, Resident(cache)))


def exported(run: tuple[RunStore, list[Event]]) -> Path:
    store, events = run
    (name,) = [event.path for event in events if isinstance(event, Exported) and event.format == "kohya"]
    return store.path / name


def test_a_run_on_few_bits_learns_and_its_file_is_for_the_whole_base(
    run: tuple[RunStore, list[Event]], base: Path
) -> None:
    store, events = run
    assert events[-1].kind == "finished"
    (told,) = [event for event in events if isinstance(event, Decided) and event.what == "quantize"]
    assert told.choice == "nf4"
    losses = [event.loss for event in events if isinstance(event, Step)]
    assert sum(losses[-4:]) < sum(losses[:4])
    assert len(list((store.path / "samples").rglob("*.png"))) == 2
    held = {name: tensor.dtype for name, tensor in load_tensors(exported(run)).items()}
    assert {dtype for name, dtype in held.items() if not name.endswith("alpha")} == {torch.float16}
    drawn = [generate(str(base), uses, Wanted(PROMPT, 1), settings("", 1, 5.0)) for uses in ([], [str(exported(run))])]
    assert drawn[0].tobytes() != drawn[1].tobytes()


def test_the_base_is_packed_where_it_attends_and_nowhere_else(few: Models, whole: Models) -> None:
    packed = {name for name, part in few.unet.named_modules() if isinstance(part, Linear)}
    linear = {name for name, part in whole.unet.named_modules() if isinstance(part, torch.nn.Linear)}
    assert packed == {name for name in linear if "attentions." in name} and packed < linear
    close, exact = answers(few, PROMPT), answers(whole, PROMPT)
    assert torch.equal(close[0], exact[0])  # text encoders stay whole
    assert 0 < (close[1] - exact[1]).norm() / exact[1].norm() < 0.2


@pytest.mark.parametrize(
    ("kind", "over"),
    [("lora", {}), ("lokr", {"dora": True}), ("oft", {}), ("hypernetwork", {}), ("textual-inversion", {})],
)
def test_methods_learn_on_it_and_give_it_back(kind: str, over: dict[str, Any], few: Models) -> None:
    before, plain = picture_of(few), answers(few, PROMPT)
    learning = make(kind, few, **over)
    with learning.attached() as groups:
        losses = fit(learning, groups, 4)
        assert losses[-1] < losses[0]
        with learning.detached():
            assert torch.equal(answers(few, PROMPT)[1], plain[1])
        assert all(tensor.dtype == torch.float32 for tensor in learning.state().values())
    assert_same(before, picture_of(few))
    assert torch.equal(answers(few, PROMPT)[1], plain[1])


@pytest.mark.parametrize("kind", registry())
def test_what_changes_the_weights_is_refused(kind: str, spec: Make) -> None:
    said = [text for text in spec(kind, machine={"quantize": "int8", "compile": True}).problems() if "machine." in text]
    assert ["quantize" in text for text in said] == ([True] if kind in ("dreambooth", "full") else [False] * len(said))
    assert any("machine.compile" in text for text in said) == (kind == "dylora")
    assert all(registry()[kind].title in text for text in said)


def test_a_called_file_counts_on_few_bits_and_goes_again(
    run: tuple[RunStore, list[Event]], few: Models, whole: Models
) -> None:
    file, change = Placed(exported(run), "lora", 1.0, 1.0), []
    for models in (few, whole):
        before, plain = picture_of(models), answers(models, PROMPT)
        with stacked(models, [file]):
            kept = [held for part in models.unet.modules() if isinstance(part, Linear) for held in vars(part).values()]
            assert not any(isinstance(held, torch.Tensor) for held in kept)  # no whole weight stays beside the packed
            change.append(answers(models, PROMPT)[1] - plain[1])
        assert torch.equal(answers(models, PROMPT)[1], plain[1])
        assert_same(before, picture_of(models))
        assert not any(getattr(part, "instead", None) for part in models.unet.modules())
    assert 0 < (change[0] - change[1]).norm() < 0.3 * change[1].norm()


def test_a_small_card_never_holds_two_parts_at_once_while_a_base_is_loaded(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Hardware(device="cuda", name="a card", memory=8 << 30, fp16=True)
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, to: sent.append((type(self).__name__, str(to))) or self)
    monkeypatch.setattr("studio.families.base.release_memory", lambda device: None)
    plan = decide(card, MachineSpec(precision="fp32"), "adamw")
    models = detect(str(base)).load(BaseSpec(model=str(base)), plan)
    assert sent == [("UNet2DConditionModel", "cuda")] and models.at_rest
    with models.alone("vae"):
        assert sent[1:] == [("UNet2DConditionModel", "cpu"), ("AutoencoderKL", "cuda")]
    sent.clear()
    detect(str(base)).load(BaseSpec(model=str(base)), dataclasses.replace(plan, one_at_a_time=False))
    assert len(sent) == 3 and {to for _, to in sent} == {"cuda"}


def test_a_called_file_goes_again_where_parts_took_turns_meanwhile(
    run: tuple[RunStore, list[Event]], few: Models, whole: Models
) -> None:
    """A part that goes to another device and comes back has its weights elsewhere in memory."""
    for models in (few, whole):
        before, plain = picture_of(models), answers(models, PROMPT)
        with stacked(models, [Placed(exported(run), "lora", 1.0, 1.0)]):
            for part in models.modules().values():
                for parameter in part.parameters():
                    parameter.data = parameter.data.clone()
        assert_same(before, picture_of(models))
        assert torch.equal(answers(models, PROMPT)[1], plain[1])


@pytest.mark.parametrize(
    ("size", "small", "count"),
    [
        (64, False, 8),
        (64, True, 8),
        (512, False, 8),
        (512, True, 4),
        (1024, False, 2),
        (1024, True, 1),
        (4096, True, 1),
    ],
)
def test_larger_pictures_are_drawn_fewer_at_a_time(size: int, small: bool, count: int) -> None:
    assert together((size, size), small) == count


def on_a_card(models: Models, monkeypatch: pytest.MonkeyPatch, one_at_a_time: bool) -> tuple[Models, list[str]]:
    """A base that believes it is on a card, and who was there at each move."""
    moves: list[str] = []
    real = torch.nn.Module.to

    def to(module: torch.nn.Module, *args: Any, **more: Any) -> torch.nn.Module:
        parts = {id(models.unet): "unet", id(models.vae): "vae", id(models.text_encoders["text_encoder"]): "text"}
        if args and id(module) in parts and str(args[0]) in ("cpu", "cuda"):
            moves.append(f"{parts[id(module)]} {'out' if str(args[0]) == 'cpu' else 'in'}")
            return module
        return real(module, *args, **more)

    monkeypatch.setattr(torch.nn.Module, "to", to)
    monkeypatch.setattr("studio.families.base.release_memory", lambda device: None)
    fake = dataclasses.replace(models, device=torch.device("cuda"), one_at_a_time=one_at_a_time, _away=set())
    return fake, moves


def test_parts_take_turns_and_the_unet_comes_back(whole: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    fake, moves = on_a_card(whole, monkeypatch, True)
    with fake.alone("text_encoder"):
        assert sorted(moves) == ["unet out", "vae out"]
    assert moves[2:] == ["text out", "unet in"]
    with fake.alone("unet"):
        assert moves[4:] == []
    with pytest.raises(ZeroDivisionError), fake.alone("vae"):
        assert moves[4:] == ["unet out", "vae in"]
        raise ZeroDivisionError
    assert moves[6:] == ["vae out", "unet in"] and fake._away == {"text_encoder", "vae"}
    fake.wake()
    assert sorted(moves[8:]) == ["text in", "vae in"]
    fake, moves = on_a_card(whole, monkeypatch, False)
    with fake.alone("vae"):
        assert moves == []


def test_a_picture_is_the_same_whoever_rests(whole: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    orders, brief = wanted([PROMPT, "two toys"], [1, 2]), SampleSpec(steps=1)
    plain = [image.tobytes() for image in draw_pictures(whole, None, orders, brief, tiny.SIDE)]
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(Models, "_send", lambda models, going: asked.append(tuple(going)))
    small = dataclasses.replace(whole, one_at_a_time=True)
    assert [image.tobytes() for image in draw_pictures(small, None, orders, brief, tiny.SIDE)] == plain
    guests = ("text_encoder", "vae")  # they go before the UNet comes back
    assert asked == [("unet", "vae"), guests, guests, guests, ("unet", "text_encoder"), guests]


def test_large_pictures_are_decoded_in_tiles_and_never_encoded_so(
    whole: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = decide(this_hardware(), MachineSpec(), "adamw")
    latents, pixels = torch.randn(1, 4, 24, 16, generator=torch.Generator().manual_seed(1)), torch.zeros(1, 3, 192, 128)
    plain, moments = whole.decode(latents), whole.moments(pixels)
    calls: list[Any] = []
    real = type(whole.vae).tiled_decode
    monkeypatch.setattr(type(whole.vae), "tiled_decode", lambda *args, **more: calls.append(1) or real(*args, **more))
    whole.arrange(dataclasses.replace(plan, tile=192))
    assert torch.equal(whole.decode(latents), plain) and not calls
    whole.arrange(dataclasses.replace(plan, tile=128))
    tiled = whole.decode(latents)
    assert calls and tiled.shape == plain.shape and 0 < (tiled - plain).abs().mean() < 0.1
    assert torch.equal(whole.moments(pixels), moments) and whole.vae.use_tiling
    whole.arrange(plan)
    assert torch.equal(whole.decode(latents), plain) and len(calls) == 1
    assert next(whole.vae.parameters()).dtype == torch.float32


@pytest.mark.parametrize("kind", ["lora", "hypernetwork"])
def test_compiled_blocks_learn_the_same_and_leave_nothing(kind: str, whole: Models) -> None:
    """With torch's eager backend, which traces as any other and computes as nothing were."""
    import torch._dynamo.utils as tracing

    plan = decide(this_hardware(), MachineSpec(), "adamw")
    before, plain = picture_of(whole), answers(whole, PROMPT)
    losses, graphs = [], []
    for compiler in ("", "eager"):
        whole.arrange(dataclasses.replace(plan, compile=compiler))
        tracing.counters.clear()
        learning = make(kind, whole)
        with learning.attached() as groups:
            losses.append(fit(learning, groups, 2))
            traced = tracing.counters["stats"]["unique_graphs"]
            with evaluating(whole), learning.detached():
                assert torch.equal(answers(whole, PROMPT)[1], plain[1])
        assert tracing.counters["stats"]["unique_graphs"] == traced  # pictures compile nothing
        graphs.append(traced)
        assert not tracing.counters["graph_break"]
    assert losses[0] == losses[1] and graphs[0] == 0 < graphs[1]
    whole.arrange(plan)
    assert all(block._compiled_call_impl is None for block in whole.unet.modules())
    assert_same(before, picture_of(whole))
    assert torch.equal(answers(whole, PROMPT)[1], plain[1]) and tracing.counters["stats"]["unique_graphs"] == graphs[1]
