"""The only file that finds words for pictures with the starter's own eye, and says where it does not know.

The eye knows 61 drawn things on fifteen backgrounds, 64 pixels wide, and nothing else. A network so small is sure of
itself also before what it never saw, so a thing is named only above a high score, and neither thing nor background
where left and right edge differ as they never do in its world. Where nothing is sure nothing is claimed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.Image import Image, Resampling
from pydantic import Field

from studio import starter
from studio.captioners.base import Caption, Captioner, Tag
from studio.errors import ModelError
from studio.hardware import Plan
from studio.section import Section
from studio.starter import world

PLACES = (*world.BACKDROPS, *world.SCENES)
EVEN = 40.0  # levels of 255 by which the left and the right edge may differ, in the middle row of them all


class Embedded(Captioner):
    """Zero-shot: which of the eye's own sentences lies nearest to the picture."""

    name = "embedded"
    title = "Embedded"
    sentence = (
        "No download, and quick: it knows 61 emoji-like things and plain backgrounds, and says when it is unsure."
    )
    licence = "Apache-2.0, as the studio"

    class Options(Section):
        """What may be set of the embedded captioner."""

        subject: str = Field("", max_length=100)
        """What all pictures show, such as `sks dog`; then only the background is looked for."""
        thing: float = Field(0.9, ge=0, le=1)
        """Score from which a thing is named. At 0.9 it named 42 % of the eye's own held-out pictures, 99 % rightly."""
        place: float = Field(0.6, ge=0, le=1)
        """Score from which a background is named. At 0.6 it named 7 in 10 of them, 95 % rightly."""

    def load(self, plan: Plan) -> None:
        """Read the eye (7 MB) and its sentences; it is quick enough on the processor, which it keeps to."""
        from studio.starter.look import Look

        try:
            self._eye: Any = Look()
        except (OSError, ValueError) as error:
            raise ModelError("The starter's eye is damaged; install the studio anew.") from error
        self._scale = float(self._eye.model.logit_scale.detach().exp())
        self._things = self._eye.words([f"a photo of {world.article(name)}" for name in world.NAMES])
        self._both = self._eye.words([_sentence(name, place) for name in world.NAMES for place in PLACES])

    def caption(self, pictures: Sequence[Image]) -> list[Caption]:
        """A sentence of what is sure for each, the scores of the best guesses, and a note of what is not."""
        small = np.stack([_small(picture) for picture in pictures])
        seen = self._eye.pictures(small) + self._eye.pictures(small[:, :, ::-1])  # and as in a mirror
        seen = torch.nn.functional.normalize(seen, dim=-1)
        things = (self._scale * seen @ self._things.T).softmax(1)
        both = (self._scale * seen @ self._both.T).softmax(1).unflatten(1, (len(world.NAMES), len(PLACES)))
        agreed = things * (both.sum(2).argmax(1) == things.argmax(1))[:, None]  # two ways of asking, one answer
        return [self._told(*row) for row in zip(things, agreed, both.sum(1), small, strict=True)]

    def _told(
        self, things: torch.Tensor, agreed: torch.Tensor, places: torch.Tensor, pixels: NDArray[np.uint8]
    ) -> Caption:
        options = self.options
        assert isinstance(options, self.Options)
        name, place = world.NAMES[int(things.argmax())], PLACES[int(places.argmax())]
        tags = (Tag(name, float(things.max()), "thing"), Tag(place, float(places.max()), "place"))
        known = _is_even(pixels)  # as all that it ever saw
        where = _where(place) if known and tags[1].score >= options.place else ""
        sure = known and float(agreed.max()) > 0 and tags[0].score >= options.thing
        what = options.subject or (world.article(name) if sure else "")
        unsure = [] if what else [f"what it shows (perhaps {world.article(name)}, {tags[0].score:.0%})"]
        unsure += [] if where else [f"the background (perhaps {_where(place)}, {tags[1].score:.0%})"]
        note = f"Unsure of {' and of '.join(unsure)}." if unsure else ""
        if not what:
            return Caption(where, tags, note)
        joint = "" if not where else " " if place in world.SCENES else ", "
        return Caption(f"a photo of {what}{joint}{where}", tags, note)


def _sentence(name: str, place: str) -> str:
    return f"a photo of {world.article(name)}{' ' if place in world.SCENES else ', '}{_where(place)}"


def _where(place: str) -> str:
    return world.SCENES.get(place, f"{place} background")


def _small(picture: Image) -> NDArray[np.uint8]:
    """The middle square at the eye's own size."""
    side = (starter.SIZE, starter.SIZE)
    return np.asarray(ImageOps.fit(picture.convert("RGB"), side, method=Resampling.LANCZOS))


def _is_even(pixels: NDArray[np.uint8]) -> bool:
    """Whether the left edge is as the right one in most rows, as on a plain ground, a lawn or a beach."""
    left, right = pixels[:, :2].mean(axis=1), pixels[:, -2:].mean(axis=1)
    return bool(np.median(np.abs(left - right).max(axis=1)) < EVEN)
