"""Between which bounds does a percentile lie? The limits that the verdict's own test calls over and under.

Each bound holds with the stated confidence at whatever count the sampling stopped, since it is the same sequential
test turned round: a target passes exactly where its limit is above the upper bound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from synapse_perf.analyze.boundary import FIRST_LOOK
from synapse_perf.analyze.percentile import Tail
from synapse_perf.analyze.summary import PERCENTILES, Groups, process_medians
from synapse_perf.model import Statistic

HALVINGS = 40  # of the range of the samples: far below what any clock resolves


class Bounds(NamedTuple):
    """None where so few samples or processes bound nothing on that side."""

    low: float | None
    high: float | None


def percentile_bounds(groups: Groups, statistic: Statistic, confidence: float, first: int = FIRST_LOOK) -> Bounds:
    """Of a percentile of times in several processes; `first` is from how many on the verdict was asked for."""
    filled = [group for group in groups if group]
    if len(filled) < first:
        return Bounds(None, None)
    probability, error = PERCENTILES[statistic], 1 - confidence

    def is_on(side: str) -> Callable[[float], bool]:
        return lambda limit: Tail.of(filled, probability, limit).side(len(filled), error, first) == side

    pooled, medians = [value for group in filled for value in group], process_medians(filled)
    least, most = min(pooled), max(pooled)
    # No bound is further out than the worst sample, moved by what so few processes leave open about their levels.
    reach = 20 * (max(medians) - min(medians)) + (most - least) or abs(most) or 1.0
    return Bounds(_edge(is_on("over"), least - reach, most + reach), _edge(is_on("under"), most + reach, least - reach))


def _edge(holds: Callable[[float], bool], inside: float, outside: float) -> float | None:
    """The last value from `inside` towards `outside` for which it holds; None where it holds nowhere."""
    if not holds(inside):
        return None
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        if holds(middle):
            inside = middle
        else:
            outside = middle
    return inside
