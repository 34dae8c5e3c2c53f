"""What the page draws follows from what the runs said, and nothing in a name can become markup."""

import time

import pytest

from studio.errors import SpecError
from studio.events import Decided, Failed, Finished, Note, Paused, Picture, Sampled, Started, Step, Stopped
from studio.store import ExperimentStore, RunStore
from studio.ui import columns, plot, view
from studio.ui.desk import Desk
from studio.ui.order import Order, number_of_minutes, whole_number
from studio.ui.plot import Curve, Smooth
from tests.ui.doubles import NoWorker

SPEC = '[method]\nkind = "lora"\n[schedule]\nsteps = 10\n'
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def run(desk: Desk) -> RunStore:
    experiment = ExperimentStore.create(desk.outputs, "first", 'name = "first"\nruns = ["lora"]\n')
    return RunStore.create(experiment.path / "lora", SPEC)


def test_nothing_yet(desk: Desk) -> None:
    now = desk.now()
    assert now.experiment is None and view.controls(now) == []
    assert "Crucible" in view.bar(now, desk.looks, "en")


def test_buttons_are_a_function_of_the_state(desk: Desk, run: RunStore, worker: NoWorker) -> None:
    assert view.controls(desk.now()) == [("resume", "primary")]
    worker.current = "first"
    assert view.controls(desk.now()) == []
    worker.current = ""
    with run.writing():
        run.append(Started(step=0, total=10))
        run.append(Step(step=1, loss=0.5, lr=1e-4, grad_norm=1, seconds=0.1, memory=1))
        assert [act for act, _ in view.controls(desk.now())] == ["stop", "pause", "sample", "save"]
        assert "1 / 10" in view.bar(desk.now(), desk.looks, "en")
        run.append(Paused(step=1))
        assert view.controls(desk.now()) == [("stop", ""), ("resume", "primary"), ("sample", ""), ("save", "")]
    interrupted = desk.now()
    assert interrupted.runs[0].view.state == "interrupted"
    assert view.controls(interrupted) == [("resume", "primary")]
    run.append(Stopped(step=1))
    assert view.controls(desk.now()) == [("resume", "primary")]
    run.append(Finished(step=10, seconds=1))
    assert view.controls(desk.now()) == [("compare", "primary")]


def test_wishes_reach_the_run_at_work_only(desk: Desk, run: RunStore) -> None:
    assert not desk.wish("stop")
    with run.writing():
        run.append(Started(step=0, total=10))
        assert desk.wish("sample")
        assert run.take_wish() == "sample"


def test_resume_lifts_a_pause_and_starts_nothing(desk: Desk, run: RunStore, worker: NoWorker) -> None:
    with run.writing():
        run.append(Started(step=0, total=10))
        assert desk.wish("pause") and run.take_wish() == "pause"
        run.append(Paused(step=1))
        desk.resume("first")
        assert (run.take_wish(), worker.jobs) == ("resume", [])
    desk.resume("first")  # its engine is gone: what waited there is begun again from the last checkpoint
    assert (run.take_wish(), worker.jobs) == (None, ["first"])


def test_a_run_that_ended_by_itself_says_why_in_its_column(desk: Desk, run: RunStore) -> None:
    run.append(Started(step=0, total=10))
    run.append(Note(text="The loss became infinite.", level="warning"))
    run.append(Stopped(step=1, code=1))
    drawn = lambda: columns.columns(desk.now(), desk.looks, "en")  # noqa: E731
    assert "The loss became infinite." in drawn()
    run.append(Started(step=1, total=10))
    run.append(Stopped(step=5))
    assert "infinite" not in drawn()
    run.append(Started(step=5, total=10))
    run.append(Note(text="It is enough.", level="info"))
    run.append(Finished(step=8, seconds=1))
    assert "It is enough." in drawn()
    run.append(Finished(step=10, seconds=1))
    assert "It is enough." not in drawn()


def test_a_lost_sign_of_life_is_said(desk: Desk, run: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with run.writing():
        run.append(Started(step=0, total=10))
        later = time.time() + view.LOST
        monkeypatch.setattr("studio.ui.watch.time.time", lambda: later)
        assert 'class="bd err"' in view.toolbar(desk.now(), "en")


def test_names_captions_and_errors_are_escaped(desk: Desk, run: RunStore) -> None:
    pictures = (Picture(path=f"samples/0000000/{EVIL}.png", prompt=EVIL, seed=1),)
    run.append(Started(step=0, total=10))
    run.append(Decided(what="precision", choice="fp32", reason=EVIL))
    run.append(Sampled(step=0, pictures=pictures))
    run.append(Failed(step=0, text=EVIL))
    now = desk.now()
    drawn = view.toolbar(now, "en") + columns.columns(now, desk.looks, "en") + view.log(now, desk.looks, "en")
    assert "<img src=x" not in drawn and "&lt;img src=x" in drawn


def test_the_newest_sample_stands_in_its_column(desk: Desk, run: RunStore) -> None:
    for step in (0, 5):
        run.append(Sampled(step=step, pictures=(Picture(path=f"samples/{step:07d}/00.png", prompt="p", seed=1),)))
    drawn = columns.columns(desk.now(), desk.looks, "en")
    assert "/media/sample/first/lora/samples/0000005/00.png" in drawn and "step 5" in drawn


def test_a_double_click_makes_one_experiment(desk: Desk, worker: NoWorker) -> None:
    order = Order("twice", ("lora",), "corgi", "sks", "dog", 3)
    assert desk.compare(order) is not None
    assert desk.compare(order) is None
    assert worker.jobs == ["twice"]
    assert len(desk.watch.experiments()) == 1


def test_a_comparison_that_cannot_start_leaves_nothing(desk: Desk, worker: NoWorker) -> None:
    with pytest.raises(SpecError, match="at least one"):
        desk.compare(Order("none", (), "corgi", "sks", "dog"))
    with pytest.raises(Exception, match="no folder"):
        desk.compare(Order("none", ("lora",), "/nowhere/at/all", "sks", "dog"))
    assert worker.jobs == [] and desk.watch.experiments() == []


def test_steps_and_minutes_are_read() -> None:
    assert whole_number(" 12 ") == 12
    assert (number_of_minutes(" 2.5 "), number_of_minutes("0,5")) == (2.5, 0.5)


@pytest.mark.parametrize("text", ["", None, "0", "-3", "many", "1.5", "²", "99999999"])
def test_steps_that_are_none_are_refused_in_a_sentence(text: str | None) -> None:
    with pytest.raises(SpecError, match="not a number of steps"):
        whole_number(text)


@pytest.mark.parametrize("text", ["", None, "0", "-3", "nan", "inf", "many"])
def test_minutes_that_are_none_are_refused_in_a_sentence(text: str | None) -> None:
    with pytest.raises(SpecError, match="not a number of minutes"):
        number_of_minutes(text)


def test_a_long_curve_is_thinned_and_a_resumed_one_begins_anew() -> None:
    losses = [(step, 1.0) for step in range(50_000)]
    smooth = Smooth()
    assert len(smooth.take(losses)) <= plot.MOST
    assert smooth.take(losses)[-1][1] == pytest.approx(1.0)
    shorter = [(step, 2.0) for step in range(100)]
    assert smooth.take(shorter)[-1] == (99, pytest.approx(2.0))


def test_taking_a_curve_in_parts_changes_nothing() -> None:
    losses = [(step, (step % 7) / 7) for step in range(3000)]
    parts = Smooth()
    for end in range(0, 3001, 250):
        parts.take(losses[:end])
    assert parts.take(losses) == Smooth().take(losses)


def test_a_plot_survives_figures_that_are_none() -> None:
    drawn = plot.loss_plot([Curve("a", "#000", [(0, float("nan")), (1, float("inf")), (2, 0.5)])], 10, "loss")
    assert "nan" not in drawn and "inf" not in drawn


def test_a_tick_is_cheap(desk: Desk, run: RunStore) -> None:
    for number in range(200):
        folder = desk.outputs / f"old-{number}"
        ExperimentStore.create(desk.outputs, folder.name, 'name = "old"\nruns = []\n')
    (run.path.parent / "experiment.toml").touch()
    lines = "".join(
        f'{{"kind":"step","time":0,"step":{n},"loss":0.1,"lr":0.1,"grad_norm":1,"seconds":0.1,"memory":1}}\n'
        for n in range(1, 50_001)
    )
    (run.path / "events.jsonl").write_text(lines)
    run.path.parent.joinpath("mark").touch()
    draw = lambda now: columns.columns(now, desk.looks, "en") + columns.lower(now, desk.looks, "en")  # noqa: E731
    draw(desk.now())
    best = min(_timed(lambda: draw(desk.now())) for _ in range(5))
    assert best < 0.1  # on a quiet machine it is a tenth of this


def _timed(work: object) -> float:
    begun = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - begun
