"""The only file that lets a base, or a finished file on it, draw and be judged at a run's own prompts and pictures."""

from collections.abc import Callable, Iterator

from studio.data.caption import trigger_pattern
from studio.engine.bench import Bench
from studio.engine.generate import Used
from studio.engine.learner import Learner
from studio.engine.machine import Machine
from studio.engine.stack import stacked
from studio.engine.worker import Resident, ending_in_noise
from studio.events import Event, Exported, Finished, Started
from studio.objective import PLAIN
from studio.spec import RunSpec
from studio.store import RunStore


def visit(store: RunStore, spec: RunSpec, machine: Machine, resident: Resident, used: Used | None) -> Iterator[Event]:
    """Draw the samples of ``spec`` and take the held-out loss, with ``used`` on the base; None is the base alone.

    ``spec.data.trigger`` is what calls the file's subject, ``used.trigger`` the word that the captions have instead.
    """
    yield Started(step=0, total=0)
    placed = (used.placed,) if used and used.what != "base" else ()
    models = resident.models(spec.base, machine.plan)
    if spec.objective.zero_terminal_snr and not spec.objective.problems(models.prediction):
        models = ending_in_noise(models)  # as its runs are drawn; a guest's own base may not predict v
    bench = Bench(spec, models, machine, resident.cache, placed)
    yield from bench.fill()
    yield from bench.samples(store, 0, None)
    with stacked(bench.models, placed) as spell:
        judge = Learner(bench.models, PLAIN, text_learns=False)
        if used and used.trigger:
            bench.spec = spec.model_copy(update={"data": spec.data.model_copy(update={"trigger": used.trigger})})
        yield from bench.validate(0, judge, _saying(spec, used, spell))
    if used:
        yield Exported(step=0, format=used.what, path=str(used.path.resolve()), usage="")
    yield Finished(step=0, seconds=0.0)


def _saying(spec: RunSpec, used: Used | None, spell: Callable[[str], str]) -> Callable[[str], str]:
    """How a caption is said to the file: its own words stand where the captions have the trigger."""
    if used is None or not used.trigger:
        return spell
    pattern = trigger_pattern(used.trigger)
    return lambda text: spell(pattern.sub(lambda _: spec.data.trigger, text))
