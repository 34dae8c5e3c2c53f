"""What Compare and Library draw follows from figures and files, and nothing in a name can become markup."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from safetensors.torch import save_file
from torch import zeros

from studio.compare import report, votes, weights
from studio.compare.members import open_experiment
from studio.compare.table import Table, build
from studio.compare.verdict import WEIGHTS
from studio.errors import ModelError, SpecError
from studio.events import Progress
from studio.store import ExperimentStore
from studio.ui import ballot, bring, charts, figures, further, sheets
from studio.ui.desk import Desk
from studio.ui.draft import Drafts
from studio.ui.joining import Joining
from studio.ui.reporting import written
from studio.ui.stock import File, Item, Stock, arranged
from studio.ui.tabs import library
from studio.ui.tasks import Tasks
from studio.ui.wall import film, flip, grid, wall
from tests.compare.compare_doubles import paint, three
from tests.ui.doubles import NoWorker

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ExperimentStore:
    """Three methods, of which one failed, made without an engine."""
    folder = tmp_path_factory.mktemp("made")
    for name, colours in (("train", ("red", "red", "blue")), ("held", ("red", "red"))):
        for number, colour in enumerate(colours):
            paint(folder / name / f"{number}.png", colour)
            (folder / name / f"{number}.txt").write_text("sks red")
    return three(folder)


@pytest.fixture(scope="module")
def table(store: ExperimentStore) -> Table:
    return build(store)


def names(rows: list[Any]) -> list[str]:
    return [row.name for row in rows]


def test_the_base_stands_first_and_what_has_no_figure_last(table: Table) -> None:
    rows = figures.ordered(table.rows, table.columns, "likeness", False)
    assert names(rows) == ["base", "lora", "textual-inversion", "dreambooth"]
    rows = figures.ordered(table.rows, table.columns, "likeness", True)
    assert names(rows) == ["base", "textual-inversion", "lora", "dreambooth"]
    assert names(figures.ordered(table.rows, table.columns, "name", False))[1:] == [
        "dreambooth", "lora", "textual-inversion",
    ]  # fmt: skip
    assert names(figures.ordered(table.rows, table.columns, "", False))[1:] == [
        "lora",
        "textual-inversion",
        "dreambooth",
    ]


def test_the_sorted_column_says_so_and_a_failed_run_keeps_its_row(table: Table) -> None:
    drawn = figures.figures(table, {"sort": "likeness"}, "en")
    assert 'aria-sort="descending"' in drawn and drawn.count('aria-sort="none"') > 3
    assert 'class="bd err">failed at 1' in drawn
    assert "aria-sort" in figures.figures(table, {"sort": "forgetting"}, "en")
    assert 'aria-sort="ascending"' in figures.figures(table, {"sort": "forgetting"}, "en")
    assert 'class="fact"' not in drawn
    assert "&lt;lora:NAME:1&gt;" in figures.figures(table, {"facts": True}, "zh")
    assert len(figures.figures(table, {"every": True}, "en")) > len(drawn)


def test_names_and_prompts_are_escaped(table: Table, store: ExperimentStore) -> None:
    rows = [replace(row, title=EVIL, state=EVIL) for row in table.rows]
    assert "<img src=x" not in figures.figures(replace(table, rows=tuple(rows)), {}, "en")


def test_a_run_that_was_taken_away_by_hand_is_a_row_no_more(store: ExperimentStore, tmp_path: Path) -> None:
    left = ExperimentStore(shutil.copytree(store.path, tmp_path / "left"))
    shutil.rmtree(left.run("lora").path)
    assert names(list(build(left).rows)) == ["base", "textual-inversion", "dreambooth"]
    assert "lora" not in grid(wall(left), {}, "en").casefold()


def test_the_verdict_follows_the_users_weights_and_they_stay(table: Table, store: ExperimentStore) -> None:
    assert weights.read(store) == WEIGHTS
    usual = figures.verdict(table, weights.read(store), "en")
    assert "LoRA serves you best" in usual and "<input" not in usual
    kept = weights.keep(store, {"likeness": 0, "memorisation": 99, "nonsense": 3})
    assert kept["likeness"] == 0 and kept["memorisation"] == weights.MOST and "nonsense" not in kept
    assert weights.read(store) == kept
    assert 'id="cmp_w_likeness"' in figures.weighing(table, kept, True, "en")
    assert "let something count" in figures.verdict(table, dict.fromkeys(WEIGHTS, 0.0), "en")
    (store.path / weights.KEPT_IN).write_text("[1")
    assert weights.read(store) == WEIGHTS
    weights.forget(store)


def test_any_two_pictures_can_be_laid_on_each_other(store: ExperimentStore) -> None:
    found = wall(store)
    a, b = found.pair({})
    assert a and b and (a.run, b.run) == ("base", "dreambooth")
    chosen = {"a": "lora:0:2", "b": "lora:3:2"}  # two steps of one run
    assert [shot.name for shot in found.pair(chosen) if shot] == ["lora:0:2", "lora:3:2"]
    drawn = grid(found, chosen, "en")
    assert drawn.count('class="ab"') == 1 and drawn.count("<tr") == 5
    assert film(found, {"film": "lora"}, "en").count('class="ab"') == 0  # A is the base's, B that of another run
    assert film(found, {"film": "lora", **chosen}, "en").count('class="ab"') == 2
    assert "against" in flip(found, chosen, "en")
    assert found.beside("lora:3:2", 0) == "lora:3:0" and found.beside("lora:3:2", 99) == "lora:3:2"


def test_a_vote_tells_names_only_afterwards(store: ExperimentStore) -> None:
    before = ballot.asked(store, None, "en")
    assert "LoRA" not in before and "Textual" not in before and "/media/" not in before
    pair = votes.ask(store)
    assert pair is not None
    told = ballot.answered(store, f"{pair.key}|left")
    assert told["choice"] == "left" and {told["left"][0], told["right"][0]} <= {
        "LoRA",
        "Textual Inversion",
        "DreamBooth",
    }
    after = ballot.asked(store, told, "en")
    assert told["left"][0] in after and "left was better" in after


def test_plots_and_differences_are_in_the_pages_language(store: ExperimentStore, table: Table) -> None:
    drawn = charts.plots(store, table, "zh")
    assert drawn.count("<svg") >= 2 and ">相似度<" in drawn and ">likeness<" not in drawn
    apart = charts.settings(store, "en")
    assert "method.kind" in apart and "data.folder" not in apart


def test_a_sheet_is_ordered_in_words_and_refused_in_a_sentence(store: ExperimentStore) -> None:
    filled = {"runs": ["lora", "../../etc"], "prompts": "a\n\nb ", "seeds": "1， 2", "weight": "0.5,1", "steps": "9"}
    order = sheets.order(store, filled)
    assert order.prompts == ("a", "b") and order.seeds == (1, 2) and order.weights == (0.5, 1.0)
    assert order.runs == (str(store.path / "lora"), str(store.path / "etc")) and order.sample.steps == 9
    for wrong, said in (
        ({"weight": "much"}, "no numbers"),
        ({"runs": []}, "at least one"),
        ({"seeds": "1.5"}, "no numbers"),
        ({"weight": ",".join(["1"] * 60)}, "at most"),
    ):
        with pytest.raises(SpecError, match=said):
            sheets.order(store, {**filled, **wrong})
    assert 'name="runs" value="lora"' in sheets.form(store, {}, "en")


def test_a_task_is_followed_cancelled_and_never_started_twice() -> None:
    worker = Steps()
    tasks = Tasks(worker)
    task = tasks.start("sheet", "one", lambda resident: iter([Progress(stage="x", done=1, total=3), "made"]), "here")
    with pytest.raises(SpecError, match="still being worked on"):
        tasks.start("sheet", "two", lambda resident: iter(()))
    assert tasks.start("sheet", "one", lambda resident: iter(())) is task  # a double click
    assert "waits" in sheets.progress(task, "here", "en") and sheets.progress(task, "there", "en") == ""
    worker.step()
    assert (task.state, task.done, task.total) == ("working", 1, 3) and "1 of 3" in sheets.progress(task, "here", "en")
    worker.drain()
    assert (task.state, task.results) == ("done", ["made"])
    again = tasks.start("sheet", "two", lambda resident: iter(range(9)))
    worker.step()
    tasks.cancel("sheet")
    worker.drain()
    assert again.state == "cancelled" and len(again.results) < 9
    broken = tasks.start("sheet", "three", lambda resident: fails())
    worker.drain()
    assert broken.state == "failed" and "It broke." in sheets.progress(broken, "", "en")


def test_a_part_in_hand_is_heard_of_and_can_be_cancelled_amid() -> None:
    worker = Steps()
    tasks = Tasks(worker)

    def work(resident: Any) -> Iterator[Any]:
        for step in range(1, 9):
            tasks.heard("picture", step, 8)
            if step == 3:
                tasks.cancel("picture")
        yield "made"

    task = tasks.start("picture", "one", work)
    worker.drain()
    assert (task.state, task.done, task.total, task.results) == ("cancelled", 4, 8, [])


def test_a_task_that_the_worker_fell_over_waits_no_more() -> None:
    worker = Steps()
    tasks = Tasks(worker)
    task = tasks.start("sheet", "one", lambda resident: iter(()))
    assert tasks.of("sheet") is task and task.state == "waiting"
    worker.going = None
    assert tasks.of("sheet") is task and (task.state, task.error) == ("failed", "It was cut off; start it again.")
    tasks.start("sheet", "two", lambda resident: iter(()))


def fails() -> Iterator[Any]:
    yield 1
    raise SpecError("It broke.")


class Steps(NoWorker):
    """A worker that goes as far as it is told."""

    going: Any = None

    def submit(self, label: str, job: Any) -> None:
        self.going, self.label = job(None), label

    def waiting(self) -> list[str]:
        return [self.label] if self.going is not None else []

    def step(self) -> None:
        next(self.going)

    def drain(self) -> None:
        for _ in self.going:
            pass


def test_the_next_runs_join_an_experiment_under_its_terms(store: ExperimentStore) -> None:
    drafts = Drafts(store.path.parent)
    joining = Joining(drafts)
    assert joining.store() is None
    joining.begin(store)
    draft, known = drafts.read(), open_experiment(store)
    assert draft.folder == known.data.folder and draft.base == known.base.model and draft.picked == ()
    assert tuple(draft.shared["sample.prompts"]) == known.sample.prompts and "base.model" not in draft.shared
    found = joining.store()
    assert found is not None and found.path == store.path
    joining.end()
    assert joining.store() is None and drafts.read().shared == {}


def item(name: str, **over: Any) -> Item:
    files = (File(Path(f"{name}.safetensors"), "kohya", over.pop("size", 1)),)
    return Item(
        **{"key": name, "name": name, "method": "lora", "files": files, "time": 1.0, "place": Path(name), **over}
    )


def test_to_continue_takes_over_how_the_file_was_made(store: ExperimentStore) -> None:
    desk = Desk(store.path.parent, NoWorker())
    made = Stock(desk).item("run/three/lora")
    assert made is not None
    file = further.go_on(desk, made)
    draft = desk.drafts.read()
    own = draft.changed("lora")
    assert draft.picked == ("lora",) and own["method.start"] == str(file) and own["schedule.steps"] == 3
    assert draft.folder == open_experiment(store).data.folder and own["sample.seeds"] == [1, 2]
    whole = item("mine", method="dreambooth", whole=True)
    further.go_on(desk, replace(whole, files=(File(file, "single-file", 1),)))
    assert desk.drafts.read().base == str(file) and desk.drafts.read().picked == ("dreambooth",)
    with pytest.raises(ModelError, match="no single file to go on from"):
        further.go_on(desk, whole)
    desk.drafts.path.unlink()


def test_what_is_written_again_is_the_run_that_was_asked_for(
    store: ExperimentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def again(*how: Any) -> Iterator[Any]:
        asked.append(how)
        yield

    monkeypatch.setattr("studio.engine.run.export_again", again)
    worker = Steps()
    room = library._Room(Desk(store.path.parent, worker))
    for name, form in (("textual-inversion", "a1111"), ("lora", "kohya")):
        room._export(room._item(f"run/three/{name}"), {"again_form": form, "again_dtype": "fp32"})
        worker.drain()
    told = [(run.path.name, forms, dtype) for run, _, forms, dtype in asked]
    assert told == [("textual-inversion", ("a1111",), "fp32"), ("lora", ("kohya",), "fp32")]


def test_a_file_of_ones_own_is_linked_or_sent_whole_or_refused_by_its_name_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path / "outputs", NoWorker())
    files, mine = desk.outputs / "files", tmp_path / "mine.safetensors"
    save_file({f"lora_te_text_model_k.lora_{way}.weight": zeros(1, 1) for way in ("down", "up")}, mine)
    app = FastAPI()
    app.include_router(bring.router(desk))
    client = TestClient(app)

    def sent(name: str, data: bytes, **headers: str) -> dict[str, str]:
        answer: dict[str, str] = client.put("/bring/file", params={"name": name}, content=data, headers=headers).json()
        return answer

    told = client.post("/bring/path", params={"path": f'"{mine}"'}).text.splitlines()
    assert [json.loads(line) for line in told] == [{"name": mine.name, "linked": True}]
    assert (files / mine.name).samefile(mine)
    assert sent("../../other.safetensors", mine.read_bytes()) == {"name": "other.safetensors"}
    assert (files / "other.safetensors").read_bytes() == mine.read_bytes()
    monkeypatch.setattr(bring, "_linked", lambda *_: False)  # as from another disk
    lines = list(bring.Bringing(desk).take(str(shutil.copy(mine, tmp_path / "copied.safetensors"))))
    whole = mine.stat().st_size
    assert lines == [{"done": whole, "total": whole}, {"name": "copied.safetensors", "linked": False}]
    for name in ("bad.safetensors", "bad.pt"):
        assert sent(name, b"no such file")["error"].lstrip("'").startswith(name)
    for name, size, said in (
        ("a.zip", 1, "name ends with none of"), (mine.name, 1, "already"), ("b.pt", 2**62, "make room first"),
    ):  # fmt: skip
        assert said in client.get("/bring/ask", params={"name": name, "size": size}).json()["error"]
    for place, said in ((tmp_path, "is a folder"), (tmp_path / "none.pt", "no file")):
        assert said in client.post("/bring/path", params={"path": str(place)}).text
    assert not list((desk.outputs / bring.COMING).iterdir()), "what was not taken is left behind"


def test_the_library_is_found_filtered_and_arranged() -> None:
    items = [
        item("a", time=1.0, likeness=0.2, size=5, base="starter"), item("b", time=3.0, method="loha", size=9),
        item("c", time=2.0, likeness=0.9, trigger="sks dog"),
    ]  # fmt: skip
    order = lambda *how: [one.name for one in arranged(items, *how)]  # noqa: E731
    assert order("", "", "date") == ["b", "c", "a"] and order("", "", "size") == ["b", "a", "c"]
    assert order("", "", "likeness") == ["c", "a", "b"] and order("", "loha", "name") == ["b"]
    assert order("DOG sks", "", "date") == ["c"] and order("nothing", "", "date") == []


def test_a_report_writes_what_the_page_hands_out(store: ExperimentStore) -> None:
    from studio.ui.papers import PAPERS

    begun = time.time() - 5
    report.write(store)
    assert all((store.path / name).stat().st_mtime > begun for name, _ in PAPERS)


def test_a_report_says_what_was_told_since_it_was_written(store: ExperimentStore) -> None:
    page = report.write(store)
    first, counted = written(page), "<span>Likeness</span> <span>"
    assert f"{counted}3</span>" in first and written(page) == first
    weights.keep(store, {"likeness": 4.5, "forgetting": 0})
    second = written(page)
    assert f"{counted}4.5</span>" in second and "<span>Forgetting</span> <span>0" not in second
    assert page.read_text(encoding="utf-8") == second
    weights.keep(store, dict.fromkeys(weights.read(store), 0.0))
    assert "Which one?" not in written(page)
    weights.forget(store)
    assert written(page) == first
