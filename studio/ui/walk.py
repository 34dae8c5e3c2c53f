"""The only file that knows the guide for the first time: five steps, which of them are done, and what comes next."""

from dataclasses import dataclass
from typing import Any

from studio.ui import advise, view
from studio.ui.desk import Desk, Now
from studio.ui.i18n import t
from studio.ui.markup import button, esc, word
from studio.ui.speak import QUIET, changed, pane
from studio.ui.theme import STATIC

ALIVE = (STATIC / "alive.js").read_text(encoding="utf-8")

STEPS = (
    ("pictures", "dataset", ""), ("word", "dataset", ""), ("methods", "methods", ""), ("watch", "train", "live"),
    ("compare", "compare", ""),
)  # fmt: skip
"""Each step with the tab and view where it happens."""


@dataclass(frozen=True)
class Way:
    """How far somebody has come: the steps that are done, and the key of the sentence that says what is next."""

    done: frozenset[str]
    next: str
    step: str


def way(desk: Desk, now: Now, pictures: int) -> Way:
    """What is true of the outputs folder and the draft; ``pictures`` are those to learn from."""
    draft = desk.drafts.read()
    done = set()
    if pictures:
        done.add("pictures")
    if draft.trigger.strip():
        done.add("word")
    runs = [run for run in now.runs if not run.is_base]
    if runs:
        done.add("methods")
    over = [run for run in runs if run.view.state == "finished"]
    if runs and len(over) == len(runs):
        done.add("watch")
    if now.experiment is not None and (now.experiment.path / "report.html").is_file() and not now.waiting and over:
        done |= {"watch", "compare"}
    return Way(frozenset(done), *_next(done, now, runs))


def _next(done: set[str], now: Now, runs: list[object]) -> tuple[str, str]:
    if "pictures" not in done:
        return "walk_no_pictures", "pictures"
    if "word" not in done:
        return "walk_no_word", "word"
    if not runs:
        return "walk_pick", "methods"
    if now.active is not None or now.waiting:
        return "walk_wait", "watch"
    if "watch" not in done:
        return "walk_open", "watch"
    return "walk_compare", "compare"


def drawn(way: Way, lang: str) -> str:
    """The strip under the bar."""
    steps = []
    for number, (name, tab, inner) in enumerate(STEPS, 1):
        done = name in way.done and name != way.step
        kind = "now" if name == way.step else "done" if done else ""
        place = f' data-view="{inner}"' if inner else ""
        current = ' aria-current="step"' if name == way.step else ""
        steps.append(
            f'<li class="{kind}"><button type="button" data-go="{tab}"{place}{current}><i>{"✓" if done else number}</i>'
            f'<span class="name">{word(WORDS[name], lang)}</span></button></li>'
        )
    label = word("walk", lang)
    away = button("walk_away", t("walk_away", lang), "small quiet")
    return (
        f'<nav class="walk" aria-label="{label}"><ol>{"".join(steps)}</ol>'
        f'<span class="next">{esc(t(way.next, lang))}</span>{away}</nav>'
    )


WORDS = {
    "pictures": "walk_pictures", "word": "walk_word", "methods": "walk_methods", "watch": "walk_watch",
    "compare": "walk_compare_export",
}  # fmt: skip


class Guide:
    """The strip under the bar, and beside it what those who hear the page are told of the runs."""

    def __init__(self, desk: Desk) -> None:
        """Lay them out; the caller stands above the tabs."""
        self.desk = desk
        strip = pane("walk")
        said = pane("say", ALIVE)
        strip.click(self.put_away, None, strip, **QUIET)
        self.parts = [strip, said]

    def put_away(self) -> str:
        """Whoever knows the way needs no guide; System brings it back."""
        self.desk.drafts.change(walk=False)
        return ""

    def ticked(self, seen: dict[str, Any], now: Now, lang: str) -> tuple[Any, Any]:
        """Both where they changed for this visitor."""
        draft = self.desk.drafts.read()
        strip = ""
        if draft.walk:
            strip = drawn(way(self.desk, now, advise.pictures(draft.folder, draft.trigger)[0]), lang)
        spoken = view.spoken(now, self.desk.looks, lang)
        return changed(seen, "walk", strip), changed(seen, "say", spoken)
