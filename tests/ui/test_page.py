"""The page in a real browser: a newcomer's whole way, restart, stop and resume, Chinese, dark."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.hub.hub_double import serving
from tests.ui.browser import DRAWN, LONG, Server, Visitor, tab

pytestmark = pytest.mark.usefixtures("no_draft")


def equal_steps(page: Any, count: int) -> None:
    page.locator("#methods_budget label").nth(1).click()
    page.fill("#methods_steps :is(input, textarea)", str(count))


def test_a_newcomers_whole_way(visitor: Visitor, server: Server) -> None:
    page = visitor.open()
    page.wait_for_function("() => document.querySelectorAll('#dataset_thumbs .thumb img').length >= 8")
    page.wait_for_function(DRAWN, arg="#dataset_thumbs")
    page.click("#dataset_use")
    page.wait_for_selector("#methods_cards .card[aria-checked=true]")
    assert page.locator("#methods_cards .card[aria-checked=true]").count() == 5
    equal_steps(page, 3)
    page.dblclick("#methods_compare")
    page.wait_for_selector("#train_runs .run[data-run=dreambooth]")
    page.wait_for_selector("#train_runs .run[data-run=dreambooth][data-state=finished]", timeout=LONG)
    assert page.locator("#train_loss svg path.curve").count() == 5
    assert [folder.name for folder in server.outputs.glob("*/experiment.toml")] == ["experiment.toml"]
    page.wait_for_function("() => document.querySelectorAll('#train_runs .run img').length >= 4")
    tab(page, 3)
    page.wait_for_selector("#compare_report", timeout=LONG)
    assert page.locator("#compare_table tbody tr").count() == 6
    assert page.locator("#compare_grid tbody tr").count() == 6
    page.wait_for_function(DRAWN, arg="#compare_grid")


def test_two_pictures_are_laid_on_each_other(visitor: Visitor) -> None:
    page = visitor.open("compare")
    page.wait_for_selector("#compare_ab .flip")
    page.locator("#compare_grid tbody tr").nth(1).locator("button").nth(2).click()
    page.wait_for_selector("#compare_grid tbody tr:nth-child(2) td:nth-child(4) .ab")
    page.focus("#compare_ab input")
    page.keyboard.press("x")
    assert page.evaluate("() => document.querySelector('.flip').style.getPropertyValue('--x')") == "100%"


def test_the_report_opens_closed_in_itself(visitor: Visitor, server: Server) -> None:
    page = visitor.open("compare")
    with page.context.expect_page() as opened:
        page.click("#compare_report")
    report = opened.value
    report.wait_for_load_state()
    assert report.locator("table").count() >= 1
    assert "default-src 'none'" in report.context.request.get(report.url).headers["content-security-policy"]
    with page.expect_download() as got:
        page.click("#compare_csv")
    assert "lora" in Path(got.value.path()).read_text()


def test_the_library_says_how_to_use_what_was_made(visitor: Visitor) -> None:
    page = visitor.open("library")
    page.wait_for_selector("#library_table tr[data-run=lora]")
    assert page.locator("#library_table tbody tr").count() == 5
    assert "<lora:" in page.locator("#library_table tr[data-run=lora] code").inner_text()
    with page.expect_download() as got:
        page.locator("#library_table tr[data-run=lora] a").first.click()
    assert got.value.suggested_filename.endswith(".safetensors")


def test_chinese_and_dark(visitor: Visitor) -> None:
    page = visitor.open("methods")
    page.wait_for_selector("#methods_cards .card")
    page.click("#bar_language")
    page.wait_for_function("() => document.querySelector('#methods_compare')?.innerText.includes('开始对比')")
    page.wait_for_selector("text=学一个新词")
    light = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    page.click("#bar_theme")
    page.wait_for_selector("body.dark")
    page.wait_for_selector("#methods_cards .card")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") != light
    page.click("#bar_language")
    page.wait_for_function("() => document.querySelector('#methods_compare')?.innerText.includes('Compare them')")


def test_nothing_picked_is_said_before_the_click(visitor: Visitor) -> None:
    page = visitor.open("methods")
    page.wait_for_selector("#methods_cards .card[aria-checked=true]")
    picked = page.locator("#methods_cards .card[aria-checked=true]")
    for kind in [card.get_attribute("data-id") for card in picked.all()]:
        page.click(f"#methods_cards .card[data-id={kind}]")
        page.wait_for_selector(f"#methods_cards .card[data-id={kind}][aria-checked=false]")
    page.wait_for_selector("#methods_compare[disabled]")
    assert "Pick at least one" in page.locator("#methods_rail").inner_text()


def test_a_folder_that_is_not_there_is_said_in_a_sentence(visitor: Visitor) -> None:
    page = visitor.open()
    page.wait_for_selector("#dataset_thumbs .thumb")
    page.fill("#dataset_folder input", "/nowhere/<b>at all")
    page.keyboard.press("Enter")
    page.wait_for_selector("#dataset_thumbs .nt.err")
    assert "There is no folder '/nowhere/<b>at all'" in page.locator("#dataset_thumbs").inner_text()


def test_the_machine_is_examined(visitor: Visitor) -> None:
    page = visitor.open("library")
    stops = page.locator("#tabs > .tab-wrapper [role=tab][tabindex='0']")  # the tabs are one stop of the Tab key
    page.wait_for_function("() => document.querySelectorAll('#tabs > .tab-wrapper [tabindex=\"0\"]').length === 1")
    stops.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("#system_doctor table tr", timeout=LONG)
    assert stops.get_attribute("data-tab-id") == "system"
    assert "PyTorch" in page.locator("#system_doctor").inner_text()
    assert page.locator("#system_experiments table tr").count() == 1


def choose(page: Any, base: str) -> None:
    page.fill("#methods_base input", base)
    page.keyboard.press("Enter")


def test_a_base_is_named_for_what_it_is_and_gets_its_own_presets(visitor: Visitor, base: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.safetensors").write_bytes(b"<html>")
    pipeline = tiny.pipeline()
    pipeline.unet.register_to_config(sample_size=64)  # of 512 pixels, as SD 1.5 is
    pipeline.save_pretrained(tmp_path / "large")
    page = visitor.open("methods")
    page.wait_for_selector("#methods_cards .card[aria-checked=true]")
    assert "starter" in page.locator("#methods_about").inner_text()
    choose(page, str(tmp_path / "wrong.safetensors"))
    page.wait_for_selector("#methods_about .nt.err")
    page.wait_for_selector("#methods_compare[disabled]")
    assert page.locator("#methods_cards .card").count() == 0
    choose(page, str(tmp_path / "large"))
    page.wait_for_selector("#methods_about >> text=512 pixels")
    page.wait_for_selector("#methods_cards >> text=lora-sd15-")
    page.click("#methods_cards .card[data-kind=locon]")
    page.wait_for_selector("#methods_cards .card[data-kind=locon][aria-checked=true]")
    choose(page, "starter")
    page.wait_for_selector("#methods_cards >> text=lora-starter")
    page.wait_for_selector("#methods_compare:not([disabled])")


def test_a_model_comes_from_a_hub_in_sight_of_every_tab(visitor: Visitor, base: Path) -> None:
    with serving({"painter/tiny": base}) as hub:
        page = visitor.open("system")
        page.wait_for_selector("#system_models td")
        page.fill("#system_hub_id input", "painter/tiny")
        page.keyboard.press("Enter")
        page.fill("#system_mirror :is(input, textarea)", hub.url)
        page.click("#system_look")
        page.wait_for_selector("#system_errand dl >> text=openrail")
        hub.slow = 1.0  # it lasts until somebody cancels it, however late they come
        page.click("#system_download")
        page.wait_for_selector("#system_errand [role=progressbar]")
        page.reload()
        page.wait_for_selector("#system_errand [role=progressbar]")
        second = visitor.open("system")
        second.click("#system_errand [data-act=cancel]")
        page.wait_for_selector("#system_errand >> text=was cancelled")
        hub.slow = 0.0
        second.fill("#system_hub_id input", "painter/tiny")
        second.keyboard.press("Enter")
        second.fill("#system_mirror :is(input, textarea)", hub.url)
        second.click("#system_download")
        page.wait_for_selector("#system_errand >> text=is ready")
        page.wait_for_selector("#system_models >> text=painter/tiny")
    tab(page, 1)
    page.wait_for_selector("#methods_cards .card")
    choose(page, "painter/tiny")
    page.wait_for_selector("#methods_about >> text=0123456789ab")


def test_a_trigger_word_is_judged_and_a_better_one_taken_over(visitor: Visitor) -> None:
    page = visitor.open()
    page.wait_for_selector("#dataset_thumbs .thumb")
    page.click("#dataset_check")
    page.wait_for_selector("#dataset_verdict >> text=know it as a rifle", timeout=LONG)
    page.wait_for_function("() => document.querySelectorAll('#dataset_verdict img').length === 4", timeout=LONG)
    page.wait_for_function(DRAWN, arg="#dataset_verdict")
    better = page.locator("#dataset_verdict [data-act=take]").first
    word = better.inner_text()
    better.click()
    page.wait_for_function(f"() => document.querySelector('#dataset_trigger :is(input, textarea)').value === '{word}'")


def test_restart_in_the_middle_then_resume_then_stop(visitor: Visitor, server: Server) -> None:
    page = visitor.open("methods")
    for kind in ("lora", "dreambooth"):
        page.click(f"#methods_cards .card[data-id={kind}]")
        page.wait_for_selector(f"#methods_cards .card[data-id={kind}][aria-checked=false]")
    page.fill("#methods_name :is(input, textarea)", "second")
    equal_steps(page, 200)
    page.click("#methods_compare")
    one = "#train_runs .run[data-run=textual-inversion]"
    leash = server.outputs.with_name("leash")
    leash.write_text("20")
    page.wait_for_selector(f"{one}[data-state=training] .spark path", timeout=LONG)
    assert "second" in page.locator("#train_toolbar").inner_text()
    assert server.stop() in (0, -signal.SIGINT)
    assert "Traceback" not in (server.outputs.parent / "stderr.txt").read_text()
    page.close()
    visitor.errors.clear()  # it could not reach anybody
    leash.write_text("40")
    server.start()
    page = visitor.open("train")
    page.wait_for_selector(f"{one}[data-state=interrupted]")
    page.click("#train_toolbar [data-act=resume]")
    page.wait_for_selector(f"{one}[data-state=training]", timeout=LONG)
    page.click("#train_toolbar [data-act=pause]")
    page.wait_for_selector(f"{one}[data-state=paused]", timeout=LONG)
    page.reload()
    page.wait_for_selector(f"{one}[data-state=paused]")
    page.click("#train_toolbar [data-act=resume]")
    page.wait_for_selector(f"{one}[data-state=training]", timeout=LONG)
    page.click("#train_toolbar [data-act=stop]")
    page.wait_for_selector(f"{one}[data-state=stopped]", timeout=LONG)
    assert (server.outputs / "second" / "textual-inversion" / "checkpoints").is_dir()
    tab(page, 3)
    page.wait_for_selector("#compare_table tbody tr")
