"""The only file that knows the WD taggers: Danbooru's tags with their scores, by an ONNX network and its list."""

import csv
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from studio.captioners.base import Caption, Captioner, Local, Source, Tag
from studio.captioners.weights import checked, place
from studio.errors import ModelError
from studio.hardware import Hardware, Plan

LIST = "selected_tags.csv"
CATEGORIES = {"0": "general", "4": "character", "9": "rating"}
ORDER = ("character", "general", "rating")
FACES = frozenset(  # tags whose underscore is a mouth or a nose
    (
        "0_0",
        "(o)_(o)",
        "+_+",
        "+_-",
        "._.",
        "<o>_<o>",
        "<|>_<|>",
        "=_=",
        ">_<",
        "3_3",
        "6_9",
        ">_o",
        "@_@",
        "^_^",
        "o_o",
        "u_u",
        "x_x",
        "|_|",
        "||_||",
    )
)


class Wd(Captioner):
    """SmilingWolf's WD v3 taggers."""

    class Options(Local):
        """What may be set of the taggers."""

        general: float = Field(0.35, ge=0, le=1)
        """Score from which a tag is taken: lower finds more and errs more."""
        character: float = Field(0.85, ge=0, le=1)
        """Score from which a character's name is taken; 1 leaves names out."""
        rating: float = Field(1.0, ge=0, le=1)
        """Score from which the rating (general, sensitive, questionable, explicit) is said; 1 leaves it out."""
        spaces: bool = True
        """Write `long hair` for `long_hair`, as most training captions do; faces such as `>_<` stay."""
        escape: bool = False
        """Write `\\\\(` for `(`, as prompts of A1111 and ComfyUI need it; captions do not."""
        leave_out: str = Field("", max_length=4000)
        """Tags that are never written, with commas between them; with spaces or underscores, it is the same."""
        most: int = Field(0, ge=0, le=500)
        """Tags of a picture at most, the surest of them; 0 is as many as are found. 75 tokens hold about 25."""

    @classmethod
    def missing(cls, hardware: Hardware) -> str:
        """It runs wherever onnxruntime is installed."""
        if importlib.util.find_spec("onnxruntime") is None:
            return "The WD taggers need onnxruntime, which is not installed here; `pip install onnxruntime` brings it."
        return super().missing(hardware)

    def load(self, plan: Plan) -> None:
        """Bring the network and its list into memory. It runs on the processor, a second or so a picture."""
        folder = place(self)
        self._tags = read_list(folder / LIST)
        import onnxruntime

        session: Any = checked(
            folder, onnxruntime.InferenceSession, str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
        )
        entry, answer = session.get_inputs()[0], session.get_outputs()[0]
        if len(entry.shape) != 4 or entry.shape[3] != 3 or not isinstance(entry.shape[1], int):
            raise ModelError(f"'{folder.name}' is no WD tagger: it does not take squares of (N, side, side, 3).")
        if answer.shape[-1] != len(self._tags):
            raise ModelError(
                f"'{folder.name}' knows {answer.shape[-1]} tags and its {LIST} {len(self._tags)}; download it again."
            )
        self._session, self._entry, self._side = session, entry, entry.shape[1]

    def caption(self, pictures: Sequence[Image.Image]) -> list[Caption]:
        """The tags of each."""
        whole = np.stack([square(picture, self._side) for picture in pictures])
        alone = self._entry.shape[0] == 1  # a network that was exported for one picture at a time
        parts = np.split(whole, len(whole)) if alone else [whole]
        scores = np.concatenate([self._session.run(None, {self._entry.name: part})[0] for part in parts])
        return [self._told(row) for row in scores]

    def _told(self, scores: NDArray[np.float32]) -> Caption:
        options = self.options
        assert isinstance(options, self.Options)
        least = {"general": options.general, "character": options.character, "rating": options.rating}
        unwanted = {_same(tag) for tag in options.leave_out.split(",")}
        found = [
            Tag(name, float(score), category)
            for (name, category), score in zip(self._tags, scores, strict=True)
            if least[category] < 1 and score >= least[category] and _same(name) not in unwanted
        ]
        surest = sorted(found, key=lambda tag: -tag.score)[: options.most or None]
        tags = tuple(sorted(surest, key=lambda tag: (ORDER.index(tag.category), -tag.score)))
        return Caption(", ".join(self._written(tag.name) for tag in tags), tags, listed=True)

    def _written(self, name: str) -> str:
        assert isinstance(self.options, self.Options)
        if self.options.spaces and name not in FACES:
            name = name.replace("_", " ")
        return name.replace("(", r"\(").replace(")", r"\)") if self.options.escape else name


def square(picture: Image.Image, side: int) -> NDArray[np.float32]:
    """(side, side, 3) float32 of 0 to 255 in the order BGR, the picture whole on white: what WD v3 was trained on."""
    longer = max(picture.size)
    canvas = Image.new("RGB", (longer, longer), "white")
    canvas.paste(picture, ((longer - picture.width) // 2, (longer - picture.height) // 2))
    small = canvas.resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(small, dtype=np.float32)[:, :, ::-1]


def read_list(path: Path) -> list[tuple[str, str]]:
    """Each tag with its category, in the order of the network's answers; raises ModelError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [(row["name"], CATEGORIES[row["category"]]) for row in csv.DictReader(file)]
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise ModelError(f"'{path}' is no list of tags ({error!r}); download the tagger again.") from error


def _same(tag: str) -> str:
    return tag.strip().lower().replace(" ", "_")


class WdSwin(Wd):
    name = "wd-swinv2"
    title = "WD SwinV2 tagger v3"
    sentence = "Danbooru tags and characters for anime and drawings; a second or two a picture on a processor."
    licence = "Apache-2.0"
    source = Source(
        "SmilingWolf/wd-swinv2-tagger-v3", "627aef95638667ddcaa3ac8ae625e88ea5b02f51", 467_460_978, ("model.onnx", LIST)
    )
    rank = 10
    memory = 2_000_000_000


class WdEva(Wd):
    name = "wd-eva02"
    title = "WD EVA02-Large tagger v3"
    sentence = "As WD SwinV2, with fewer mistakes; three times as large and slow."
    licence = "Apache-2.0"
    source = Source(
        "SmilingWolf/wd-eva02-large-tagger-v3", "b25b82a03f7282e41aa2f257a52c7583b710bd1c", 1_260_435_999,
        ("model.onnx", LIST),
    )  # fmt: skip
    rank = 11
    memory = 3_000_000_000
