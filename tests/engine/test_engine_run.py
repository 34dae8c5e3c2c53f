"""What a run does when something happens to it: wishes, divergence, a full device, another machine's precision."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.engine import bench, course, run
from studio.engine.bench import Bench
from studio.engine.learner import Learner
from studio.engine.machine import Machine, this_hardware
from studio.engine.run import export_again, extend, train
from studio.engine.worker import Resident, Worker
from studio.errors import SpecError, StoreError
from studio.events import Event, Failed, from_line
from studio.hardware import Hardware, decide
from studio.methods import method
from studio.spec import spec_from_toml
from studio.store import RunStore
from tests import tiny

Make = Callable[..., Any]
QUICK = {"schedule": {"steps": 3, "batch_size": 1}, "sample": {"prompts": []}, "save": {"formats": ["kohya"]}}


@pytest.fixture
def start(tmp_path: Path, spec: Make) -> Callable[..., RunStore]:
    """The folder of a new LoRA run of three steps that draws nothing."""
    from studio.section import merge

    return lambda kind="lora", **over: tiny.new_run(
        tmp_path / "run", spec(kind, **merge(QUICK if kind == "lora" else {**QUICK, "save": {}}, over))
    )


def lines(store: RunStore) -> list[Event]:
    text = (store.path / "events.jsonl").read_text(encoding="utf-8")
    return [event for line in text.splitlines() if (event := from_line(line))]


def of(events: list[Event], kind: str) -> list[Any]:
    return [event for event in events if event.kind == kind]


def state(store: RunStore, step: int) -> dict[str, torch.Tensor]:
    return tiny.checkpoint(store, step)[0]


def card_of(path: Path) -> Path:
    """What stands beside a file, or in a folder, for people."""
    return path / "README.md" if path.is_dir() else path.with_suffix(".json")


def test_a_whole_run_says_what_it_does_and_leaves_it_on_disk(tmp_path: Path, spec: Make, resident: Resident) -> None:
    wanted = spec("lora", schedule={"steps": 4}, sample={"every": 2, "seeds": [1, 2]}, save={"every": 2, "keep": 1})
    store = tiny.new_run(tmp_path / "run", wanted)
    events = list(train(store, resident))
    assert events == lines(store)
    assert tiny.kinds(events)[:4] == ["started", "decided", "progress", "measured"]
    assert [event.step for event in of(events, "step")] == [1, 2, 3, 4]
    assert [event.step for event in of(events, "sampled")] == [0, 2, 4]
    assert [event.step for event in of(events, "validated")] == [0, 2, 4]
    assert [event.step for event in of(events, "saved")] == [2, 4]
    assert [event.format for event in of(events, "exported")] == ["kohya", "diffusers"]
    assert events[-1].kind == "finished" and store.view().state == "finished"
    view = store.view()
    assert view.metrics["parameters"] == sum(t.numel() for t in state(store, 4).values())
    assert view.train_seconds == pytest.approx(sum(event.seconds for event in of(events, "step")))
    assert [step for step, _ in store.checkpoints()] == [4]
    pictures = [picture for event in of(events, "sampled") for picture in event.pictures]
    assert [(picture.prompt, picture.seed) for picture in pictures] == [("a sks toy", 1), ("a sks toy", 2)] * 3
    assert all((store.path / picture.path).is_file() for picture in pictures)
    assert all((store.path / export.path).exists() for export in view.exports)
    assert all(card_of(store.path / export.path).is_file() for export in view.exports)
    plan = json.loads((store.path / "plan.json").read_text())
    assert plan["plan"]["compute"] == "fp32" and plan["hardware"]["versions"]["torch"]
    assert spec_from_toml(store.spec_text()) == wanted
    assert tiny.drafts(tmp_path) == [] and not (store.path / "lock").exists()


def test_a_wish_to_stop_saves_and_stops_and_resuming_gives_what_would_have_been(
    start: Callable[..., RunStore], tmp_path: Path, spec: Make, resident: Resident
) -> None:
    store = start()
    events = []
    for event in train(store, resident):
        events.append(event)
        if event.kind == "step" and event.step == 2:  # type: ignore[attr-defined]
            store.wish("stop")
    assert [event.kind for event in events[-2:]] == ["saved", "stopped"] and events[-1].step == 2  # type: ignore[attr-defined]
    assert store.view().state == "stopped" and store.take_wish() is None
    rest = list(train(store, resident))
    assert [event.step for event in of(rest, "step")] == [3] and store.view().state == "finished"
    whole = tiny.new_run(tmp_path / "whole", spec_from_toml(store.spec_text()))
    list(train(whole, resident))
    assert tiny.same(state(store, 3), state(whole, 3))


def test_other_wishes(start: Callable[..., RunStore], resident: Resident) -> None:
    store = start(sample={"prompts": ["a {trigger}"]})
    events = []
    for event in train(store, resident):
        events.append(event)
        if event.kind == "step":
            store.wish({1: "sample", 2: "save", 3: "save"}[event.step])  # type: ignore[attr-defined]
    assert [event.step for event in of(events, "sampled")] == [0, 1, 3]
    assert [event.step for event in of(events, "saved")] == [2, 3]
    assert events[-1].kind == "finished"


def test_a_wish_to_discard_saves_nothing(start: Callable[..., RunStore], resident: Resident) -> None:
    store = start()
    events = []
    for event in train(store, resident):
        events.append(event)
        if event.kind == "step":
            store.wish("discard")
    assert [event.kind for event in events[-2:]] == ["step", "stopped"]
    assert store.checkpoints() == [] and not (store.path / "exports").exists()


@pytest.mark.parametrize("kind", tiny.METHODS)
def test_a_run_dropped_in_the_middle_leaves_the_base_as_it_was(
    kind: str, start: Callable[..., RunStore], resident: Resident
) -> None:
    store = start(kind)
    events = train(store, resident)
    assert next(event for event in events if event.kind == "step")
    models = resident.models_for(spec_from_toml(store.spec_text()), decide(this_hardware(), _machine(store), "adamw"))
    events.close()  # type: ignore[attr-defined]
    assert store.view().state == "interrupted"
    for module in models.modules().values():
        assert not any(parameter.requires_grad for parameter in module.parameters())
        assert not any(child.training for child in module.modules())
        assert all("lora" not in type(child).__module__ for child in module.modules())
    assert len(models.tokenizers["tokenizer"]) == len(tiny.tokenizer())
    assert torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")


def _machine(store: RunStore) -> Any:
    return spec_from_toml(store.spec_text()).machine


def test_a_learning_rate_that_explodes_ends_with_advice_and_nothing_broken_on_disk(
    start: Callable[..., RunStore], resident: Resident
) -> None:
    store = start(
        "dreambooth",
        optim={"name": "sgd", "lr": 100.0, "clip": 0.0},
        schedule={"steps": 40, "warmup": 0.5},
        save={"every": 1, "keep": 2},
    )
    events = list(train(store, resident))
    assert isinstance(events[-1], Failed) and "lower" in events[-1].text
    assert "error of ours" not in events[-1].text
    view = store.view()
    assert view.state == "failed" and view.error == events[-1].text
    assert all(abs(loss) < float("inf") for _, loss in view.losses)
    kept = store.checkpoints()
    assert kept and len(kept) <= 2
    for step, _ in kept:
        weights, machinery, _ = tiny.checkpoint(store, step)
        assert all(torch.isfinite(tensor).all() for tensor in (*weights.values(), *machinery.values()))
    assert not list((store.path / "exports").glob("*"))


def test_a_gradient_that_is_not_finite_never_touches_a_weight(
    start: Callable[..., RunStore], resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss itself may still be finite: an overflow on the way back, as fp16 and bf16 have."""
    really = torch.Tensor.backward
    calls: list[int] = []

    def broken(tensor: torch.Tensor, *args: Any, **more: Any) -> None:
        really(tensor, *args, **more)
        calls.append(1)
        if len(calls) == 2:
            first.grad.view(-1)[0] = float("inf")

    store = start(save={"every": 1})
    events = []
    for event in train(store, resident):
        events.append(event)
        if event.kind == "measured":
            models = resident._models
            assert models is not None
            first: Any = next(parameter for parameter in models.unet.parameters() if parameter.requires_grad)
            monkeypatch.setattr(torch.Tensor, "backward", broken)
    assert events[-1].kind == "stopped" and events[-1].step == 1  # type: ignore[attr-defined]
    (said,) = [event.text for event in of(events, "note")]
    assert "gradient" in said and "step 2" in said and "lower" in said
    assert [step for step, _ in store.checkpoints()] == [1]
    assert [event.step for event in of(events, "step")] == [1]


FULL = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
]


@pytest.mark.parametrize("error", FULL, ids=["device", "processor"])
def test_no_memory_for_a_preview_does_not_end_the_training(
    error: RuntimeError, start: Callable[..., RunStore], resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(bench, "draw_pictures", full)
    store = start(sample={"prompts": ["a {trigger}"]})
    events = list(train(store, resident))
    assert [note.level for note in of(events, "note")] == ["warning", "warning"]
    assert "preview" in of(events, "note")[0].text
    assert events[-1].kind == "finished" and of(events, "sampled") == [] and len(of(events, "validated")) == 2
    assert tiny.drafts(store.path) == []


def test_no_memory_for_the_held_out_loss_does_not_end_the_training(
    start: Callable[..., RunStore], resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise FULL[0]

    monkeypatch.setattr(Bench, "_loss_of", full)
    store = start(schedule={"steps": 1})
    events = list(train(store, resident))
    assert events[-1].kind == "finished" and of(events, "validated") == []
    skipped = [note.text for note in of(events, "note") if "was skipped" in note.text]
    assert len(skipped) == 2 and all("held-out" in text for text in skipped)
    assert not any(p.requires_grad for module in resident._models.modules().values() for p in module.parameters())  # type: ignore[union-attr]


def test_another_error_in_a_preview_is_not_hidden(
    start: Callable[..., RunStore], resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(bench, "draw_pictures", broken)
    store = start(sample={"prompts": ["a {trigger}"]})
    events = list(train(store, resident))
    assert isinstance(events[-1], Failed)
    assert "shapes do not fit" in events[-1].text and "Traceback" in events[-1].detail


@pytest.mark.parametrize("error", FULL, ids=["device", "processor"])
def test_no_memory_for_a_step_says_what_would_help(
    error: RuntimeError, start: Callable[..., RunStore], resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Learner.forward
    calls: list[int] = []

    def full(self: Learner, *args: Any) -> Any:
        calls.append(1)
        if torch.is_grad_enabled() and len(calls) > 3:
            raise error
        return really(self, *args)

    monkeypatch.setattr(Learner, "forward", full)
    store = start(save={"every": 1})
    events = list(train(store, resident))
    assert isinstance(events[-1], Failed)
    assert "gradient_checkpointing" in events[-1].text and "batch_size" in events[-1].text
    monkeypatch.undo()
    assert list(train(store, resident))[-1].kind == "finished"


@pytest.mark.parametrize(
    ("wish", "hardware", "decision"),
    [
        ("bf16", Hardware(name="an old CPU"), ("fp32", "An old CPU has no bfloat16; using float32.")),
        ("fp16", Hardware(name="an old CPU"), ("fp32", "An old CPU does not train in float16; using float32.")),
        ("bf16", Hardware(name="a new CPU", bf16=True), ("bf16", "bfloat16 as asked for; a new CPU computes in it.")),
    ],
)
def test_a_precision_that_the_machine_lacks_does_not_stop_the_run(
    wish: str,
    hardware: Hardware,
    decision: tuple[str, str],
    start: Callable[..., RunStore],
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (run, course):
        monkeypatch.setattr(module, "this_hardware", lambda: hardware)
    store = start(machine={"precision": wish, "save_precision": wish})
    assert list(train(store, Resident(cache)))[-1].kind == "finished"
    decided = {event.what: event for event in of(lines(store), "decided")}
    assert (decided["precision"].choice, decided["precision"].reason) == decision
    assert all(t.dtype == torch.float32 for t in state(store, 3).values())
    if wish == "bf16" != decision[0]:
        assert decided["save_precision"].choice == "fp16" and "bfloat16" in decided["save_precision"].reason


def test_held_out_loss_is_judged_without_dropout_and_the_same_for_all(
    spec: Make, resident: Resident, cache: Path
) -> None:
    wanted = spec("lora", method={"dropout": 0.9})
    machine = Machine(decide(this_hardware(), wanted.machine, "adamw"))
    work = Bench(wanted, resident.models_for(wanted, machine.plan), machine, cache)
    list(work.fill())
    learning = method("lora")(work.models, wanted.method, wanted.data, wanted.seed)
    with learning.attached():
        with torch.no_grad():
            for parameter in learning.live.values():
                parameter += 0.05
        learner = Learner(work.models, wanted.objective, text_learns=True)
        losses = []
        for _ in range(2):
            losses += [event.loss for event in work.validate(1, learner, learning.prompt) if event.kind == "validated"]  # type: ignore[attr-defined]
        assert losses[0] == losses[1]
        assert work.models.unet.training


def test_a_run_goes_on_to_more_steps_and_not_to_fewer(start: Callable[..., RunStore], resident: Resident) -> None:
    store = start(schedule={"steps": 2})
    list(train(store, resident))
    with pytest.raises(SpecError, match="already stands at step 2"):
        extend(store, 1)
    extend(store, 3)
    events = list(train(store, resident))
    assert [event.step for event in of(events, "step")] == [3]
    assert store.view().step == 3 and spec_from_toml(store.spec_text()).schedule.steps == 3


@pytest.mark.parametrize("steps", [0, -4, 10**9])
def test_steps_out_of_bounds_are_refused_before_the_spec_is_changed(start: Callable[..., RunStore], steps: int) -> None:
    store = start()
    before = store.spec_text()
    with pytest.raises(SpecError, match="steps"):
        extend(store, steps)
    assert store.spec_text() == before


def test_exports_are_written_again_from_the_last_checkpoint(start: Callable[..., RunStore], resident: Resident) -> None:
    store = start()
    with pytest.raises(StoreError, match="no checkpoint"):
        list(export_again(store, resident, ()))
    list(train(store, resident))
    (export,) = store.view().exports
    content = (store.path / export.path).read_bytes()
    (store.path / export.path).unlink()
    events = list(export_again(store, resident, ("diffusers", "kohya")))
    assert [event.format for event in of(events, "exported")] == ["diffusers", "kohya"]
    from safetensors.torch import load

    assert tiny.same(load((store.path / export.path).read_bytes()), load(content))
    assert store.view().state == "finished"
    with pytest.raises(SpecError, match="gguf"):
        list(export_again(store, resident, ("gguf",)))


def test_a_run_that_cannot_start_says_so_before_any_work(start: Callable[..., RunStore], resident: Resident) -> None:
    store = start(data={"folder": "/nowhere"})
    with pytest.raises(SpecError, match="nowhere"):
        next(train(store, resident))
    assert not (store.path / "events.jsonl").exists()


def test_a_new_run_is_begun_in_the_next_free_folder_and_only_if_it_can_start(
    tmp_path: Path, spec: Make, pictures: Path
) -> None:
    one, two = (run.begin(spec("lora"), None, tmp_path / "out") for _ in range(2))
    assert (one.path, two.path) == (tmp_path / "out" / "toys-lora" / "lora", tmp_path / "out" / "toys-lora-2" / "lora")
    for over in ({"data": {"folder": "/nowhere"}}, {"base": {"model": "/nowhere"}}):
        with pytest.raises(SpecError):
            run.begin(spec("lora", **over), None, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_worker_goes_on_after_a_job_that_broke_and_ends_when_it_is_told(
    start: Callable[..., RunStore], resident: Resident
) -> None:
    import threading

    worker = Worker(resident)
    store = start(schedule={"steps": 100_000})
    begun = threading.Event()

    def broken(_: Resident) -> Any:
        yield 1
        raise SpecError("A sentence.")

    def job(models: Resident) -> Any:
        for event in train(store, models):
            if event.kind == "step":
                begun.set()
            yield event

    worker.submit("one", broken)
    worker.submit("two", job)
    assert begun.wait(60)
    assert worker.current == "two" and worker.waiting() == []
    worker.shutdown(30)
    assert not worker._thread.is_alive() and store.view().state == "interrupted"
