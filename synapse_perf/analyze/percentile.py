"""Which side of a limit is a percentile on, when its samples come in processes?

A percentile q is under the limit when the share of samples past the limit is under 1 - q. Three conditions must hold at
once, each at the level that `boundary` allows at this look:
1. The count of samples past the limit is too small (or large) for the percentile to be on the other side: an exact
   binomial test, as MLPerf LoadGen decides percentiles. It assumes independent samples within a process.
2. That also holds with the limit moved by what so few processes leave open about their levels: by the distance of the
   exact one-sided tolerance bound of a normal distribution from its percentile, in standard deviations of the process
   medians (G. J. Hahn, W. Q. Meeker, Statistical Intervals, 1991, section 4.4). It assumes that the levels of processes
   differ about normally. One sample per process needs no such allowance.
3. The share past the limit differs so little between processes that a Student t test on the shares agrees, which
   catches samples past the limit that come in some processes only.
What no rule on so few processes can see is a state that it has not met: one that a share f of all processes is in stays
unseen in n of them with a chance of (1 - f) ** n.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from synapse_perf.analyze.boundary import Side, nominal_level
from synapse_perf.analyze.summary import Groups, process_medians

if TYPE_CHECKING:
    import numpy as np

    Values = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Tail:
    """What the samples of several processes say about a percentile and its limit."""

    samples: Values
    limit: float
    share: float  # of samples past the limit, if the percentile sat on it
    processes: int
    spread: float  # standard deviation of the process medians
    excess: float  # mean over processes of their share past the limit, less the share above
    deviation: float  # standard deviation over processes of their share past the limit

    @classmethod
    def of(cls, groups: Groups, probability: float, limit: float) -> Tail:
        """From at least two processes, each with at least one sample, none of them NaN."""
        import numpy as np

        samples = [np.asarray(group, dtype=np.float64) for group in groups]
        levels = np.sort([level for level in process_medians(groups) if math.isfinite(level)])  # any order, same sums
        is_clustered = len(levels) > 1 and max(len(group) for group in groups) > 1
        shares = np.sort([np.mean(values >= limit) for values in samples])
        return cls(
            samples=np.concatenate(samples),
            limit=limit,
            share=1 - probability,
            processes=len(groups),
            spread=float(levels.std(ddof=1)) if is_clustered else 0.0,
            excess=float(shares.mean()) - (1 - probability),
            deviation=float(shares.std(ddof=1)),
        )

    def side(self, processes: int, error: float, first: int) -> Side | None:
        """The side that is shown by these samples, or would be by more processes that give samples like these."""
        level = nominal_level(processes, error, first)
        growth = processes / self.processes
        allowance = level_allowance(processes, level, 1 - self.share)
        most, least = count_bounds(round(len(self.samples) * growth), self.share, level)
        margin = student_quantile(processes, level) * self.deviation / math.sqrt(processes)
        if -self.excess >= margin and round(self._over(-allowance.upward * self.spread) * growth) <= most:
            return "under"
        if self.excess >= margin and round(self._over(allowance.downward * self.spread) * growth) >= least:
            return "over"
        return None

    def _over(self, allowance: float) -> int:
        return int((self.samples >= self.limit + allowance).sum())


@dataclass(frozen=True, slots=True)
class Allowance:
    """How far a percentile may lie above and below where the levels of the processes put it, in their deviations."""

    upward: float
    downward: float


@lru_cache(maxsize=1024)
def level_allowance(processes: int, level: float, probability: float) -> Allowance:
    """From the noncentral t distribution that mean + k * deviation of a normal sample follows."""
    from scipy import special

    normal, root = float(special.ndtri(probability)), math.sqrt(processes)
    bounds = special.nctdtrit(processes - 1, normal * root, [1 - level, level]) / root
    return Allowance(float(bounds[0]) - normal, normal - float(bounds[1]))


@lru_cache(maxsize=1024)
def student_quantile(processes: int, level: float) -> float:
    """The Student t that a mean over so many processes exceeds with a chance of `level`."""
    from scipy import special

    return float(special.stdtrit(processes - 1, 1 - level))


@lru_cache(maxsize=1024)
def count_bounds(count: int, share: float, level: float) -> tuple[int, int]:
    """Most and fewest of `count` samples past a limit that the given share past it would produce this rarely.

    The largest k with P(Binomial <= k) <= level, -1 for none, and the smallest k with P(Binomial >= k) <= level,
    count + 1 for none.
    """
    import numpy as np
    from scipy import special

    at_most = special.bdtr(np.arange(count + 1, dtype=np.float64), count, share)  # P(Binomial <= 0), ... <= count
    most = int(np.searchsorted(at_most, level, side="right")) - 1
    least = int(np.argmax(1 - at_most <= level)) + 1
    return most, least
