"""The only file that reads captions: from beside a picture or from a table, in whatever letters they were saved."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from studio.data.names import key, shown
from studio.errors import DataError

CAPTION_ENDINGS = (".txt", ".caption")
TABLES: Final = ("metadata.jsonl", "metadata.csv")
COLUMNS: Final = ("text", "caption", "prompt")  # Hugging Face's imagefolder, and what its datasets call it
LONGEST: Final = 100_000  # bytes of a caption; more is some other file
LARGEST: Final = 256 * 2**20  # bytes of a table
PLAIN: Final = "UTF-8"
_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8 with a byte order mark"),
    (b"\xff\xfe\x00\x00", "utf-32", "UTF-32"),
    (b"\x00\x00\xfe\xff", "utf-32", "UTF-32"),
    (b"\xff\xfe", "utf-16", "UTF-16"),
    (b"\xfe\xff", "utf-16", "UTF-16"),
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_PAIR: Final = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")
_CHINESE: Final = re.compile(rb"[\xa1-\xfe][\xa1-\xfe]")


@dataclass(frozen=True)
class Words:
    """A caption and how it was saved: ``encoding`` is UTF-8, or what to convert from."""

    text: str
    encoding: str = PLAIN


@dataclass
class Table:
    """The captions of metadata.jsonl or metadata.csv, by the key of their pictures' names beside it, and trouble."""

    captions: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_caption(picture: Path) -> str | None:
    """The caption beside ``picture`` (name.txt or name.caption), one line per line that is not empty, or None.

    Raises DataError for what is no text.
    """
    for ending in CAPTION_ENDINGS:
        path = picture.with_suffix(ending)
        try:
            found = path.is_file()
        except OSError:  # a name too long for the file system has no file
            found = False
        if found:
            return read_words(path).text
    return None


def read_words(path: Path) -> Words:
    """The caption in the file ``path``; raises DataError when it is no text, with what to do."""
    try:
        with open(path, "rb") as file:
            data = file.read(LONGEST + 1)
    except OSError as error:
        raise DataError(f"The caption '{shown(path.name)}' cannot be opened ({error.strerror}); mend it.") from error
    if len(data) > LONGEST:
        raise DataError(f"'{shown(path.name)}' is too long for a caption; shorten it, or give the file another name.")
    try:
        found = decoded(data)
    except UnicodeError as error:
        raise DataError(f"The caption '{shown(path.name)}' is not readable text; save it as UTF-8.") from error
    return Words(tidied(found.text), found.encoding)


def decoded(data: bytes) -> Words:
    """Text of unknown encoding: by its mark, else UTF-8, UTF-16, GBK or Windows' Latin; raises UnicodeError."""
    for mark, codec, name in _MARKS:
        if data.startswith(mark):
            return Words(data.decode(codec), name)
    zeros = data.count(0)
    if zeros and zeros * 4 >= len(data):
        low = data[1::2].count(0) >= data[::2].count(0)
        return Words(data.decode("utf-16-le" if low else "utf-16-be"), "UTF-16")
    for codec, name in (("utf-8", PLAIN), *_guesses(data)):
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        if codec == "utf-8" or not _CONTROL.search(text):
            return Words(text, name)
    raise UnicodeError("no encoding fits")


def _guesses(data: bytes) -> list[tuple[str, str]]:
    """Chinese comes in pairs of high bytes; an accented letter of Windows' Latin stands between plain ones."""
    chinese = 2 * sum(1 for _ in _CHINESE.finditer(data))
    paired = 2 * sum(1 for _ in _PAIR.finditer(data))
    high = sum(byte >= 0x80 for byte in data)
    both = [("gb18030", "GBK"), ("cp1252", "Windows-1252")]
    return both if chinese * 2 >= high or (paired >= high and chinese * 4 >= high) else both[::-1]


def tidied(text: str) -> str:
    """``text`` without empty lines, control characters, halves of characters and space that means nothing."""
    lines = (" ".join(_CONTROL.sub(" ", line).split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def read_table(path: Path) -> Table:
    """The captions in ``path``; rows that say nothing are told in ``problems``, nothing is raised."""
    try:
        if path.stat().st_size > LARGEST:
            raise OSError(None, "it is too large")
        return parsed_table(path.name, path.read_bytes())
    except OSError as error:
        return Table(problems=[f"'{path.name}' cannot be read ({error.strerror}); mend or remove it."])


def parsed_table(name: str, data: bytes) -> Table:
    """`read_table` of the content of a file called ``name``."""
    table = Table()
    try:
        text = decoded(data).text
    except UnicodeError:
        table.problems.append(f"'{name}' is not readable text; save it as UTF-8.")
        return table
    for number, row in _lines(text) if name.endswith(".jsonl") else _records(text):
        picture, words = _named(row)
        if picture and words is not None:
            table.captions[key(picture.removeprefix("./"))] = tidied(words)
        else:
            lack = "a file_name" if not picture else f"a caption ({', '.join(COLUMNS)})"
            table.problems.append(f"Line {number} of '{name}' has not {lack}; mend it.")
    return table


def _lines(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                found = json.loads(line)
            except ValueError:
                found = {}
            yield number, found if isinstance(found, dict) else {}


def _records(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(LONGEST)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error:
        yield reader.line_num, {}


def _named(row: Mapping[str, Any]) -> tuple[str, str | None]:
    lower = {str(name).strip().lower(): value for name, value in row.items() if name}
    words = next((lower[column] for column in COLUMNS if lower.get(column)), None)
    if isinstance(words, list):  # several captions of one picture: as lines, of which wildcards choose
        words = "\n".join(one for one in words if isinstance(one, str))
    name = lower.get("file_name")
    return name if isinstance(name, str) else "", words if isinstance(words, str) else None
