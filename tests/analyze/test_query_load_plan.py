"""Which load is put on which tier for how long: within the time, or told that there is none."""

from __future__ import annotations

import pytest

from synapse_perf.analyze.latency_pace import Pace
from synapse_perf.analyze.latency_plan import LatencyRequest, plan_latency
from synapse_perf.analyze.query_load_plan import MOST_ARRIVALS, QUERIES, LoadPlan, Loads, plan_query_load
from synapse_perf.analyze.query_set import built_in_queries
from tests.analyze.test_latency_plan import TIERS

LIMITS = {"fast": 2.0, "balanced": 5.0, "deep": 15.0}
PACES = {"fast": Pace(1.0, 0.5), "balanced": Pace(2.0, 1.0), "deep": Pace(3.0, 4.0)}
PLENTY_S = 1e6


def planned(loads: Loads, budget_s: float = PLENTY_S, **paces: Pace) -> LoadPlan:
    cases = plan_latency(TIERS, built_in_queries(), LatencyRequest())
    return plan_query_load(cases, paces or PACES, loads, LIMITS, budget_s=budget_s, processes=6)


def steps(plan: LoadPlan, tier: str) -> list[dict[str, float]]:
    return next(list(arm.spec.workload["steps"]) for arm in plan.arms if arm.name == f"{tier}, load")


def offered_s(plan: LoadPlan) -> float:
    seconds: list[float] = [
        step["count"] / step["rate"] if "rate" in step else step["asking_s"]
        for arm in plan.arms
        for step in arm.spec.workload["steps"]
    ]
    return sum(seconds)


def test_each_tier_that_told_its_pace_has_one_kind_of_trial_with_every_level() -> None:
    plan = planned(Loads((1, 2), (0.5,)), fast=PACES["fast"], deep=PACES["deep"])
    assert [arm.name for arm in plan.arms] == ["fast, load", "deep, load"]
    assert all(arm.repeats == 6 for arm in plan.arms)
    assert [{"users", "rate"} & set(step) for step in steps(plan, "fast")] == [{"users"}, {"users"}, {"rate"}]
    assert plan.warnings == ()


def test_its_labels_keep_every_target_away() -> None:
    (arm,) = planned(Loads((1,)), fast=PACES["fast"]).arms
    assert arm.spec.labels == {"tier": "fast", "prefix": "cold", "variant": "load"}
    assert {"prefix", "count", "asking_s"}.isdisjoint(arm.spec.workload)
    assert arm.spec.workload["limit_s"] == 2.0


def test_with_time_enough_there_are_as_many_queries_as_a_percentile_needs() -> None:
    plan = planned(Loads((1, 4), (0.1, 1.0)))
    closed, more, slow, fast = steps(plan, "fast")
    assert closed["asking_s"] == (1 + QUERIES) * 0.5
    assert more["asking_s"] == (4 + QUERIES) * 0.5
    assert slow["count"] == fast["count"] == QUERIES


def test_many_users_come_round_at_least_twice() -> None:
    (step,) = steps(planned(Loads((64,))), "fast")
    assert step["asking_s"] >= 3 * 64 * 0.5


def test_who_gets_no_answer_has_waited_longer_than_the_target_allows() -> None:
    for step in steps(planned(Loads((1,), (0.1, 1.0, 1000.0)), budget_s=300.0), "fast"):
        assert step["patience_s"] >= 2.0


def test_a_rate_far_beyond_what_it_can_answer_is_bounded() -> None:
    (step,) = steps(planned(Loads((), (1000.0,))), "fast")
    assert step["count"] == MOST_ARRIVALS
    assert step["patience_s"] == 2.0


@pytest.mark.parametrize("budget_s", [150.0, 300.0, 600.0, 1200.0])
def test_a_shorter_run_has_shorter_steps_within_its_time(budget_s: float) -> None:
    plan = planned(Loads((1, 2, 4), (0.5,)), budget_s=budget_s)
    ready_s = sum(PACES[arm.spec.labels["tier"]].ready_s for arm in plan.arms)
    assert 6 * (offered_s(plan) + ready_s) <= budget_s * 1.01


def test_levels_that_there_is_no_time_for_are_told_with_the_time_that_they_need() -> None:
    plan = planned(Loads((1,), (0.001,)), budget_s=600.0)
    assert [list(step) for step in steps(plan, "fast")] == [["users", "asking_s", "patience_s"]]
    (warning,) = plan.warnings
    assert warning.startswith("no time was left for load on fast 0.001/s, balanced 0.001/s, deep 0.001/s: allow about ")


def test_without_any_time_nothing_is_planned_and_that_is_told() -> None:
    plan = planned(Loads((1, 2)), budget_s=0.0)
    assert plan.arms == ()
    assert "fast 1 user, fast 2 users" in plan.warnings[0]


def test_the_limit_of_a_trial_covers_the_worst_case() -> None:
    plan = planned(Loads((2,), (5.0,)), fast=PACES["fast"])
    closed, opened = steps(plan, "fast")
    worst = closed["asking_s"] + closed["patience_s"] + opened["count"] / opened["rate"] + opened["patience_s"]
    assert plan.arms[0].spec.timeout_s >= LatencyRequest().load.timeout_s + worst
