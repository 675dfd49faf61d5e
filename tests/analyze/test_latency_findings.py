"""The findings of tier-latency: planted causes are found with their gains, clean runs stay silent."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from synapse_perf.analyze.latency_findings import findings_of
from synapse_perf.model import Finding, Metric
from tests.analyze.made_latencies import (
    Answer,
    answers,
    apis,
    first_answers,
    tier,
    two_stage,
    warm_prefix,
)

LIMITS = {"fast": 2.0, "balanced": 5.0, "deep": 15.0, "two-stage": 15.0}
EVEN = Answer(0.5, 0.5, 0.04)  # nothing takes more than half


def found(metrics: Sequence[Metric]) -> dict[str, Finding]:
    return {finding.id: finding for finding in findings_of(metrics, 0.95, LIMITS)}


def test_a_clean_run_names_nothing() -> None:
    metrics = [
        *tier("fast", "simple", EVEN),
        *apis("fast", "simple", EVEN, 1.0),
        *first_answers("fast", "simple", EVEN.total_s, 0.4),
        *two_stage(swap__draft=0.0, swap__refinement=0.0),
        *two_stage("overlap=retrieval", swap__draft=0.0, swap__refinement=0.0),
    ]
    assert found(metrics) == {}


def test_nothing_measured_names_nothing() -> None:
    assert findings_of([], 0.95, LIMITS) == []


@pytest.mark.parametrize(
    ("answer", "finding_id"),
    [(Answer(1.0, 0.3), "prefill-dominates"), (Answer(0.3, 1.0), "decode-dominates")],
)
def test_what_takes_most_of_a_query_is_named_with_its_share(answer: Answer, finding_id: str) -> None:
    findings = found(tier("fast", "simple", answer))
    assert list(findings) == [finding_id]
    assert "77 % of a fast query" in findings[finding_id].cause
    assert findings[finding_id].gain is None


@pytest.mark.parametrize("processes", [2, 5])
def test_too_few_processes_name_nothing(processes: int) -> None:
    metrics = [
        *tier("fast", "simple", Answer(0.3, 1.0), processes=processes),
        *warm_prefix("fast", "simple", Answer(0.01, 1.0), processes=processes),
        *apis("fast", "simple", EVEN, 1.5, processes=processes),
        *first_answers("fast", "simple", 9.0, 0.4, processes=processes),
        *two_stage(processes=processes),
        *two_stage("overlap=load", processes=processes, swap__refinement=0.1),
    ]
    assert found(metrics) == {}


def test_a_warm_prefix_is_a_trap() -> None:
    warm = Answer(0.05, 0.5, 0.0, reused_tokens=59)
    trap = found([*tier("fast", "simple", EVEN), *warm_prefix("fast", "simple", warm)])["prompt-cache-trap"]
    assert trap.severity == "info"
    assert "10.4 times as fast" in trap.cause
    assert trap.evidence["fast"] == {
        "cold_s": pytest.approx(0.52, rel=0.06),
        "warm_s": pytest.approx(0.05, rel=0.06),
        "reused_tokens": 59,
        "prompt_tokens": 60,
    }


def test_the_trap_is_the_same_where_the_warm_prefix_is_judged() -> None:
    labels = {"tier": "fast", "prefix": "warm", "complexity": "simple"}
    warm = answers(labels, Answer(0.05, 0.5, 0.0, reused_tokens=59), arm="fast")
    cold = answers({**labels, "prefix": "cold", "variant": "prefix=cold"}, EVEN, arm="fast prefix=cold")
    trap = found([*warm, *cold])["prompt-cache-trap"]
    assert "10.4 times as fast" in trap.cause
    told = trap.evidence["fast"]
    assert told["cold_s"] > told["warm_s"]
    assert told["reused_tokens"] == 59


def test_a_high_level_api_that_costs_is_told_with_what_it_adds() -> None:
    cost = found([*tier("fast", "simple", EVEN), *apis("fast", "simple", EVEN, 1.2)])["high-level-api-cost"]
    assert cost.gain is not None
    assert cost.gain.measured
    assert cost.gain.value == pytest.approx(0.2 * EVEN.total_s, rel=0.06)


def test_a_slow_first_query_is_told_with_what_a_warm_up_query_takes_off_it() -> None:
    slow = found([*tier("fast", "simple", EVEN), *first_answers("fast", "simple", 3.0, 0.4)])["first-query-slow"]
    assert slow.severity == "medium"
    assert slow.gain is not None
    assert slow.gain.value == pytest.approx(3.0 - EVEN.total_s, rel=0.06)


def test_the_first_query_of_another_flow_is_not_that_of_the_reference() -> None:
    own = {"state": "first", "variant": "first"}
    other = {**own, "variant": "first overlap=load"}
    assert "first-query-slow" not in found([*two_stage(), *two_stage(queries=1, labels=other, draft=60)])
    assert "first-query-slow" in found([*two_stage(), *two_stage(queries=1, labels=own, draft=60)])


def test_a_swap_on_the_path_has_the_gain_that_loading_beside_the_draft_gave() -> None:
    swap = found([*two_stage(), *two_stage("overlap=load", swap__refinement=0.1)])["swap-on-the-path"]
    assert swap.gain is not None
    assert swap.gain.measured
    assert swap.gain.value == pytest.approx(1.9, rel=0.06)
    assert "thread" in swap.change


def test_without_a_measured_gain_the_swap_itself_is_the_estimate() -> None:
    for metrics in (two_stage(), [*two_stage(), *two_stage("overlap=load")]):
        swap = found(metrics)["swap-on-the-path"]
        assert swap.gain is not None
        assert not swap.gain.measured
        assert swap.gain.value == pytest.approx(2.5, rel=0.06)
        assert "keep both models loaded" in swap.change


def test_a_two_stage_query_over_its_limit_makes_the_swap_severe() -> None:
    assert found(two_stage(draft=9.0))["swap-on-the-path"].severity == "high"


def test_retrieval_that_could_overlap_is_told_only_where_it_gains() -> None:
    slow = two_stage(retrieval=6.0)
    gained = found([*slow, *two_stage("overlap=retrieval", retrieval=0.0001)])["overlap-retrieval"]
    assert gained.gain is not None
    assert gained.gain.value == pytest.approx(6.0, rel=0.06)
    assert "overlap-retrieval" not in found([*slow, *two_stage("overlap=retrieval", retrieval=6.0)])


def test_a_tier_over_its_limit_is_told_how_many_tokens_fit() -> None:
    # 0.5 s to the first token and 50 ms a token: (2 s - 0.5 s) / 50 ms = 30, less for the slowest tenth.
    too_long = found(tier("fast", "simple", Answer(0.5, 5.0, 0.0, tokens=100)))["too-many-output-tokens"]
    assert too_long.severity == "high"
    fit = too_long.evidence["tokens_that_fit"]
    assert isinstance(fit, int)
    assert 24 <= fit <= 30
    assert f"max_tokens={fit}" in too_long.change
    assert too_long.gain is not None
    assert not too_long.gain.measured


def test_no_length_of_an_answer_helps_where_the_prompt_alone_is_over_the_limit() -> None:
    assert "too-many-output-tokens" not in found(tier("fast", "simple", Answer(3.0, 1.0)))


def test_a_tier_within_its_limit_may_write_as_much_as_it_does() -> None:
    assert "too-many-output-tokens" not in found(tier("fast", "simple", Answer(0.2, 1.0)))
