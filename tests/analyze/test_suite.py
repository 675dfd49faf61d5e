"""Several results under one verdict."""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.analyze.suite import suite_of
from synapse_perf.analyze.targets import TARGETS
from synapse_perf.model import Check
from tests.made_results import made_result

PASSED = made_result().checks[0]


def test_each_target_has_a_row_in_the_order_of_the_table_and_its_reason() -> None:
    suite = suite_of([made_result()], TARGETS, {"ui-animation": "no URL"}, profile="laptop")

    assert [check.target for check in suite.checks] == [target.id for target in TARGETS]
    by_target = {check.target: check for check in suite.checks}
    assert by_target["model-startup-cpu"] == PASSED
    assert (by_target["ui-animation"].status, by_target["ui-animation"].reason) == ("not-measured", "no URL")
    assert by_target["query-fast"].reason == "nothing measured it"


def test_the_worst_of_all_results_is_the_verdict() -> None:
    failed = replace(made_result("bench-cgrag"), checks=(replace(PASSED, target="cgrag-warm", status="fail"),))

    assert suite_of([made_result()], TARGETS, {}, profile="laptop").verdict == "pass"
    assert suite_of([made_result(), failed], TARGETS, {}, profile="laptop").verdict == "fail"


def test_nothing_measured_is_no_pass() -> None:
    assert suite_of([], TARGETS, {}, profile="laptop").verdict == "not-measured"


def test_a_required_row_that_nothing_measured_is_no_pass() -> None:
    suite = suite_of([made_result()], TARGETS, {}, profile="laptop", required=["cgrag-warm"])

    assert suite.verdict == "inconclusive"


def test_a_profile_for_ci_judges_its_own_statistic() -> None:
    checks = suite_of([], TARGETS, {}, profile="ci-cpu").checks

    assert isinstance(checks[0], Check)
    assert {check.target: check.statistic for check in checks}["query-fast"] == "p95"


def test_a_row_that_its_command_left_open_says_what_would_fill_it() -> None:
    left = replace(PASSED, target="query-deep", status="not-measured", observed=None, reason="no such tier")
    result = replace(made_result("tier-latency"), checks=(left,))

    suite = suite_of([result], TARGETS, {"query-deep": "measure it: tier-latency"}, profile="laptop")

    assert {check.target: check.reason for check in suite.checks}["query-deep"] == (
        "no such tier; measure it: tier-latency"
    )
