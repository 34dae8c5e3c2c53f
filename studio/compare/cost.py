"""The only file that knows what is measured of the training itself: loss, time, memory, energy and size."""

from pathlib import Path

from studio.compare.evidence import UNTRAINED, Evidence, Unmeasurable, Value
from studio.compare.meter import FIGURE

NEARLY = 0.9  # the share of the way from the first to the best likeness


def held_out_loss(of: Evidence) -> Value:
    """Denoising loss on the held-out pictures, as the run itself took it last."""
    if not of.view.validations:
        raise Unmeasurable("There are no held-out pictures to take the loss on.")
    return Value(of.view.validations[-1][1])


def seconds_per_step(of: Evidence) -> Value:
    """Mean wall time of one update."""
    return Value(of.trained().train_seconds / of.view.step)


def total_seconds(of: Evidence) -> Value:
    """Training time over all sittings."""
    return Value(of.trained().train_seconds)


def time_to_likeness(of: Evidence) -> Value:
    """Training time until likeness had come most of the way from that of step 0 to its own best; needs ``series``."""
    view = of.trained()
    of.seeing  # noqa: B018 - without an eye that is the reason
    known = {step: figures["likeness"] for step, figures in sorted(of.series.items()) if "likeness" in figures}
    if len(known) < 2 or 0 not in known:
        raise Unmeasurable("Too few steps were sampled; set sample.every.")
    goal = known[0] + NEARLY * (max(known.values()) - known[0])
    if max(known.values()) <= known[0]:
        raise Unmeasurable("It never came nearer to the subject than before its first step.")
    steps = list(known)
    after = next(i for i, step in enumerate(steps) if known[step] >= goal)
    left, right = steps[after - 1], steps[after]
    reached = left + (right - left) * (goal - known[left]) / (known[right] - known[left])
    return Value(reached * view.train_seconds / view.step, f"Between the samples of steps {left} and {right}.")


def peak_memory(of: Evidence) -> Value:
    """The most memory held while training, in bytes."""
    if not of.trained().memory:
        raise Unmeasurable("The device does not tell its memory.")
    return Value(float(of.view.memory))


def energy(of: Evidence) -> Value:
    """Joules that the card spent in steps."""
    spent = of.trained().metrics.get(FIGURE)
    if not spent:
        raise Unmeasurable("The device does not tell its energy: that needs an NVIDIA card and nvidia-ml-py.")
    return Value(spent)


def parameters(of: Evidence) -> Value:
    """How many numbers learn."""
    known = of.trained().metrics.get("parameters")
    if known is None:
        raise Unmeasurable("The run did not say how many parameters learn.")
    return Value(known)


def artifact_size(of: Evidence) -> Value:
    """Bytes of the smallest export; a folder counts whole."""
    if of.is_base:
        raise Unmeasurable(UNTRAINED)
    paths = {e.format: of.run.path / e.path for e in of.view.exports if e.step == of.view.step}
    sizes = {name: _bytes_in(path) for name, path in paths.items() if path.exists()}
    if not sizes:
        raise Unmeasurable("Nothing was exported.")
    smallest = min(sizes, key=lambda name: sizes[name])
    return Value(float(sizes[smallest]), f"The smallest export: {smallest}.")


def _bytes_in(path: Path) -> int:
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) if path.is_dir() else path.stat().st_size
