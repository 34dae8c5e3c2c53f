"""Compare and Library in a real browser, over an experiment that was finished without training."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from studio import starter
from studio.compare import votes
from studio.compare.members import open_experiment
from studio.store import ExperimentStore
from studio.ui.draft import Drafts
from tests.compare.compare_doubles import three
from tests.ui.browser import DRAWN, Server, Visitor

GRID = "#compare_grid"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment of two methods and a failed one, with a real LoRA file in it."""
    folder = tmp_path_factory.mktemp("made")
    for name, pictures in (("train", ("01", "02")), ("held", ("03",))):
        (folder / name).mkdir()
        for picture in pictures:
            shutil.copy(starter.CORGI / f"{picture}.png", folder / name)
            (folder / name / f"{picture}.txt").write_text("sks red")
    made = three(folder)
    (file,) = (made.path / "lora" / "exports").iterdir()
    lora(file)
    Drafts(folder / "outputs").change(walk=False)  # the guide for the first time has tests of its own
    return folder / "outputs"


def lora(path: Path) -> Path:
    """A small LoRA file that can be recognised."""
    from torch import zeros

    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    save_file({f"{name}.lora_down.weight": zeros(1, 4), f"{name}.lora_up.weight": zeros(4, 1)}, path)
    return path


@pytest.fixture
def store(server: Server) -> ExperimentStore:
    return ExperimentStore(server.outputs / "three")


def rows(page: Any) -> list[str]:
    return [row.get_attribute("data-row") for row in page.locator("#compare_table tbody tr").all()]


def test_the_table_is_sorted_explained_and_weighed(visitor: Visitor, store: ExperimentStore) -> None:
    page = visitor.open("compare")
    page.wait_for_selector("#compare_table tbody tr")
    assert rows(page) == ["base", "lora", "textual-inversion", "dreambooth"]
    page.focus("#compare_table .srt[data-id=likeness]")
    assert "held-out" in page.locator(".tip").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_selector("#compare_table th[aria-sort=descending]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#compare_table tbody tr:nth-child(2)[data-row=textual-inversion]")
    assert rows(page) == ["base", "textual-inversion", "lora", "dreambooth"]
    page.click("#compare_table [data-act=facts]")
    page.wait_for_selector("#compare_table tr[data-row=lora] td.fact code")
    assert "failed" in page.locator("tr[data-row=dreambooth] .bd.err").inner_text()
    page.click("#compare_table [data-act=weigh]")
    page.fill("#cmp_w_forgetting", "4.5")
    page.wait_for_selector("#cmp_w_forgetting[value='4.5']")  # the server has it, and drew it
    page.reload()
    page.click("#compare_table [data-act=weigh]")
    page.wait_for_selector("#cmp_w_forgetting[value='4.5']")


def test_every_view_is_drawn_and_reached_by_keyboard(visitor: Visitor) -> None:
    page = visitor.open("compare")
    page.wait_for_function(DRAWN, arg=GRID)
    page.click(f"{GRID} [data-act=view][data-id=steps]")
    page.wait_for_selector(f"{GRID} .runs-of")
    page.wait_for_function(DRAWN, arg=GRID)
    page.locator(f"{GRID} button.cell").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")  # A; the base of the grid before is B then
    page.wait_for_selector("#compare_ab >> text=step 3")
    page.keyboard.press("z")
    page.wait_for_selector(".large >> text=step 3")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("b")
    page.wait_for_selector(".large [data-do=plain][aria-pressed=true]")
    page.wait_for_function("() => document.querySelector('.large img').src.includes('/base/samples/')")
    page.keyboard.press("Escape")
    page.wait_for_selector(".large", state="detached")
    page.focus(f"{GRID} [data-act=view][data-id=steps]")
    for view, mark in (("plots", ".plots svg"), ("settings", "table.apart"), ("vote", ".ballot"), ("sheets", ".ticks")):
        page.keyboard.press("ArrowRight")
        page.wait_for_selector(f"{GRID} {mark}")
        assert page.locator(f"{GRID} [data-act=view][aria-checked=true]").get_attribute("data-id") == view


def test_a_blind_vote_is_given_by_key_and_names_come_after_it(visitor: Visitor, store: ExperimentStore) -> None:
    page = visitor.open("compare")
    page.click(f"{GRID} [data-act=view][data-id=vote]")
    page.wait_for_selector(".ballot img")
    before = page.locator(".ballot").inner_html()
    assert "LoRA" not in before and "/media/" not in before
    page.keyboard.press("2")
    page.wait_for_selector(".ballot .was >> text=right was better")
    assert sum(score.votes for score in votes.tally(store)) == 2


def test_everything_can_be_saved(visitor: Visitor) -> None:
    page = visitor.open("compare")
    page.wait_for_selector("#compare_csv")
    names = []
    for link in page.locator("#compare_links .papers a").all():
        with page.expect_download() as got:
            link.click()
        assert Path(got.value.path()).stat().st_size > 100
        names.append(got.value.suggested_filename)
    assert names == [
        f"three-{name}" for name in ("grid.png", "table.csv", "table.md", "experiment.json", "report.html")
    ]


def test_the_next_runs_join_this_experiment(visitor: Visitor, store: ExperimentStore) -> None:
    page = visitor.open("compare")
    page.click("#compare_add")
    page.wait_for_selector("#methods_joins >> text=join three")
    page.reload()
    page.click("#methods_joins [data-act=join_end]")
    page.wait_for_selector("#methods_joins .joins", state="detached")
    assert len(open_experiment(store).runs) == 3


def test_a_file_is_taken_in_by_its_path_another_thrown_away_brought_back_and_trained_on(
    visitor: Visitor, store: ExperimentStore, tmp_path: Path
) -> None:
    page = visitor.open("library")
    page.click("#library_import")
    page.set_input_files("#library_intake input[type=file]", lora(tmp_path / "sent.safetensors"))
    page.wait_for_selector("#library_toast >> text=sent.safetensors is in the library")
    page.fill("#library_path", str(lora(tmp_path / "linked.safetensors")))
    page.keyboard.press("Enter")
    page.wait_for_selector("#library_table tr[data-run=linked]")
    page.fill("#library_path", str(tmp_path / "gone.safetensors"))
    page.keyboard.press("Enter")
    page.wait_for_selector(".bringx[role=alert] >> text=There is no file")
    page.click(".bringx button")
    more = "#library_table tr[data-run=lora] + tr.more"
    page.click("#library_table tr[data-run=lora] [data-act=open]")
    page.click(f"{more} [data-act=delete]")
    page.click("#library_toast [data-act=restore]")
    page.wait_for_selector("#library_toast >> text=is back")
    assert (store.path / "lora" / "exports").is_dir()
    page.click(f"{more} [data-act=continue]")  # the row is there, and open as it was
    page.wait_for_function("() => location.hash === '#train'")
