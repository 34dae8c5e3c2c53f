"""The only file that finds the words for a language, and translates what the engine said."""

import functools
import re
from collections.abc import Mapping
from typing import Any

from studio.ui.i18n import en, said, words_compare, words_dataset, words_setup, words_train, zh

ROOMS = (words_compare.WORDS, words_dataset.WORDS, words_setup.WORDS, words_train.WORDS)
"""Words that lie in both languages beside each other, by the room that says them."""
LANGUAGES = {
    "en": {**en.WORDS, **{key: both[0] for room in ROOMS for key, both in room.items()}},
    "zh": {**zh.WORDS, **{key: both[1] for room in ROOMS for key, both in room.items()}},
}
LOCALES = {"en": "en", "zh": "zh-CN"}
COOKIE = "crucible_lang"
PART = re.compile(r"\{(\w+)\}")
BY_NUMBER = re.compile(r"\[(?:(\w+):)?([^|\]]*)\|([^\]]*)\]")  # [one|many] by ``n``, [total:one|many] by another part
SHAPES = {"figure": r"\d.*?"}  # parts that not everything can be
QUOTED = "_quoted"
SEAM = "\0"
HAN = "[\u3000-\u9fff\uff00-\uffef]"
SENTENCE_END = re.compile(r"(?<=[.!?]) (?=\S)")


def t(key: str, lang: str, **values: Any) -> str:
    """The text of ``key`` in ``lang`` with ``values`` filled in; an unknown key raises KeyError."""
    text = BY_NUMBER.sub(lambda by: by[2 if str(values.get(by[1] or "n")) == "1" else 3], LANGUAGES[lang][key])
    return text.format(**values) if values else text


def tr(text: str, lang: str) -> str:
    """What the engine said, in ``lang`` where a translation is known, else as it is."""
    return text if lang == "en" else _chinese(text)


@functools.lru_cache(maxsize=4096)
def _chinese(text: str) -> str:
    return _sentences(text) or _whole(text) or _begun(text) or text


def _whole(text: str) -> str:
    """One known sentence, or nothing."""
    if text in said.ZH:
        return said.ZH[text]
    for pattern, form in _patterns():
        found = pattern.fullmatch(text)
        if found:
            return _joined(form.format(**{name: _part(name, value) for name, value in found.groupdict().items()}))
    return ""


def _sentences(text: str) -> str:
    """Several sentences, one behind the other and every one known, or nothing."""
    for end in SENTENCE_END.finditer(text):
        first, tail = _whole(text[: end.start()]), text[end.end() :]
        if first and (rest := _sentences(tail) or _whole(tail)):
            return first + rest
    return ""


def _begun(text: str) -> str:
    """A known sentence with something unknown behind it, or nothing."""
    for end in SENTENCE_END.finditer(text):
        if first := _whole(text[: end.start()]):
            return first + _chinese(text[end.end() :])
    return ""


def _part(name: str, value: str) -> str:
    """What stands in quotes is a name and stays as it is."""
    chinese = value if name.endswith(QUOTED) else _chinese(value)
    return value if chinese == value else f"{SEAM}{chinese}{SEAM}"


def _joined(text: str) -> str:
    """No space where a part became Chinese between Chinese."""
    return re.sub(f" {SEAM}(?={HAN})|(?<={HAN}){SEAM} (?={HAN})", "", text).replace(SEAM, "")


def language(cookies: Mapping[str, str], accept: str) -> str:
    """The language chosen by the button, else the browser's first choice that we have, else English."""
    chosen = cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    for part in accept.split(","):
        tag = part.split(";")[0].strip().lower()[:2]
        if tag in LANGUAGES:
            return tag
    return "en"


@functools.cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Every sentence with parts as a pattern and its Chinese, the one with the most words of its own first."""
    parted = sorted((text for text in said.ZH if "{" in text), key=lambda text: -len(PART.sub("", text)))
    return [(re.compile(_as_pattern(text), re.DOTALL), _as_form(text)) for text in parted]


def _as_pattern(text: str) -> str:
    pieces = PART.split(text)  # fixed words and names of parts by turns
    quoted = _quoted(text)
    return "".join(
        f"(?P<{quoted[piece]}>{SHAPES.get(piece, '.*?')})" if number % 2 else re.escape(piece)
        for number, piece in enumerate(pieces)
    )


def _as_form(text: str) -> str:
    quoted = _quoted(text)
    return PART.sub(lambda part: f"{{{quoted[part[1]]}}}", said.ZH[text])


def _quoted(text: str) -> dict[str, str]:
    """The parts of a sentence by name, marked where they stand in quotes or are code."""
    return {
        part[1]: part[1] + QUOTED * (text[part.start() - 1 : part.start()] in ("'", "`") and part.start() > 0)
        for part in PART.finditer(text)
    }
