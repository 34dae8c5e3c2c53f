"""Live: what stands in a column, what a visitor looks at, the guide, the trash, and a run that hangs."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from studio.compare import experiment
from studio.errors import StoreError
from studio.events import Failed, Finished, Picture, Sampled, Saved, Started, Step, Stopped, Validated, to_line
from studio.store import ExperimentStore, RunStore
from studio.ui import bins, columns, view, waiting, walk
from studio.ui.columns import Look
from studio.ui.desk import Desk
from studio.ui.looks import KEPT_IN, Looks
from studio.ui.tabs.train import _looked
from studio.ui.trash import RunTrash
from tests.ui.doubles import NoWorker

SPEC = 'name = "{0}"\n[method]\nkind = "{0}"\n[schedule]\nsteps = 10\n'
TEXT = 'name = "first"\nruns = ["lora", "loha"]\n'


@pytest.fixture
def first(desk: Desk) -> ExperimentStore:
    return ExperimentStore.create(desk.outputs, "first", TEXT)


def run(store: ExperimentStore, kind: str, *events: Any) -> RunStore:
    made = RunStore.create(store.path / kind, SPEC.format(kind))
    (made.path / "events.jsonl").write_text("".join(to_line(event) + "\n" for event in events))
    return made


def steps(count: int) -> list[Step]:
    return [Step(step=n, loss=0.5 / n, lr=1e-4, grad_norm=1, seconds=1, memory=10**9) for n in range(1, count + 1)]


def sampled(step: int, *prompts: str) -> Sampled:
    return Sampled(
        step=step,
        pictures=tuple(Picture(path=f"samples/{step:07d}/{n}.png", prompt=p, seed=1) for n, p in enumerate(prompts)),
    )


def test_a_failed_run_says_why_in_its_own_column_alone_and_can_go_on(desk: Desk, first: ExperimentStore) -> None:
    failed = Failed(step=6, text="No memory.", detail="Traceback: <line 7>")
    run(first, "lora", Started(step=0, total=10), *steps(6), Saved(step=4, path="x"), failed)
    run(first, "loha", Started(step=0, total=10), *steps(10), Finished(step=10, seconds=10))
    drawn = columns.columns(desk.now(), desk.looks, "en").split("<section")
    lora, loha = (next(part for part in drawn if f'data-run="{name}"' in part) for name in ("lora", "loha"))
    assert "No memory." in lora and "Resume at 4" in lora and "No memory." not in loha and "Resume" not in loha
    assert "No memory." not in view.toolbar(desk.now(), "en")
    shown, copied = lora.split('data-copy="')[0], lora.split('data-copy="')[1].split('"')[0]
    assert copied == "No memory.\n\nTraceback: &lt;line 7&gt;" and "Traceback" not in shown and "Copy details" in lora
    assert 'data-ask="Discard the run lora?' in lora and "0.0001" in lora
    assert "<path" in lora.split("Rate")[1].split("0.0001")[0]  # how it went so far, small


def test_nothing_is_resumed_while_the_worker_will_come_to_it(
    desk: Desk, first: ExperimentStore, worker: NoWorker
) -> None:
    run(first, "lora", Started(step=0, total=10), *steps(6), Failed(step=6, text="No memory."))
    worker.current = "first"
    assert "Resume at" not in columns.columns(desk.now(), desk.looks, "en")


def test_one_run_goes_on_alone(
    desk: Desk, first: ExperimentStore, worker: NoWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(first, "lora", Started(step=0, total=10), *steps(4), Saved(step=4, path="x"), Stopped(step=4))
    run(first, "loha", Started(step=0, total=10), *steps(6), Failed(step=6, text="No memory."))
    jobs, meant = [], []
    monkeypatch.setattr(worker, "submit", lambda name, job: jobs.append(job))
    monkeypatch.setattr(experiment, "run", lambda *_, only, **__: meant.append(only) or iter(()))
    desk.resume("first", "lora")
    desk.resume("first", "lora")  # a double click
    now = desk.now()
    assert len(jobs) == 1 and now.asked == {"lora"} and not now.waiting
    lora, loha = columns.columns(now, desk.looks, "en").split("<section")[1:]
    assert "queued" in lora and "Resume" not in lora and "Resume at 0" in loha
    assert "Lora" in waiting.drawn(desk.waiting(), desk.looks, "en")
    assert "Loha" not in waiting.drawn(desk.waiting(), desk.looks, "en")
    assert list(jobs[0](None)) == [] and meant == [("lora",)]
    assert not desk.now().asked and desk.waiting() == []
    assert [experiment._is_next(name, {"b"}, ("a", "b")) for name in "abc"] == [True, False, False]


def test_prompt_step_zero_and_film_are_what_the_visitor_looks_at(desk: Desk, first: ExperimentStore) -> None:
    run(first, "lora", Started(step=0, total=10), sampled(0, "dog", "cat"), *steps(6), sampled(6, "dog", "cat"))
    now = desk.now()
    assert [one.prompt for one in columns.prompts(now)] == ["dog", "cat"]
    plain = columns.columns(now, desk.looks, "en")
    assert "0000006/0.png" in plain and "0000000/0.png" in plain  # step 0 lies under the newest
    other = columns.columns(now, desk.looks, "en", Look(prompt=1))
    assert "0000006/1.png" in other and "0000006/0.png" not in other
    before = columns.columns(now, desk.looks, "en", Look(before=True))
    assert "0000000/0.png" in before and "0000006" not in before
    film = columns.lower(now, desk.looks, "en", Look(plot="film", film="lora"))
    assert film.index("0000000/0.png") < film.index("0000006/0.png")
    assert columns.chosen(list(now.runs[0].view.samples[6]), 7).prompt == "cat"


def test_raw_smoothed_and_held_out_loss_are_three_plots(desk: Desk, first: ExperimentStore) -> None:
    run(first, "lora", Started(step=0, total=10), *steps(6), Validated(step=2, loss=0.4), Validated(step=6, loss=0.3))
    seen = desk.now().runs[0]
    assert [loss for _, loss in seen.raw] == [event.loss for event in steps(6)] and seen.raw != seen.curve
    drawn = {
        which: columns.lower(desk.now(), desk.looks, "en", Look(plot=which)) for which in ("smooth", "raw", "held")
    }
    assert len({text.split("<path class")[-1] for text in drawn.values()}) == 3
    assert all('class="curve"' in text for text in drawn.values())


@pytest.mark.parametrize(
    ("act", "name", "value", "look"),
    [
        ("before", "", "", Look(before=True)), ("plot", "raw", "", Look(plot="raw")), ("plot", "no", "", Look()),
        ("film", "lora", "", Look(plot="film", film="lora")), ("set", "prompt", "2", Look(prompt=2)),
        ("set", "prompt", "x", Look()), ("set", "film", "loha", Look(film="loha")), ("stop", "", "", Look()),
    ],
)  # fmt: skip
def test_what_is_looked_at_follows_the_click(act: str, name: str, value: str, look: Look) -> None:
    assert _looked(Look(), act, name, value) == look


def test_a_run_that_hangs_is_counted_as_interrupted_and_cannot_go_on_writing(first: ExperimentStore) -> None:
    made = run(first, "lora", Started(step=0, total=10), *steps(2))
    with made.writing():
        with pytest.raises(StoreError, match="just given a sign of life"):
            made.declare_dead(30.0)
        made.declare_dead(0.0)
        assert made.view().state == "interrupted"
        made._lock.beat()
        with pytest.raises(StoreError, match="taken over"):
            made.append(steps(3)[-1])
    with made.writing():
        assert made.holder()


def test_a_run_goes_to_the_trash_and_comes_back_to_its_place(first: ExperimentStore) -> None:
    for kind in ("lora", "loha"):
        run(first, kind, Started(step=0, total=10), Finished(step=10, seconds=1))
    trash = RunTrash(first.path.parent)
    thrown = trash.put("first", "lora")
    assert [one.path.name for one in first.runs()] == ["loha"] and '"lora"' not in first.text()
    assert trash.thrown() == [thrown] and trash.size() > 0
    trash.restore(thrown.key)
    assert [one.path.name for one in first.runs()] == ["loha", "lora"]
    assert first.text().index("lora") < first.text().index("loha") and trash.thrown() == []
    whole = trash.put("first")
    assert not first.exists
    ExperimentStore.create(first.path.parent, "first", TEXT)
    with pytest.raises(StoreError, match="another 'first'"):
        trash.restore(whole.key)
    trash.empty()
    assert trash.thrown() == [] and trash.size() == 0
    with pytest.raises(StoreError, match="no longer in the trash"):
        trash.restore(whole.key)


def test_a_run_at_work_ends_before_it_is_thrown_away(first: ExperimentStore) -> None:
    made = run(first, "lora", Started(step=0, total=10))
    trash = RunTrash(first.path.parent)
    with made.writing():
        with pytest.raises(StoreError, match="at work"):
            trash.put("first", "lora")
        assert not trash.discard("first", "lora")
        assert made.take_wish() == "discard" and not trash.thrown()
    end = time.monotonic() + 10
    while (made.path.exists() or not trash.thrown()) and time.monotonic() < end:
        time.sleep(0.05)
    assert [one.run for one in trash.thrown()] == ["lora"] and not made.path.exists()


def test_disk_use_and_trash_are_drawn_with_what_can_be_done(desk: Desk, first: ExperimentStore) -> None:
    run(first, "lora", Started(step=0, total=10), *steps(6), Saved(step=4, path="x"))
    drawn = bins.drawn(desk, "en")
    assert "! interrupted" in drawn and "Resume at 4" in drawn and 'data-act="delete"' in drawn
    assert "In the trash" not in drawn
    desk.trash.put("first")
    drawn = bins.drawn(desk, "en")
    assert "whole experiment" in drawn and 'data-act="restore"' in drawn and 'data-act="empty_trash"' in drawn


def test_the_guide_follows_what_is_true(desk: Desk, worker: NoWorker) -> None:
    def at(pictures: int = 10) -> tuple[str, str]:
        found = walk.way(desk, desk.now(), pictures)
        return found.step, found.next

    assert at(0) == ("pictures", "walk_no_pictures")
    desk.drafts.change(trigger=" ")
    assert at() == ("word", "walk_no_word")
    desk.drafts.change(trigger="sks")
    assert at() == ("methods", "walk_pick")
    first = ExperimentStore.create(desk.outputs, "first", TEXT)
    made = run(first, "lora", Started(step=0, total=10), *steps(2))
    worker.current = "first"
    assert at() == ("watch", "walk_wait")
    worker.current = ""
    assert at() == ("watch", "walk_open")
    with made.writing():
        made.append(Finished(step=10, seconds=1))
    assert at() == ("compare", "walk_compare")
    drawn = walk.drawn(walk.way(desk, desk.now(), 10), "en")
    assert drawn.count('class="done"') == 4 and drawn.count('aria-current="step"') == 1


def test_names_and_colours_are_known_at_the_next_start_before_torch_is(tmp_path: Path) -> None:
    looks = Looks(tmp_path)
    assert looks.of("lora").title == "Lora"
    looks.begin()
    assert looks.ready.wait(120) and not looks.error
    assert Looks(tmp_path).of("lora") == looks.of("lora") and looks.of("lora").title == "LoRA"
    (tmp_path / KEPT_IN).write_text('[{"colour": "red"}]')
    assert Looks(tmp_path).of("lora").title == "Lora"


def test_what_is_spoken_changes_with_the_states_only(desk: Desk, first: ExperimentStore) -> None:
    made = run(first, "lora", Started(step=0, total=10), *steps(2))
    with made.writing():
        before = view.spoken(desk.now(), desk.looks, "en")
        made.append(steps(3)[-1])
        assert view.spoken(desk.now(), desk.looks, "en") == before and "training" in before
        made.append(Finished(step=10, seconds=1))
        assert view.spoken(desk.now(), desk.looks, "en") != before


def test_a_trash_with_something_strange_in_it_is_still_read(tmp_path: Path) -> None:
    folder = tmp_path / ".trash" / "x"
    folder.mkdir(parents=True)
    (folder / "trash.json").write_text(json.dumps({"key": "x", "colour": "red"}))
    assert RunTrash(tmp_path).thrown() == []
