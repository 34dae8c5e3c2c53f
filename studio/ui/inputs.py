"""The only file that draws the fields of the Dataset tab's tools, and how far their work is."""

from collections.abc import Mapping

from studio.ui.markup import esc


def field(name: str, label: str, inner: str, help_: str = "") -> str:
    """A labelled field; ``inner`` is HTML, the rest is not."""
    said = f'<p class="help">{esc(help_)}</p>' if help_ else ""
    return f'<div class="fd"><label for="ds_{esc(name)}">{esc(label)}</label>{inner}{said}</div>'


def text(name: str, label: str, value: object, *, enter: str = "", kind: str = "text", help_: str = "") -> str:
    """A line of text, or a number; Enter says ``enter``."""
    said = f' data-enter="{esc(enter)}"' if enter else ""
    said += ' step="any"' if kind == "number" else ""
    inner = f'<input class="in" type="{kind}" id="ds_{esc(name)}" name="{esc(name)}" value="{esc(value)}"{said}>'
    return field(name, label, inner, help_)


def choice(name: str, label: str, options: Mapping[str, str], picked: str, *, act: str = "", help_: str = "") -> str:
    """One of ``options``, values and their words; a change says ``act``."""
    return field(name, label, select(name, options, picked, act=act), help_)


def select(name: str, options: Mapping[str, str], picked: str, *, act: str = "", label: str = "") -> str:
    """The list alone; ``label`` is for those who do not see it."""
    drawn = "".join(
        f'<option value="{esc(value)}"{" selected" if value == picked else ""}>{esc(words)}</option>'
        for value, words in options.items()
    )
    said = f' data-change="{esc(act)}"' if act else ""
    said += f' aria-label="{esc(label)}"' if label else ""
    return f'<select class="pull" id="ds_{esc(name)}" name="{esc(name)}"{said}>{drawn}</select>'


def switch(name: str, label: str, on: bool, *, kind: str = "checkbox", value: str = "") -> str:
    """A box to tick, or one of several."""
    said = f' value="{esc(value)}"' if value else ""
    said += " checked" if on else ""
    return f'<label class="tick1"><input type="{kind}" name="{esc(name)}"{said}> {esc(label)}</label>'


def progress(done: float, total: float, said: str, cancel: str) -> str:
    """A line that says how far work is: in words, as a bar, and with the button ``cancel``, which is HTML."""
    share = 100 * done / max(1, total)
    return (
        f'<div class="ln work"><span class="mute">{esc(said)}</span>'
        f'<div class="track grow" role="progressbar" aria-label="{esc(said)}" aria-valuenow="{share:.0f}" '
        f'aria-valuemin="0" aria-valuemax="100"><i style="width:{share:.1f}%"></i></div>{cancel}</div>'
    )
