"""The only file that turns the command line's words about comparisons into calls: compare, report and grid."""

import argparse
import json
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
    _grid(add("grid", help="draw a labelled sheet of any runs, prompts, seeds and weights (X/Y/Z)"))
    return compared


def _grid(word: argparse.ArgumentParser) -> None:
    word.add_argument("runs", nargs="+", metavar="RUN_OR_FILE")
    word.add_argument(
        "--prompt", action="append", required=True, help="{trigger} and {class} are each run's own; repeatable"
    )
    word.add_argument("--seeds", default="42", metavar="1,2,3", help="default: 42")
    word.add_argument("--weights", default="1", metavar="0.5,0.8,1", help="how much each file counts; default: 1")
    word.add_argument("--base", default="", help="the base below finished files; a run has its own")
    word.add_argument("--negative", default="", help="what the pictures should not show")
    word.add_argument("--steps", type=int, default=25)
    word.add_argument("--guidance", type=float, default=5.0)
    for axis, plain in (("x", "prompt,seed"), ("y", "run,weight"), ("z", "")):
        what = {"x": "the columns", "y": "the rows", "z": "a sheet for each"}[axis]
        word.add_argument(f"--{axis}", default=plain, metavar="AXES", help=f"{what}: of run, weight, prompt, seed")
    word.add_argument("--out", type=Path, default=Path("grid"), metavar="DIR", help="folder of the sheets")
    word.add_argument("--json", action="store_true", help="the result as JSON")
    word.set_defaults(call=grid)


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


def grid(arguments: argparse.Namespace) -> int:
    """Draw sheets of any runs."""
    from tqdm import tqdm

    from studio.compare.xyz import Order, draw
    from studio.engine.generate import settings
    from studio.engine.worker import Resident

    order = Order(
        runs=tuple(arguments.runs),
        prompts=tuple(arguments.prompt),
        seeds=tuple(_numbers(arguments.seeds, int, "--seeds")),
        weights=tuple(_numbers(arguments.weights, float, "--weights")),
        sample=settings(arguments.negative, arguments.steps, arguments.guidance),
        base=arguments.base,
        **{axis: tuple(filter(None, vars(arguments)[axis].replace(" ", "").split(","))) for axis in "xyz"},
    )
    made: list[str] = []
    with tqdm(leave=False, disable=None) as bar:  # None: silent where nobody watches
        for said in draw(order, Resident(), arguments.out):
            if isinstance(said, Path):
                made.append(str(said))
            else:
                bar.total = said.total
                bar.update(said.done - bar.n)
    print(json.dumps({"sheets": made}) if arguments.json else "\n".join(made))
    return 0


def _numbers(text: str, kind: Callable[[str], Any], option: str) -> list[Any]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise SpecError(f"{option} takes numbers with commas between them, not '{text}'.") from None


def _shown(store: "ExperimentStore", events: Any, as_json: bool) -> int:
    from studio.compare.table import build, to_json, to_markdown
    from studio.console import follow

    code = follow(events, as_json, store.path)
    print(to_json(build(store)) if as_json else to_markdown(build(store)))
    return code
