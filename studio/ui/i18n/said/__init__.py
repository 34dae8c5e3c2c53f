"""The only file that gathers the Chinese of what the engine says in English, room by room; {parts} are taken over."""

import pkgutil
from importlib import import_module

ROOMS = tuple(import_module(f"{__name__}.{room.name}") for room in pkgutil.iter_modules(__path__))
ZH = {sentence: chinese for room in ROOMS for sentence, chinese in room.ZH.items()}
