"""Methods, Live, the guide and System in a real browser, over runs that were made beforehand."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.events import Failed, Finished, Picture, Sampled, Saved, Started, Step, Validated, to_line
from studio.store import ExperimentStore, RunStore
from tests.ui.browser import DRAWN, Server, Visitor, tab

SPEC = 'name = "{0}"\n[method]\nkind = "{0}"\n[schedule]\nsteps = 40\n'
MIXED = """() => {  // a network that brings every second call late
  const real = window.fetch.bind(window);
  let late = false;
  window.sent = [];
  window.fetch = async (where, how) => {
    const said = String(where).includes('/queue/join') && JSON.parse(how.body).event_data?.id;
    if (said && (late = !late)) await new Promise((go) => setTimeout(go, 300));
    if (said) window.sent.push(said);
    return real(where, how);
  };
}"""
FOUR = """() => [...document.querySelectorAll('#methods_cards .card')].slice(0, 4)
  .map((card) => { card.click(); return card.dataset.id; })"""
KINDS = ("textual-inversion", "hypernetwork", "lora", "loha", "dreambooth")


def lay(outputs: Path) -> None:
    """An experiment of five runs: done, failed, interrupted, and two that have not begun."""
    store = ExperimentStore.create(outputs, "five", f'name = "five"\nruns = {list(KINDS)}\n')
    for kind in ("base", *KINDS):
        run = RunStore.create(store.path / kind, SPEC.format(kind))
        begun = {"base": 0, "textual-inversion": 40, "hypernetwork": 12, "lora": 25}.get(kind)
        if begun is None:
            continue
        said: list[Any] = [Started(step=0, total=40 if begun else 0), drawn(run, 0)]
        for step in range(1, begun + 1):
            said.append(Step(step=step, loss=1 / step, lr=1e-4, grad_norm=1, seconds=0.1, memory=10**9))
            if step % 10 == 0:
                said += [Validated(step=step, loss=1 / step), drawn(run, step), Saved(step=step, path="x")]
        ends = {"hypernetwork": Failed(step=12, text="There is no memory left."), "lora": None}
        end = ends.get(kind, Finished(step=begun, seconds=1))
        said += [end] if end else []
        (run.path / "events.jsonl").write_text("".join(to_line(event) + "\n" for event in said))


def drawn(run: RunStore, step: int) -> Sampled:
    """Two pictures of a step."""
    pictures = []
    for number, prompt in enumerate(("a dog", "a cat")):
        path = f"samples/{step:07d}/{number}.png"
        (run.path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (step * 6, 90, number * 200)).save(run.path / path)
        pictures.append(Picture(path=path, prompt=prompt, seed=1))
    return Sampled(step=step, pictures=tuple(pictures))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    outputs = tmp_path_factory.mktemp("live") / "outputs"
    outputs.mkdir()
    lay(outputs)
    return outputs


@pytest.fixture(scope="module")
def foretold() -> bool:
    return True


def test_five_runs_are_watched_on_one_small_screen_by_eye_and_by_keyboard(visitor: Visitor) -> None:
    page = visitor.open("train")
    page.wait_for_selector("#walk .walk li.now")
    page.click("#walk [data-act=walk_away]")
    page.wait_for_selector("#walk .walk", state="detached")
    page.wait_for_selector("#train_runs .run[data-run=lora][data-state=interrupted]")
    page.wait_for_function(DRAWN, arg="#train_runs")
    assert page.evaluate("() => document.documentElement.scrollHeight <= innerHeight")
    failed = page.locator("#train_runs .run[data-run=hypernetwork]")
    assert "There is no memory left." in failed.inner_text() and "Resume at 10" in failed.inner_text()
    assert page.locator("#train_runs >> text=There is no memory left.").count() == 1
    page.click("#train_toolbar [data-act=before]")
    page.wait_for_selector("#train_toolbar [data-act=before][aria-pressed=true]")
    assert page.locator("#train_runs .run[data-run=lora] img[src*='0000020']").count() == 0
    page.click("#train_toolbar [data-act=before]")
    page.wait_for_selector("#train_toolbar [data-act=before][aria-pressed=false]")
    page.select_option("#train_toolbar select", "1")
    page.wait_for_selector("#train_runs .run[data-run=lora] img[src*='0000020/1.png']")
    page.click("#train_runs .run[data-run=lora] .pic")
    page.wait_for_selector("#train_loss .film figure:nth-child(3)")
    page.focus("#train_loss .segs [aria-checked=true]")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#train_loss .segs [data-id=held][aria-checked=true]")
    assert page.locator("#train_loss path.curve").count() >= 2
    page.reload()
    page.wait_for_selector("#train_runs .run[data-run=lora]")
    assert page.locator("#walk .walk").count() == 0


def test_a_run_is_discarded_after_a_question_and_brought_back(visitor: Visitor, server: Server) -> None:
    page = visitor.open("train")
    page.click("#train_runs .run[data-run=loha] [data-act=discard]")
    page.click("dialog.ask .stay")
    assert (server.outputs / "five" / "loha").is_dir()
    page.click("#train_runs .run[data-run=loha] [data-act=discard]")
    page.click("dialog.ask .go")
    page.wait_for_selector("#train_runs .run[data-run=loha]", state="detached")
    tab(page, 5)
    page.click("#system_experiments [data-act=restore]")
    page.wait_for_selector("#system_experiments [data-act=restore]", state="detached")
    assert (server.outputs / "five" / "loha").is_dir()
    assert "Resume at" in page.locator("#system_experiments").inner_text()
    page.click("#system_settings [data-act=guide]")
    page.wait_for_selector("#walk .walk")


def test_a_phone_watches_a_run(visitor: Visitor) -> None:
    page = visitor.open("train", viewport={"width": 390, "height": 844})
    page.wait_for_selector("#train_runs .run[data-run=lora]")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("#train_runs .run").first.bounding_box()["width"] > 250
    page.wait_for_selector("#say [data-gone]", state="attached")
    page.context.set_offline(True)
    page.wait_for_selector(".gone >> text=does not answer")
    with page.expect_request(re.compile("/queue/join")):  # it goes on by itself
        page.context.set_offline(False)
        page.wait_for_selector(".gone", state="detached")
    visitor.errors[:] = [said for said in visitor.errors if not re.search("ERR_INTERNET|Failed to fetch", said)]


def test_methods_are_advised_on_looked_at_and_picked_by_keyboard(visitor: Visitor, server: Server) -> None:
    page = visitor.open("methods")
    page.wait_for_selector("#methods_cards .card[aria-checked=true]")
    page.wait_for_selector("#methods_cards .card[data-kind=hypernetwork] svg[aria-label*='before K and V']")
    page.wait_for_selector("#methods_cards .card[data-kind=textual-inversion] .facts >> text=960")
    page.wait_for_selector("#methods_cards .card[data-kind=textual-inversion] .facts >> text=/\\d+ MB/")  # memory
    assert page.locator("#methods_cards .card[tabindex='0']").count() == 1
    page.focus("#methods_cards .card[tabindex='0']")
    page.keyboard.press("ArrowRight")
    kind = page.evaluate("() => document.activeElement.dataset.kind")
    assert kind == "hypernetwork"
    page.keyboard.press("Space")
    page.wait_for_selector("#methods_cards .card[data-kind=hypernetwork][aria-checked=false]")
    assert page.evaluate("() => document.activeElement.dataset.kind") == kind
    before = page.locator("#methods_which").inner_text()
    page.focus("#methods_which .segs [aria-checked=true]")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#methods_which .segs [data-id=style][aria-checked=true]")
    assert re.search("style", page.locator("#methods_which").inner_text()) and before
    page.locator("#methods_repeats label").nth(1).click()
    page.wait_for_selector("#methods_rail >> text=× 2")
    page.locator("#methods_budget label").nth(2).click()
    page.fill("#methods_minutes :is(input, textarea)", "2.5")  # as pasted: without a key press
    page.keyboard.press("Tab")
    page.wait_for_selector("#methods_rail >> text=/2\\.5/")
    page.add_init_script(script=f"({MIXED})()")
    page.reload()
    page.wait_for_selector("#methods_rail >> text=× 2")
    assert page.locator("#methods_cards .card[data-kind=hypernetwork][aria-checked=false]").count() == 1
    clicked = page.evaluate(FOUR)
    page.wait_for_function("() => window.sent.length === 4")
    assert page.evaluate("() => window.sent") == clicked
