"""Does a series rise, by how much for each step, how sure is that, and does it slow down?

Kendall's test and Sen's slope (H. B. Mann, Econometrica 13, 1945, 245-259; P. K. Sen, J. Am. Stat. Assoc. 63, 1968,
1379-1389), and the test of H. B. Mann and D. R. Whitney (Ann. Math. Stat. 18, 1947, 50-60). All ask only for the order
of values, so that a jump or an outlier counts no more than any other step. The number of points is small, so all pairs
are looked at. What a slope is worth where the level wanders is told by the ratio of variances (A. W. Lo and
A. C. MacKinlay, Rev. Financ. Stud. 1, 1988, 41-66).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from statistics import NormalDist, fmean, median


@dataclass(frozen=True, slots=True)
class Slope:
    """Growth for each step with its two-sided interval."""

    middle: float
    low: float
    high: float


def rising_p(series: Sequence[float]) -> float:
    """The one-sided p-value of Mann and Kendall's test that a series rises; ties make it more careful."""
    deviation = math.sqrt(_variance(series))
    if deviation == 0:
        return 1.0
    score = sum((later > earlier) - (later < earlier) for earlier, later in combinations(series, 2))
    # Corrected for continuity, towards no trend.
    corrected = score - 1 if score > 0 else score + 1 if score < 0 else 0
    return 1 - NormalDist().cdf(corrected / deviation)


def slope_of(series: Sequence[float], confidence: float) -> Slope:
    """The median of the slopes between all pairs of points, and the ranks that hold the true one."""
    if min(series) == max(series):
        return Slope(0.0, 0.0, 0.0)
    slopes = sorted((later - earlier) / (j - i) for (i, earlier), (j, later) in combinations(enumerate(series), 2))
    half_width = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(_variance(series))
    lower = max(0, round((len(slopes) - half_width) / 2) - 1)
    upper = min(len(slopes) - 1, round((len(slopes) + half_width) / 2))
    return Slope(median(slopes), slopes[lower], slopes[upper])


def noise_of(series: Sequence[float], slope: float) -> float:
    """The spread of a series around its line, as the standard deviation of a normal one: 1.4826 times the MAD."""
    residuals = [value - slope * place for place, value in enumerate(series)]
    middle = median(residuals)
    return 1.4826 * median(abs(value - middle) for value in residuals)


def largest_step(series: Sequence[float]) -> float:
    return max(steps_of(series))


def steps_of(series: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(series)]


def mean_step(series: Sequence[float]) -> float:
    return (series[-1] - series[0]) / (len(series) - 1)


def smaller_p(earlier: Sequence[float], later: Sequence[float]) -> float:
    """The one-sided p-value of Mann and Whitney's test that the later values are smaller than the earlier ones."""
    n, m = len(earlier), len(later)
    ties = sum(count**3 - count for count in Counter([*earlier, *later]).values())
    deviation = math.sqrt(n * m / 3 * (n + m + 1 - ties / ((n + m) * (n + m - 1))))
    if deviation == 0:
        return 1.0
    score = sum((one > other) - (one < other) for one, other in product(earlier, later))
    return 1 - NormalDist().cdf((score - 1) / deviation)


def slope_error(series: Sequence[float], lag: int, points: int) -> float:
    """The standard error that the slope of so many points has in such a series, whose level wobbles and wanders.

    Over `lag` steps a level that only wobbles comes no further from its line than over one; a random walk does.
    """
    wander, wobble = _wander_and_wobble(series, lag)
    return math.sqrt(1.2 * wander / points + 12 * wobble / points**3)


def step_variation(series: Sequence[float], lag: int) -> float:
    """The standard deviation of what a step adds for good, as a share of the mean step; wobbling adds nothing."""
    mean = mean_step(series)
    return math.sqrt(_wander_and_wobble(series, lag)[0]) / mean if mean > 0 else math.inf


def _wander_and_wobble(series: Sequence[float], lag: int) -> tuple[float, float]:
    """The variances of what each step adds for good, and of what is gone with the next."""
    slope = mean_step(series)
    near, far = (
        fmean((later - earlier - by * slope) ** 2 for earlier, later in zip(series, series[by:], strict=False))
        for by in (1, lag)
    )
    wander = max(0.0, (far - near) / (lag - 1))
    return wander, max(0.0, (near - wander) / 2)


def _variance(series: Sequence[float]) -> float:
    """Of Kendall's score, with the correction for ties."""
    n = len(series)
    ties = sum(count * (count - 1) * (2 * count + 5) for count in Counter(series).values())
    return (n * (n - 1) * (2 * n + 5) - ties) / 18
