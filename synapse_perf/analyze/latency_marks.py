"""Did the machine keep its speed while it was asked, and were the processes steady? What to say where not."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from synapse_perf.analyze.summary import median_interval
from synapse_perf.model import Json, Trial

SLOWER = -0.05  # of the decode rate: a change that is worth a mark
OVER_THE_RUN = 0.99  # confidence of a trend over the processes of a run, so that few steady runs are marked
RATE = "decode_rate"


class _Point(NamedTuple):
    """How fast one process decoded, relative to its arm, and when in the run."""

    at_s: float
    rate: float


def speed_warnings(trials: Sequence[Trial], confidence: float) -> list[str]:
    """One line for each way in which the figures are marked: slowing down, throttling, no steady state."""
    throttled = [trial for trial in trials if _number(trial.facts.get("throttle_events"))]
    unsteady = [trial for trial in trials if trial.facts.get("steady") is False]
    found = [*_slowing(trials, confidence), *_slower_in_the_end(trials)]
    if throttled:
        found.append(
            f"heat slowed the processor in {len(throttled)} of {len(trials)} trials: let the machine cool, or measure "
            "with longer pauses"
        )
    if unsteady:
        found.append(f"{len(unsteady)} of {len(trials)} processes not steady after their warm-up queries")
    return found


def _slowing(trials: Sequence[Trial], confidence: float) -> list[str]:
    """By arm, where the interval over its processes shows it: one process alone drifts by chance."""
    found = []
    for arm in dict.fromkeys(trial.spec.arm for trial in trials):
        changes = [change for trial in trials if trial.spec.arm == arm and (change := _drift(trial)) is not None]
        interval = median_interval(changes, confidence)
        if interval is not None and interval.high < SLOWER:
            slower = -statistics.median(changes) * 100
            found.append(f"{arm}: decoding became {slower:.0f} % slower within a process (heat, or others that began)")
    return found


def _slower_in_the_end(trials: Sequence[Trial]) -> Iterator[str]:
    """From the first processes to the last, where the trend is no chance and large enough to matter.

    Processes are compared with others of their arm only, and what these comparisons say is added up: the seasonal
    Kendall test (R. M. Hirsch, J. R. Slack, Water Resources Research 20, 1984, 727-732), one-sided; the size of the
    change is the median of all slopes between two of an arm.
    """
    arms = _rates_by_arm(trials)
    score = sum(_sign(late.rate - early.rate) for points in arms for early, late in combinations(points, 2))
    variance = sum(n * (n - 1) * (2 * n + 5) / 18 for n in map(len, arms))
    if variance == 0 or (score + 1) / math.sqrt(variance) > statistics.NormalDist().inv_cdf(1 - OVER_THE_RUN):
        return
    slopes = [
        (late.rate - early.rate) / (late.at_s - early.at_s)
        for points in arms
        for early, late in combinations(points, 2)
    ]
    span_s = max(points[-1].at_s for points in arms) - min(points[0].at_s for points in arms)
    change = statistics.median(slopes) * span_s
    if change < SLOWER:
        yield (
            f"decoding became {min(-change, 1.0) * 100:.0f} % slower from the first processes to the last (heat, or "
            "others that began): the figures are a mix of both"
        )


def _rates_by_arm(trials: Sequence[Trial]) -> list[list[_Point]]:
    """In the order of the run, relative to the median of the arm; arms of one process say nothing."""
    found: dict[str, list[_Point]] = {}
    at_s = 0.0
    for trial in trials:
        rates = [
            value.value
            for sample in trial.samples
            for value in sample.values
            if value.metric == RATE and "state" not in value.labels
        ]
        if rates:
            found.setdefault(trial.spec.arm, []).append(_Point(at_s, statistics.median(rates)))
        at_s += trial.wall_s
    middles = {arm: statistics.median(point.rate for point in points) for arm, points in found.items()}
    return [
        [point._replace(rate=point.rate / middles[arm]) for point in points]
        for arm, points in found.items()
        if len(points) > 1 and middles[arm] > 0
    ]


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _drift(trial: Trial) -> float | None:
    drift = trial.facts.get("drift")
    return _number(drift.get("change")) if isinstance(drift, Mapping) else None


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
