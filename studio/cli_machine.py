"""The only file that turns the command line's words about the machine into calls: doctor, bench, and an estimate."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

from studio.errors import SpecError


class Named(Protocol):
    """What has a name to choose it by."""

    @property
    def name(self) -> str:
        """Its name."""


T = TypeVar("T", bound=Named)


def add_words(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The grammar of both words."""
    word = add("doctor", help="say what this machine has, what is missing and what to type")
    word.add_argument("--json", action="store_true", help="everything as JSON")
    word.set_defaults(call=doctor)

    word = add("bench", help="measure memory and speed of training, or check that ways agree and that they learn")
    what = word.add_mutually_exclusive_group()
    what.add_argument(
        "--gpu", action="store_true", help="memory and speed on the graphics card; needs no model on disk"
    )
    what.add_argument("--parity", action="store_true", help="train two ways that should agree, and say how far apart")
    what.add_argument("--convergence", action="store_true", help="let every optimizer and schedule learn the example")
    word.add_argument("--only", action="append", default=[], metavar="WORD", help="cases whose name has it; repeatable")
    word.add_argument("--steps", type=int, help="optimizer updates of each case; default: 25, 6 or 60")
    word.add_argument("--out", type=Path, metavar="DIR", default=Path("bench"), help="folder for the tables")
    word.set_defaults(call=bench)


def doctor(arguments: argparse.Namespace) -> int:
    """Say what this machine has."""
    from studio.doctor import findings
    from studio.engine.machine import this_hardware

    hardware = this_hardware()
    found = findings(hardware)
    if arguments.json:
        print(json.dumps({"hardware": asdict(hardware), "findings": [asdict(one) for one in found]}))
        return 0
    for one in found:
        print(f"{one.verdict:8} {one.part:14} {one.found}")
        if one.advice:
            print(f"{'':24}{one.advice}")
    return 0


def bench(arguments: argparse.Namespace) -> int:
    """Measure or check, and write the table; returns 1 where a check failed."""
    kinds = {"gpu": _bench_gpu, "parity": _bench_parity, "convergence": _bench_convergence}
    for key, call in kinds.items():
        if getattr(arguments, key):
            return call(arguments)
    raise SpecError("Say what to measure: `bench --gpu`, `bench --parity` or `bench --convergence`.")


def _chosen(cases: Sequence[T], words: Sequence[str]) -> tuple[T, ...]:
    """The cases whose names have one of ``words``; all without words; raises SpecError where none has."""
    found = tuple(case for case in cases if not words or any(word in case.name for word in words))
    if not found:
        names = "; ".join(case.name for case in cases)
        raise SpecError(f"No case is called '{' or '.join(words)}'; there are: {names}.")
    return found


def _written(folder: Path, texts: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _bench_gpu(arguments: argparse.Namespace) -> int:
    from studio.engine.benchmark import CASES, measure_all, require_card, to_csv, to_markdown
    from studio.engine.machine import this_hardware

    hardware = this_hardware()
    require_card(hardware)
    rows = []
    for row in measure_all(_chosen(CASES, arguments.only), arguments.steps or 25):
        rows.append(row)
        print(f"{row.case}: {row.peak:.2f} GiB, {row.pace:.2f} it/s {row.note}", flush=True)
    _written(arguments.out, {"bench.md": to_markdown(rows, hardware), "bench.csv": to_csv(rows)})
    print(to_markdown(rows, hardware))
    return 0


def _bench_parity(arguments: argparse.Namespace) -> int:
    from studio.engine.machine import this_hardware
    from studio.engine.parity import PAIRS, compare_ways, to_markdown

    steps, hardware, found = arguments.steps or 6, this_hardware(), []
    for verdict in compare_ways(hardware, steps, _chosen(PAIRS, arguments.only)):
        found.append(verdict)
        print(f"{verdict.pair}: {verdict.said}", flush=True)
    text = to_markdown(found, steps, hardware.name)
    _written(arguments.out, {"parity.md": text})
    print(text)
    return int(any(verdict.passed is False for verdict in found))


def _bench_convergence(arguments: argparse.Namespace) -> int:
    from studio.engine.convergence import CASES, learn, to_markdown
    from studio.engine.machine import this_hardware

    steps, found = arguments.steps or 60, []
    for learnt in learn(steps, _chosen(CASES, arguments.only)):
        found.append(learnt)
        print(f"{learnt.case}: {learnt.before:.3f} to {learnt.after:.3f}", flush=True)
    text = to_markdown(found, steps, this_hardware().name)
    _written(arguments.out, {"convergence.md": text})
    print(text)
    return int(not all(learnt.passed for learnt in found))


def estimate(spec: Any, as_json: bool) -> int:
    """Say how much memory ``spec`` will need here, before anything is loaded."""
    from studio.engine.estimate import estimate
    from studio.engine.machine import this_hardware
    from studio.hardware import decide

    hardware = this_hardware()
    plan = decide(hardware, spec.machine, spec.optim.name)
    found = estimate(spec, plan)
    print(json.dumps(found.as_dict() | {"free": hardware.free}) if as_json else found.sentence(hardware.free))
    return 0
