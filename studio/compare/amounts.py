"""The only file that knows how a figure is written for people."""

from typing import NamedTuple

_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_JOULES = ((3.6e6, "kWh"), (3.6e3, "Wh"), (3.6, "mWh"))
_COUNTS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


class Shown(NamedTuple):
    """A figure and its spread in the same unit, as text; ``spread`` is empty where there is none."""

    value: str
    spread: str = ""


def show(value: float, unit: str, digits: int, spread: float | None = None) -> Shown:
    """Write ``value`` in ``unit``: score, loss, s, time, bytes, energy (in joules) or count."""
    if unit == "time":
        return Shown(duration(value), "" if spread is None else f"±{duration(spread)}")
    steps = {"bytes": _BYTES, "energy": _JOULES, "count": _COUNTS}.get(unit)
    if steps:
        return _scaled(value, steps, {"bytes": "B", "energy": "J"}.get(unit, ""), spread)
    ending = " s" if unit == "s" else ""
    return Shown(f"{value:.{digits}f}{ending}", "" if spread is None else f"±{spread:.{digits}f}")


def duration(seconds: float) -> str:
    """``8 s``, ``1:24`` or ``1:02:03``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def size(count: float) -> str:
    """Bytes as ``25 kB``, ``9.0 MB`` or ``2.1 GB``."""
    return _scaled(count, _BYTES, "B").value


def _scaled(value: float, steps: tuple[tuple[float, str], ...], plain: str, spread: float | None = None) -> Shown:
    factor, unit = next(((f, u) for f, u in steps if value >= 0.9995 * f), (1.0, plain))
    digits = 1 if factor > 1 and value / factor < 99.95 else 0
    ending = f" {unit}" if unit else ""
    apart = f"{(spread or 0.0) / factor:.{digits}f}"  # counted things mostly agree exactly: then nothing is said
    return Shown(f"{value / factor:.{digits}f}{ending}", f"±{apart}" if float(apart) else "")
