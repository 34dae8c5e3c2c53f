"""The only file that writes an experiment down for other programs: everything that the report shows, as one JSON."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio.compare import gallery, votes
from studio.compare.facts import facts
from studio.compare.measure import series
from studio.compare.members import differences, groups, open_experiment
from studio.compare.metrics import METRICS
from studio.compare.table import Table, as_dict
from studio.store import ExperimentStore

VERSION = 1


def to_json(store: ExperimentStore, table: Table) -> str:
    """The experiment as one JSON object; paths are relative to its folder, and none leads out of it."""
    experiment, found = open_experiment(store), groups(store)
    shared = experiment.model_dump(mode="json", include={"name", "created", "seed", "sample", "terms"})
    content = {
        "version": VERSION,
        **shared,
        "base": Path(experiment.base.model).name,
        "data": {
            "name": Path(experiment.data.folder).name,
            "trigger": experiment.data.trigger,
            "class_word": experiment.data.class_word,
        },
        "metrics": [
            {name: getattr(metric, name) for name in ("name", "title", "unit", "direction", "why", "misleads")}
            for metric in METRICS
        ],
        "table": as_dict(table),
        "methods": [asdict(facts(kind)) for kind in dict.fromkeys(group.first.spec.method.kind for group in found)],
        "series": {group.first.name: series(group.shown.store, group.shown.view, table.eye) for group in found},
        "settings": _differing(store),
        "pictures": _pictures(store),
        "votes": [asdict(score) for score in votes.tally(store)],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _differing(store: ExperimentStore) -> dict[str, dict[str, Any]]:
    """What is not the same in all runs: setting -> run -> value."""
    found = groups(store)
    apart = differences([group.first.spec for group in found])
    names = [group.first.name for group in found]
    return {key: dict(zip(names, values, strict=True)) for key, values in apart.items()}


def _pictures(store: ExperimentStore) -> list[dict[str, Any]]:
    """The grid: for each row its newest samples with prompt and seed."""
    shown = gallery.build(store)
    return [
        {
            "run": strip.name,
            "title": strip.title,
            "step": strip.step,
            "samples": [
                {"prompt": column.prompt, "seed": column.seed, "path": path.relative_to(store.path).as_posix()}
                for column, path in zip(shown.columns, strip.pictures, strict=True)
                if path
            ],
        }
        for strip in shown.strips
    ]
