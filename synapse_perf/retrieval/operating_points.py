"""Which settings of an index's search parameters are worth measuring to find the fastest that recalls enough?

A larger nprobe, efSearch or k_factor finds at least as much and takes at least as long. What was measured therefore
bounds what was not (`OperatingPointsWithRanges` of faiss.contrib.evaluation), and most settings need no measurement.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from synapse_perf.retrieval.exact import Recall
from synapse_perf.retrieval.indexes import Range

CLOSE = 1.13  # two values of a parameter between which no third is worth a measurement
ROUGH = 1.5  # the same for a first look
FLAT = 0.0005  # a step that adds less recall than this is followed by no further one
BEYOND = 1.5  # of one parameter, values up to this much slower than needed are measured too, for the curve
USUAL_K_FACTOR = 8
BELOW = 4  # times smaller than a value that sufficed elsewhere is where the search begins


class Operating(NamedTuple):
    """An index at one setting of its parameters."""

    point: Mapping[str, int]
    recall: Recall
    p50_s: float
    p95_s: float
    p95_low_s: float  # 95 % interval over queries
    p95_high_s: float
    timed: int  # queries that were timed


Measure = Callable[[Mapping[str, int]], Operating]
Suffices = Callable[[Recall], bool]
Key: TypeAlias = tuple[int, ...]


def explore(
    ranges: Sequence[Range],
    measure: Measure,
    suffices: Suffices,
    *,
    limit_s: float = math.inf,
    is_first_look: bool = False,
    near: Mapping[str, int] | None = None,
) -> list[Operating]:
    """Measure along the ranges until the fastest setting whose recall suffices is known to within a few percent.

    Everything that was measured, in the order of measuring. Settings that must be slower than `limit_s` are not; a
    first look is content with half as much precision and no curve. `near` is a setting that sufficed on fewer vectors.
    """
    if not ranges:
        return [measure({})]
    search = _Search(ranges, measure, suffices, limit_s, is_first_look)
    search.climb(near or {})
    search.walk()
    search.refine()
    return list(search.measured.values())


def fastest(measured: Sequence[Operating], suffices: Suffices) -> Operating | None:
    """The setting to choose, None where no recall suffices."""
    good = [one for one in measured if suffices(one.recall)]
    return min(good, key=lambda one: one.p50_s, default=None)


class _Search:
    def __init__(
        self, ranges: Sequence[Range], measure: Measure, suffices: Suffices, limit_s: float, is_first_look: bool
    ) -> None:
        from faiss.contrib.evaluation import OperatingPointsWithRanges

        self.names = [one.name for one in ranges]
        self.values = [one.values for one in ranges]
        self.known: Any = OperatingPointsWithRanges()
        for one in ranges:
            self.known.add_range(one.name, one.values)
        self.measured: dict[Key, Operating] = {}  # by the values, those between the ranges' as well
        self._measure = measure
        self._suffices = suffices
        self._limit_s = limit_s
        self._close = ROUGH if is_first_look else CLOSE
        self._beyond = BEYOND if len(ranges) == 1 and not is_first_look else 1.0

    def climb(self, near: Mapping[str, int]) -> None:
        """Up the first parameter, and up the next where that adds nothing any more, until the recall suffices.

        It begins well below what is known to be near, and goes down from there if that suffices at once.
        """
        wanted = [near.get(self.names[0], 0) // BELOW, *(near.get(name, USUAL_K_FACTOR) for name in self.names[1:])]
        key = [_closest(values, value) for values, value in zip(self.values, wanted, strict=True)]
        while key[0] and self._suffices(self._at(tuple(key)).recall):
            key[0] -= 1
        for place, values in enumerate(self.values):
            while not self._suffices((found := self._at(tuple(key))).recall):
                if found.p50_s > self._limit_s:
                    return
                if key[place] + 1 == len(values) or self._is_flat(tuple(key), place):
                    break
                key[place] += 1

    def walk(self) -> None:
        """Over all other settings, cheapest first, but only those that could still be chosen or shape the curve."""
        keys = itertools.product(*(range(len(values)) for values in self.values))
        for key in sorted(keys, key=lambda key: (sum(key), key)):
            if self._is_open(key):
                self._at(key)

    def refine(self) -> None:
        """Between the value of each parameter that suffices and the next smaller one that was tried."""
        for place in range(len(self.names)):
            best = fastest(list(self.measured.values()), self._suffices)
            if best is None:
                return
            for value in self._halvings(best, place):
                self._measure_at({**best.point, self.names[place]: value})

    def _halvings(self, best: Operating, place: int) -> Iterator[int]:
        name = self.names[place]
        high = best.point[name]
        low = max((value for value in self.values[place] if value < high), default=high)
        while low + 1 < high and high / low > self._close:
            middle = (low + high) // 2
            yield middle
            found = self.measured[self._values_of({**best.point, name: middle})]
            low, high = (low, middle) if self._suffices(found.recall) else (middle, high)

    def _is_open(self, key: Key) -> bool:
        import numpy as np

        if self._values_at(key) in self.measured or not self.known.should_run_experiment(np.array(key)):
            return False
        if any(self._is_past_a_flat_step(key, place) for place in range(len(key))):
            return False
        most_recall, least_s = self.known.predict_bounds(np.array(key))
        good = [one for one in self.measured.values() if self._suffices(one.recall)]
        if least_s > self._limit_s:
            return False
        if not good:
            return bool(most_recall > max(one.recall.value for one in self.measured.values()))
        least_recall = min(one.recall.value for one in good)
        return bool(least_s < self._beyond * min(one.p50_s for one in good) and most_recall >= least_recall)

    def _is_past_a_flat_step(self, key: Key, place: int) -> bool:
        return any(self._is_flat(_stepped(key, place, -back), place) for back in range(1, key[place]))

    def _is_flat(self, key: Key, place: int) -> bool:
        """Whether the step of one parameter up to this setting was measured and added next to nothing."""
        if key[place] == 0:
            return False
        here, before = (self.measured.get(self._values_at(one)) for one in (key, _stepped(key, place, -1)))
        return here is not None and before is not None and here.recall.value - before.recall.value < FLAT

    def _at(self, key: Key) -> Operating:
        import numpy as np

        is_new = self._values_at(key) not in self.measured
        found = self._measure_at(dict(zip(self.names, self._values_at(key), strict=True)))
        if is_new:
            self.known.add_operating_point(np.array(key), found.recall.value, found.p50_s)
        return found

    def _measure_at(self, point: Mapping[str, int]) -> Operating:
        values = self._values_of(point)
        if values not in self.measured:
            self.measured[values] = self._measure(point)
        return self.measured[values]

    def _values_at(self, key: Key) -> Key:
        return tuple(values[index] for values, index in zip(self.values, key, strict=True))

    def _values_of(self, point: Mapping[str, int]) -> Key:
        return tuple(point[name] for name in self.names)


def _stepped(key: Key, place: int, step: int) -> Key:
    return (*key[:place], key[place] + step, *key[place + 1 :])


def _closest(values: Sequence[int], wanted: int) -> int:
    return min(range(len(values)), key=lambda index: abs(values[index] - wanted))
