"""How do growth, its series and its consequences read?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synapse_perf.model import Leak, LeakStatus, Metric, Result
from synapse_perf.report.document import Tone
from synapse_perf.report.figures import fact_median, format_range
from synapse_perf.units import format_duration, format_value, three_digits

PER_HOUR = "hour"  # what an iteration is called where only time goes by
BARS = "▁▂▃▄▅▆▇█"
STATUS_WORDS: Mapping[LeakStatus, tuple[str, Tone]] = {
    "leak": ("LEAK", "bad"),
    "inconclusive": ("INCONCLUSIVE", "warn"),
    "retained": ("RETAINED", "warn"),
    "clean": ("CLEAN", "good"),
}
WORST_FIRST = tuple(STATUS_WORDS)
PROBE_NAMES = {
    "heap": "live heap",
    "anonymous": "anonymous memory",
    "rss": "resident memory",
    "gc_objects": "objects of Python",
    "python_threads": "Python threads",
    "mapped_files": "mapped files",
    "tasks": "asyncio tasks",
    "entries": "entries of the cache",
    "children": "child processes",
    "zombies": "zombie processes",
    "gpu_memory": "GPU memory",
    "orphans": "processes left",
    "left_zombies": "zombies left",
    "left_ports": "open ports left",
    "left_memory": "memory of processes left",
    "left_gpu_memory": "GPU memory of processes left",
    "close_wait": "sockets in CLOSE_WAIT",
}


def probe_name(probe: str) -> str:
    return PROBE_NAMES.get(probe, probe.replace("_", " "))


def iteration_of(hunt: str, result: Result) -> str:
    """What one iteration is called."""
    named = result.plan.get("iterations")
    return str(named.get(hunt, "iteration")) if isinstance(named, Mapping) else "iteration"


def format_amount(value: float, unit: str) -> str:
    """Of what is counted, less than one in ten iterations reads better the other way round: ``1 in 40``."""
    if unit == "1" and 0 < abs(value) < 0.1:
        return f"{'-' if value < 0 else ''}1 in {1 / abs(value):.0f}"
    return format_value(value, unit)


def plural(word: str) -> str:
    return f"{word}es" if word.endswith("ch") else f"{word}s"


def format_growth(leak: Leak) -> str:
    """With its sign: ``+1.02 MiB``."""
    if leak.growth is None:
        return "not known"
    text = format_amount(leak.growth, leak.unit)
    return f"+{text}" if leak.growth > 0 else text


def format_bounds(leak: Leak) -> str:
    if leak.low is None or leak.high is None:
        return "none"
    return format_range(leak.low, leak.high, leak.unit)


def format_full(leak: Leak, metric: Metric | None, iterations: str) -> str:
    """When memory is full at that rate: in iterations, and at the pace of this run in time."""
    if leak.full_after is None:
        return ""
    pace_s = fact_median(metric, "call_s") if metric else None
    count = f"{three_digits(leak.full_after)}"
    return f"{count} more {iterations}" + (
        f", {format_duration(pace_s * leak.full_after)} at this pace"
        if pace_s and iterations != plural(PER_HOUR)
        else ""
    )


def sparkline(levels: Sequence[float], width: int = 20) -> str:
    """The levels as small bars, from the lowest to the highest; a flat series stays low."""
    if not levels:
        return ""
    places = [round(step * (len(levels) - 1) / (width - 1)) for step in range(width)] if len(levels) > width else None
    shown = [levels[place] for place in places] if places else list(levels)
    low, high = min(shown), max(shown)
    if high <= low:
        return BARS[0] * len(shown)
    return "".join(BARS[min(len(BARS) - 1, int((level - low) / (high - low) * len(BARS)))] for level in shown)
