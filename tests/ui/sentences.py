"""Every sentence that the engine can say, read off its source."""

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import studio

ROOT = Path(studio.__file__).parent
UNSEEN = {
    "ui/i18n": "the page's own words have keys",
    "ui/app.py": "it speaks in the terminal",
    "ui/guard.py": "it refuses a request before there is a page",
    "ui/media.py": "a header, for the browser",
    "ui/theme.py": "names of fonts",
    "cli": "the command line speaks English",
    "console.py": "the command line speaks English",
    "environment.py": "it speaks in the terminal, before there is a page",
    "pins.py": "it speaks in the terminal, before there is a page",
    "starter": "it draws, and makes the embedded model from the terminal",
    "engine/benchmark.py": "`bench` is a word of the command line",
    "engine/extract.py": "`extract` is a word of the command line",
    "engine/finder.py": "`find-lr` is a word of the command line",
    "engine/launch.py": "a launcher of several processes has no page",
    "engine/generate.py": "`generate` is a word of the command line",
    "engine/convergence.py": "`bench` is a word of the command line",
    "engine/parity.py": "`bench` is a word of the command line",
    "compare/scenes.py": "it holds prompts, for the model",
    "compare/report.py": "the report is a file to hand on, in English",
    "compare/particulars.py": "the report is a file to hand on, in English",
    "compare/plots.py": "it draws for the report",
    "compare/curves.py": "it draws for the report",
    "compare/sheet.py": "it draws for the report",
    "formats/card.py": "it writes for the readers of the exported file",
}
"""Rooms whose words no user of the page meets, and why."""
WORD = r"[A-Za-z][A-Za-z'-]*"
NO_WORDS = {
    r"\b(photo|picture|painting|image|drawing)\b[^.;]*$": "a prompt or caption, for the model",
    r"^in the style of$": "part of a caption, for the model",
    r"for this image|Stable Diffusion prompt|image captioner|Describe this picture": "an order to a captioning model",
    r"^(can't allocate memory|out of memory|closed by peer|mmap can only be used)$": "what a library says",
    r"^(an event is a JSON object|no commit or etag|Unknown prediction type {kind})$": "caught, or an error of ours",
    r"^A1111, Forge, ComfyUI, diffusers$|^Apache-2.0|^JoyCaption|^System Volume|^the SDXL refiner$": "names",
    r"The base is not ranked.$": "it stands in the exported table",
}
"""Texts that are no words to a user of the page, and what they are."""
SLOT = re.compile(r"\{(\w+)(?:[:!][^{}]*)?\}")
BRACES = re.compile(r"\{(?!\w+\})|(?<!\w)\}")
PROSE = re.compile(rf"(?:^|(?<=[ `'}}(])){WORD}[,;:]? {WORD}[,;:]? {WORD}")


@dataclass(frozen=True)
class Saying:
    """A text in the source: its ``template`` with {slots}, and where it stands."""

    template: str
    where: str

    @property
    def fixed(self) -> str:
        """The template's own words."""
        return re.sub(r"\{\w+\}", "", self.template)

    def filled(self) -> tuple[str, list[str]]:
        """The sentence with something in every slot, and what."""
        values: dict[str, str] = {}

        def fill(slot: re.Match[str]) -> str:
            before = self.template[slot.start() - 1 : slot.start()]
            if slot.start() and before.isalpha():
                return "s"  # a plural
            return values.setdefault(slot[1], f"Q{len(values)}")

        text = re.sub(r"\{(\w+)\}", fill, self.template)
        return text, list(values.values())


@functools.cache
def sayings() -> list[Saying]:
    """Every text of three words or more in what can reach the page; no docstring."""
    found: dict[str, Saying] = {}
    for place, template, line in _everything():
        if not place.startswith(tuple(UNSEEN)):
            found.setdefault(template, Saying(template, f"{place}:{line}"))
    return [saying for saying in found.values() if _is_prose(saying)]


def texts() -> list[str]:
    """Every text in the source, but docstrings and the page's own words."""
    return [template for place, template, _ in _everything() if not place.startswith("ui/i18n")]


@functools.cache
def _everything() -> list[tuple[str, str, int]]:
    """Place, template and line of every text."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [(path.relative_to(ROOT).as_posix(), *text) for text in _texts(tree)]
    return found


def _is_prose(saying: Saying) -> bool:
    markup = re.search(r"</|/>|\n|\(\?", saying.template)
    return bool(PROSE.search(saying.fixed)) and not markup and not re.search("|".join(NO_WORDS), saying.template)


def _texts(tree: ast.Module) -> Iterator[tuple[str, int]]:
    passed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            passed.add(id(node.value))  # a docstring
        elif isinstance(node, ast.JoinedStr):
            passed.update(id(part) for part in node.values)
            passed.update(id(part.format_spec) for part in node.values if isinstance(part, ast.FormattedValue))
    for node in ast.walk(tree):
        if id(node) in passed:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield BRACES.sub("", SLOT.sub(r"{\1}", node.value)), node.lineno
        elif isinstance(node, ast.JoinedStr):
            yield _template(node), node.lineno


def _template(node: ast.JoinedStr) -> str:
    parts, slots = [], 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(re.sub(r"[{}]", "", str(part.value)))
        elif isinstance(part, ast.FormattedValue):
            value = part.value
            name = value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else ""
            if not name.isidentifier() or f"{{{name}}}" in parts:
                slots += 1
                name = f"x{slots}"
            parts.append(f"{{{name.lower()}}}")
    return "".join(parts)
