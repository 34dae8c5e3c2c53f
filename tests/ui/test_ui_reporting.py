"""A report in the visitor's language: every sentence, and nothing of what the user wrote."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from PIL import Image

from studio.compare import report
from studio.ui import reporting
from tests.compare.compare_doubles import three

NAMES = "|".join(
    ("LoRA", "LoHa", "LoKr", "DreamBooth", "colour eye", "NAME", "CLASS", "TRIGGER", "UNet", "diffusers", "safetensors",
     "AUTOMATIC1111", "ComfyUI", "<lora:", "float32 chosen for <this> machine.")
)  # fmt: skip


class Texts(HTMLParser):
    """Tags in their order, and the texts that are nobody's own."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self._own = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        said = dict(attrs)
        if self._own or tag in reporting.AS_IT_IS or said.get("translate") == "no":
            self._own += tag not in reporting.ENDLESS
        else:
            self.texts += [said[name] for name in reporting.SAID_IN if said.get(name)]

    def handle_endtag(self, tag: str) -> None:
        self._own -= bool(self._own)

    def handle_data(self, data: str) -> None:
        if not self._own and data.strip():
            self.texts.append(data.strip())


def test_a_report_is_chinese_throughout_and_what_the_user_wrote_stays(tmp_path: Path, monkeypatch: Any) -> None:
    for name, colour in (("train", "red"), ("held", "blue")):
        (tmp_path / name).mkdir()
        Image.new("RGB", (64, 64), colour).save(tmp_path / name / "0.png")
        (tmp_path / name / "0.txt").write_text("sks red")
    html = report.html(three(tmp_path))
    said: dict[str, str] = {}
    monkeypatch.setattr(reporting, "tr", lambda text, lang, real=reporting.tr: said.setdefault(text, real(text, lang)))
    chinese = reporting.translated(html, "zh")
    left = [text for text, found in said.items() if found == text and re.search("[A-Za-z]{3}", re.sub(NAMES, "", text))]
    assert left == []
    assert '<html lang="zh-CN">' in chinese and "<h2>指标的含义</h2>" in chinese
    assert Texts(chinese).tags == Texts(html).tags and len(Texts(chinese).texts) == len(Texts(html).texts)
    for own in ('<h1 translate="no">three</h1>', "</style>"):
        assert own in html and own in chinese
    assert html.count("<td translate") == chinese.count("<td translate")
    assert reporting.translated(html, "en") == html == reporting.translated(html, "fr")
