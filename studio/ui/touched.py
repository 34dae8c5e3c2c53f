"""The only file that attaches a method to a base without memory, to see where on it something learns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.ui.behind import Behind

BARS = 6  # what a UNet is drawn as: half of them go down, half come up again
HALF = BARS // 2
ATTENTION = (".to_q", ".to_k", ".to_v", ".to_out.0")


@dataclass(frozen=True)
class Places:
    """Where a method learns on one base: how many numbers, and on which bars of the drawn UNet in which way.

    ``kv`` are bars whose attention is touched beside its weights, ``rims`` those with further layers touched so,
    ``before`` those whose attention is given something else to hear, ``bars`` those whose own weights learn; ``tokens``
    and ``encoder`` say the same of the text side. ``attention`` are the bars that have any attention at all. ``error``
    says why nothing could be told.
    """

    learning: int = 0
    size: int = 0
    """Bytes of the file it ends in."""
    tokens: bool = False
    encoder: bool = False
    before: frozenset[int] = frozenset()
    kv: frozenset[int] = frozenset()
    rims: frozenset[int] = frozenset()
    bars: frozenset[int] = frozenset()
    attention: frozenset[int] = frozenset(range(BARS))
    error: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """What learns, as names of the page's words."""
        names = ("tokens", "encoder", "before", "kv", "rims", "bars")
        return tuple(name for name in names if getattr(self, name))


def places(spec: Any) -> Places:
    """Attach the method of ``spec`` to its base without memory and look; raises UserError for a missing base."""
    from studio.engine.machine import this_hardware
    from studio.engine.rehearsal import without_memory
    from studio.families.detect import detect
    from studio.families.loading import skeleton
    from studio.hardware import decide
    from studio.methods import method

    plan = decide(this_hardware(), spec.machine, spec.optim.name)
    models = skeleton(detect(spec.base.model), spec.base, plan)
    marks = {path: _mark(module) for path, module in models.unet.named_modules()}
    own = {id(parameter): path for path, parameter in models.unet.named_parameters()}
    with without_memory():
        learning = method(spec.method.kind)(models, spec.method, spec.data, spec.seed)
        groups = learning.attach()
    after = dict(models.unet.named_modules())
    touched = [path for path in marks if path and path in after and _mark(after[path]) != marks[path]]
    heard = [path for path in touched if len(after[path]._forward_pre_hooks) > marks[path][2]]
    learnt = [own[id(p)] for p in learning.live.values() if id(p) in own]
    beside = [path for path in touched if path not in heard]
    count = sum(parameter.numel() for parameter in learning.live.values())
    stored = count
    if "single-file" in learning.exports:
        stored = sum(p.numel() for part in (*models.modules().values(), models.vae) for p in part.parameters())
    return Places(
        learning=count,
        size=stored * (4 if plan.save == "fp32" else 2),
        tokens=any(group.part == "tokens" for group in groups),
        encoder=any(group.part == "text" for group in groups),
        before=_bars(heard, models.unet),
        kv=_bars([path for path in beside if path.endswith(ATTENTION)], models.unet),
        rims=_bars([path for path in beside if not path.endswith(ATTENTION)], models.unet),
        bars=_bars(learnt, models.unet),
        attention=_bars([path for path in marks if path.endswith(".to_k")], models.unet),
    )


def _mark(module: Any) -> tuple[int, bool, int, int]:
    """What changes when something takes a module's place, answers for it, or listens in front of it."""
    return id(module), "forward" in vars(module), len(module._forward_pre_hooks), len(module._forward_hooks)


def _bars(paths: Sequence[str], unet: Any) -> frozenset[int]:
    return frozenset(bar for path in paths for bar in bars_of(path, len(unet.down_blocks), len(unet.up_blocks)))


def bars_of(path: str, down: int, up: int) -> Iterator[int]:
    """The bars that stand for a part of a UNet with so many blocks: its place in the way down and up. Pure."""
    first, _, rest = path.partition(".")
    number = rest.partition(".")[0]
    if first == "down_blocks" and number.isdigit():
        yield int(number) * HALF // down
    elif first == "up_blocks" and number.isdigit():
        yield HALF + int(number) * HALF // up
    elif first == "mid_block":
        yield from (HALF - 1, HALF)
    elif first == "conv_in":
        yield 0
    elif first in ("conv_out", "conv_norm_out"):
        yield BARS - 1


class Touched:
    """Looks behind the page's back where each of several runs that are set up would learn."""

    def __init__(self) -> None:
        self._behind = Behind("touched", _key, _look)

    @property
    def count(self) -> int:
        """How much was found out by now."""
        return self._behind.count

    def of(self, specs: Mapping[str, Any]) -> dict[str, Places | None]:
        """What is known of each spec, None while it is looked at; returns at once."""
        return dict(zip(specs, self._behind.of(list(specs.values())), strict=True))


def _look(spec: Any, known: Places | None) -> Places:
    try:
        return known or places(spec)
    except Exception as error:  # a drawing only: what is wrong with the base is said when it is loaded
        return Places(error=str(error) or type(error).__name__)


def _key(spec: Any) -> str:
    return repr((spec.base, spec.method))
