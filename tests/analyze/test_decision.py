"""Is a limit passed, failed or left open for the right reason?"""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synapse_perf.analyze.decision import decide, samples_per_process
from synapse_perf.analyze.percentile import count_bounds, level_allowance
from synapse_perf.model import Better, Statistic

GROUPS = st.lists(st.lists(st.floats(0.1, 10), min_size=1, max_size=8), min_size=1, max_size=14)
STATISTICS = st.sampled_from(["median", "p90", "p95"])
ONE_EACH = [[1.0], [1.1], [0.9], [1.2], [1.0], [1.05]]
untimed = settings(deadline=None)  # the first call computes tables


def process(low: float, count: int, high: float = 0.0, over: int = 0) -> list[float]:
    return [low] * (count - over) + [high] * over


@pytest.mark.parametrize(
    ("limit", "better", "status"),
    [
        (2.0, "lower", "pass"),
        (0.5, "lower", "fail"),
        (1.15, "lower", "inconclusive"),
        (2.0, "higher", "fail"),
        (0.5, "higher", "pass"),
    ],
)
def test_median_of_six_processes(limit: float, better: Better, status: str) -> None:
    assert decide(ONE_EACH, "median", limit, better).status == status


def test_a_median_on_the_limit_is_not_below_it_but_reaches_it() -> None:
    assert decide([[2.0]] * 6, "median", 2.0, "lower").status == "fail"
    assert decide([[2.0]] * 6, "median", 2.0, "higher").status == "pass"


def test_five_processes_are_never_enough() -> None:
    decision = decide([[1.0]] * 5, "median", 100.0, "lower")
    assert (decision.status, decision.needs) == ("inconclusive", 1)
    assert decision.reason == "5 processes, at least 6 are needed"


def test_a_target_may_ask_for_fewer_processes() -> None:
    samples = [1.0 + place / 1000 for place in range(40)]
    assert decide([samples] * 3, "p95", 100.0, "lower", minimum=3).status == "pass"
    assert decide([samples] * 2, "p95", 100.0, "lower", minimum=3).status == "inconclusive"


def test_many_samples_of_few_processes_are_no_more_processes() -> None:
    assert decide([[1.0] * 1000] * 5, "median", 100.0, "lower").status == "inconclusive"


def test_evidence_is_told_and_what_more_would_decide() -> None:
    decision = decide([[1.0]] * 7 + [[3.0]], "median", 2.0, "lower")
    assert decision.reason == "too close to the limit to tell: 1 of 8 processes at or over it"
    assert decision.needs == 2  # 1 of 10


def test_a_percentile_far_over_its_limit_in_too_few_processes_is_not_called_close_alone() -> None:
    slow_in_one = [[0.01] * 40 + [0.2] * 20, [0.01] * 58 + [0.2] * 2, [0.01] * 60]
    decision = decide(slow_in_one, "p95", 0.05, "lower", minimum=3)

    assert decision.status == "inconclusive"
    assert decision.reason.startswith("too close to the limit, or too few processes, to tell: 22 of 180 samples")


def test_an_even_split_names_no_number_of_further_processes() -> None:
    assert decide([[1.0], [3.0]] * 4, "median", 2.0, "lower").needs is None


def test_a_value_that_is_not_a_number_never_passes() -> None:
    for statistic in ("median", "p90"):
        decision = decide([[1.0] * 20] * 9 + [[math.nan]], statistic, 5.0, "lower")
        assert (decision.status, decision.observed) == ("inconclusive", None)


def test_nothing_measured_never_passes() -> None:
    assert decide([], "median", 5.0, "lower").status == "inconclusive"
    assert decide([[], []], "p90", 5.0, "lower").observed is None


def test_a_direction_is_needed() -> None:
    with pytest.raises(ValueError, match="better direction"):
        decide(ONE_EACH, "median", 1.0, "none")


# --- percentiles -----------------------------------------------------------------------------------------------------


def test_p90_passes_when_all_of_six_times_fifteen_samples_are_far_below() -> None:
    groups = [[1.0 + 0.01 * ((place + number) % 7) for place in range(15)] for number in range(6)]
    assert decide(groups, "p90", 2.0, "lower").status == "pass"
    assert decide(groups, "p90", 0.5, "lower").status == "fail"


def test_p90_is_left_open_where_the_samples_alone_would_pass_but_processes_differ() -> None:
    """None of 90 samples is past the limit, but the level of a seventh process may well be."""
    groups = [[level] * 15 for level in (1.0, 1.1, 1.2, 1.3, 1.4, 1.5)]
    assert decide(groups, "p90", 1.6, "lower").status == "inconclusive"
    assert decide(groups, "p90", 2.5, "lower").status == "pass"


def test_p90_is_left_open_when_one_process_has_all_the_slow_samples() -> None:
    """6 of 180 samples are over the limit: enough for a pass if they are spread, not if one process has them all."""
    spread = [process(1.0, 15, 3.0, 1)] * 6 + [process(1.0, 15)] * 6
    clustered = [process(1.0, 15, 3.0, 6)] + [process(1.0, 15)] * 11
    assert decide(spread, "p90", 2.0, "lower").status == "pass"
    assert decide(clustered, "p90", 2.0, "lower").status == "inconclusive"


def test_lost_messages_count_as_over_the_limit() -> None:
    groups = [process(0.01, 50, math.inf, 10)] * 6
    decision = decide(groups, "p90", 0.05, "lower")
    assert (decision.status, decision.observed) == ("fail", math.inf)


def test_one_sample_each_needs_no_allowance_for_processes() -> None:
    groups = [[1.0 + place / 100] for place in range(60)]
    assert decide(groups, "p90", 1.7, "lower").status == "pass"


@pytest.mark.parametrize(("statistic", "samples"), [("median", 1), ("p90", 7), ("p95", 14), ("p99", 68)])
def test_fewest_samples_of_six_processes(statistic: Statistic, samples: int) -> None:
    assert samples_per_process(statistic) == samples
    assert decide([[1.0] * samples] * 6, statistic, 2.0, "lower").status == "pass"


@pytest.mark.parametrize(("statistic", "samples"), [("p90", 6), ("p95", 13), ("p99", 67)])
def test_one_sample_fewer_shows_nothing(statistic: Statistic, samples: int) -> None:
    assert decide([[1.0] * samples] * 6, statistic, 2.0, "lower").status == "inconclusive"


@pytest.mark.parametrize(("confidence", "least"), [(0.95, 6), (0.90, 6), (0.99, 8), (0.999, 12)])
def test_fewest_processes_for_a_median(confidence: float, least: int) -> None:
    assert decide([[1.0]] * least, "median", 2.0, "lower", confidence).status == "pass"
    assert decide([[1.0]] * (least - 1), "median", 2.0, "lower", confidence).status == "inconclusive"


@pytest.mark.parametrize("count", [1, 5, 40, 90, 900])
@pytest.mark.parametrize("share", [0.1, 0.05, 0.5])
@pytest.mark.parametrize("level", [0.0166, 0.047, 0.003])
def test_count_bounds_are_the_binomial_quantiles_of_scipy(count: int, share: float, level: float) -> None:
    from scipy import stats

    most, least = count_bounds(count, share, level)
    assert stats.binom.cdf(most, count, share) <= level < stats.binom.cdf(most + 1, count, share)
    assert least > count or stats.binom.sf(least - 1, count, share) <= level
    assert stats.binom.sf(least - 2, count, share) > level


def test_level_allowance_is_the_tolerance_factor_of_the_tables() -> None:
    """One-sided 90 % content, 95 % confidence, n = 6 and 10: 3.006 and 2.355 (Hahn and Meeker, table A.12)."""
    z90 = 1.2815515655
    assert level_allowance(6, 0.05, 0.90).upward + z90 == pytest.approx(3.006, abs=0.001)
    assert level_allowance(10, 0.05, 0.90).upward + z90 == pytest.approx(2.355, abs=0.001)


# --- properties ------------------------------------------------------------------------------------------------------


@untimed
@given(GROUPS, STATISTICS, st.floats(0.1, 10))
def test_the_order_of_processes_and_samples_is_nothing(
    groups: list[list[float]], statistic: Statistic, limit: float
) -> None:
    turned = [group[::-1] for group in reversed(groups)]
    assert decide(groups, statistic, limit, "lower") == decide(turned, statistic, limit, "lower")


@untimed
@given(GROUPS, STATISTICS, st.floats(0.1, 10), st.sampled_from([0.5, 2.0, 1024.0]))
def test_a_change_of_unit_changes_no_verdict(
    groups: list[list[float]], statistic: Statistic, limit: float, factor: float
) -> None:
    scaled = [[value * factor for value in group] for group in groups]
    before, after = decide(groups, statistic, limit, "lower"), decide(scaled, statistic, limit * factor, "lower")
    assert (before.status, before.reason, before.needs) == (after.status, after.reason, after.needs)


@untimed
@given(GROUPS, STATISTICS, st.floats(0.1, 10), st.floats(0.1, 10))
def test_a_looser_limit_never_turns_a_pass_into_a_fail(
    groups: list[list[float]], statistic: Statistic, limit: float, more: float
) -> None:
    if decide(groups, statistic, limit, "lower").status == "pass":
        assert decide(groups, statistic, limit + more, "lower").status == "pass"


@untimed
@given(GROUPS, STATISTICS, st.floats(0.1, 10))
def test_lower_and_higher_are_the_two_sides_of_one_limit(
    groups: list[list[float]], statistic: Statistic, limit: float
) -> None:
    lower, higher = decide(groups, statistic, limit, "lower"), decide(groups, statistic, limit, "higher")
    opposite = {"pass": "fail", "fail": "pass", "inconclusive": "inconclusive"}
    assert higher.status == opposite[lower.status]


def test_before_the_first_look_it_says_how_many_would_decide_if_they_go_on_like_these() -> None:
    """p90 wants 39 queries under the limit: 4 more processes of 15, but 11 of 3, as fewer levels say less."""
    many, few = [[1.0] * 15] * 2, [[1.0] * 3] * 2
    assert decide(many, "p90", 2.0, "lower").needs == 4
    needed = decide(few, "p90", 2.0, "lower").needs
    assert needed is not None
    assert decide(few * ((needed + 2) // 2) + few[: needed % 2], "p90", 2.0, "lower").status == "pass"
    assert decide([[1.0] * 3] * (needed + 1), "p90", 2.0, "lower").status == "inconclusive"
    assert decide(many[:1], "p90", 2.0, "lower").needs == 5
