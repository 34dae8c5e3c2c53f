"""The only file that turns the command line's words about comparisons into calls: compare, report and grid."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import SpecError

if TYPE_CHECKING:
    from studio.spec import RunSpec
    from studio.store import ExperimentStore

Load = Callable[[str, Mapping[str, Any]], "RunSpec"]


def add_words(add: Callable[..., argparse.ArgumentParser], settings: Callable[..., None]) -> argparse.ArgumentParser:
    """The grammar; ``settings`` gives a word the options of every run. Returns compare, whose call is the caller's."""
    compared = add("compare", help="train several presets under the same noise and seeds, and compare them")
    compared.add_argument("presets", nargs="+", metavar="PRESET")
    settings(compared)
    _terms(compared)

    word = add("report", help="write table and report of an experiment again")
    word.add_argument("experiment", type=Path, metavar="EXPERIMENT_DIR")
    word.add_argument("--json", action="store_true", help="the table as JSON")
    word.set_defaults(call=report)
    return compared


def _terms(word: argparse.ArgumentParser) -> None:
    word.add_argument(
        "--budget", choices=("steps", "minutes", "advice"),
        help="how long each trains: equal --steps, equal --minutes of training, or as its preset advises (the default)",
    )  # fmt: skip
    word.add_argument("--minutes", type=float, default=0.0, help="minutes of training for each run")
    word.add_argument(
        "--prompts", choices=("recontext", "live", "object", "style"), dest="scenes",
        help="draw DreamBooth's prompts, which put the subject into new scenes; recontext: those for its class word",
    )  # fmt: skip
    word.add_argument(
        "--eye", default="starter", metavar="EYE",
        help="who judges the pictures: starter, or a folder or downloaded name of a CLIP or DINOv2 model, or DINO+CLIP",
    )  # fmt: skip
    word.add_argument("--repeats", type=int, default=1, help="train each preset with this many seeds, for the spread")
    word.add_argument(
        "--add", type=Path, metavar="EXPERIMENT_DIR", help="put the presets behind the runs of this experiment"
    )
    word.add_argument(
        "--with", dest="beside", action="append", default=[], metavar="FILE[:WEIGHT][=WORDS]",
        help="a finished file, ours or another program's, drawn and judged beside the runs; WORDS call its subject",
    )  # fmt: skip


def compare(arguments: argparse.Namespace, load: Load, outputs: Path) -> int:
    """Train several presets and compare them; ``load`` reads a preset under the options of the command line."""
    from studio.compare import experiment
    from studio.compare.guests import guest
    from studio.engine.worker import Resident
    from studio.store import ExperimentStore

    if arguments.add:
        store = ExperimentStore(arguments.add)
        experiment.add(store, [load(name, _shared(store)) for name in arguments.presets], arguments.repeats)
    elif arguments.out and ExperimentStore(arguments.out).exists:
        store = ExperimentStore(arguments.out)
    else:
        specs = [_posed(load(name, {}), arguments.scenes) for name in arguments.presets]
        place = arguments.out or outputs / Path(specs[0].data.folder).name
        beside = [guest(said) for said in arguments.beside]
        terms = _asked(arguments)
        store = experiment.create(place.parent, place.name, specs, arguments.repeats, beside, terms)
    return _shown(store, experiment.run(store, Resident()), arguments.json)


def _asked(arguments: argparse.Namespace) -> Any:
    from studio.compare.eye import open_eye
    from studio.spec import Terms

    steps = vars(arguments)["schedule.steps"] or 0
    budget = arguments.budget or ("minutes" if arguments.minutes else "steps" if steps else "advice")
    if arguments.minutes and budget != "minutes":
        raise SpecError(f"--minutes has no say under --budget {budget}; leave one of them out.")
    open_eye(arguments.eye)  # what is not here is said before anything is trained
    return Terms(budget=budget, steps=steps if budget == "steps" else 0, minutes=arguments.minutes, eye=arguments.eye)


def _posed(spec: "RunSpec", scenes: str | None) -> "RunSpec":
    """The run with the prompts that were asked for."""
    from studio.compare.scenes import recontext

    if scenes is None:
        return spec
    kind: Any = None if scenes == "recontext" else scenes
    prompts = recontext(spec.data, spec.base.model, kind)
    return spec.model_copy(update={"sample": spec.sample.model_copy(update={"prompts": prompts})})


def _shared(store: "ExperimentStore") -> dict[str, Any]:
    """What a run that joins the experiment shares with it."""
    from studio.compare.members import open_experiment

    experiment = open_experiment(store)
    return experiment.model_dump(mode="json", include={"seed", "base", "data", "sample"})


def report(arguments: argparse.Namespace) -> int:
    """Write table and report again."""
    from studio.compare import experiment
    from studio.store import ExperimentStore

    store = ExperimentStore(arguments.experiment)
    store.text()
    return _shown(store, experiment.conclude(store), arguments.json)


def _shown(store: "ExperimentStore", events: Any, as_json: bool) -> int:
    from studio.compare.table import build, to_json, to_markdown
    from studio.console import follow

    code = follow(events, as_json, store.path)
    print(to_json(build(store)) if as_json else to_markdown(build(store)))
    return code
