"""Is anything there after a stop that may not be? One is enough; how often is a share of the stops with its interval.

Unlike growth this needs no series: what is left is counted and ended, so each stop is a trial of its own. Where nothing
was left, the smallest leak that would have been seen is the share of stops that leaves something in one of so many with
the confidence of all intervals here.
"""

from __future__ import annotations

from collections import Counter

from synapse_perf.analyze.leak_thresholds import CONFIDENCE
from synapse_perf.analyze.leak_trend import Slope
from synapse_perf.analyze.leak_verdict import Judged
from synapse_perf.host.leak_probes import BYTE_PROBES
from synapse_perf.model import Trial


def judge_left(trial: Trial, probe: str) -> Judged:
    """The verdict on what was left at each stop."""
    found = left_of(trial, probe)
    stops, hits = len(found), [value for value in found if value > 0]
    if not hits:
        smallest = None if probe in BYTE_PROBES else smallest_share(stops)
        told = f"nothing was left after {stops} stops"
        return Judged("clean", Slope(0.0, 0.0, 0.0), smallest, stops, told, wants_longer=False)
    each = sum(hits) / len(hits)
    low, high = share_bounds(len(hits), stops)
    slope = Slope(sum(hits) / stops, low * each, high * each)
    first = first_named(trial, probe)
    told = f"left after {stops_told(trial, probe)}" + (f": {first}" if first else "")
    return Judged("leak", slope, None, stops, told, wants_longer=False)


def left_of(trial: Trial, probe: str) -> list[float]:
    """What each stop left, in the order of the stops."""
    return [
        measurement.value
        for sample in trial.samples
        for measurement in sample.values
        if measurement.labels.get("probe") == probe
    ]


def smallest_share(stops: int) -> float:
    """Of stops that leave something: with a larger one, `stops` of them without any would be too rare to believe."""
    return 1 - float((1 - CONFIDENCE) ** (1 / max(stops, 1)))


def share_bounds(hits: int, trials: int) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share."""
    from scipy import special

    tail = (1 - CONFIDENCE) / 2
    low = float(special.betaincinv(hits, trials - hits + 1, tail)) if hits else 0.0
    high = float(special.betaincinv(hits + 1, trials - hits, 1 - tail)) if hits < trials else 1.0
    return low, high


def stops_told(trial: Trial, probe: str) -> str:
    """After how many of which stops it was left: ``3 of 8 stops by SIGTERM``."""
    ways = [str(sample.facts.get("stop", "")) for sample in trial.samples]
    tried = Counter(ways)
    left = Counter(way for way, value in zip(ways, left_of(trial, probe), strict=True) if value > 0)
    return ", ".join(f"{left[way]} of {count} stops by {way}" for way, count in tried.items() if left[way])


def first_named(trial: Trial, probe: str) -> str:
    """What the first stop left that left anything, by number and command."""
    return next((str(sample.facts[probe]) for sample in trial.samples if sample.facts.get(probe)), "")
