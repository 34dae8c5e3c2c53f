"""The only file that knows prompts which put a subject or a style into scenes that no training picture shows."""

from typing import Literal

from studio import starter
from studio.data.scan import DataSpec

Kind = Literal["live", "object", "style"]
KINDS: tuple[Kind, ...] = ("live", "object", "style")

# Ruiz et al., 2022, "DreamBooth", and its public dataset: 25 prompts for live subjects and 25 for objects
_PLACES = (
    "in the jungle", "in the snow", "on the beach", "on a cobblestone street", "on top of pink fabric",
    "on top of a wooden floor", "with a city in the background", "with a mountain in the background",
    "with a blue house in the background", "on top of a purple rug in a forest",
)  # fmt: skip
_OBJECT_PLACES = (
    "with a wheat field in the background", "with a tree and autumn leaves in the background",
    "with the Eiffel Tower in the background", "floating on top of water", "floating in an ocean of milk",
    "on top of green grass with sunflowers around it", "on top of a mirror",
    "on top of the sidewalk in a crowded street", "on top of a dirt road", "on top of a white rug",
)  # fmt: skip
_CLOTHES = (
    "wearing a red hat", "wearing a santa hat", "wearing a rainbow scarf", "wearing a black top hat and a monocle",
    "in a chef outfit", "in a firefighter outfit", "in a police outfit", "wearing pink glasses",
    "wearing a yellow shirt", "in a purple wizard outfit",
)  # fmt: skip
_LOOKS = ("red", "purple", "shiny", "wet", "cube shaped")
_THINGS = (  # a style is asked for things of every sort
    "a cat", "a dog", "a woman reading a book", "an old man", "a child on a swing", "a house by a lake",
    "a city at night", "a mountain in the snow", "a forest in autumn", "a ship on the sea", "a red car", "a train",
    "a bicycle", "a bowl of fruit", "a cup of coffee", "a bunch of flowers", "an owl", "a horse", "a robot", "a castle",
)  # fmt: skip

# the starter's world has no more words than these (studio/starter/world.py)
_STARTER_PLACES = (
    "on grass", "on the beach", "in the snow", "at night", "on a blue background", "on a red background",
    "on a green background", "on a black background",
)  # fmt: skip
_STARTER_THINGS = ("a cat", "a fox", "a bear", "a house", "a tree", "a car", "a rocket", "an apple", "a mushroom")

_STYLES = """
style drawing painting illustration sketch print artwork art picture render engraving comic
"""
_LIVE = """
dog puppy cat kitten animal pet bird parrot owl duck chicken horse pony cow pig sheep goat rabbit hamster fox bear
lion tiger wolf monkey panda elephant fish turtle frog snake lizard person man woman boy girl child baby kid face
character actor actress singer model lady guy human
"""


def kind_of(data: DataSpec) -> Kind:
    """What sort of thing is learnt, as its class word tells; objects where it does not."""
    words = set(data.class_word.lower().split())
    return "style" if words & set(_STYLES.split()) else "live" if words & set(_LIVE.split()) else "object"


def recontext(data: DataSpec, base: str, kind: Kind | None = None) -> tuple[str, ...]:
    """Sample prompts that put what ``data`` teaches into new scenes, then some that leave it out.

    For the ``base`` called `starter` only scenes that its world knows.
    """
    kind, small = kind or kind_of(data), base in starter.BASES
    if kind == "style":
        things = _STARTER_THINGS if small else _THINGS
        plain = tuple(f"a photo of {thing}" for thing in (things[0], things[3], things[5]))
        said = "a {trigger} of %s" if data.class_word else "%s, {trigger}"
        return (*(said % thing for thing in things), *plain)
    what = "{class}" if data.class_word else "house"
    plain = (f"a photo of a {what}", *(f"a {what} {place}" for place in ("in the snow", "on the beach")))
    if small:
        return ("a photo of {trigger}", *(f"a {{trigger}} {place}" for place in _STARTER_PLACES), *plain)
    scenes = (*_PLACES, *(_CLOTHES if kind == "live" else _OBJECT_PLACES))
    return (*(f"a {{trigger}} {scene}" for scene in scenes), *(f"a {look} {{trigger}}" for look in _LOOKS), *plain)
