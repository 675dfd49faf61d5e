"""How sure is a share of queries that came in clusters, such as those that were in time in each process?

Queries of one process are alike: they share its level, and those that wait behind each other are late together. The
interval is that of Clopper and Pearson for as many independent queries as these are worth (E. L. Korn, B. I. Graubard,
Survey Methodology 24, 1998, 193-201): their number over the design effect, with the few processes accounted for by the
ratio of Student's t. Where all queries are on one side of the limit their clustering cannot be seen there; so the
design effect is the larger of that at the limit and that at the median of the latencies, where it shows best.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from synapse_perf.analyze.summary import LEAST_FOR_MEDIAN, Groups, quantile

LOST = math.inf  # the latency of a query without an answer


def share_below(groups: Groups, limit: float) -> float:
    """Of all samples together."""
    return sum(value < limit for group in groups for value in group) / sum(map(len, groups))


def share_interval(groups: Groups, limit: float, confidence: float) -> tuple[float, float] | None:
    """Bounds of the share of samples below a limit, one inner sequence a process; None for too few processes."""
    from scipy import special

    filled = [group for group in groups if group]
    if len(filled) < LEAST_FOR_MEDIAN:
        return None
    from synapse_perf.analyze.percentile import student_quantile

    count, tail = sum(map(len, filled)), (1 - confidence) / 2
    middle = quantile([value for group in filled for value in group], 0.5)
    effect = max(1.0, _design_effect(filled, limit), _design_effect(filled, middle))
    few = student_quantile(count, tail) / student_quantile(len(filled), tail)
    worth = count / effect * few**2
    hits = share_below(filled, limit) * worth
    low = float(special.betaincinv(hits, worth - hits + 1, tail)) if hits > 0 else 0.0
    high = float(special.betaincinv(hits + 1, worth - hits, 1 - tail)) if hits < worth else 1.0
    return low, high


def _design_effect(groups: Sequence[Sequence[float]], limit: float) -> float:
    """The variance of the share over processes, by that of as many independent samples."""
    counts = [len(group) for group in groups]
    below = [sum(value < limit for value in group) for group in groups]
    total, share = sum(counts), sum(below) / sum(counts)
    if not 0 < share < 1:
        return 1.0
    squares = sum((hits - share * count) ** 2 for hits, count in zip(below, counts, strict=True))
    variance = squares * len(groups) / (len(groups) - 1) / total**2
    return variance / (share * (1 - share) / total)
