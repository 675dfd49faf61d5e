"""Which statistics are given, which are refused, and are the numbers those worked out by hand?"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synapse_perf.analyze.summary import least_for_percentile, median_interval, quantile, summarize
from synapse_perf.model import Interval

VALUES = st.lists(st.floats(0.001, 1000), min_size=1, max_size=12)
untimed = settings(deadline=None)  # the first call computes tables


@pytest.mark.parametrize(
    ("values", "probability", "expected"),
    [
        ([5], 0.9, 5),
        ([1, 2, 3], 0.5, 2),
        ([4, 1, 3, 2], 0.5, 2.5),
        (range(1, 11), 0.9, 9.5),  # 9 of 10 values are at or under 9, and under 10: the middle of the two
        (range(1, 12), 0.9, 10),  # 9.9 of 11: the tenth
        (range(1, 101), 0.95, 95.5),
        (range(1, 101), 0.99, 99.5),
        ([1, 2, math.inf, math.inf], 0.9, math.inf),
    ],
)
def test_quantile_by_hand(values: list[float], probability: float, expected: float) -> None:
    assert quantile(list(values), probability) == expected


@pytest.mark.parametrize(("probability", "least"), [(0.90, 29), (0.95, 59), (0.99, 299)])
def test_percentiles_need_as_many_samples_as_wilks_says(probability: float, least: int) -> None:
    assert least_for_percentile(probability) == least
    assert probability**least <= 0.05 < probability ** (least - 1)


@pytest.mark.parametrize(
    ("count", "ranks"),
    # The table of order-statistic intervals at 95 %: from the k-th smallest to the k-th largest.
    [(6, (1, 6)), (8, (1, 8)), (9, (2, 8)), (11, (2, 10)), (12, (3, 10)), (20, (6, 15)), (30, (10, 21))],
)
def test_median_interval_is_that_of_the_tables(count: int, ranks: tuple[int, int]) -> None:
    assert median_interval(range(1, count + 1), 0.95) == Interval("median", *ranks, 0.95)


@pytest.mark.parametrize("count", range(1, 13))
def test_median_interval_misses_as_rarely_as_it_says_over_all_outcomes(count: int) -> None:
    """Enumeration: every way in which values may fall on either side of the median is equally likely."""
    interval = median_interval(range(1, count + 1), 0.95)
    if interval is None:
        assert Fraction(2, 2**count) > Fraction(1, 20)
        return
    below = [sum(side) for side in itertools.product((0, 1), repeat=count)]  # values under the median
    misses = sum(under < interval.low or under >= interval.high for under in below)
    assert Fraction(misses, 2**count) <= Fraction(1, 20)


def test_fewer_than_six_values_have_no_median() -> None:
    summary = summarize([[1.0], [2.0], [3.0], [4.0], [5.0]])
    assert (summary.count, summary.processes, summary.median, summary.interval) == (5, 5, None, None)


def test_six_processes_have_a_median_and_an_interval_but_no_percentiles() -> None:
    summary = summarize([[3.0], [1.0], [2.0], [6.0], [5.0], [4.0]])
    assert (summary.median, summary.interval) == (3.5, Interval("median", 1.0, 6.0, 0.95))
    assert (summary.p90, summary.p95, summary.p99) == (None, None, None)


def test_several_samples_of_one_process_have_a_median_but_no_interval() -> None:
    summary = summarize([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    assert (summary.median, summary.interval) == (3.5, None)


def test_the_median_is_that_of_the_processes() -> None:
    """A process with many samples has no more say than another."""
    summary = summarize([[1.0] * 50, [2.0], [3.0]])
    assert summary.median == 2.0


def test_percentiles_are_those_of_all_samples_together() -> None:
    groups = [[float(value) for value in range(start, 60, 6)] for start in range(6)]
    summary = summarize(groups)
    assert (summary.count, summary.p90, summary.p95, summary.p99) == (60, 53.5, 56.5, None)


def test_a_value_that_is_not_a_number_takes_every_statistic_with_it() -> None:
    summary = summarize([[1.0]] * 40 + [[math.nan]])
    assert (summary.count, summary.median, summary.p90, summary.interval) == (41, None, None, None)


def test_nothing_measured_is_counted_as_nothing() -> None:
    summary = summarize([[], []])
    assert (summary.count, summary.processes, summary.median) == (0, 0, None)


def test_a_higher_confidence_needs_more_processes() -> None:
    assert summarize([[float(value)] for value in range(6)], 0.99).interval is None
    assert summarize([[float(value)] for value in range(8)], 0.99).interval is not None


@untimed
@given(VALUES, st.floats(0.01, 0.99))
def test_at_least_the_share_lies_at_or_under_a_quantile(values: list[float], probability: float) -> None:
    found = quantile(values, probability)
    assert min(values) <= found <= max(values)
    assert sum(value <= found for value in values) >= probability * len(values) - 1e-6
    assert sum(value >= found for value in values) >= (1 - probability) * len(values) - 1e-6


@untimed
@given(st.lists(VALUES, min_size=6, max_size=10), st.randoms(use_true_random=False))
def test_the_order_of_processes_and_of_samples_is_nothing(groups: list[list[float]], random: object) -> None:
    shuffled = [sorted(group, reverse=True) for group in reversed(groups)]
    assert summarize(groups) == summarize(shuffled)


@untimed
@given(st.lists(VALUES, min_size=6, max_size=10), st.sampled_from([0.25, 2.0, 1024.0]))
def test_a_change_of_unit_changes_nothing_else(groups: list[list[float]], factor: float) -> None:
    before, after = summarize(groups), summarize([[value * factor for value in group] for group in groups])
    assert before.median is not None
    assert before.interval is not None
    assert after.interval is not None
    assert after.median == before.median * factor
    assert (after.interval.low, after.interval.high) == (before.interval.low * factor, before.interval.high * factor)
