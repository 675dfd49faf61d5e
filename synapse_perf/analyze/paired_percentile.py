"""By how much do the percentiles of two things differ that were asked the same queries in the same processes?

Two sources of chance are kept apart. Processes differ, and each gives one difference of its own: their mean square
error, with Student's t for so few. And other queries would have given another percentile: the spread over resampled
queries, each drawn with all its answers in all processes and by both, as they come together. The half width covers the
sum of both variances, which counts what they share twice and so errs to the wide side (A. B. Owen, Ann. Appl. Stat. 1,
2007).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from synapse_perf.analyze.percentile import student_quantile
from synapse_perf.analyze.tuning import Spread

if TYPE_CHECKING:
    import numpy as np

    Values = np.ndarray[Any, np.dtype[np.float64]]

LEAST_PROCESSES = 6
RESAMPLES = 200

Processes = Sequence[Sequence[float]]  # one inner sequence a process, in the same order of queries


def percentile_spread(processes: Processes, probability: float, confidence: float) -> Spread:
    """The percentile of all latencies together, with its interval."""
    return difference(processes, None, probability, confidence)


def difference(one: Processes, other: Processes | None, probability: float, confidence: float) -> Spread:
    """How much larger the percentile of `one` is than that of `other`."""
    import numpy as np

    groups = [np.array(group, dtype=np.float64) for group in (one, other) if group is not None]
    value = _difference([_percentile(group, probability) for group in groups])
    count = len(groups[0])
    if count < LEAST_PROCESSES:
        return Spread(float(value))
    own = _difference([_percentile(group, probability, axis=1) for group in groups])
    between = float(np.var(own, ddof=1)) / count
    half = student_quantile(count, (1 - confidence) / 2) * math.sqrt(between + _over_queries(groups, probability))
    return Spread(float(value), float(value) - half, float(value) + half)


def _over_queries(groups: list[Values], probability: float) -> float:
    """The variance of the difference over resampled queries."""
    import numpy as np

    queries = groups[0].shape[1]
    rng = np.random.default_rng(0)
    drawn = [rng.integers(queries, size=queries) for _ in range(RESAMPLES)]
    found = [_difference([_percentile(group[:, chosen], probability) for group in groups]) for chosen in drawn]
    return float(np.var(found, ddof=1))


def _difference(values: list[Any]) -> Any:
    return values[0] - values[1] if len(values) == 2 else values[0]


def _percentile(values: Values, probability: float, axis: int | None = None) -> Any:
    import numpy as np

    return np.quantile(values, probability, axis=axis, method="inverted_cdf")
