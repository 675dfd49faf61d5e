"""The bounds of a percentile are where the verdict turns, and hold the true percentile as often as they say."""

from __future__ import annotations

import random

import pytest

from synapse_perf.analyze.decision import decide
from synapse_perf.analyze.percentile_bounds import percentile_bounds
from synapse_perf.analyze.summary import quantile


def drawn(seed: int, processes: int = 6, queries: int = 15, effect: float = 0.05) -> list[list[float]]:
    """Lognormal times with an effect of each process."""
    draw = random.Random(seed)
    levels = [draw.gauss(0, effect) for _ in range(processes)]
    return [[draw.lognormvariate(level, 0.2) for _ in range(queries)] for level in levels]


@pytest.mark.parametrize("seed", range(5))
def test_the_verdict_turns_at_the_bounds(seed: int) -> None:
    groups = drawn(seed)
    low, high = percentile_bounds(groups, "p90", 0.95)
    assert low is not None
    assert high is not None

    def status(limit: float) -> str:
        return decide(groups, "p90", limit, "lower", 0.95).status

    assert [status(high * factor) for factor in (0.999, 1.001)] == ["inconclusive", "pass"]
    assert [status(low * factor) for factor in (0.999, 1.001)] == ["fail", "inconclusive"]


def test_they_turn_where_a_verdict_turns_that_was_asked_for_after_fewer_processes() -> None:
    groups = drawn(2, processes=3, queries=200, effect=0.01)
    high = percentile_bounds(groups, "p95", 0.95, first=3).high
    assert high is not None

    turned = [decide(groups, "p95", high * factor, "lower", 0.95, minimum=3).status for factor in (0.999, 1.001)]
    assert turned == ["inconclusive", "pass"]


def test_the_percentile_lies_between_them() -> None:
    groups = drawn(3)
    low, high = percentile_bounds(groups, "p90", 0.95)
    assert (low or 0) < quantile([value for group in groups for value in group], 0.9) < (high or 0)


def test_the_upper_bound_holds_the_true_percentile_as_often_as_it_says() -> None:
    """The true p90 of the mixture is found by a large sample; 400 runs leave 95 % no lower than 92 %."""
    truth = quantile([value for group in drawn(999, 4000, 25) for value in group], 0.9)
    bounds = [percentile_bounds(drawn(seed), "p90", 0.95) for seed in range(400)]
    assert all(one.high is not None and one.low is not None for one in bounds)
    assert sum(truth < (one.high or 0) for one in bounds) >= 0.92 * len(bounds)
    assert sum(truth > (one.low or 0) for one in bounds) >= 0.92 * len(bounds)


def test_more_queries_bring_them_closer() -> None:
    few, many = (percentile_bounds(drawn(1, queries=count), "p90", 0.95) for count in (10, 100))
    assert (many.high or 0) - (many.low or 0) < (few.high or 0) - (few.low or 0)


def test_too_few_bound_nothing() -> None:
    assert percentile_bounds(drawn(1, processes=5), "p90", 0.95) == (None, None)
    assert percentile_bounds(drawn(1, queries=2), "p90", 0.95).high is None  # 12 samples: none may be past it
    assert percentile_bounds([], "p90", 0.95) == (None, None)


def test_times_that_are_all_the_same_are_their_own_bounds() -> None:
    low, high = percentile_bounds([[2.0] * 20] * 6, "p90", 0.95)
    assert low == pytest.approx(2.0)
    assert high == pytest.approx(2.0)
