"""The only file that finds the training methods: every module in this folder that declares one."""

import functools
import importlib
import pkgutil

from studio.errors import SpecError
from studio.methods.base import Method


@functools.cache
def registry() -> dict[str, type[Method]]:
    """Every method by its kind; a new file in this folder is enough to add one."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    found: dict[str, type[Method]] = {}
    queue = list(Method.__subclasses__())
    while queue:
        cls = queue.pop(0)
        queue.extend(cls.__subclasses__())
        if cls.kind:
            found[cls.kind] = cls
    return dict(sorted(found.items()))


def method(kind: str) -> type[Method]:
    """The method called ``kind``; raises SpecError that names the known ones."""
    try:
        return registry()[kind]
    except KeyError:
        raise SpecError(f"'{kind}' is not a training method; use one of {', '.join(registry())}.") from None
