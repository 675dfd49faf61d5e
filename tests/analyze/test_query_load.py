"""What is concluded from queries under load, on simulated queues whose figures are known."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest

from synapse_perf.analyze.query_load import LoadLevel, holds, late_checks, levels_of
from synapse_perf.analyze.query_load_findings import Judging, load_findings
from synapse_perf.analyze.targets import TARGETS, find_target
from synapse_perf.analyze.verdict import check_targets, overall_verdict
from synapse_perf.benchmarks.query_load_steps import LoadedStep
from synapse_perf.model import Finding
from tests.analyze.made_query_loads import at_rate, failing, metrics, steady, with_stall, with_users

QUERY_TARGETS = {target.id.removeprefix("query-"): target for target in TARGETS if target.metric == "query_latency"}
JUDGING = Judging(QUERY_TARGETS, "test", 0.95)
FAST = find_target("query-fast")


def levels(make: Callable[[float, int], Sequence[LoadedStep]]) -> list[LoadLevel]:
    return levels_of(metrics(make))


def rate(per_s: float, service_s: float = 0.5, count: int = 40, **options: float) -> Callable[[float, int], LoadedStep]:
    return lambda level, seed: at_rate(per_s, count, steady(level * service_s), seed=seed, **options)


def users(number: int, service_s: float = 0.5, count: int = 40) -> Callable[[float, int], LoadedStep]:
    return lambda level, _: with_users(number, count, steady(level * service_s))


def each(*makes: Callable[[float, int], LoadedStep]) -> list[LoadLevel]:
    return levels(lambda level, seed: [make(level, seed) for make in makes])


def findings(*makes: Callable[[float, int], LoadedStep]) -> dict[str, Finding]:
    return {finding.id: finding for finding in load_findings(each(*makes), JUDGING)}


# --- figures ---------------------------------------------------------------------------------------------------------


def test_levels_are_in_their_order_however_they_were_offered() -> None:
    found = each(rate(10), users(4), rate(2), users(1))
    assert [level.variant for level in found] == ["users=1", "users=4", "rate=2", "rate=10"]


def test_with_n_users_a_response_is_n_services_and_all_but_one_of_them_waiting() -> None:
    (level,) = each(users(4))
    share, interval = level.queue_share(0.95)
    assert level.percentile(0.5) == pytest.approx(4 * 0.5, rel=0.04)
    assert share == pytest.approx(3 / 4)
    assert interval is not None
    assert interval.low == pytest.approx(3 / 4)


def test_what_is_completed_does_not_grow_with_users() -> None:
    one, four = each(users(1), users(4))
    assert four.throughput.summary.median == pytest.approx(one.throughput.summary.median)
    assert one.throughput.summary.median == pytest.approx(2.0, rel=0.02)
    assert one.tokens.summary.median == pytest.approx(48.0, rel=0.02)


def test_queries_without_an_answer_are_over_every_limit() -> None:
    (level,) = each(rate(20, patience_s=2.0))
    assert level.count("unanswered") > 0
    assert math.isinf(level.percentile(0.95))
    share, bounds = level.share(0.95)
    assert share < 1 - level.count("unanswered") / level.count("requests") + 1e-9
    assert bounds is not None
    assert bounds[0] < share < bounds[1]


def test_a_query_that_failed_at_once_is_no_fast_one() -> None:
    (level,) = each(lambda level, seed: failing(rate(0.2)(level, seed), 4))
    assert level.count("errors") == level.lost == 60
    assert sum(math.isinf(value) for group in level.groups for value in group) == 60
    assert level.share(0.95)[0] == pytest.approx(0.75)
    assert holds(level, FAST, "test", 0.95).status == "fail"


def test_load_is_never_a_row_of_a_target() -> None:
    found = metrics(lambda level, seed: [rate(20)(level, seed)])
    rows = check_targets(found, [FAST], confidence=0.95, subject="real", profile="test")
    assert {row.status for row in rows} == {"not-measured"}


# --- a late sender ---------------------------------------------------------------------------------------------------


def test_a_late_sender_makes_the_run_inconclusive_and_tells_nothing_else() -> None:
    late = each(rate(20, late_s=0.1))
    checks = late_checks(late, QUERY_TARGETS, "test")
    assert [check.status for check in checks] == ["inconclusive"]
    assert "late by up to 100 ms" in checks[0].reason
    assert overall_verdict(checks) == "inconclusive"
    assert load_findings(late, JUDGING) == []


def test_a_punctual_sender_adds_no_row() -> None:
    assert late_checks(each(rate(1), rate(1.5, late_s=0.004), users(2)), QUERY_TARGETS, "test") == ()


def test_lateness_counts_against_what_an_answer_takes() -> None:
    """A hundredth of a long answer changes nothing that anybody sees."""
    (slow,) = each(rate(0.1, service_s=5.0, late_s=0.05))
    (quick,) = each(rate(5, service_s=0.05, late_s=0.05))
    assert not slow.is_late
    assert quick.is_late


# --- findings --------------------------------------------------------------------------------------------------------


def test_little_load_is_told_by_how_far_the_target_holds_alone() -> None:
    found = findings(users(1), rate(0.2), rate(0.4))
    assert set(found) == {"target-holds-up-to"}
    assert found["target-holds-up-to"].evidence["fast"] == {"holds_at_per_s": 0.4, "missed_at_per_s": None}


def test_more_than_it_answers_is_named_with_both_rates() -> None:
    found = findings(rate(0.2), rate(8, patience_s=4.0))
    finding = found["more-than-it-answers"]
    assert finding.severity == "high"
    assert finding.cause.startswith("fast answers ")
    assert " of 8.00 queries a second" in finding.cause
    assert found["target-holds-up-to"].evidence["fast"] == {"holds_at_per_s": 0.2, "missed_at_per_s": 8.0}


def test_a_burst_that_is_answered_in_time_is_no_high_finding() -> None:
    finding = findings(rate(40, service_s=0.05, count=30))["more-than-it-answers"]
    assert finding.severity == "medium"


def test_waiting_that_makes_queries_miss_the_target_is_worse_than_waiting() -> None:
    harmless, harmful = findings(users(3)), findings(users(6))
    assert harmless["queueing-dominates"].severity == "info"
    assert harmful["queueing-dominates"].severity == "medium"
    assert "the target of fast is missed" in harmful["queueing-dominates"].cause
    assert harmful["queueing-dominates"].gain is not None
    assert not harmful["queueing-dominates"].gain.measured


def test_two_users_wait_for_half_of_the_time_which_is_not_most_of_it() -> None:
    assert "queueing-dominates" not in findings(users(2))


def test_too_few_processes_find_nothing() -> None:
    few = levels_of(metrics(lambda level, seed: [users(6)(level, seed), rate(0.2)(level, seed)], processes=3))
    assert load_findings(few, JUDGING) == []


def test_queries_that_fail_are_named_with_what_they_were_told_and_no_queue_is_made_of_them() -> None:
    found = findings(users(1), lambda level, seed: failing(rate(20)(level, seed), 2))
    assert "more-than-it-answers" not in found
    assert "target-holds-up-to" not in found
    assert found["queries-fail-under-load"].severity == "high"
    assert found["queries-fail-under-load"].cause.endswith(
        "120 of 240 to fast (20/s); the first was told: OSError: refused"
    )


# --- a stall ---------------------------------------------------------------------------------------------------------


def test_one_stall_is_in_the_p99_of_an_open_loop_and_not_of_a_closed_one() -> None:
    """400 queries of 10 ms a process, one of which takes 300 ms more."""
    service = with_stall(0.01, at=200)
    closed, opened = each(lambda *_: with_users(1, 400, service), lambda _, seed: at_rate(30, 400, service, seed=seed))
    assert closed.percentile(0.99) == pytest.approx(0.01)
    assert opened.percentile(0.99) > 0.1
    assert closed.percentile(1.0) == pytest.approx(0.31)
    assert closed.numbers("waited_for_longest") == [0.0] * 6
    assert min(opened.numbers("waited_for_longest")) >= 3
