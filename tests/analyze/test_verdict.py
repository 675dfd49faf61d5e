"""Does each check get the status that the contract gives it, and each run its exit code?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.targets import TARGETS
from synapse_perf.analyze.verdict import check_targets, exit_code, overall_verdict
from synapse_perf.errors import ExitCode
from synapse_perf.model import Check, CheckStatus, Comparison, ComparisonStatus, Failure, Metric, Subject
from tests.analyze.trials import COLD_CPU, metric, single
from tests.made_results import made_result

SIX = (3.0, 3.1, 2.9, 3.2, 3.0, 3.1)


def checks_of(*metrics: Metric, subject: Subject = "real", profile: str = "laptop") -> tuple[Check, ...]:
    return check_targets(metrics, TARGETS, confidence=0.95, subject=subject, profile=profile)


def named(checks: tuple[Check, ...], target: str) -> list[Check]:
    return [check for check in checks if check.target == target]


def check(status: CheckStatus, target: str = "query-fast") -> Check:
    return Check(target, "query_latency", "p90", 2.0, "s", 1.0, status, "")


def comparison(status: ComparisonStatus, baseline: float | None = 1.0) -> Comparison:
    return Comparison("m", status, baseline, 1.0, "s", 1.0, 0.9, 1.1, "")


def test_a_target_that_is_met() -> None:
    (found,) = named(checks_of(single(*SIX)), "model-startup-cpu")
    assert found == Check(
        "model-startup-cpu",
        "model_startup_time{cache=cold,device=cpu,model=tiny}",
        "median",
        15.0,
        "s",
        3.05,
        "pass",
        "median under the limit: 0 of 6 processes at or over it",
    )


@pytest.mark.parametrize(
    ("values", "status"),
    [((16.0,) * 6, "fail"), ((14.0, 16.0) * 3, "inconclusive"), ((3.0,) * 5, "inconclusive")],
)
def test_targets_that_are_not_met(values: tuple[float, ...], status: str) -> None:
    assert [found.status for found in named(checks_of(single(*values)), "model-startup-cpu")] == [status]


def test_every_label_set_is_a_check_of_its_own() -> None:
    metrics = [single(*SIX, labels={**COLD_CPU, "model": model}) for model in ("fast", "deep")]
    assert len(named(checks_of(*metrics), "model-startup-cpu")) == 2


def test_targets_of_other_commands_give_no_rows() -> None:
    assert {found.target for found in checks_of(single(*SIX))} == {"model-startup-cpu", "model-startup-metal"}


def test_a_target_of_this_command_without_its_labels_says_what_was_not_measured() -> None:
    (found,) = named(checks_of(single(*SIX)), "model-startup-metal")
    assert (found.status, found.observed) == ("not-measured", None)
    assert found.reason == "nothing was measured with cache=cold, device=metal"


def test_experiments_and_warm_starts_are_not_judged() -> None:
    experiment = single(*SIX, labels={**COLD_CPU, "variant": "load_mode=read"})
    warm = single(*SIX, labels={**COLD_CPU, "cache": "warm"})
    assert {found.status for found in checks_of(experiment, warm)} == {"not-measured"}


def test_starts_that_could_not_be_proven_cold_are_shown_and_not_judged() -> None:
    (found,) = named(checks_of(single(*SIX, labels={**COLD_CPU, "cache": "uncertified"})), "model-startup-cpu")
    assert (found.status, found.observed, found.reason) == ("not-measured", 3.05, "no start could be proven cold")


def test_unproven_starts_beside_proven_ones_are_left_out() -> None:
    metrics = (single(*SIX), single(1.0, labels={**COLD_CPU, "cache": "uncertified"}))
    assert [found.status for found in named(checks_of(*metrics), "model-startup-cpu")] == ["pass"]


def test_a_device_without_a_limit_is_shown_and_not_judged() -> None:
    (found,) = named(checks_of(single(*SIX, labels={**COLD_CPU, "device": "cuda"})), "model-startup-metal")
    assert (found.status, found.observed) == ("not-measured", 3.05)
    assert "cuda" in found.reason


@pytest.mark.parametrize(("values", "side"), [(SIX, "3.05 s, under"), ((20.0,) * 6, "20.0 s, at or over")])
def test_a_sample_never_meets_or_misses_a_target(values: tuple[float, ...], side: str) -> None:
    (found,) = named(checks_of(single(*values), subject="sample"), "model-startup-cpu")
    assert found.status == "not-measured"
    assert found.reason == f"works here (sample, not your system): {side} the limit of 15.0 s"
    assert found.observed is not None


def test_queries_are_judged_on_p95_in_ci() -> None:
    """One slow sample in twenty-five: 4 %, which p90 clearly allows and p95 only just."""
    groups = [[1.0] * 24 + [3.0]] * 30
    queries = metric(*groups, name="query_latency", labels={"tier": "fast"})
    assert [found.status for found in named(checks_of(queries), "query-fast")] == ["pass"]
    (in_ci,) = named(checks_of(queries, profile="ci-cpu"), "query-fast")
    assert (in_ci.statistic, in_ci.status) == ("p95", "inconclusive")


def test_three_runs_may_decide_the_messages() -> None:
    groups = [[0.010 + 0.00001 * (place + number) for place in range(200)] for number in range(3)]
    found = checks_of(metric(*groups, name="websocket_latency", labels={}))
    assert [one.status for one in found] == ["pass"]


# --- the whole run ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "verdict", "code"),
    [
        ((), "not-measured", ExitCode.PASS),
        (("pass",), "pass", ExitCode.PASS),
        (("not-measured",), "not-measured", ExitCode.PASS),
        (("pass", "not-measured"), "pass", ExitCode.PASS),
        (("pass", "inconclusive"), "inconclusive", ExitCode.INCONCLUSIVE),
        (("inconclusive", "fail"), "fail", ExitCode.FAIL),
        (("fail", "not-comparable"), "not-comparable", ExitCode.NOT_COMPARABLE),
    ],
)
def test_the_worst_check_decides(statuses: tuple[CheckStatus, ...], verdict: str, code: ExitCode) -> None:
    checks = tuple(check(status) for status in statuses)
    result = replace(made_result(), checks=checks, comparisons=(), failures=())
    assert overall_verdict(checks) == verdict
    assert exit_code(result) == code


@pytest.mark.parametrize(
    ("status", "baseline", "code"),
    [
        ("unchanged", 1.0, ExitCode.PASS),
        ("improved", 1.0, ExitCode.PASS),
        ("regressed", 1.0, ExitCode.FAIL),
        ("inconclusive", 1.0, ExitCode.INCONCLUSIVE),
        ("not-comparable", 1.0, ExitCode.NOT_COMPARABLE),
        ("missing", 1.0, ExitCode.NOT_COMPARABLE),
        ("missing", None, ExitCode.PASS),  # a metric that is new cannot have become worse
    ],
)
def test_comparisons_decide_as_well(status: ComparisonStatus, baseline: float | None, code: ExitCode) -> None:
    result = replace(made_result(), checks=(check("pass"),), comparisons=(comparison(status, baseline),), failures=())
    assert exit_code(result) == code


def test_a_row_that_was_not_measured_counts_when_it_is_required() -> None:
    result = replace(made_result(), checks=(check("not-measured"),), comparisons=(), failures=())
    assert exit_code(result, required=["query-fast"]) == ExitCode.INCONCLUSIVE
    assert exit_code(result, required=["query-deep"]) == ExitCode.PASS
    assert overall_verdict(result.checks, required=["query-fast"]) == "inconclusive"


def test_every_reason_gives_way_to_those_before_it() -> None:
    """From all at once, take away the winner again and again."""
    crash, stopped = Failure("crash", ""), Failure("interrupted", "")
    everything = replace(
        made_result(), checks=(check("fail"),), comparisons=(comparison("not-comparable"),), failures=(crash, stopped)
    )
    assert exit_code(everything, wrong_input=True, baseline_missing=True) == ExitCode.INTERRUPTED
    crashed = replace(everything, failures=(crash,))
    assert exit_code(crashed, interrupted=True) == ExitCode.INTERRUPTED
    assert exit_code(crashed, wrong_input=True, baseline_missing=True) == ExitCode.USAGE
    assert exit_code(crashed, baseline_missing=True) == ExitCode.MEASUREMENT_FAILED
    whole = replace(everything, failures=())
    assert exit_code(whole, baseline_missing=True) == ExitCode.NO_BASELINE
    assert exit_code(whole) == ExitCode.NOT_COMPARABLE
    assert exit_code(replace(whole, comparisons=())) == ExitCode.FAIL
