"""By how much do paired differences lie to one side, and how sure is that? Exact, for any symmetric noise.

Wilcoxon's signed-rank test and what follows from it (M. Hollander, D. A. Wolfe, E. Chicken, Nonparametric Statistical
Methods, 3rd ed. 2014, sections 3.1 to 3.3). A gate throws a coin for the order of each pair. Where both arms are the
same code, that coin alone gives a difference its sign, and the test is exact whatever the noise is: no normal
distribution, no independence of one pair from the next, no steady machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate


def p_value(differences: Sequence[float]) -> float:
    """The chance of a rank sum of the positive differences as large as this one if every sign were a fair coin.

    Equal sizes share the mean of their ranks; a difference of zero has no sign and is left out.
    """
    sizes = sorted(abs(value) for value in differences if value)
    if not sizes:
        return 1.0
    ranks = _doubled_ranks(sizes)
    by_size = dict(zip(sizes, ranks, strict=True))
    observed = sum(by_size[value] for value in differences if value > 0)
    return float(_at_least(ranks)[observed] / 2 ** len(sizes))


def centre(differences: Sequence[float]) -> float:
    """The Hodges-Lehmann estimate: the median of the means of every two differences."""
    means = _walsh_averages(tuple(differences))
    half = len(means) // 2
    return means[half] if len(means) % 2 else (means[half - 1] + means[half]) / 2


def bounds(differences: Sequence[float], error: float) -> tuple[float, float]:
    """What the true centre lies below and above with a chance of at most `error` each; infinite for too few."""
    outside = critical_sum(len(differences), error)
    if outside < 0:
        return -math.inf, math.inf
    means = _walsh_averages(tuple(differences))
    return means[outside], means[len(means) - 1 - outside]


def critical_sum(count: int, error: float) -> int:
    """The largest rank sum that so many fair coins do not exceed with a chance of at most `error`; -1: none."""
    at_least = _at_least(tuple(range(2, 2 * count + 1, 2)))
    allowed = error * 2**count * (1 + 1e-12)
    outside = -1
    # P(W <= w) = P(W >= largest - w): the distribution is symmetric.
    while at_least[len(at_least) - 1 - 2 * (outside + 1)] <= allowed:
        outside += 1
    return outside


def least_pairs(error: float) -> int:
    """The fewest pairs that can ever be evidence at this level: all on one side has a chance of 2 ** -pairs."""
    return max(1, math.ceil(-math.log2(error) - 1e-9))


def holm(p_values: Sequence[float], error: float) -> list[bool]:
    """Which hypotheses fall, with a chance of at most `error` that a single true one is among them.

    S. Holm, Scand. J. Stat. 6, 1979, 65-70: the smallest p against error / m, the next against error / (m - 1) ...
    """
    rejected = [False] * len(p_values)
    for done, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[place] > error / (len(p_values) - done):
            break
        rejected[place] = True
    return rejected


@lru_cache(maxsize=64)
def _walsh_averages(differences: tuple[float, ...]) -> tuple[float, ...]:
    """Asked for by each bound and by the centre of the same differences."""
    return tuple(sorted((one + other) / 2 for place, one in enumerate(differences) for other in differences[place:]))


def _doubled_ranks(ordered: Sequence[float]) -> tuple[int, ...]:
    """Twice the rank of each size, which is whole where ranks are shared too."""
    first = {size: place for place, size in reversed(list(enumerate(ordered, 1)))}
    last = {size: place for place, size in enumerate(ordered, 1)}
    return tuple(first[size] + last[size] for size in ordered)


@lru_cache(maxsize=512)
def _at_least(doubled_ranks: tuple[int, ...]) -> tuple[int, ...]:
    """For every doubled rank sum, in how many of the 2 ** n choices of signs it is reached or passed."""
    ways = [1]
    for rank in doubled_ranks:
        grown = [*ways, *([0] * rank)]
        for place, count in enumerate(ways, rank):
            grown[place] += count
        ways = grown
    return tuple(reversed(list(accumulate(reversed(ways)))))
