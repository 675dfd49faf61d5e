"""Kendall's test and Sen's slope against SciPy's, and by hand."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import accumulate
from statistics import fmean, median, stdev
from typing import Any

import pytest
from scipy import stats

from synapse_perf.analyze.leak_trend import (
    largest_step,
    mean_step,
    noise_of,
    rising_p,
    slope_error,
    slope_of,
    smaller_p,
    step_variation,
    steps_of,
)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("slope", [-0.1, 0.0, 0.05])
def test_the_slope_and_its_bounds_are_those_of_scipy(seed: int, slope: float) -> None:
    draw = random.Random(seed)
    series = [slope * place + draw.gauss(0, 1) for place in range(40)]

    ours, theirs = slope_of(series, 0.95), stats.theilslopes(series, alpha=0.95)

    assert ours.middle == pytest.approx(theirs.slope)
    assert (ours.low, ours.high) == pytest.approx((theirs.low_slope, theirs.high_slope))


@pytest.mark.parametrize("values", [range(20), [0, 1] * 15, [place // 4 for place in range(24)], [0.0] * 12])
def test_the_p_value_is_about_that_of_kendalls_tau(values: list[float]) -> None:
    series = [float(value) for value in values]
    expected = stats.kendalltau(range(len(series)), series, alternative="greater", method="asymptotic").pvalue

    assert rising_p(series) == pytest.approx(1.0 if expected != expected else expected, abs=0.05)


def test_a_hundred_random_series_rise_at_one_percent_about_once() -> None:
    draw = random.Random(7)
    rising = sum(rising_p([draw.random() for _ in range(20)]) < 0.01 for _ in range(2000))

    assert stats.binomtest(rising, 2000, 0.01).pvalue > 1e-4


def test_of_a_line_with_one_outlier_the_slope_is_the_lines() -> None:
    series = [3.0 * place for place in range(21)]
    series[10] += 1e6

    assert slope_of(series, 0.95).middle == 3.0
    assert noise_of(series, 3.0) == 0.0


def test_noise_is_the_standard_deviation_of_a_normal_one() -> None:
    draw = random.Random(1)
    series = [place + draw.gauss(0, 5) for place in range(4000)]

    assert noise_of(series, 1.0) == pytest.approx(5, rel=0.05)


def test_the_largest_step_may_be_down() -> None:
    assert largest_step([5.0, 4.0, 2.0]) == -1.0


def test_steps_and_their_mean() -> None:
    assert steps_of([1.0, 4.0, 2.0]) == [3.0, -2.0]
    assert mean_step([1.0, 4.0, 2.0]) == 0.5


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("values", [2, 5, 1000])
def test_that_later_values_are_smaller_is_told_as_by_scipy(seed: int, values: int) -> None:
    draw = random.Random(seed)
    earlier, later = ([float(draw.randrange(values)) for _ in range(40)] for _ in range(2))
    if sum(earlier) < sum(later):
        earlier, later = later, earlier
    expected = stats.mannwhitneyu(earlier, later, alternative="greater", method="asymptotic").pvalue

    assert smaller_p(earlier, later) == pytest.approx(expected, abs=0.01)


def test_equal_values_are_never_smaller() -> None:
    assert smaller_p([7.0] * 40, [7.0] * 40) == 1.0
    assert smaller_p([1.0] * 40, [7.0] * 40) > 0.99


def wobbling(draw: random.Random) -> list[float]:
    return [3.0 * place + draw.gauss(0, 10) for place in range(80)]


def wandering(draw: random.Random) -> list[float]:
    return list(accumulate(3.0 + draw.gauss(0, 10) for _ in range(80)))


@pytest.mark.parametrize("make", [wobbling, wandering])
def test_the_error_of_a_slope_is_its_scatter_whether_the_level_wobbles_or_wanders(make: Callable[..., Any]) -> None:
    """Of 300 series; a wandering level's slope has thirty times the error that a wobbling one's has."""
    draw = random.Random(5)
    series = [make(draw) for _ in range(300)]

    told = fmean(slope_error(one, 10, 40) for one in series)
    scatter = stdev(slope_of(one[:40], 0.9).middle for one in series)

    assert 0.7 * scatter < told < 2.5 * scatter


def test_an_exact_line_has_no_error() -> None:
    assert slope_error([3.0 * place for place in range(80)], 10, 40) == 0.0


def test_steps_vary_by_what_stays_and_not_by_what_is_gone_with_the_next() -> None:
    """The middle one of 300 series whose level varies by ten thirds of a mean step, for good or not."""
    draw = random.Random(6)
    for_good, wobble = (median(step_variation(make(draw), 10) for _ in range(300)) for make in (wandering, wobbling))

    assert for_good > 2.0
    assert wobble < 1.0


@pytest.mark.parametrize("series", [[3.0, 2.0, 1.0] * 9, [5.0] * 27])
def test_what_does_not_rise_has_no_share_to_vary_by(series: list[float]) -> None:
    assert step_variation(series, 4) == math.inf
