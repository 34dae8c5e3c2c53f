"""What every method promises, for each that the registry finds, on each family that it claims and on the starter."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file as load_file_tensors

from studio import starter
from studio.data.scan import DataSpec
from studio.engine.draw import draw, reseed
from studio.engine.learner import Batch, Learner
from studio.engine.optim import create
from studio.errors import ModelError
from studio.families.base import BaseSpec, Models
from studio.families.detect import FAMILIES, detect
from studio.formats.metadata import About
from studio.hardware import Hardware, MachineSpec, decide
from studio.methods import method, registry
from studio.methods.base import Method, Target
from studio.objective import ObjectiveSpec
from studio.section import merge
from studio.spec import OptimSpec
from tests import tiny, tiny_families

DATA = DataSpec(folder="x", trigger="sks", class_word="toy", resolution=tiny.SIDE)
PROMPT = "a photo of sks toy"
TRAITS = [(kind, family) for kind, cls in registry().items() for family in sorted(cls.families)]


def trained(folder: Path) -> bool:
    """False for a base that has only been laid out: its UNet still answers nothing but zeros."""
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    if not path.is_file():
        return False
    with safe_open(path, framework="pt") as file:
        return bool(file.get_tensor("conv_out.weight").any())


ON_STARTER = ("dreambooth", "lora", "textual-inversion")  # a real base is slow: one method for each place of learning
EVERY = [*TRAITS, *((kind, "starter") for kind in ON_STARTER if trained(starter.BASE))]
NOTHING_DRAWN = {"textual-inversion", "dreambooth", "ia3", "oft", "boft", "full"}  # first weights without chance
RATES = {kind: OptimSpec(lr=settings["optim"]["lr"], weight_decay=0.0) for kind, settings in tiny.METHODS.items()}


@pytest.fixture(scope="module")
def loaded(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Models]:
    plan = decide(Hardware(), MachineSpec(), "adamw")
    places = {"sd1": str(base), "starter": "starter"}
    for name, build in tiny_families.BUILDERS.items():
        places[name] = str(tmp_path_factory.mktemp("base") / name)
        build().save_pretrained(places[name])
    wanted = {family for _, family in EVERY}
    found = {n: detect(place).load(BaseSpec(model=place), plan) for n, place in places.items() if n in wanted}
    for models in found.values():
        models.family.encode(models, [PROMPT])  # transformers hooks its encoders at the first call, and stays there
    return found


@pytest.fixture(params=EVERY, ids=lambda pair: "-".join(pair))
def learning(request: pytest.FixtureRequest, loaded: dict[str, Models]) -> Iterator[Method]:
    """A method that is not yet attached, on a base that must be as it was when the test ends."""
    kind, family = request.param
    models = loaded[family]
    before = picture_of(models)
    yield make(kind, models)
    assert_same(before, picture_of(models))


def make(kind: str, models: Models, seed: int = 7, **over: Any) -> Method:
    options = merge({"kind": kind} | tiny.METHODS[kind]["method"], over)
    cls = method(kind)
    return cls(models, cls.Options(**options), DATA, seed)


def picture_of(models: Models) -> dict[str, Any]:
    """Everything about a base that a method might leave changed."""
    found: dict[str, Any] = {}
    for part, module in models.modules().items():
        found |= {f"{part}.{name}": tensor.clone() for name, tensor in module.state_dict().items()}
        found |= {f"{part}.{name}:class": type(child) for name, child in module.named_modules()}
        found |= {f"{part}.{name}:learns": p.requires_grad for name, p in module.named_parameters()}
        found |= {f"{part}:training": any(child.training for child in module.modules())}
        found |= {f"{part}:hooks": sum(len(c._forward_hooks) + len(c._forward_pre_hooks) for c in module.modules())}
        found |= {f"{part}:grads": sum(p.grad is not None for p in module.parameters())}
    return found | {f"{name}:words": len(tokenizer) for name, tokenizer in models.tokenizers.items()}


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert before.keys() == after.keys()
    for name, value in before.items():
        other = after[name]
        if isinstance(value, torch.Tensor):
            assert value.dtype == other.dtype and torch.equal(value, other), name
        else:
            assert value == other, name


def batch(models: Models, method: Method, count: int = 2) -> tuple[Batch, Any]:
    generator = torch.Generator().manual_seed(3)
    side = 8
    mean = torch.randn(count, models.latent_channels, side, side, generator=generator)
    moments = torch.cat([mean, torch.full_like(mean, 0.1)], 1)
    prompts = [method.prompt(PROMPT)] * count
    return Batch(moments, prompts, torch.ones(count)), draw(5, 1, 0, (count, models.latent_channels, side, side))


def answers(models: Models, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
    """What the text encoder says of ``prompt``, and the UNet of a fixed latent under it."""
    noisy = torch.randn(1, models.latent_channels, 8, 8, generator=torch.Generator().manual_seed(2))
    modes = {part: module.training for part, module in models.modules().items()}
    with torch.no_grad():
        for module in models.modules().values():
            module.eval()
        cond = models.family.encode(models, [prompt])
        said = models.family.predict(models, noisy, torch.tensor([400]), cond)
    for part, module in models.modules().items():
        module.train(modes[part])
    return cond.hidden, said


def fit(learning: Method, groups: Any, steps: int) -> list[float]:
    models = learning.models
    learner = Learner(models, ObjectiveSpec(), text_learns=True)
    optimizer = create("adamw", groups, RATES[learning.kind])
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"]
    examples, chance = batch(models, learning)
    losses = []
    for step in range(steps):
        reseed(5, step, 0)  # as the engine does: dropout and a drawn rank depend on seed and step alone
        loss = learner(examples, chance).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(float(loss))
    return losses


def disturb(learning: Method) -> None:
    """Move every learnt tensor, as training would."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for parameter in learning.live.values():
            parameter += torch.randn(parameter.shape, generator=generator) * 0.05


def test_gradients_reach_what_learns_and_nothing_else(learning: Method) -> None:
    models = learning.models
    with learning.attached() as groups:
        named = {name: p for group in groups for name, p in group.params.items()}
        assert named.keys() == learning.live.keys()
        assert all(p.dtype == torch.float32 and p.requires_grad for p in named.values())
        assert {group.part for group in groups} <= {"unet", "text", "tokens"}
        examples, chance = batch(models, learning)
        losses = Learner(models, ObjectiveSpec(), text_learns=True)(examples, chance)
        assert losses.shape == (2,) and losses.dtype == torch.float32
        losses.mean().backward()
        live = {id(p) for p in named.values()}
        for part, module in {**models.modules(), "vae": models.vae}.items():
            for name, parameter in module.named_parameters():
                if id(parameter) in live:
                    assert learning.partial or parameter.grad is not None, f"{part}.{name}"
                    assert parameter.grad is None or torch.isfinite(parameter.grad).all(), f"{part}.{name}"
                else:
                    assert not parameter.requires_grad and parameter.grad is None, f"{part}.{name}"
        assert any(p.grad.abs().max() > 0 for p in named.values() if p.grad is not None)


def test_at_the_start_the_same_seed_gives_the_same_weights(learning: Method) -> None:
    kind, models = learning.kind, learning.models
    states = []
    for seed in (1, 1, 2):
        again = make(kind, models, seed)
        with again.attached():
            states.append(again.state())
    assert tiny.same(states[0], states[1])
    assert tiny.same(states[0], states[2]) == (kind in NOTHING_DRAWN)


def test_the_loss_falls(learning: Method) -> None:
    losses: list[float] = []
    with learning.attached() as groups:
        while len(losses) < 12 and not (losses and min(losses[-3:]) < losses[0] * 0.995):  # some need fewer steps
            losses += fit(learning, groups, 4)
    assert min(losses[-3:]) < losses[0] * 0.995, losses


def test_state_and_restore_are_exact_and_refuse_what_does_not_fit(learning: Method) -> None:
    with learning.attached():
        disturb(learning)
        kept = learning.state()
        assert all(t.dtype == torch.float32 and t.device.type == "cpu" for t in kept.values())
        said = answers(learning.models, learning.prompt(PROMPT))
        disturb(learning)
        assert not tiny.same(learning.state(), kept)
        learning.restore(kept)
        assert tiny.same(learning.state(), kept)
        assert all(
            torch.equal(a, b) for a, b in zip(said, answers(learning.models, learning.prompt(PROMPT)), strict=True)
        )
        first = next(iter(kept))
        for wrong in ({}, {**kept, "more": torch.zeros(1)}, {**kept, first: torch.zeros(1)}):
            with pytest.raises(ModelError, match="do not fit"):
                learning.restore(wrong)
        assert tiny.same(learning.state(), kept)


def test_while_detached_the_base_answers_bit_for_bit(learning: Method) -> None:
    models = learning.models
    plain = answers(models, PROMPT)
    with learning.attached():
        disturb(learning)
        kept = learning.state()
        taught = answers(models, learning.prompt(PROMPT))
        assert not all(torch.equal(a, b) for a, b in zip(plain, taught, strict=True))
        with learning.detached():
            assert all(torch.equal(a, b) for a, b in zip(plain, answers(models, PROMPT), strict=True))
        again = answers(models, learning.prompt(PROMPT))
        assert all(torch.equal(a, b) for a, b in zip(taught, again, strict=True))
        assert tiny.same(learning.state(), kept)
        with pytest.raises(ZeroDivisionError), learning.detached():
            raise ZeroDivisionError
        assert torch.equal(taught[1], answers(models, learning.prompt(PROMPT))[1])
    assert learning.live == {}


def test_runs_one_after_the_other_do_not_touch_each_other(loaded: dict[str, Models]) -> None:
    """Every method once, then once more, when all others have been at the same base: the same to the bit."""
    models, found = loaded["sd1"], {}
    before = picture_of(models)
    for again in (False, True):
        for kind in registry():
            run = make(kind, models)
            with run.attached() as groups:
                losses, state = fit(run, groups, 2), run.state()
            if again:
                assert losses == found[kind][0] and tiny.same(state, found[kind][1]), kind
            found[kind] = losses, state
    assert_same(before, picture_of(models))


def about(models: Models) -> About:
    return tiny.about(family=models.family.name, prediction=models.prediction)


def load_lora(pipeline: Any, path: Path, base: str) -> tuple[Any, str]:
    pipeline.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name="toy")
    pipeline.fuse_lora()
    return pipeline, PROMPT


def load_word(pipeline: Any, path: Path, base: str) -> tuple[Any, str]:
    pipeline.load_textual_inversion(str(path), token="toyword")
    return pipeline, PROMPT.replace("sks", "toyword")


def load_file(pipeline: Any, path: Path, base: str) -> tuple[Any, str]:
    kind = type(pipeline)
    return kind.from_single_file(str(path), config=base, local_files_only=True, torch_dtype=torch.float32), PROMPT


def load_folder(pipeline: Any, path: Path, base: str) -> tuple[Any, str]:
    return type(pipeline).from_pretrained(str(path), torch_dtype=torch.float32), PROMPT


def load_lycoris(pipeline: Any, path: Path, base: str) -> tuple[Any, str]:
    """By lycoris-lora's own reader and merge."""
    from lycoris.modules import get_module, make_module
    from lycoris.modules.ia3 import IA3Module

    def made(name: str) -> Any:
        algorithm, params = get_module(tensors, name)
        if algorithm is IA3Module:  # 4.1.3 cannot make this one from its own file: its maker takes one value too few
            module = IA3Module(name, layers[name], train_on_input=bool(params[1]))
            module.weight.copy_(params[0])
            return module
        return make_module(algorithm, params, name, layers[name])

    tensors = load_file_tensors(path)
    layers = {f"lora_unet_{n.replace('.', '_')}": m for n, m in pipeline.unet.named_modules()}
    layers |= {f"lora_te_text_model_{n.replace('.', '_')}": m for n, m in pipeline.text_encoder.named_modules()}
    names = {key.split(".")[0] for key in tensors}
    assert names <= layers.keys()
    with torch.no_grad():
        for name in names:
            made(name).merge_to(1.0)
    return pipeline, PROMPT


def load_hypernetwork(pipeline: Any, path: Path, base: str) -> tuple[Any, str]:
    """By A1111's rules: its restricted unpickler, its layer names, its forward."""
    names = re.findall(rb"c([\w.]+)\n(\w+)\n", path.read_bytes())
    assert set(names) <= {
        (b"collections", b"OrderedDict"),
        (b"torch._utils", b"_rebuild_tensor_v2"),
        (b"torch", b"FloatStorage"),
    }
    data = torch.load(path, weights_only=True)
    assert data["layer_structure"] == [1, 2, 1] and data["activation_func"] == "swish" and not data["activate_output"]
    assert {key for key in data if type(key) is int} == {16, 32}
    pairs: dict[int, list[torch.nn.Sequential]] = {}
    for width in (16, 32):
        for state in data[width]:
            parts = [torch.nn.Linear(width, width * 2), torch.nn.Hardswish(), torch.nn.Dropout(0.1)]
            net = torch.nn.Sequential(*parts, torch.nn.Linear(width * 2, width)).eval()
            net.load_state_dict({key.removeprefix("linear."): value for key, value in state.items()})
            pairs.setdefault(width, []).append(net)
    for name, module in pipeline.unet.named_modules():
        if name.endswith((".to_k", ".to_v")):
            net = pairs[module.in_features][0 if name.endswith("k") else 1]
            module.register_forward_pre_hook(lambda _, inputs, net=net: (inputs[0] + net(inputs[0]),))
    return pipeline, PROMPT


LYCORIS = ("locon", "loha", "lokr", "ia3", "dylora", "oft", "boft", "glora", "full")
CONSUMERS = {
    **{(kind, "kohya"): load_lycoris for kind in LYCORIS},
    ("hypernetwork", "a1111"): load_hypernetwork,
    ("lora", "kohya"): load_lora,
    ("lora", "diffusers"): load_lora,
    ("textual-inversion", "a1111"): load_word,
    ("textual-inversion", "a1111-pt"): load_word,
    ("dreambooth", "single-file"): load_file,
    ("dreambooth", "diffusers"): load_folder,
}
CLOSE = {torch.float32: 2e-5, torch.float16: 2e-2}  # largest difference of a UNet's answer, whose values are about 1


def test_every_export_has_a_consumer_here() -> None:
    assert set(CONSUMERS) == {(kind, form) for kind, cls in registry().items() for form in cls.exports}


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize(("kind", "form"), CONSUMERS)
def test_every_export_says_to_its_consumer_what_the_live_model_says(
    kind: str, form: str, dtype: torch.dtype, loaded: dict[str, Models], tmp_path: Path, base: Path
) -> None:
    models = loaded["sd1"]
    learning = make(kind, models)
    plain = answers(models, PROMPT)[1]
    with learning.attached():
        disturb(learning)
        path = method(kind).exports[form](learning, Target(tmp_path, "toy", dtype, about(models)))
        taught = answers(models, learning.prompt(PROMPT))[1]
    pipeline, prompt = CONSUMERS[kind, form](copy.deepcopy(models.family.pipeline(models)), path, str(base))
    noisy = torch.randn(1, models.latent_channels, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        hidden = pipeline.encode_prompt(prompt, "cpu", 1, False)[0]
        said = pipeline.unet(noisy, torch.tensor([400]), encoder_hidden_states=hidden).sample
    assert torch.isfinite(said).all()
    apart = float((said - taught).abs().max())
    learnt = float((plain - taught).abs().max())
    assert apart < CLOSE[dtype] and apart < learnt / 10, (apart, learnt)


def test_what_is_too_large_for_the_format_is_refused_and_not_written(loaded: dict[str, Models], tmp_path: Path) -> None:
    models = loaded["sd1"]
    for kind, form in CONSUMERS:
        if kind in ("textual-inversion", "hypernetwork"):  # always float32
            continue
        learning = make(kind, models)
        with learning.attached():
            with torch.no_grad():
                next(iter(learning.live.values())).view(-1)[0] = 1e6
            with pytest.raises(ModelError, match="does not fit into float16"):
                method(kind).exports[form](learning, Target(tmp_path, "toy", torch.float16, about(models)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", registry())
def test_a_method_says_what_a_person_wants_to_know(kind: str) -> None:
    cls = registry()[kind]
    assert cls.kind == kind and cls.title and cls.sentence.endswith(".")
    assert re.fullmatch(r"#[0-9A-Fa-f]{6}", cls.colour)
    assert cls.families <= set(FAMILIES) and cls.exports
    cls.usage.format(name="n", trigger="t", class_word="c")
    assert cls.Options.model_fields["kind"].default == kind
    assert (cls.colour, cls.ring) not in [(o.colour, o.ring) for o in registry().values() if o is not cls]


@pytest.mark.parametrize("targets", ["qkv", "attn", "attn-mlp", "full"])
def test_lora_reaches_more_with_each_choice_and_changes_nothing_at_first(
    targets: str, loaded: dict[str, Models]
) -> None:
    models = loaded["sd1"]
    plain = answers(models, PROMPT)
    wide = make("lora", models, targets=targets, rank_stabilised=True)
    with wide.attached():
        layers = {name.rsplit(".lora_", 1)[0] for name in wide.live if name.startswith("unet")}
        said = answers(models, PROMPT)
        alphas = wide.alphas()  # type: ignore[attr-defined]
    expected = {"qkv": 60, "attn": 80, "attn-mlp": 120}  # ten attention blocks
    assert len(layers) == expected.get(targets, len(layers)) and (targets != "full" or len(layers) > 160)
    torch.testing.assert_close(said[1], plain[1], atol=1e-6, rtol=1e-6)
    assert set(alphas.values()) == {4.0 * 4**0.5}


@pytest.mark.parametrize(
    ("init", "vectors", "rows"), [("ab", 4, [0, 0, 1, 1]), ("", 2, None), ("{class}", 3, [0, 1, 2])]
)
def test_a_new_word_starts_from_the_words_it_is_told(
    init: str, vectors: int, rows: list[int] | None, loaded: dict[str, Models]
) -> None:
    models = loaded["sd1"]
    learning = make("textual-inversion", models, init=init, vectors=vectors)
    table = models.text_encoders["text_encoder"].get_input_embeddings().weight.detach()
    words = "toy" if init == "{class}" else init
    ids = models.tokenizers["tokenizer"](words, add_special_tokens=False).input_ids
    with learning.attached():
        (first,) = learning.state().values()
    expected = torch.zeros(vectors, table.shape[1]) if rows is None else table[[ids[row] for row in rows]]
    assert torch.equal(first, expected)


def test_a_new_word_stands_where_the_trigger_stands_as_a_word(loaded: dict[str, Models]) -> None:
    learning = make("textual-inversion", loaded["sd1"], vectors=2, init="")
    with learning.attached():
        new = "<crucible-0> <crucible-1>"
        assert learning.prompt("a sks toy, SKS; sks.") == f"a {new} toy, {new}; {new}."
        assert learning.prompt("masks of sks2") == "masks of sks2"


def test_a_word_too_short_for_its_start_says_so_and_leaves_the_base_alone(loaded: dict[str, Models]) -> None:
    from studio.errors import SpecError

    models = loaded["sd1"]
    before = picture_of(models)
    with pytest.raises(SpecError, match=r"method\.vectors"), make("textual-inversion", models, vectors=2).attached():
        pass
    assert_same(before, picture_of(models))
