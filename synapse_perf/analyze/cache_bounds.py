"""How often would an LRU cache of any size have had what was asked for, and how small may it be?

Stack distances give the hit rates of all sizes in one pass (R. L. Mattson, J. Gecsei, D. R. Slutz, I. L. Traiger, IBM
Systems Journal 9, 1970, 78-117): a request hits in a cache of n entries if fewer than n other keys were asked for since
the same key was last. The first request of each key misses in all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

KEEPS = 0.01  # of the hit rate, in points, that a bound may cost


@dataclass(frozen=True, slots=True)
class HitRates:
    """The hit rates of one stream for every bound."""

    requests: int
    distances: tuple[int, ...]  # of the requests whose key was asked for before, in order

    @property
    def unbounded(self) -> float:
        """The share of requests that repeat an earlier one."""
        return self.within(max(self.distances, default=0))

    def within(self, bound: int) -> float:
        """The hit rate of a cache with at most so many entries."""
        return bisect_right(self.distances, bound) / self.requests if self.requests else 0.0

    def smallest_bound(self, keeps: float = KEEPS) -> int:
        """The fewest entries with a hit rate at most `keeps` below that of a cache without a bound; 0 without hits."""
        needed = len(self.distances) - keeps * self.requests
        fewest = next(hits for hits in range(len(self.distances) + 1) if hits >= needed - 1e-9)
        return self.distances[fewest - 1] if fewest else 0


def hit_rates(keys: Sequence[Hashable]) -> HitRates:
    """Of the keys that were asked for, in order."""
    found = (distance for distance in stack_distances(keys) if distance is not None)
    return HitRates(len(keys), tuple(sorted(found)))


def stack_distances(keys: Sequence[Hashable]) -> list[int | None]:
    """For each request the entries that an LRU cache needs to have its key still; None for the first of a key.

    In n log n steps: a Fenwick tree over the requests counts the keys whose latest request lies after a moment.
    """
    latest: dict[Hashable, int] = {}
    tree = _Counts(len(keys))
    distances: list[int | None] = []
    for place, key in enumerate(keys):
        before = latest.get(key)
        distances.append(None if before is None else len(latest) - tree.up_to(before) + 1)
        if before is not None:
            tree.add(before, -1)
        tree.add(place, 1)
        latest[key] = place
    return distances


class _Counts:
    """Counts by place, with the sum up to any place in log n steps."""

    def __init__(self, size: int) -> None:
        self._tree = [0] * (size + 1)

    def add(self, place: int, count: int) -> None:
        at = place + 1
        while at < len(self._tree):
            self._tree[at] += count
            at += at & -at

    def up_to(self, place: int) -> int:
        """The sum of the places up to and with this one."""
        at, total = place + 1, 0
        while at:
            total += self._tree[at]
            at -= at & -at
        return total
