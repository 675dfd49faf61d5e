from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product

import pytest

from synapse_perf.retrieval.exact import Recall
from synapse_perf.retrieval.indexes import Range
from synapse_perf.retrieval.operating_points import Operating, explore, fastest

NPROBE = Range("nprobe", tuple(1 << power for power in range(9)))
K_FACTOR = Range("k_factor", tuple(1 << power for power in range(10)))


class Landscape:
    """Recall that grows with each parameter up to a ceiling, and time that grows with each."""

    def __init__(self, half: float, *, ceiling: float = 1.0, refine_half: float = 2.0) -> None:
        self.half, self.ceiling, self.refine_half = half, ceiling, refine_half
        self.asked: list[dict[str, int]] = []

    def recall(self, point: Mapping[str, int]) -> float:
        found = self.ceiling * (1 - math.exp(-point["nprobe"] / self.half))
        return found * (1 - math.exp(-point["k_factor"] / self.refine_half)) if "k_factor" in point else found

    def time_s(self, point: Mapping[str, int]) -> float:
        return 1e-5 + 4e-6 * point["nprobe"] + 1.5e-6 * point.get("k_factor", 0)

    def measure(self, point: Mapping[str, int]) -> Operating:
        self.asked.append(dict(point))
        recall, time_s = self.recall(point), self.time_s(point)
        return Operating(dict(point), Recall(recall, recall, recall, 100, 10), time_s, time_s, time_s, time_s, 100)


def _suffices(recall: Recall) -> bool:
    return recall.value >= 0.95


@pytest.mark.parametrize("half", [0.3, 1.0, 3.0, 11.0, 40.0, 70.0])
def test_the_smallest_value_that_suffices_is_found_within_the_precision(half: float) -> None:
    landscape = Landscape(half)
    best = fastest(explore([NPROBE], landscape.measure, _suffices), _suffices)
    needed = next(value for value in range(1, 257) if landscape.recall({"nprobe": value}) >= 0.95)
    assert best is not None
    assert needed <= best.point["nprobe"] <= max(needed + 1, 1.13 * needed)
    assert len(landscape.asked) <= 14


@pytest.mark.parametrize(("half", "refine_half"), [(1.0, 0.5), (1.0, 4.0), (4.0, 2.0), (20.0, 1.0), (8.0, 30.0)])
def test_two_parameters_are_set_to_within_a_tenth_of_the_fastest_pair(half: float, refine_half: float) -> None:
    landscape = Landscape(half, refine_half=refine_half)
    best = fastest(explore([NPROBE, K_FACTOR], landscape.measure, _suffices), _suffices)
    pairs = ({"nprobe": one, "k_factor": other} for one, other in product(range(1, 257), range(1, 513)))
    optimum = min(landscape.time_s(pair) for pair in pairs if landscape.recall(pair) >= 0.95)
    assert best is not None
    assert best.p50_s <= 1.1 * optimum
    assert len(landscape.asked) <= 45  # of 131,072


def test_nothing_is_measured_twice() -> None:
    landscape = Landscape(8.0)
    explore([NPROBE, K_FACTOR], landscape.measure, _suffices)
    asked = [tuple(point.items()) for point in landscape.asked]
    assert len(asked) == len(set(asked))


def test_a_ceiling_below_what_is_wanted_is_noticed_before_the_last_value() -> None:
    landscape = Landscape(1.0, ceiling=0.9)
    found = explore([NPROBE], landscape.measure, _suffices)
    assert fastest(found, _suffices) is None
    assert max(point["nprobe"] for point in landscape.asked) < 64


def test_the_curve_goes_on_a_little_beyond_what_suffices() -> None:
    found = explore([NPROBE], Landscape(3.0).measure, _suffices)
    best = fastest(found, _suffices)
    assert best is not None
    assert max(one.recall.value for one in found) > best.recall.value
    assert max(one.p50_s for one in found) < 4 * best.p50_s


def test_settings_above_the_limit_are_left_out() -> None:
    landscape = Landscape(60.0)
    explore([NPROBE], landscape.measure, _suffices, limit_s=1e-4)
    assert max(landscape.time_s(point) for point in landscape.asked) < 2.5e-4  # the first above it ends the climb
    assert len(landscape.asked) <= 7


def test_a_first_look_measures_less() -> None:
    thorough, first = Landscape(11.0), Landscape(11.0)
    explore([NPROBE], thorough.measure, _suffices)
    best = fastest(explore([NPROBE], first.measure, _suffices, is_first_look=True), _suffices)
    assert len(first.asked) < len(thorough.asked)
    assert best is not None


@pytest.mark.parametrize("near", [1, 8, 64, 256])
@pytest.mark.parametrize("half", [0.3, 3.0, 40.0])
def test_a_setting_that_sufficed_elsewhere_is_only_where_the_search_begins(half: float, near: int) -> None:
    landscape = Landscape(half)
    best = fastest(explore([NPROBE], landscape.measure, _suffices, near={"nprobe": near}), _suffices)
    needed = next(value for value in range(1, 257) if landscape.recall({"nprobe": value}) >= 0.95)
    assert best is not None
    assert needed <= best.point["nprobe"] <= max(needed + 1, 1.13 * needed)


def test_a_good_beginning_saves_measurements() -> None:
    blind, told = Landscape(40.0), Landscape(40.0)
    explore([NPROBE], blind.measure, _suffices)
    explore([NPROBE], told.measure, _suffices, near={"nprobe": 100})
    assert len(told.asked) < len(blind.asked) - 3


def test_an_index_without_parameters_is_measured_once() -> None:
    asked = []

    def measure(point: Mapping[str, int]) -> Operating:
        asked.append(point)
        return Operating(point, Recall(1, 1, 1, 1, 1), 1, 1, 1, 1, 1)

    assert len(explore([], measure, _suffices)) == 1
    assert asked == [{}]
