"""The only file that sets the draft up to train a finished file further: by its run's settings, or by its header."""

from pathlib import Path
from typing import Any

from studio.errors import ModelError
from studio.ui import carry
from studio.ui.desk import Desk
from studio.ui.stock import Item

SAID = {"rank": ("ss_network_dim", int), "alpha": ("ss_network_alpha", float)}  # settings that kohya's header tells


def go_on(desk: Desk, item: Item) -> Path:
    """Let the next run go on from ``item`` alone, with the settings that it was made with; returns the file.

    A whole model becomes the base. Raises ModelError where the file is gone, UserError where its run cannot be read.
    """
    file = next((file.path for file in item.files if file.path.is_file()), None)
    if file is None:
        raise ModelError(f"'{item.name}' has no single file to go on from; write one again.")
    desk.joining.end()  # what goes on is an experiment of its own
    whole = item.whole or item.method == "dreambooth"
    over = {"base": {"model": str(file)}} if whole else {"method": {"start": str(file)}}
    if item.run is not None:
        carry.text(desk, _renewed(item.run.store.spec_text(), over))
    elif whole:
        desk.drafts.change(base=str(file))
    else:
        own = {"method.start": str(file), **_said(item, file)}
        desk.drafts.edit(lambda draft: draft.moved(over={**draft.over, item.method: own}))
    desk.drafts.change(picked=(item.method,))
    return file


def _renewed(text: str, over: dict[str, Any]) -> str:
    """A run's TOML with some of it otherwise."""
    from studio.section import merge
    from studio.spec import make_spec, spec_from_toml

    return make_spec(merge(spec_from_toml(text, "The run").model_dump(), over)).to_toml()


def _said(item: Item, file: Path) -> dict[str, Any]:
    """What the file's header says of its settings, where the method has them and the value can be read."""
    from studio.formats.recognise import recognise
    from studio.methods import method

    said, fields = recognise(file).metadata, method(item.method).Options.model_fields
    found: dict[str, Any] = {}
    for name, (key, kind) in SAID.items():
        try:
            if name in fields and key in said:
                found[f"method.{name}"] = kind(float(said[key]))
        except ValueError:
            continue
    return found
