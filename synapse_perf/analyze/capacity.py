"""At how many vectors does a search take longer than its budget?

The time of a search above that of the call itself follows about a power of the number of vectors. The power is fitted
to a few sizes by least squares of the logarithms, each with the error that its percentile has over the queries, and
carried on to where it meets the budget, with the interval that the errors of fit and measurement give (delta method).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from synapse_perf.analyze.tuning import Capacity, format_count
from synapse_perf.units import format_duration

LEAST_SIZES = 3
FURTHEST = 30.0  # times the largest size that was measured: what lies beyond cannot be told from here
_NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class SizedLatency:
    """The percentile at one number of vectors, with its 95 % interval."""

    vectors: int
    p95_s: float
    low_s: float
    high_s: float


def capacity(sizes: Sequence[SizedLatency], call_s: float, budget_s: float) -> Capacity:
    """Where the budget breaks if the search goes on growing as it did."""
    sizes = sorted(sizes, key=lambda size: size.vectors)
    seen = tuple((size.vectors, size.p95_s) for size in sizes)
    if len(sizes) < LEAST_SIZES:
        return Capacity(None, None, None, f"{LEAST_SIZES} sizes are needed", seen)
    if budget_s <= call_s:
        return Capacity(None, None, None, f"the call alone takes {format_duration(call_s)}", seen)
    fit = _fit([_logs(size, call_s) for size in sizes])
    if fit.slope <= _NORMAL_95 * math.sqrt(fit.slope_variance):
        return Capacity(None, None, None, "cannot tell: the search did not clearly grow with the vectors", seen)
    at = (math.log(budget_s - call_s) - fit.level) / fit.slope  # from the middle of the sizes, in logarithms
    error = math.sqrt(fit.level_variance + at**2 * fit.slope_variance) / fit.slope
    low, value, high = (math.exp(fit.middle + at + step * _NORMAL_95 * error) for step in (-1, 0, 1))
    largest = sizes[-1].vectors
    if low > FURTHEST * largest:
        reason = f"above {format_count(FURTHEST * largest)} vectors, which is as far as these sizes can tell"
        return Capacity(None, FURTHEST * largest, None, reason, seen)
    if high > FURTHEST * largest:
        return Capacity(None, low, None, f"cannot tell from these sizes, but above {format_count(low)} vectors", seen)
    return Capacity(value, low, high, "if the search goes on growing as it did", seen)


@dataclass(frozen=True, slots=True)
class _Fit:
    middle: float
    level: float
    slope: float
    level_variance: float
    slope_variance: float


def _logs(size: SizedLatency, call_s: float) -> tuple[float, float, float]:
    """Logarithms of the vectors and of the time above the call, and the variance of the latter."""
    above_s = max(size.p95_s - call_s, 0.05 * size.p95_s)
    error = max(size.high_s - size.low_s, 0.02 * size.p95_s) / (2 * _NORMAL_95) / above_s
    return math.log(size.vectors), math.log(above_s), error**2


def _fit(points: Sequence[tuple[float, float, float]]) -> _Fit:
    weights = [1 / variance for _, _, variance in points]
    total = sum(weights)
    middle = sum(weight * x for weight, (x, _, _) in zip(weights, points, strict=True)) / total
    level = sum(weight * y for weight, (_, y, _) in zip(weights, points, strict=True)) / total
    square = sum(weight * (x - middle) ** 2 for weight, (x, _, _) in zip(weights, points, strict=True))
    slope = sum(weight * (x - middle) * y for weight, (x, y, _) in zip(weights, points, strict=True)) / square
    misfit = sum(
        weight * (y - level - slope * (x - middle)) ** 2 for weight, (x, y, _) in zip(weights, points, strict=True)
    )
    inflation = max(1.0, misfit / (len(points) - 2))  # no power of the number fits: the interval has to say so
    return _Fit(middle, level, slope, inflation / total, inflation / square)
