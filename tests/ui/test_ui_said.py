"""Whatever the engine can say to a user of the page, it says in Chinese too."""

import re

from studio.ui.i18n import said, tr
from tests.ui.sentences import NO_WORDS, ROOT, UNSEEN, Saying, sayings, texts

HAN = re.compile("[\u4e00-\u9fff]")
SLOT = re.compile(r"\{\w+\}")
CODE = re.compile(r"`[^`]*`|“[^”]*”|\[\S*\]|<\S*>|[\w-]+\.\w+( = \S+)?|such as .*|例如.*")
COMPOSED = ("input should", "value error")  # pydantic's


def is_part(saying: Saying) -> bool:
    """No sentence, but what stands in one."""
    return not re.search(r"[.?!]$", saying.template) or saying.template.strip()[0].islower()


def chinese(saying: Saying) -> str:
    return tr(saying.filled()[0], "zh")


def test_the_sayings_are_found() -> None:
    found = {saying.template for saying in sayings()}
    assert len(found) > 300
    assert {
        "The {what} was skipped: no memory for it; training goes on.",  # a Note's
        "{wish} was asked for, but this machine has none; using {name}.",  # a Choice's
        "'{path}' already holds a run; choose another name, or resume it.",  # an error's
        "nothing was saved yet",  # a part's
        "There is no prompt; write what the picture shall show.",  # the page's own
    } <= found


def test_every_saying_has_its_chinese() -> None:
    whole = SLOT.sub("{}", "\n".join(said.ZH))
    bare = [
        saying
        for saying in sayings()
        if not HAN.search(chinese(saying))
        and not (is_part(saying) and SLOT.sub("{}", saying.template.strip()) in whole)
    ]
    wanting = "\n".join(f'    "{saying.template}": "",  # {saying.where}' for saying in bare)
    assert not bare, f"studio/ui/i18n/said/ lacks:\n{wanting}"


def test_nothing_is_lost_on_the_way() -> None:
    lost = {}
    for saying in sayings():
        text, values = saying.filled()
        found = tr(text, "zh")
        own = " ".join(re.findall(r"[A-Za-z]+", CODE.sub("", found))) if HAN.search(found) else ""
        words = re.findall(r"[A-Za-z]+", CODE.sub("", saying.fixed))
        left = [run for run in zip(*(words[n:] for n in range(4)), strict=False) if " ".join(run) in own]
        lost[saying.where] = [*(value for value in values if value not in found), *left]
    assert {where: what for where, what in lost.items() if what} == {}


def test_no_chinese_is_left_of_what_is_no_longer_said() -> None:
    source = " ".join(" ".join(texts()).split())
    stale = [sentence for sentence in said.ZH if not sentence.startswith(COMPOSED) and _share(sentence, source) < 0.5]
    assert stale == []


def _share(sentence: str, source: str) -> float:
    """How much of a sentence's own words stands in the source, in threes."""
    threes = []
    for piece in SLOT.split(sentence):
        words = piece.split()
        threes += [" ".join(words[n : n + 3]) for n in range(len(words) - 2)]
    return sum(three in source for three in threes) / len(threes) if threes else 1.0


def test_every_metric_has_its_chinese() -> None:
    from studio.compare.metrics import METRICS

    assert [metric.title for metric in METRICS if metric.title not in said.ZH] == []


def test_no_sentence_is_translated_twice() -> None:
    assert len(said.ZH) == sum(len(room.ZH) for room in said.ROOMS)


def test_what_is_left_out_is_still_there() -> None:
    places = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py")]
    assert [start for start in UNSEEN if not any(place.startswith(start) for place in places)] == []
    every = texts()
    assert [kind for kind in NO_WORDS if not any(re.search(kind, text) for text in every)] == []


def test_sentences_in_a_row_and_names_in_quotes() -> None:
    one = "There is no folder 'Time'; give a folder of pictures, or `corgi` for the example."
    two = f"{one} There are no samples."
    assert tr(two, "zh") == "没有文件夹“Time”；输入图片文件夹，或用 `corgi` 作示例。没有采样。"
    assert tr("This processor has no bfloat16; using float32.", "zh") == "此处理器不支持 bfloat16，改用 float32。"
