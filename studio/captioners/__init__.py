"""The only file that finds the captioners: every module in this folder that declares one."""

import functools
import importlib
import pkgutil

from studio.captioners.base import Captioner
from studio.errors import SpecError


@functools.cache
def registry() -> dict[str, type[Captioner]]:
    """Every captioner by its name, in the order of offer; a new file in this folder is enough to add one."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    found: list[type[Captioner]] = []
    queue = list(Captioner.__subclasses__())
    while queue:
        cls = queue.pop(0)
        queue.extend(cls.__subclasses__())
        if cls.name:
            found.append(cls)
    return {cls.name: cls for cls in sorted(found, key=lambda cls: (cls.rank, cls.name))}


def captioner(name: str) -> type[Captioner]:
    """The captioner called ``name``; raises SpecError that names the known ones."""
    try:
        return registry()[name]
    except KeyError:
        raise SpecError(f"'{name}' is not a captioner; use one of {', '.join(registry())}.") from None
