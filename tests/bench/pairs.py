"""Compares two ways to do the same thing in one interleaved run, until the ratio is known well enough."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from synapse_perf.analyze.summary import median_interval

HALF_WIDTH = 0.03
CONFIDENCE = 0.95
FEWEST, MOST = 12, 400


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the paired ratios with its distribution-free interval, and how many pairs that took."""

    median: float
    low: float
    high: float
    pairs: int

    @property
    def is_known_well(self) -> bool:
        return self.high - self.low <= 2 * HALF_WIDTH

    def __str__(self) -> str:
        return f"ratio {self.median:.3f} (95 % {self.low:.3f}-{self.high:.3f}, {self.pairs} pairs)"


def paired_ratio(ours: Callable[[], float], theirs: Callable[[], float], *, most: int = MOST, seed: int = 0) -> Ratio:
    """Seconds of ours over seconds of theirs, pair by pair in random order, until the interval is ±0.03 or `most`."""
    order = random.Random(seed)
    ratios: list[float] = []
    while True:
        if order.random() < 0.5:
            first, second = ours(), theirs()
        else:
            second, first = theirs(), ours()
        ratios.append(first / second)
        if len(ratios) < FEWEST:
            continue
        interval = median_interval(ratios, CONFIDENCE)
        assert interval is not None
        found = Ratio(statistics.median(ratios), interval.low, interval.high, len(ratios))
        if found.is_known_well or len(ratios) >= most:
            return found
