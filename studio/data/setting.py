"""The only file that names what may be set about the pictures and their captions."""

from typing import Literal

from PIL import ImageColor
from pydantic import Field, field_validator

from studio import starter
from studio.section import Section


class DataSpec(Section):
    """What is learnt: the pictures, their captions, and the word for the subject."""

    folder: str = "corgi"
    """Folder of pictures with captions beside them (name.txt), or an embedded example: `corgi`, `starter-style`."""
    leave_out: tuple[str, ...] = ()
    """Pictures that are not used, by their names in the folder, such as sub/a.jpg; what cannot be read must be here."""
    held_out: str = ""
    """Folder of pictures to judge by, never trained on; empty keeps back one in six of your own."""
    hold_back: tuple[str, ...] = ()
    """Pictures of the folder to judge by, by their names in it; where any is named, exactly these and no one in six."""
    repeats: bool = True
    """Show each picture of a folder named N_name N times an epoch, as kohya's scripts do; off shows each once."""
    trigger: str = Field("sks", max_length=60)
    """The word that will call the subject or style; empty leaves captions as they are, for a fine-tune on many."""
    class_word: str = Field("", max_length=60)
    """What kind of thing the subject is, such as dog; empty when the trigger stands alone."""
    class_images: int = Field(0, ge=0, le=10_000)
    """Prior preservation: train beside this many pictures of the class word, drawn by the base; 0 is off, 200 usual."""
    resolution: int = Field(0, ge=0, le=4096, multiple_of=8)
    """Side of a square of the area in pixels that is trained; 0 takes the base model's own."""
    flip: bool = False
    """Also train each picture mirrored; not for faces with a parting, text or anything with a left and a right."""
    buckets: bool = True
    """Keep each picture's shape (aspect buckets) instead of cropping all to a square."""
    caption_dropout: float = Field(0.0, ge=0, le=1)
    """Share of the examples that are shown without caption, so that guidance keeps working; 0.05 to 0.1 is usual."""
    shuffle: bool = False
    """Shuffle the comma-separated parts of a caption each time, all but the first."""
    keep_tokens: int = Field(1, ge=0, le=100)
    """This many parts at a caption's beginning are neither shuffled nor dropped; a trigger put in front counts."""
    tag_dropout: float = Field(0.0, ge=0, le=1)
    """Share of the other parts of a caption that are left out each time; 0.05 to 0.2 is usual for lists of tags."""
    separator: str = Field(",", min_length=1, max_length=8)
    """What stands between the parts of a caption, such as a comma, or a full stop to shuffle whole sentences."""
    wildcards: bool = False
    """Choose anew each time: one of `{red|blue}`, and one line where a caption has several."""
    template: str = "off"
    """Sentences around the trigger: `off`, `subject` or `style` as Textual Inversion has, or a file with one a line.

    In a line [name] stands for trigger and class word, [filewords] for the caption, as in AUTOMATIC1111's templates.
    """
    template_for: Literal["all", "uncaptioned"] = "all"
    """Put the sentences around every picture's caption, or use them only for pictures that have no caption."""
    background: str = "white"
    """What shows through transparent pixels: a colour by name, or as #rrggbb."""
    masks: Literal["off", "file", "alpha"] = "off"
    """Learn mostly what a mask shows: white in name-mask.png beside name, or what of a picture is not transparent."""

    @field_validator("background")
    @classmethod
    def _a_colour(cls, value: str) -> str:
        try:
            ImageColor.getrgb(value)
        except ValueError as error:
            raise ValueError("it must be a colour such as white, black or #808080") from error
        return value

    def completed(self) -> "DataSpec":
        """With what an embedded example knows of itself filled in."""
        known = starter.CLASS_WORDS.get(self.folder, "")
        return self if self.class_word or not known else self.model_copy(update={"class_word": known})

    @property
    def subject(self) -> str:
        """Trigger and class word, as a prompt names the subject."""
        return f"{self.trigger} {self.class_word}".strip()

    def fill(self, prompt: str) -> str:
        """Replace {trigger} by the subject and {class} by the class word."""
        return prompt.replace("{trigger}", self.subject).replace("{class}", self.class_word or self.trigger)
