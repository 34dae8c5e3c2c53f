"""The only file that puts the page together: six tabs, one tick, and what a fresh page shows."""

from typing import Any

import gradio as gr

from studio.ui import advise, joining, view
from studio.ui.desk import Desk, Now
from studio.ui.i18n import LANGUAGES, LOCALES
from studio.ui.speak import QUIET, changed, heard, lang_of, orderly, pane
from studio.ui.tabs import compare, dataset, library, methods, system, train
from studio.ui.walk import Guide

TICK = 1.0  # seconds; fixed, what did not change is skipped
I18N = gr.I18n(**{LOCALES[lang]: words for lang, words in LANGUAGES.items()})


def assemble(desk: Desk) -> gr.Blocks:
    """The page of one desk."""
    with gr.Blocks(title="Crucible", analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        page.i18n_instance = I18N
        page_parts = _Page(desk)
        page_parts.lay()
        page_parts.wire(page)
    return page


class _Page:
    """The tabs, and the handlers that draw across them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def lay(self) -> None:
        """Place bar and tabs."""
        desk = self.desk
        self.bar = gr.HTML("", apply_default_css=False, elem_id="bar", padding=False)
        self.guide = Guide(desk)
        with gr.Tabs(elem_id="tabs", selected="dataset") as self.tabs:
            with gr.Tab(I18N("dataset"), id="dataset"):
                self.dataset = dataset.build(desk, I18N)
            with gr.Tab(I18N("methods"), id="methods") as self.methods_tab:
                self.joins = pane("methods_joins")
                self.methods = methods.build(desk, self.dataset, self.tabs, I18N)
            with gr.Tab(I18N("train"), id="train") as self.train_tab:
                self.train = train.build(desk, self.tabs, I18N)
            with gr.Tab(I18N("compare"), id="compare"):
                self.compare = compare.build(desk, I18N)
            with gr.Tab(I18N("library"), id="library"):
                self.library = library.build(desk)
            with gr.Tab(I18N("system"), id="system") as self.system_tab:
                self.system = system.build(desk, self.tabs, I18N)
        self.seen = gr.State({})
        self.timer = gr.Timer(TICK)

    def wire(self, page: gr.Blocks) -> None:
        """Fill a fresh page once, then let the tick draw what changes."""
        data = self.dataset
        moving = [
            self.bar, self.dataset.verdict, *self.system.models, *self.train.parts, self.compare.chooser,
            *self.compare.parts, *self.library.parts, self.joins, self.train.setup.before,
            self.train.setup.queue, *self.methods.shown, *self.guide.parts, *data.shown, self.seen,
        ]  # fmt: skip
        read = [self.seen, self.compare.chooser]
        often: dict[str, Any] = {"concurrency_limit": None, "trigger_mode": "once", **QUIET}
        self.timer.tick(self.tick, read, moving, **often)
        words = [data.folder, data.trigger, data.class_word]
        drafted = [*words, self.methods.name, *self.methods.terms]
        filled = page.load(self.first, None, [*drafted, *data.shown, self.methods.advice], **QUIET)
        for part, name in zip(drafted[1:4], ("trigger", "class_word", "name"), strict=True):
            told = heard(part) if name == "name" else [part.change]  # a dataset names the experiment, too: not kept
            gr.on(told, self.keeping(name), part, None, trigger_mode="always_last", **QUIET)
        form = self.train.setup
        for opened in (self.train_tab, self.train.setup_view):
            drawn = opened.select(self.set_up, form.shown[-1], form.shown, **orderly("setup"))
            drawn.then(self.set_up_whole, form.shown[-1], form.shown, **orderly("setup"))
        page.load(self.tick, read, moving, **often)
        base = self.methods.base
        filled.then(self.loading, None, base, **often)  # torch comes in once there is something to look at
        self.joins.click(self.desk.joining.end, None, None, **QUIET)
        self.methods_tab.select(self.methods.bases, None, base, **QUIET)
        data.check.click(self.dataset.checked, [data.trigger, data.class_word, base], data.verdict, **QUIET)
        opened = self.system_tab.select(self.opened, None, self.system.shown, **orderly("system"))
        opened.then(self.examined, None, self.system.doctor, **QUIET)

    def first(self, request: gr.Request) -> tuple[Any, ...]:
        """What a fresh page shows: what was set up before."""
        lang, draft = lang_of(request), self.desk.drafts.read()
        words = (draft.folder, draft.trigger, draft.class_word)
        shown = self.dataset.show(draft.folder, request)
        terms = (draft.name or advise.named(draft.folder), *self.methods.terms_of(draft))
        return (*words, *terms, *shown, advise.line(*words, lang))

    def keeping(self, name: str) -> Any:
        """A handler that keeps one plain part of the draft."""

        def kept(value: Any) -> None:
            text = value or ""
            if name == "name" and text == advise.named(self.desk.drafts.read().folder):
                text = ""  # it is the dataset's, and follows it
            self.desk.drafts.change(**{name: text})

        return kept

    def set_up(self, place: dict[str, Any], request: gr.Request) -> tuple[Any, ...]:
        """The set-up, drawn when it is opened."""
        self.desk.looks.begin()
        shown: tuple[Any, ...] = self.train.setup.show(place, lang_of(request))
        return shown

    def set_up_whole(self, place: dict[str, Any], request: gr.Request) -> Any:
        """The same once the methods are loaded, for whom it came too early."""
        if place.get("kind"):
            return [gr.skip()] * len(self.train.setup.shown)
        self.desk.looks.ready.wait()
        return self.train.setup.show(place, lang_of(request))

    def opened(self, request: gr.Request) -> tuple[str, str, str]:
        """The System tab, drawn when it is opened."""
        shown: tuple[str, str, str] = self.system.show(lang_of(request), system.theme_of(request))
        return shown

    def examined(self, request: gr.Request) -> str:
        """The doctor's table, once the machine was asked."""
        shown: str = self.system.check(lang_of(request))
        return shown

    def loading(self) -> Any:
        """The bases, once the methods are there: behind the page's back, and not before somebody looks at it."""
        self.desk.looks.begin()
        self.desk.looks.ready.wait()
        return self.methods.bases(self.desk.drafts.read().base)

    def tick(self, seen: dict[str, Any], experiment: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Everything that moves by itself; a part that this visitor has already is skipped."""
        seen, lang = dict(seen), lang_of(request)
        now = self.desk.now()
        looks = self.desk.looks
        models = zip(("models", "errand"), self.system.models_of(lang), strict=True)
        train_parts = zip(("toolbar", "runs", "loss", "log"), self.train.show(now, lang, request), strict=True)
        return (
            changed(seen, "bar", view.bar(now, looks, lang)),
            changed(seen, "verdict", self.dataset.verdict_of(lang)),
            *(changed(seen, name, drawn) for name, drawn in models),
            *(changed(seen, name, drawn) for name, drawn in train_parts),
            *self._compare(seen, now, experiment, request),
            *self._library(seen, now, request),
            changed(seen, "joins", joining.drawn(self.desk.joining, lang)),
            self._before(seen, lang),
            changed(seen, "queue", self.train.setup.queue_of(lang)),
            *self.methods.ticked(seen, lang),
            *self.guide.ticked(seen, now, lang),
            *self.dataset.moving(seen, request),  # last: what is clicked meanwhile is drawn over it
            seen,
        )

    def _compare(self, seen: dict[str, Any], now: Now, experiment: str | None, request: gr.Request) -> tuple[Any, ...]:
        names = [store.path.name for store in self.desk.watch.experiments()]
        newest = now.experiment.path.name if now.experiment else None
        follow = newest if experiment not in names or seen.get("newest") != newest else experiment
        seen["newest"] = newest
        same = changed(seen, "names", names) == gr.skip() and follow == experiment
        chooser = gr.skip() if same else gr.Dropdown(choices=names, value=follow)
        key = (follow, self.compare.key(follow) if follow else None, self.desk.looks.ready.is_set(), lang_of(request))
        if changed(seen, "compare", key) == gr.skip():
            return chooser, *(gr.skip(),) * len(self.compare.parts)
        drawn = self.compare.show(follow, request)
        return chooser, *(changed(seen, f"compare{at}", part) for at, part in enumerate(drawn))

    def _before(self, seen: dict[str, Any], lang: str) -> Any:
        """What the set-up will need, as far as it is worked out by now."""
        if not self.desk.forecasts.fresh(seen):
            return gr.skip()
        drawn = self.train.setup.foretold(lang)
        return gr.skip() if drawn is None else drawn

    def _library(self, seen: dict[str, Any], now: Now, request: gr.Request) -> tuple[Any, ...]:
        if changed(seen, "library", (self.library.key(now), lang_of(request))) == gr.skip():
            return (gr.skip(),) * len(self.library.parts)
        drawn = self.library.show(request)
        return tuple(changed(seen, f"library{at}", part) for at, part in enumerate(drawn))
