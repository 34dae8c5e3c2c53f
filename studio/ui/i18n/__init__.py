"""The only file that finds the words for a language, and translates what the engine said."""

import functools
import re
from collections.abc import Mapping
from typing import Any

from studio.ui.i18n import en, said, zh

LANGUAGES = {"en": en.WORDS, "zh": zh.WORDS}
LOCALES = {"en": "en", "zh": "zh-CN"}
COOKIE = "crucible_lang"


def t(key: str, lang: str, **values: Any) -> str:
    """The text of ``key`` in ``lang`` with ``values`` filled in; an unknown key raises KeyError."""
    text = LANGUAGES[lang][key]
    return text.format(**values) if values else text


def tr(sentence: str, lang: str) -> str:
    """A sentence that the engine said, in ``lang`` where a translation is known, else as it is."""
    if lang == "en":
        return sentence
    if sentence in said.ZH:
        return said.ZH[sentence]
    for pattern, form in _patterns():
        found = pattern.fullmatch(sentence)
        if found:
            return form.format(**{name: tr(value, lang) for name, value in found.groupdict().items()})
    return sentence


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
    made = []
    for sentence, form in said.ZH.items():
        if "{" in sentence:
            escaped = re.escape(sentence).replace(r"\{", "{").replace(r"\}", "}")
            made.append((re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>.+?)", escaped)), form))
    return made
