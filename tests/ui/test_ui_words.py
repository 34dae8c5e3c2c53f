"""The page speaks two languages, completely."""

import re
import string
from pathlib import Path

import pytest

from studio.ui import i18n
from studio.ui.i18n import BY_NUMBER, LANGUAGES, language, t, tr

UI = Path(i18n.__file__).resolve().parent.parent


def slots(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_language_has_the_same_keys() -> None:
    assert set(LANGUAGES["en"]) == set(LANGUAGES["zh"])


def test_both_texts_have_the_same_slots() -> None:
    assert [key for key in LANGUAGES["en"] if slots(t(key, "en")) != slots(t(key, "zh"))] == []


def test_chinese_is_translated() -> None:
    same = {key for key, text in LANGUAGES["zh"].items() if text == LANGUAGES["en"][key]}
    assert same <= {"diagram_unet", "diagram_vae", "mode_toml"}


def test_one_is_not_called_many() -> None:
    assert [t("n_runs", "en", n=n) for n in (1, 2, 15)] == ["1 run", "2 runs", "15 runs"]
    assert t("ds_of", "en", n=0, of="1") == "0 of 1 picture"
    assert t("ds_scope_shown", "en", n=1) == "In the one picture shown"
    many = re.compile(r"\{(?:n|of|count)\} (?!pixels)[a-z]{3,}s\b")
    always = {"check_order", "ds_tokens"}  # CLIP's pieces, and the 75 tokens of a prompt; no picture is a pixel wide
    bare = {key for key, text in LANGUAGES["en"].items() if many.search(BY_NUMBER.sub("", text))}
    assert bare == always


def test_every_key_in_the_code_exists_and_every_key_is_used() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in UI.rglob("*.py") if path.parent.name != "i18n")
    asked = set(re.findall(r"\b(?:t|word|label|I18N)\(\s*\"(\w+)\"", code))
    assert {key for key in asked if not key.endswith("_")} <= set(LANGUAGES["en"])
    unused = {key for key in LANGUAGES["en"] if not re.search(rf"[\"']{key}[\"']", code)}
    built = ("act_", "state_", "stage_", "part_", "told_", "theme_", "verdict_", "mark_", "mode_", "group_", "doubt_")
    built += ("lib_by_", "plot_", "sheet_", "view_", "vote_")
    assert not {key for key in unused if not key.startswith(built)}


@pytest.mark.parametrize(
    ("cookies", "accept", "expected"),
    [
        ({}, "", "en"),
        ({}, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ({}, "de-DE,de;q=0.9,zh;q=0.5", "zh"),
        ({"crucible_lang": "en"}, "zh-CN", "en"),
        ({"crucible_lang": "<script>"}, "zh-CN", "zh"),
    ],
)
def test_the_chosen_language_comes_before_the_browsers(cookies: dict[str, str], accept: str, expected: str) -> None:
    assert language(cookies, accept) == expected


def test_what_the_engine_said_is_translated_with_its_parts() -> None:
    said = "PyTorch's own attention; xformers is not usable here: it runs on CUDA cards only."
    assert tr(said, "zh") == "使用 PyTorch 自带的注意力；xformers 在此不可用：它只在 CUDA 显卡上运行。"
    assert tr(said, "en") == said
    assert tr("something new", "zh") == "something new"


def test_every_method_is_explained_in_chinese() -> None:
    from studio.methods import registry
    from studio.ui.i18n.said import ZH

    assert [cls.kind for cls in registry().values() if cls.sentence not in ZH] == []
