"""An expert's whole way in a real browser: pictures of one's own, the form, a queue watched, stopped, resumed."""

from pathlib import Path
from typing import Any

from PIL import Image

from studio import starter
from studio.events import Started
from studio.store import RunStore
from tests.ui.browser import DRAWN, LONG, Visitor, tab

STEPS, RELOADS = 24, 20
FIRST = "#train_runs .run[data-run=textual-inversion]"
FIELD = "#f_schedule_steps"
SAYS = "([where, text]) => document.querySelector(where)?.innerText.replace(/\\s+/g, ' ').includes(text)"


def says(page: Any, where: str, text: str) -> None:
    page.wait_for_function(SAYS, arg=[where, text], timeout=LONG)


def view(page: Any, name: str) -> None:
    page.click(f"#train_views button[role=tab][data-tab-id={name}]")


def bring(page: Any, *files: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.click("#dataset_upload")
    chooser.value.set_files(list(files))


def typed(page: Any, text: str) -> None:
    page.fill(FIELD, text)
    page.keyboard.press("Tab")


def test_an_experts_whole_way(visitor: Visitor, served: Path, tmp_path: Path) -> None:
    page = visitor.open()
    of_ones_own(page, served, tmp_path)
    tab(page, 1)
    page.wait_for_selector("#methods_cards .card[aria-checked=true]", timeout=LONG)
    for kind in ("hypernetwork", "dreambooth"):
        page.click(f"#methods_cards .card[data-id={kind}]")
        page.wait_for_selector(f"#methods_cards .card[data-id={kind}][aria-checked=false]")
    tab(page, 2)
    set_up(page)
    leash = served.with_name("leash")
    leash.write_text("1")
    page.click("#train_start")
    second = visitor.open("train")
    watched(page, second, leash)
    visitor.forgive()  # pages that were left at once
    stopped_and_resumed(page, served, leash)
    compared_and_exported(page, tmp_path)
    assert [one.name for one in served.glob("*/experiment.toml")] == ["experiment.toml"]
    assert second.locator("#train_runs .run[data-state=finished]").count() == 4  # the base is one of them


def of_ones_own(page: Any, served: Path, tmp_path: Path) -> None:
    """Three pictures and a caption become a dataset."""
    for name, colour in (("one.png", "red"), ("two <b>.png", "blue"), ("three.png", "green")):
        Image.new("RGB", (64, 64), colour).save(tmp_path / name)
    (tmp_path / "one.txt").write_text("a photo of sks thing")
    page.wait_for_selector("#dataset_thumbs .thumb")
    bring(page, *sorted(tmp_path.iterdir()))
    page.wait_for_function("() => document.querySelectorAll('#dataset_thumbs .thumb').length === 3")
    page.wait_for_function(DRAWN, arg="#dataset_thumbs")
    folder = served / "datasets" / "pictures-1"
    assert (folder / "one.txt").read_text().strip() == "a photo of sks thing"
    assert sorted(path.suffix for path in folder.iterdir() if path.suffix) == [".png", ".png", ".png", ".txt"]
    page.fill("#dataset_class_word :is(input, textarea)", "toy")
    page.keyboard.press("Tab")


def set_up(page: Any) -> None:
    """A field is searched, given what it does not take, kept so over a reload, and mended; each method has its own."""
    view(page, "setup")
    page.wait_for_selector("#train_form .fd", timeout=LONG)
    page.fill("#train_find", "optimizer updates")
    page.wait_for_function("() => document.querySelectorAll('#train_form .fd').length === 1")
    typed(page, "many")
    says(page, "#train_form .fd.bad", "Write a whole number.")
    page.wait_for_selector("#train_start[disabled]")
    page.reload()
    view(page, "setup")
    page.wait_for_selector("#train_form .fd.bad")
    assert page.input_value(FIELD) == "many" and page.locator("#train_start[disabled]").count() == 1
    for kind, steps in (("textual-inversion", STEPS), ("lora", 2), ("loha", 2)):
        page.click(f"#train_presets .mt[data-id={kind}]")
        page.wait_for_selector(f"#train_form .form3[data-kind={kind}]")
        typed(page, str(steps))
        says(page, "#train_changes", f"200 → {steps}")
    page.wait_for_selector("#train_start:not([disabled])")
    page.fill("#f_sample_prompts", "a photo of {trigger}")
    page.keyboard.press("Tab")
    says(page, "#train_changes", "sample.prompts")


def watched(page: Any, second: Any, leash: Path) -> None:
    """However often the page is loaded again, and in another tab, it shows the step that the run is at."""
    says(page, FIRST, f"1 / {STEPS}")
    view(page, "setup")
    says(page, "#train_queue", "LoRA queued")
    for step in range(2, RELOADS + 2):
        leash.write_text(str(step))
        page.reload(wait_until="commit")  # whatever the last page still had to bring
        says(page, FIRST, f"{step} / {STEPS}")
    says(second, FIRST, f"{RELOADS + 1} / {STEPS}")
    page.wait_for_selector(f"{FIRST}[data-state=training] .kv.rate path.curve")
    assert page.locator("#train_loss path.curve").count() == 1


def stopped_and_resumed(page: Any, served: Path, leash: Path) -> None:
    """The first is stopped and saved, and told to go on while the others are at work or done; in the end all are."""
    page.click("#train_toolbar [data-act=stop]")
    page.click(f"{FIRST}[data-state=stopped] [data-act=resume]", timeout=LONG)
    leash.unlink()
    for kind in ("textual-inversion", "lora", "loha"):
        page.wait_for_selector(f"#train_runs .run[data-run={kind}][data-state=finished]", timeout=LONG)
    says(page, FIRST, f"{STEPS} / {STEPS}")
    (run,) = (RunStore(path.parent) for path in served.glob("*/textual-inversion/spec.toml"))
    begun = [event.step for event in run.view().log if isinstance(event, Started)]
    assert begun == [0, RELOADS + 1]


def compared_and_exported(page: Any, tmp_path: Path) -> None:
    """They are one comparison, and what is taken home is read by the program that it is for."""
    from diffusers import StableDiffusionPipeline

    tab(page, 3)
    page.wait_for_selector("#compare_report", timeout=LONG)
    page.wait_for_function("() => document.querySelectorAll('#compare_table tbody tr').length === 4", timeout=LONG)
    page.wait_for_function(DRAWN, arg="#compare_grid")
    tab(page, 4)
    with page.expect_download() as got:
        page.locator("#library_table tr[data-run=lora] a").first.click()
    got.value.save_as(tmp_path / "lora.safetensors")
    pipeline = StableDiffusionPipeline.from_pretrained(starter.BASE)
    pipeline.load_lora_weights(tmp_path, weight_name="lora.safetensors")
    assert any("lora_A" in name for name, _ in pipeline.unet.named_parameters())
