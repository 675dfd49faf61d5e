"""Which statistics do these samples support, and how sure are they?

One inner sequence is one process. The median is that of the processes, each with the median of its own samples, so that
the estimate and its interval speak of the same thing; percentiles are those of all samples together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from synapse_perf.model import Interval, Statistic, Summary

LEAST_FOR_MEDIAN = 6
PERCENTILES: dict[Statistic, float] = {"median": 0.5, "p90": 0.90, "p95": 0.95, "p99": 0.99}

Groups = Sequence[Sequence[float]]


def summarize(groups: Groups, confidence: float = 0.95) -> Summary:
    """Statistics of the samples of several processes; one that the count cannot support is None.

    A value that is not a number takes every statistic with it: an unknown sample has no place in an order.
    """
    filled = [group for group in groups if group]
    pooled = [value for group in filled for value in group]
    if any(math.isnan(value) for value in pooled):
        return Summary(len(pooled), len(filled), None, None, None, None, None)
    medians = process_medians(filled)
    return Summary(
        count=len(pooled),
        processes=len(filled),
        median=quantile(medians, 0.5) if len(pooled) >= LEAST_FOR_MEDIAN else None,
        p90=_supported_percentile(pooled, "p90", confidence),
        p95=_supported_percentile(pooled, "p95", confidence),
        p99=_supported_percentile(pooled, "p99", confidence),
        interval=median_interval(medians, confidence) if len(medians) >= LEAST_FOR_MEDIAN else None,
    )


def process_medians(groups: Groups) -> list[float]:
    """One value per process that has samples: the median of its own."""
    return [quantile(group, 0.5) for group in groups if group]


def quantile(values: Sequence[float], probability: float) -> float:
    """The smallest value with at least this share of the values at or under it; the mean of the two where it is a tie.

    Definition 2 of R. J. Hyndman, Y. Fan, The American Statistician 50, 1996, 361-365: every percentile is a measured
    value or the middle of two, and the median of an even count is the usual one.
    """
    ordered = sorted(values)
    position = probability * len(ordered)
    nearest = round(position)
    if math.isclose(position, nearest, rel_tol=1e-12) and 0 < nearest < len(ordered):
        low, high = ordered[nearest - 1], ordered[nearest]
        return low if low == high else low + (high - low) / 2
    return ordered[max(0, math.ceil(position - 1e-9) - 1)]


def least_for_percentile(probability: float, confidence: float = 0.95) -> int:
    """The fewest samples whose largest is an upper bound of the percentile: probability ** count <= 1 - confidence.

    One-sided order-statistic bound: S. S. Wilks, Ann. Math. Stat. 12, 1941, 91-96; 29, 59 and 299 samples for p90, p95
    and p99 at 95 %.
    """
    return math.ceil(math.log(1 - confidence) / math.log(probability) - 1e-9)


def median_interval(values: Sequence[float], confidence: float) -> Interval | None:
    """The narrowest interval between the k-th smallest and the k-th largest value that holds the median.

    Distribution-free: it misses with a chance of 2 * P(Binomial(n, 1/2) < k) at most (H. A. David, H. N. Nagaraja,
    Order Statistics, 3rd ed. 2003, section 7.1). None when even the smallest and the largest miss too often.
    """
    count = len(values)
    ordered = sorted(values)
    rank, misses = 0, 1  # misses: paths of `count` fair coins with fewer than `rank` + 1 heads
    while 2 * misses / 2**count <= 1 - confidence + 1e-12:
        rank += 1
        misses += math.comb(count, rank)
    return Interval("median", ordered[rank - 1], ordered[count - rank], confidence) if rank else None


def _supported_percentile(pooled: Sequence[float], statistic: Statistic, confidence: float) -> float | None:
    probability = PERCENTILES[statistic]
    if len(pooled) < least_for_percentile(probability, confidence):
        return None
    return quantile(pooled, probability)
