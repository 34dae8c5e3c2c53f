"""The only file that knows which runs make up an experiment, which repeat each other, and in what they differ."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.data.caption import trigger_pattern
from studio.events import RunView
from studio.methods import method
from studio.section import leaves
from studio.spec import Experiment, RunSpec, spec_from_toml
from studio.store import ExperimentStore, RunStore, safe_name

BASE = "base"  # folder of the untrained base; no run may be called so
BASE_TITLE = "Base"
BASE_COLOUR = "#858E91"
_REPEAT = re.compile(r"(.+)-r\d+")


@dataclass(frozen=True)
class Member:
    """One run: its folder, its spec, and what is true of it now."""

    store: RunStore
    spec: RunSpec
    view: RunView

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return self.store.path.name

    @property
    def trained(self) -> bool:
        """True when there are weights to judge: the run came to its end, or was stopped and saved."""
        return self.view.state in ("finished", "stopped")

    @property
    def state(self) -> str:
        """The state in the words of a table: empty when finished, else such as ``failed at 312``."""
        state, step = self.view.state, self.view.step
        if state == "finished":
            return ""
        if state == "new":
            return "not started"
        drawn = newest_samples(self.view)
        if state == "stopped" and drawn not in (None, step):
            return f"stopped at {step}, samples of {drawn}"
        return f"{state} at {step}" if state in ("failed", "stopped", "interrupted") else f"{state}, step {step}"


@dataclass(frozen=True)
class Group:
    """A row of the comparison: one run with its repeats, which differ from it in the seed alone."""

    title: str
    colour: str
    ring: bool
    members: tuple[Member, ...]

    @property
    def first(self) -> Member:
        """The run that the repeats repeat."""
        return self.members[0]

    @property
    def shown(self) -> Member:
        """The member whose pictures and curves stand for the group: the first that was trained."""
        return next((member for member in self.members if member.trained), self.first)


def open_experiment(store: ExperimentStore) -> Experiment:
    """The experiment's description; raises StoreError or SpecError."""
    return Experiment.from_toml(store.text())


def member(run: RunStore) -> Member:
    """Read one run from its folder."""
    return Member(run, spec_from_toml(run.spec_text()), run.view())


def members(store: ExperimentStore) -> list[Member]:
    """Every run, in the order in which they are trained; one whose folder was taken away is none any more."""
    runs = [store.run(name) for name in open_experiment(store).runs]
    return [member(run) for run in runs if run.path.is_dir()]


def groups(store: ExperimentStore) -> list[Group]:
    """The rows below the base, repeats gathered."""
    gathered: dict[str, list[Member]] = {}
    timed = open_experiment(store).terms.budget == "minutes"
    for one in members(store):
        repeat = _REPEAT.fullmatch(one.name)
        repeated = gathered.get(repeat[1]) if repeat else None
        if repeated and apart_from_seed(repeated[0].spec, timed) == apart_from_seed(one.spec, timed):
            repeated.append(one)
        else:
            gathered[one.name] = [one]
    titles = [method(found[0].spec.method.kind).title for found in gathered.values()]
    return [
        Group(
            title=title if titles.count(title) == 1 else f"{title} ({name})",
            colour=method(found[0].spec.method.kind).colour,
            ring=method(found[0].spec.method.kind).ring,
            members=tuple(found),
        )
        for title, (name, found) in zip(titles, gathered.items(), strict=True)
    ]


def run_names(wanted: Iterable[str], repeats: int, used: Iterable[str] = ()) -> list[list[str]]:
    """Folder names that are free and differ even where case is ignored: a list for each wanted name, repeats last."""
    taken = {BASE, *(name.lower() for name in used)}
    named = []
    for text in wanted:
        stem = safe_name(text)
        number = 1
        while True:
            name = stem if number == 1 else f"{stem}-{number}"
            names = [name, *(f"{name}-r{k}" for k in range(2, repeats + 1))]
            if taken.isdisjoint(n.lower() for n in names):
                break
            number += 1
        taken.update(n.lower() for n in names)
        named.append(names)
    return named


def differences(specs: Sequence[RunSpec], leave_out: Iterable[str] = ("name",)) -> dict[str, list[Any]]:
    """Settings that are not the same everywhere: dotted key -> one value per spec, None where a spec lacks it.

    To lack a setting, and to leave it empty, is the same.
    """
    flat = [{key: value for key, _, value in leaves(spec)} for spec in specs]
    keys = {key: None for one in flat for key in one if key not in set(leave_out)}
    found = {key: [one.get(key) for one in flat] for key in keys}
    alike = {key: [None if value == "" else value for value in values] for key, values in found.items()}
    return {key: found[key] for key, values in alike.items() if any(value != values[0] for value in values)}


def same_draws(specs: Sequence[RunSpec]) -> bool:
    """True when all runs saw the same pictures with the same noise at every step."""
    return not any(key.startswith(("schedule.batch_size", "schedule.accumulation")) for key in differences(specs))


def subject_prompts(spec: RunSpec) -> list[bool]:
    """For each sample prompt, whether it calls the subject; of a run without trigger every one asks for its data."""
    if not spec.data.trigger:
        return [True] * len(spec.sample.prompts)
    word = trigger_pattern(spec.data.trigger)
    return [bool("{trigger}" in prompt or word.search(prompt)) for prompt in spec.sample.prompts]


def newest_samples(view: RunView) -> int | None:
    """The step of the newest samples, or None when there are none."""
    return max(view.samples, default=None)


def apart_from_seed(spec: RunSpec, timed: bool = False) -> Mapping[str, Any]:
    """What repeats have in common: everything but name and seed, and where a clock ends the runs their steps."""
    found = spec.model_copy(update={"name": "", "seed": 0}).model_dump()
    if timed:
        found["schedule"]["steps"] = 0
    return found
