"""The world's pictures and captions are functions of (seed, index), and captions are true and well formed."""

import re

import numpy as np
from PIL import Image, ImageDraw

from studio.starter import SIZE, compose, drawing, world


def blob() -> Image.Image:
    image = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse([2, 2, 38, 28], (200, 120, 40, 255))
    return image


def test_a_picture_is_a_function_of_seed_and_index():
    assert world.picture(1, 7) == world.picture(1, 7)
    assert len({world.picture(1, index) for index in range(50)}) == 50
    assert world.picture(1, 7) != world.picture(2, 7)


def test_composing_is_deterministic_and_keeps_size():
    sprites = {
        (name, variant, style): blob()
        for name, codes in world.THINGS.items()
        for variant in range(len(codes))
        for style in range(3)
    }
    one, other = compose.bank(3, 20, sprites), compose.bank(3, 20, sprites)
    assert one.shape == (20, SIZE, SIZE, 3) and one.dtype == np.uint8
    assert (one == other).all()


def test_every_thing_style_colour_and_place_occurs():
    whats = [world.picture(1, index) for index in range(4000)]
    assert {what.name for what in whats} == set(world.NAMES)
    assert {what.style for what in whats} == {0, 1, 2}
    assert {what.tint for what in whats} == {"", *world.TINTS}
    assert {what.place for what in whats} == {*world.BACKDROPS, *world.SCENES}


def test_captions_say_what_is_there_and_nothing_else():
    rng = np.random.default_rng(0)
    for index in range(500):
        what = world.picture(5, index)
        text = world.caption(what, rng)
        assert drawing.thing(text) == what.name
        assert not re.search(r"\ba [aeio]", text) and "  " not in text
        rest = text.replace("orange fruit", "")
        said = {colour for colour in {*world.TINTS, *world.BACKDROPS} if re.search(rf"\b{colour}\b", rest)}
        assert said <= {what.tint, what.place}
        assert not what.tint or what.tint in said
        assert all(style not in text for number, style in enumerate(world.STYLES) if number != what.style)


def test_a_tint_keeps_the_outline_and_takes_the_colour():
    tinted = np.asarray(compose.tinted(blob(), world.TINTS["blue"]))
    assert (tinted[..., 3] == np.asarray(blob())[..., 3]).all()
    red, _, blue = tinted[15, 20, :3].astype(int)
    assert blue > red + 60


def test_listed_prompts_name_one_thing_each():
    prompts = drawing.prompts()
    assert len(prompts) == len(set(prompts)) == 50
    assert len({drawing.thing(prompt) for prompt in prompts}) >= 40
    assert not any("corgi" in prompt for prompt in prompts)
