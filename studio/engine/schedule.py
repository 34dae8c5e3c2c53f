"""The only file that says how the learning rate moves: a pure function of the step, so there is no state to lose."""

import math

from studio.spec import ScheduleSpec


def factor(step: int, spec: ScheduleSpec) -> float:
    """What the learning rate is multiplied by at ``step`` (1 is the first), from 0 to 1."""
    rising = round(spec.warmup * spec.steps)
    if step <= rising:
        return step / rising
    if spec.kind == "constant":
        return 1.0
    done = (step - rising - 1) / max(1, spec.steps - rising)
    if spec.kind == "linear":
        return 1.0 - done
    return 0.5 * (1.0 + math.cos(math.pi * done))
