"""The only file that knows which experiment the next runs join, and sets the draft up so that they can."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from studio.section import SHARED, leaves
from studio.store import ExperimentStore, write_text
from studio.ui.draft import Drafts
from studio.ui.i18n import t
from studio.ui.markup import VOID, button, word

if TYPE_CHECKING:
    from studio.ui.order import Order

KEPT_IN = ".joins"  # in outputs, so that a reload finds it again
OWN_PLACE = ("base.model", "data.folder", "data.trigger", "data.class_word")


class Joining:
    """Remembers the experiment that is added to, for all visitors."""

    def __init__(self, drafts: Drafts) -> None:
        self.drafts = drafts
        self.path = drafts.path.with_name(KEPT_IN)

    def store(self) -> ExperimentStore | None:
        """The experiment that the next runs join, or None for a new one."""
        try:
            name = self.path.read_text(encoding="utf-8").strip()
        except OSError:
            return None
        store = ExperimentStore(self.path.parent / name)
        return store if name and store.exists else None

    def begin(self, store: ExperimentStore) -> None:
        """Let the next runs join ``store``: dataset, base, prompts and seeds of the draft become its own."""
        from studio.compare.members import open_experiment

        experiment = open_experiment(store)
        shared: dict[str, Any] = {
            key: list(value) if isinstance(value, tuple) else value
            for key, _, value in leaves(experiment)
            if key.startswith(SHARED) and key not in OWN_PLACE
        }
        data = experiment.data
        self.drafts.change(
            name=experiment.name, folder=data.folder, trigger=data.trigger, class_word=data.class_word,
            base=experiment.base.model, shared=shared, picked=(),
        )  # fmt: skip
        write_text(self.path, store.path.name)

    def fitted(self, order: "Order") -> "Order":
        """The order with dataset and base of the experiment that it joins."""
        from studio.compare.members import open_experiment

        store = self.store()
        if store is None:
            return order
        experiment = open_experiment(store)
        data = experiment.data
        return replace(
            order, folder=data.folder, trigger=data.trigger, class_word=data.class_word, base=experiment.base.model
        )

    def end(self) -> None:
        """Let the next runs make an experiment of their own again, with the presets' prompts and seeds."""
        if self.path.exists():
            self.path.unlink()
            self.drafts.change(shared={}, name="", picked=None)


def drawn(joining: Joining, lang: str) -> str:
    """Which experiment the next runs join, with the way out; nothing where they make one of their own."""
    store = joining.store()
    if store is None:
        return VOID
    said = f'<span class="grow">{word("join_said", lang, name=store.path.name)}</span>'
    return f'<div class="ln nt info joins" role="status">{said}{button("join_end", t("join_end", lang), "small")}</div>'
