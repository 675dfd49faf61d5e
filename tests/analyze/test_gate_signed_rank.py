"""The arithmetic of a gate's decision against enumeration: every choice of signs of every small set of differences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from synapse_perf.analyze.gate_signed_rank import bounds, centre, critical_sum, holm, least_pairs, p_value

DIFFERENCES = st.lists(st.sampled_from([-3.0, -2.0, -1.5, -1.0, 0.0, 1.0, 1.5, 2.0, 3.0]), min_size=1, max_size=7)


def mean_ranks(values: Sequence[float]) -> list[float]:
    sizes = [abs(value) for value in values]
    return [1 + sum(other < size for other in sizes) + (sizes.count(size) - 1) / 2 for size in sizes]


@given(DIFFERENCES)
def test_p_is_the_share_of_all_signs_that_give_as_large_a_sum(differences: list[float]) -> None:
    values = [value for value in differences if value]
    ranks = mean_ranks(values)
    observed = sum(rank for rank, value in zip(ranks, values, strict=True) if value > 0)
    sums = [
        sum(rank for rank, is_up in zip(ranks, signs, strict=True) if is_up)
        for signs in itertools.product((False, True), repeat=len(values))
    ]
    assert p_value(differences) == sum(total >= observed for total in sums) / len(sums)


@pytest.mark.parametrize("count", [8, 12, 30])
def test_p_is_that_of_scipy_where_no_two_sizes_are_alike(count: int) -> None:
    differences = np.random.default_rng(count).normal(0.3, 1, count)
    theirs = stats.wilcoxon(differences, alternative="greater", method="exact").pvalue
    assert p_value(differences.tolist()) == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("count", range(1, 10))
@pytest.mark.parametrize("error", [0.25, 0.05, 0.02, 0.001])
def test_the_critical_sum_is_the_largest_that_is_rare_enough(count: int, error: float) -> None:
    sums = [
        sum(rank for rank, is_up in enumerate(signs, 1) if is_up)
        for signs in itertools.product((False, True), repeat=count)
    ]
    rare = [w for w in range(count * (count + 1) // 2 + 1) if sum(total <= w for total in sums) <= error * len(sums)]
    assert critical_sum(count, error) == max(rare, default=-1)


@pytest.mark.parametrize("count", [5, 8])
@pytest.mark.parametrize("error", [0.05, 0.1])
def test_a_bound_is_where_the_test_stops_rejecting(count: int, error: float) -> None:
    """A centre above the upper bound is rejected, one below it is not; the lower bound mirrors it."""
    differences = np.random.default_rng(count).normal(0.2, 1, count).tolist()
    low, high = bounds(differences, error)
    above, below = ([tried - value for value in differences] for tried in (high + 1e-9, high - 1e-9))
    assert p_value(above) <= error < p_value(below)
    assert bounds([-value for value in differences], error) == (-high, -low)


def test_few_pairs_bound_nothing() -> None:
    assert bounds([0.1, 0.2, 0.3, 0.4], 0.05) == (-math.inf, math.inf)
    assert bounds([0.1, 0.2, 0.3, 0.4, 0.5], 0.05) == (0.1, 0.5)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8))
def test_the_centre_is_the_median_of_all_means_of_two(differences: list[float]) -> None:
    means = [(one + two) / 2 for place, one in enumerate(differences) for two in differences[place:]]
    assert centre(differences) == pytest.approx(float(np.median(means)))


@pytest.mark.parametrize(("error", "least"), [(0.5, 1), (0.25, 2), (0.02, 6), (0.02 / 12, 10), (0.001, 10)])
def test_least_pairs_are_the_first_that_can_reject(error: float, least: int) -> None:
    assert least_pairs(error) == least
    assert 2.0**-least <= error < 2.0 ** -(least - 1)


def test_holm_on_a_worked_example() -> None:
    """0.01 <= 0.05 / 4, 0.013 <= 0.05 / 3, 0.04 > 0.05 / 2: what comes after stays, whatever it is."""
    assert holm([0.04, 0.01, 0.045, 0.013], 0.05) == [False, True, False, True]
    assert holm([], 0.05) == []


@given(st.lists(st.floats(0, 1), max_size=6), st.sampled_from([0.02, 0.05, 0.5]))
def test_holm_is_the_closed_test_of_bonferroni(p_values: list[float], error: float) -> None:
    """A hypothesis falls if each intersection that it is part of falls by its smallest p."""
    places = range(len(p_values))
    subsets = [chosen for size in places for chosen in itertools.combinations(places, size + 1)]
    falls = {chosen: min(p_values[place] for place in chosen) <= error / len(chosen) for chosen in subsets}
    expected = [all(falls[chosen] for chosen in subsets if place in chosen) for place in places]
    assert holm(p_values, error) == expected


@pytest.mark.parametrize("count", [6, 10])
def test_the_bound_misses_as_rarely_as_stated_whatever_the_noise(count: int) -> None:
    """Noise with lasting drifts and heavy tails: the coin of the order alone makes it symmetric."""
    rng = np.random.default_rng(7)
    missed = 0
    for _ in range(2000):
        walk = np.cumsum(rng.standard_cauchy(2 * count)).reshape(count, 2)
        coins = rng.choice([-1, 1], count)
        missed += bounds(((walk[:, 1] - walk[:, 0]) * coins).tolist(), 0.05)[1] < 0
    assert missed / 2000 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)
