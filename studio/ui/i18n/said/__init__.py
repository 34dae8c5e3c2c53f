"""The only file that gathers the Chinese of what the engine says in English, room by room; {parts} are taken over."""

from studio.ui.i18n.said import (
    advice,
    captioners,
    compare,
    course,
    data,
    files,
    folders,
    machine,
    methods,
    models,
    page,
    report,
    settings,
    words,
)

ROOMS = (
    advice,
    captioners,
    compare,
    course,
    data,
    files,
    folders,
    machine,
    methods,
    models,
    page,
    report,
    settings,
    words,
)
ZH = {sentence: chinese for room in ROOMS for sentence, chinese in room.ZH.items()}
