"""What only the LyCORIS algorithms promise: going on from files, runs side by side, DoRA, ranks that take turns."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.errors import ModelError
from studio.families.base import Models
from studio.methods import method, registry
from studio.methods.base import Method, Target
from studio.methods.lycoris import Lycoris
from tests import tiny
from tests.methods.conftest import loaded_from
from tests.methods.test_methods_contract import DATA, PROMPT, about, answers, disturb, fit, load_lycoris, make

KINDS = [kind for kind, cls in registry().items() if issubclass(cls, Lycoris)]
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((kind, {}) for kind in KINDS),
    ("locon", {"tucker": True, "rank_stabilised": True, "alpha": 2.0}),
    ("locon", {"dora": True}),
    ("loha", {"dora": True, "tucker": False}),
    ("lokr", {"dora": True}),
    ("lokr", {"full_matrix": True, "factor": 8}),
    ("lokr", {"decompose_both": True, "targets": "attn"}),
    ("oft", {"constraint": 0.5}),
]


def written(learning: Method, folder: Path) -> Path:
    return method(learning.kind).exports["kohya"](
        learning, Target(folder, "toy", torch.float32, about(learning.models))
    )


def assert_goes_on(kind: str, models: Models, over: dict[str, Any], folder: Path) -> None:
    with (learning := make(kind, models, **over)).attached():
        disturb(learning)
        kept = learning.state()
        path = written(learning, folder)
    again = make(kind, models, seed=8, start=str(path), **over)
    assert type(again).problems(again.options, DATA) == []
    with again.attached():
        again.begin()
        state = again.state()
        assert state.keys() == kept.keys()
        if kind == "full":  # a difference is put back on the weight that it was taken from, which rounds
            assert all(torch.allclose(state[name], kept[name], atol=1e-6) for name in kept)
        else:
            assert tiny.same(state, kept)


@pytest.mark.parametrize(("kind", "over"), VARIANTS, ids=str)
def test_a_file_of_ours_goes_on_where_it_ended(kind: str, over: dict[str, Any], sd1: Models, tmp_path: Path) -> None:
    assert_goes_on(kind, sd1, over, tmp_path)


@pytest.mark.parametrize("kind", ["lokr", "dylora", "full"])
def test_sdxls_names_lead_back_too(kind: str, sdxl: Models, tmp_path: Path) -> None:
    assert_goes_on(kind, sdxl, {}, tmp_path)


@pytest.mark.parametrize(
    ("kind", "made", "told"),
    [
        ("locon", {"rank": 8}, "method.rank = 8"),
        ("locon", {"alpha": 1.0}, "method.alpha = 1.0"),
        ("loha", {"targets": "attn"}, 'method.targets = "attn"'),
        ("locon", {"train_text_encoder": False}, "method.train_text_encoder = false"),
        ("locon", {"dora": True}, "method.dora = true"),
        ("locon", {"tucker": True}, "method.tucker = true"),
        ("lokr", {"factor": 8}, "method.factor"),
        ("dylora", {"rank": 3}, "method.rank = 3"),
    ],
)
def test_settings_that_do_not_fit_the_file_are_named(
    kind: str, made: dict[str, Any], told: str, sd1: Models, tmp_path: Path
) -> None:
    with (learning := make(kind, sd1, **made)).attached():
        path = written(learning, tmp_path)
    with (again := make(kind, sd1, start=str(path))).attached(), pytest.raises(ModelError) as error:
        again.begin()
    assert told in str(error.value)


def test_another_algorithms_file_is_refused_before_any_work(sd1: Models, tmp_path: Path) -> None:
    with (learning := make("loha", sd1)).attached():
        path = written(learning, tmp_path)
    for kind in KINDS:
        (problem, *_) = [*method(kind).problems(method(kind).Options(start=str(path)), DATA), ""]
        assert ("method.kind = loha" in problem) == (kind != "loha"), (kind, problem)
    with (wrong := make("boft", sd1)).attached(), pytest.raises(ModelError, match=r"method\.kind = oft"):
        with (made := make("oft", loaded_twice(sd1))).attached():
            oft = written(made, tmp_path)
        wrong.begun(oft)


def loaded_twice(models: Models) -> Models:
    return loaded_from(Path(models.source))


def test_scales_of_inputs_are_refused(sd1: Models, tmp_path: Path) -> None:
    with (learning := make("ia3", sd1)).attached():
        path = written(learning, tmp_path)
        save_file({n: t + 1 if n.endswith("on_input") else t for n, t in load_file(path).items()}, path)
        with pytest.raises(ModelError, match="scales the inputs"):
            learning.begun(path)


@pytest.mark.parametrize(
    ("kind", "over"), [v for v in VARIANTS if v[1].get("dora") or v[0] in ("dylora", "ia3")], ids=str
)
def test_lycoris_own_reader_says_what_the_live_model_says(
    kind: str, over: dict[str, Any], sd1: Models, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if over.get("dora"):  # 4.1.3 takes every DoRA for sizes of outputs, whatever the file's shape; ours are of inputs
        home = method(kind).module_class  # type: ignore[attr-defined]
        cls = getattr(importlib.import_module(f"lycoris.modules.{home[0]}"), home[1])
        monkeypatch.setattr(cls, "__init__", functools.partialmethod(cls.__init__, wd_on_out=False))
    with (learning := make(kind, sd1, **{"targets": "attn" if kind == "ia3" else "full", **over})).attached():
        disturb(learning)
        path = written(learning, tmp_path)
        taught = answers(sd1, PROMPT)[1]
    other = loaded_from(base)
    pipeline, _ = load_lycoris(other.family.pipeline(other), path, str(base))
    noisy = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        hidden = pipeline.encode_prompt(PROMPT, "cpu", 1, False)[0]
        said = pipeline.unet(noisy, torch.tensor([400]), encoder_hidden_states=hidden).sample
    assert float((said - taught).abs().max()) < 5e-5
    assert float((said - answers(sd1, PROMPT)[1]).abs().max()) > 1e-3


def test_runs_with_other_settings_step_by_step_beside_each_other_do_not_meet(sd1: Models, base: Path) -> None:
    """Three algorithms, and one of them twice with other settings: alone, and then a step of each in turn."""
    settings: list[tuple[str, dict[str, Any]]] = [
        ("locon", {"rank": 2, "targets": "attn"}),
        ("locon", {"rank": 5, "tucker": True, "dora": True}),
        ("lokr", {"factor": 8, "full_matrix": True}),
        ("loha", {"targets": "attn-mlp"}),
    ]

    def steps(learning: Method, groups: Any) -> Any:
        from studio.engine.draw import reseed

        for step in range(3):
            reseed(5, step, 0)
            fit(learning, groups, 1)
            yield

    alone = []
    for kind, over in settings:
        with (learning := make(kind, sd1, **over)).attached() as groups:
            list(steps(learning, groups))
            alone.append(learning.state())
    beside = [make(kind, loaded_from(base), **over) for kind, over in settings]
    courses = [steps(learning, learning.attach()) for learning in beside]
    for _ in zip(*courses, strict=True):
        pass
    for learning, state in zip(beside, alone, strict=True):
        assert tiny.same(learning.state(), state), learning.kind


def test_one_inside_the_other_both_act_and_both_leave(sd1: Models) -> None:
    """A second algorithm put on a base that a first has changed; taken off again, the first is as it was."""
    with (outer := make("locon", sd1, targets="attn", train_text_encoder=False)).attached():
        disturb(outer)
        one = answers(sd1, PROMPT)[1]
        with (inner := make("hypernetwork", sd1)).attached():
            disturb(inner)
            both = answers(sd1, PROMPT)[1]
        assert torch.equal(one, answers(sd1, PROMPT)[1]) and not torch.equal(one, both)


def test_only_what_learns_a_rank_a_step_may_miss_gradients() -> None:
    assert [kind for kind, cls in registry().items() if cls.partial] == ["dylora"]
