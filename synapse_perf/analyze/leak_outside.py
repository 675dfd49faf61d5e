"""What may be said of a process that was only watched from outside?

Nothing there can be collected or trimmed, so memory that rises may be garbage that waits for the collector: a process
that makes 15 MB of it with each query was seen to rise for 80 queries and then to fall back. Three things tell: that it
rises through the longest look, that it never falls back, and what is left where it does. And pages come in steps, so
one step in a short look is worth a longer one, and hides a leak that is smaller than it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from synapse_perf.analyze.leak_thresholds import FLOOR_PAGES, LOOKS, WARM_UP_FLOORS
from synapse_perf.analyze.leak_trend import largest_step
from synapse_perf.analyze.leak_verdict import Judged, judged_part
from synapse_perf.model import Json
from synapse_perf.units import format_bytes, format_duration

# Of all that memory rose by: to fall by so much is more than a buffer that was given back.
FALL_SHARE = 0.25
STEPS_HIDDEN = 2.0  # a leak of fewer pages than a step, twice over, may have shown one step or none
# A client's silence after which the usual servers have asked (20 s) and waited for its answer (20 s).
PING_S = 40.0
IN_PROCESS = "to be sure, call the same code in a process of its own: leak-hunt pkg.module:function"


def judge_outside(levels: Sequence[float], judged: Judged, facts: Mapping[str, Json], unit: str) -> Judged:
    """The verdict on a probe, `judged` as if it had been read within the process."""
    if (silent_s := facts.get("silent_for_s")) is not None:
        return _of_silence(judged, float(silent_s), levels)
    series = judged_part(levels)
    if unit != "B" or judged.slope is None or len(series) < 2:
        return judged
    if judged.status == "clean":
        return _clean(series, judged)
    peak, bottom = _deepest_fall(series)
    fall = series[peak] - series[bottom]
    if fall >= FALL_SHARE * (max(series) - min(series)):
        return _fallen(series, judged, peak, bottom)
    if judged.status != "leak":
        return judged
    if judged.count < LOOKS[2]:
        told = f"it grew steadily over {judged.count} iterations, as garbage does until it is collected"
        return replace(judged, status="inconclusive", reason=told, wants_longer=True)
    told = f"it grew steadily over {judged.count} iterations and never fell back; {IN_PROCESS}"
    return replace(judged, reason=told)


def _clean(series: Sequence[float], judged: Judged) -> Judged:
    """Without a step nothing changes; with one it is the resolution."""
    peak, bottom = _deepest_fall(series)
    fall = series[peak] - series[bottom]
    if fall >= max(FALL_SHARE * (max(series) - min(series)), WARM_UP_FLOORS * FLOOR_PAGES):
        judged = replace(judged, reason=_fell_back(fall))
    step = largest_step(series)
    if step <= WARM_UP_FLOORS * FLOOR_PAGES or judged.smallest is None:
        return judged
    smallest = max(judged.smallest, STEPS_HIDDEN * step / len(series))
    return replace(judged, smallest=smallest, wants_longer=judged.count < LOOKS[2])


def _deepest_fall(series: Sequence[float]) -> tuple[int, int]:
    """The places of a peak and of the lowest level after it, furthest apart in their height."""
    best, peak = (0, 0), 0
    for place, level in enumerate(series):
        if level > series[peak]:
            peak = place
        if series[peak] - level > series[best[0]] - series[best[1]]:
            best = (peak, place)
    return best


def _fallen(series: Sequence[float], judged: Judged, peak: int, bottom: int) -> Judged:
    """A saw-tooth: what is left at its bottom is what may have leaked until then."""
    fall, left = series[peak] - series[bottom], series[bottom] - series[0]
    told = _fell_back(fall)
    if left <= FLOOR_PAGES * bottom:
        hidden = max(judged.smallest or 0.0, fall / bottom)
        return replace(judged, status="clean", smallest=hidden, reason=f"{told}: nothing was left", wants_longer=False)
    reason = f"{told}; {format_bytes(left)} were left: more such falls would tell, or {IN_PROCESS}"
    return replace(judged, status="inconclusive", reason=reason, wants_longer=judged.count < LOOKS[2])


def _fell_back(fall: float) -> str:
    return f"it rose, and fell back by {format_bytes(fall)}, as garbage does once it is collected"


def _of_silence(judged: Judged, silent_s: float, levels: Sequence[float]) -> Judged:
    """Of clients that fell silent: each that is still held is seen, so a look is enough, if it was long enough."""
    if judged.status == "clean" or judged.slope is None:
        return judged
    held, count, waited = round(levels[-1]), len(levels), format_duration(silent_s)
    told = f"{held} of {count} clients are still held after {waited} of silence"
    if silent_s < PING_S:
        reason = f"{told}, but many servers ask only after 20 s and wait 20 s more: give it more time with --max-time"
        return replace(judged, status="inconclusive", reason=reason, wants_longer=False)
    return replace(judged, status="leak", reason=told, wants_longer=False)
