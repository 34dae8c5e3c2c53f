"""The only file that keeps what a visitor has set up but not started: on disk, so that a reload finds it again."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from studio import starter
from studio.section import SHARED, merge, nest
from studio.store import write_text

KEPT_IN = ".draft.json"  # in outputs; hidden, so no experiment can have the name


@dataclass(frozen=True)
class Draft:
    """An experiment that is being set up.

    ``picked`` are methods, None until the visitor chooses. ``presets`` names the preset of each method where it is not
    the usual one. ``over`` holds each method's own changes by dotted key, ``shared`` those that hold for every run.
    """

    name: str = ""
    folder: str = "corgi"
    trigger: str = starter.TRIGGER
    class_word: str = "dog"
    base: str = "starter"
    picked: tuple[str, ...] | None = None
    presets: Mapping[str, str] = field(default_factory=dict)
    over: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shared: Mapping[str, Any] = field(default_factory=dict)
    mode: str = "basic"
    """How much of the form is shown: basic, all, changed or toml."""
    what: str = "subject"
    """What the pictures show, for advice: subject, style or many."""
    program: str = ""
    """Where the result will be used, for advice; empty for no matter."""
    repeats: int = 1
    """Runs of each method, with different seeds."""
    budget: str = "advice"
    """How long each run trains: as advised, for equal steps or for equal minutes."""
    steps: str = ""
    minutes: str = ""
    """The numbers of such a budget, as they were typed."""
    walk: bool = True
    """Whether the guide for the first time is shown."""

    def changed(self, kind: str) -> dict[str, Any]:
        """Every change that a run of ``kind`` has, by dotted key."""
        return {**self.shared, **self.over.get(kind, {})}

    def with_value(self, kind: str, key: str, value: Any) -> "Draft":
        """With one setting changed: for every run where a comparison holds it equal, else for ``kind`` alone."""
        if key.startswith(SHARED):
            return replace(self, shared={**self.shared, key: value})
        return replace(self, over={**self.over, kind: {**self.over.get(kind, {}), key: value}})

    def without(self, kind: str, key: str = "") -> "Draft":
        """With one setting, or without ``key`` all of them, as the preset of ``kind`` has it."""
        mine = {other: value for other, value in self.over.get(kind, {}).items() if key and other != key}
        shared = {other: value for other, value in self.shared.items() if key and other != key}
        return replace(self, shared=shared, over={**self.over, kind: mine})

    def taking(self, kind: str, preset: str) -> "Draft":
        """With another preset for ``kind``, whose own values hold again."""
        return replace(self.without_own(kind), presets={**self.presets, kind: preset})

    def without_own(self, kind: str) -> "Draft":
        """Without the changes that ``kind`` alone has."""
        return replace(self, over={other: kept for other, kept in self.over.items() if other != kind})

    def moved(self, **values: Any) -> "Draft":
        """With other plain parts."""
        return replace(self, **values)

    def settings_of_preset(self, preset: Mapping[str, Any]) -> dict[str, Any]:
        """Nested settings of a run: the ``preset``'s with this draft's base and dataset, before any change."""
        chosen = {
            "base": {"model": self.base},
            "data": {"folder": self.folder, "trigger": self.trigger.strip(), "class_word": self.class_word.strip()},
        }
        return merge(dict(preset), chosen)

    def settings(self, kind: str, preset: Mapping[str, Any]) -> dict[str, Any]:
        """The same with every change that a run of ``kind`` has."""
        return merge(self.settings_of_preset(preset), nest(self.changed(kind)))


class Drafts:
    """The one draft of an outputs folder; each change is on disk before the page shows it."""

    def __init__(self, outputs: Path) -> None:
        self.path = outputs / KEPT_IN
        self._lock = threading.RLock()

    def read(self) -> Draft:
        """The draft as it is; a fresh one where there is none, or where it cannot be read."""
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            known = {name: kept[name] for name in asdict(Draft()) if name in kept}
            picked = known.get("picked")
            return Draft(**{**known, "picked": None if picked is None else tuple(picked)})
        except (OSError, ValueError, TypeError):
            return Draft()

    def write(self, draft: Draft) -> Draft:
        """Keep it, and return it."""
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.path, json.dumps(asdict(draft), ensure_ascii=False, indent=1))
        return draft

    def change(self, **values: Any) -> Draft:
        """Change plain parts of it, and return it; what is equal already is not written again."""
        return self.edit(lambda draft: replace(draft, **values))

    def edit(self, change: Callable[[Draft], Draft]) -> Draft:
        """Change it as it is now, so that of two visitors at once neither undoes what the other did; and return it."""
        with self._lock:
            before = self.read()
            after = change(before)
            return after if after == before else self.write(after)
