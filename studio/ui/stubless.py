"""The only file that lets Gradio come in fast: without the stubs that it keeps for editors."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def stubless() -> Iterator[None]:
    """Within it, Gradio's component classes have no file, so that it writes no ``.pyi`` beside them.

    To see whether one is out of date, Gradio parses the source of every component each time it is imported: two
    fifths of what its import costs. (``gradio.component_meta.create_or_modify_pyi`` of 6.31 passes over such a class.)
    """
    real = inspect.getfile

    def found(of: Any) -> str:
        if inspect.isclass(of) and of.__module__.startswith("gradio."):
            raise OSError(of.__module__)
        return real(of)

    inspect.getfile = found
    try:
        yield
    finally:
        inspect.getfile = real
