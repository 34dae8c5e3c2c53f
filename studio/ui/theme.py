"""The only file that turns the page's tokens into a Gradio theme; colours beyond it stand in static/page.css."""

from pathlib import Path

from gradio.themes.base import Base
from gradio.themes.utils import colors, sizes
from gradio.themes.utils.fonts import LocalFont

STATIC = Path(__file__).resolve().parent / "static"
STYLE = STATIC / "page.css"
SCRIPT = STATIC / "page.js"
ANSWERS = (STATIC / "answers.js").read_text(encoding="utf-8")
"""To run before Gradio's own scripts do."""

TEAL = colors.Color(
    name="teal", c50="#F0F8F8", c100="#DDEFF0", c200="#B5DEE0", c300="#7FD6DB", c400="#4CC2C9", c500="#1F8E97",
    c600="#0B6E78", c700="#095A63", c800="#07474E", c900="#12363A", c950="#04282B",
)  # fmt: skip
GREY = colors.Color(
    name="grey", c50="#F1F3F3", c100="#E4E7E7", c200="#D1D6D7", c300="#B4BABC", c400="#A3ABAE", c500="#8A9396",
    c600="#565E61", c700="#363B3D", c800="#1E2122", c900="#161819", c950="#0F1112",
)  # fmt: skip
SPACE = sizes.Size(name="space", xxs="2px", xs="4px", sm="6px", md="8px", lg="8px", xl="12px", xxl="16px")
RADIUS = sizes.Size(name="radius", xxs="2px", xs="3px", sm="4px", md="4px", lg="4px", xl="6px", xxl="6px")
TEXT = sizes.Size(name="text", xxs="10px", xs="11px", sm="12px", md="13px", lg="15px", xl="18px", xxl="22px")
SANS = (LocalFont("IBM Plex Sans"), "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif")
MONO = (LocalFont("IBM Plex Mono"), "Consolas", "Menlo", "monospace")


def theme() -> Base:
    """The neutral workbench: grey panels, one accent for action and selection."""
    made = Base(
        primary_hue=TEAL, secondary_hue=TEAL, neutral_hue=GREY, spacing_size=SPACE, radius_size=RADIUS, text_size=TEXT,
        font=SANS, font_mono=MONO,
    )  # fmt: skip
    return made.set(
        body_background_fill="#F1F3F3", body_background_fill_dark="#161819",
        body_text_color="#1B1F20", body_text_color_dark="#E4E7E7",
        body_text_color_subdued="#565E61", body_text_color_subdued_dark="#A3ABAE",
        background_fill_primary="#FFFFFF", background_fill_primary_dark="#1E2122",
        background_fill_secondary="#F1F3F3", background_fill_secondary_dark="#161819",
        border_color_primary="#D1D6D7", border_color_primary_dark="#363B3D",
        block_border_width="0px", block_padding="0px", block_shadow="none", block_background_fill="transparent",
        block_background_fill_dark="transparent", block_label_background_fill="transparent",
        block_title_text_weight="400", block_title_text_size="12px",
        block_title_text_color="#565E61", block_title_text_color_dark="#A3ABAE",
        block_info_text_color="#636C6F", block_info_text_color_dark="#8E979A", block_info_text_size="11px",
        form_gap_width="0px", layout_gap="8px",
        input_background_fill="#FFFFFF", input_background_fill_dark="#161819",
        input_border_color="#8A9396", input_border_color_dark="#6E777A", input_border_width="1px",
        input_border_color_focus="#0B6E78", input_border_color_focus_dark="#4CC2C9",
        input_padding="4px 8px", input_text_size="13px", input_shadow="none", input_shadow_focus="none",
        input_placeholder_color="#636C6F", input_placeholder_color_dark="#8E979A",
        button_primary_background_fill="#0B6E78", button_primary_background_fill_dark="#4CC2C9",
        button_primary_background_fill_hover="#095A63", button_primary_background_fill_hover_dark="#7FD6DB",
        button_primary_text_color="#FFFFFF", button_primary_text_color_dark="#04282B",
        button_secondary_background_fill="#FFFFFF", button_secondary_background_fill_dark="#25292A",
        button_secondary_background_fill_hover="#F1F3F3", button_secondary_background_fill_hover_dark="#2C3133",
        button_secondary_border_color="#B4BABC", button_secondary_border_color_dark="#4A5154",
        button_border_width="1px", button_large_padding="4px 12px", button_large_text_size="13px",
        button_large_text_weight="400", button_medium_padding="4px 12px", button_medium_text_size="13px",
        button_medium_text_weight="400", button_small_padding="2px 8px", button_small_text_size="12px",
        button_small_text_weight="400", button_primary_shadow="none", button_secondary_shadow="none",
    )  # fmt: skip
