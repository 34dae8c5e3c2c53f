"""The only file that lays an experiment out: which runs it has, in which order, and what all of them must share."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.compare import guests
from studio.compare.clock import PROVISIONAL
from studio.compare.members import apart_from_seed, differences, groups, open_experiment, run_names
from studio.disk import guarded
from studio.errors import SpecError
from studio.formats.shelf import Shelf
from studio.section import SHARED
from studio.spec import Experiment, Guest, RunSpec, Terms
from studio.store import ExperimentStore, RunStore

ADVICE = Terms()


def create(
    outputs: Path,
    name: str,
    specs: Sequence[RunSpec],
    repeats: int = 1,
    beside: Sequence[Guest] = (),
    terms: Terms = ADVICE,
) -> ExperimentStore:
    """Lay out an experiment of one run for each of ``specs``, each repeated with the next seeds.

    ``beside`` are finished files that are drawn and judged with the runs, ``terms`` what holds for every run.
    Raises SpecError when the specs differ in what a comparison must hold equal, or when a run could not start.
    """
    specs = [_budgeted(spec, terms) for spec in specs]
    _refuse(specs, repeats, outputs)
    first = specs[0]
    experiment = Experiment(
        name=name,
        created=time.time(),
        seed=first.seed,
        base=first.base,
        data=first.data,
        sample=first.sample,
        terms=terms,
    )
    store = ExperimentStore.create(outputs, name, experiment.to_toml())
    names = run_names([spec.name or spec.method.kind for spec in specs], repeats)
    for spec, called in zip(specs, names, strict=True):
        _lay(store, spec, called)
    order = tuple(called[k] for k in range(repeats) for called in names)
    named = guests.lay(store, first, beside)
    store.replace_text(experiment.model_copy(update={"runs": order, "guests": named}).to_toml())
    return store


def add(store: ExperimentStore, specs: Sequence[RunSpec], repeats: int = 1) -> tuple[str, ...]:
    """Put further runs behind those of an experiment, under its terms; returns their names.

    A spec that the experiment already has is given further seeds until there are ``repeats`` of it. Raises SpecError
    when one differs from the experiment in what a comparison must hold equal, could not start, or is there already.
    """
    experiment = open_experiment(store)
    specs = [_budgeted(spec, experiment.terms) for spec in specs]
    shared = {"seed": experiment.seed, "base": experiment.base, "data": experiment.data, "sample": experiment.sample}
    _refuse(specs, repeats, store.path.parent, [spec.model_copy(update=shared) for spec in specs[:1]])
    with guarded(store.path):
        experiment = open_experiment(store)
        fresh: list[str] = []
        for spec in specs:
            fresh += _more_seeds(store, spec, repeats) or _new_runs(store, spec, repeats, (*experiment.runs, *fresh))
        store.replace_text(experiment.model_copy(update={"runs": (*experiment.runs, *fresh)}).to_toml())
    return tuple(fresh)


def reorder(store: ExperimentStore, names: Sequence[str]) -> None:
    """Let the runs wait in the order of ``names``, which are all of them; raises SpecError otherwise."""
    with guarded(store.path):
        experiment = open_experiment(store)
        if sorted(names) != sorted(experiment.runs):
            raise SpecError(f"The new order must name each of {', '.join(experiment.runs)} once.")
        store.replace_text(experiment.model_copy(update={"runs": tuple(names)}).to_toml())


def _more_seeds(store: ExperimentStore, spec: RunSpec, repeats: int) -> list[str]:
    """Further repeats of a run that is there; empty when it is not."""
    timed = open_experiment(store).terms.budget == "minutes"
    asked = apart_from_seed(spec, timed)
    known = next((g for g in groups(store) if apart_from_seed(g.first.spec, timed) == asked), None)
    if known is None:
        return []
    stem, there = known.first.name, len(known.members)
    if repeats <= there:
        raise SpecError(
            f"'{stem}' is in the experiment already with {there} seed{'s' if there > 1 else ''}; "
            "ask for more repeats, or change a setting."
        )
    called = [f"{stem}-r{k}" for k in range(there + 1, repeats + 1)]
    _lay(store, spec, called, there)
    return called


def _new_runs(store: ExperimentStore, spec: RunSpec, repeats: int, taken: Sequence[str]) -> list[str]:
    on_disk = [path.name for path in store.path.iterdir()]  # guests, and what a kill left without an entry
    (called,) = run_names([spec.name or spec.method.kind], repeats, (*taken, *on_disk))
    _lay(store, spec, called)
    return called


def _lay(store: ExperimentStore, spec: RunSpec, called: Sequence[str], first: int = 0) -> None:
    for k, run in enumerate(called, first):
        repeat = spec.model_copy(update={"name": run, "seed": spec.seed + k})
        if not (store.path / run / "spec.toml").exists():
            RunStore.create(store.path / run, repeat.to_toml())


def _budgeted(spec: RunSpec, terms: Terms) -> RunSpec:
    """The run under the experiment's budget; minutes become steps when its pace is known."""
    steps = spec.schedule.steps
    if terms.budget == "steps":
        steps = terms.steps
    elif terms.budget == "minutes":
        steps = max(steps, PROVISIONAL)
    if not steps or (terms.budget == "minutes" and not terms.minutes):
        raise SpecError(f"A budget of equal {terms.budget} needs their number; give --{terms.budget} a value above 0.")
    return spec.model_copy(update={"schedule": spec.schedule.model_copy(update={"steps": steps})})


def _refuse(specs: Sequence[RunSpec], repeats: int, outputs: Path, beside: Sequence[RunSpec] = ()) -> None:
    if not specs:
        raise SpecError("An experiment needs at least one run; name a preset.")
    if repeats < 1:
        raise SpecError(f"repeats must be at least 1, not {repeats}.")
    found = differences([*beside, *specs])
    apart = {key: values for key, values in found.items() if key.startswith(SHARED)}
    if apart:
        said = "; ".join(f"{key} is {' and '.join(_distinct(values))}" for key, values in apart.items())
        raise SpecError(f"These runs cannot be compared, because they differ in more than the method: {said}.")
    for spec in specs:
        for problem in spec.problems(Shelf(outputs, own=spec.file_name)):
            raise SpecError(f"{spec.name}: {problem}")


def _distinct(values: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(repr(value) for value in values))
