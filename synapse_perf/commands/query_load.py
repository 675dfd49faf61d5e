"""Puts load on the tiers after their plain queries: users at a time, queries a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_perf.analyze.sampling import Bounds, interleaved, spent_s
from synapse_perf.commands.latency_beside import Beside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.analyze.latency_pace import Pace
    from synapse_perf.analyze.query_load import LoadLevel
    from synapse_perf.analyze.query_load_plan import LoadPlan, Loads
    from synapse_perf.analyze.targets import Target
    from synapse_perf.commands.latency_beside import MeasureBeside
    from synapse_perf.commands.latency_run import LatencyRun
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Json, Trial

SHARE = 0.5  # of the time of a run that is asked for load


def with_load(
    loads: Loads, others: tuple[tuple[MeasureBeside, ...], float], max_time_s: float | None
) -> tuple[tuple[MeasureBeside, ...], float]:
    """What follows the plain queries, with load as the last, and how many seconds of the run are kept for all of it."""
    beside, kept_s = others
    if not loads:
        return others
    budget_s = SHARE * ((max_time_s or 0.0) - kept_s)

    def measure(run: LatencyRun, outcome: Outcome) -> Beside:
        left_s = (run.effort.bounds.max_time_s or 0.0) - spent_s(outcome.trials)
        return measure_load(run, outcome, loads, budget_s + max(0.0, left_s))

    return (*beside, measure), kept_s + budget_s


def notes_of(loads: Loads) -> tuple[str, ...]:
    """What a dry run tells of it."""
    levels = [*(f"{users} at a time" for users in loads.users), *(f"{rate:g} a second" for rate in loads.rates)]
    return (f"then queries to each tier, though no two-stage ones, under load: {', '.join(levels)}",) if levels else ()


def measure_load(run: LatencyRun, outcome: Outcome, loads: Loads, budget_s: float) -> Beside:
    """Every tier that has told its pace, at every level, each process with an order of its own."""
    from synapse_perf.analyze.collect import metrics_of
    from synapse_perf.analyze.disturbance import disturbance_warnings
    from synapse_perf.analyze.query_load import late_checks, levels_of
    from synapse_perf.analyze.query_load_findings import Judging, load_findings
    from synapse_perf.benchmarks import query_load
    from synapse_perf.commands.latency_record import distinct
    from synapse_perf.commands.load_record import failures_of

    plan, processes = _plan(run, outcome, loads, budget_s), run.effort.bounds.minimum
    bounds = Bounds(processes, processes, budget_s)
    policy = interleaved(plan.arms, bounds=bounds, seed=run.effort.seed, undecided=lambda _: set())
    measured = run.carry_out(policy, len(plan.arms) * processes, max_time_s=bounds.max_time_s)
    metrics = metrics_of(measured.trials, query_load.METRICS, run.effort.confidence)
    levels, targets = levels_of(metrics), _targets(run)
    return Beside(
        metrics=metrics,
        checks=late_checks(levels, targets, run.profile_name),
        findings=tuple(load_findings(levels, Judging(targets, run.profile_name, run.effort.confidence))),
        warnings=(*_not_steady(measured.trials), *disturbance_warnings(measured.trials)),
        failures=distinct(failures_of(measured.trials)),
        facts={"load": _told(loads, plan, levels, run)},
        is_interrupted=measured.is_interrupted,
    )


def _plan(run: LatencyRun, outcome: Outcome, loads: Loads, budget_s: float) -> LoadPlan:
    from synapse_perf.analyze.query_load_plan import plan_query_load

    return plan_query_load(
        run.cases,
        _paces(run, outcome),
        loads,
        {tier: target.limit for tier, target in _targets(run).items()},
        budget_s=budget_s,
        processes=run.effort.bounds.minimum,
    )


def _paces(run: LatencyRun, outcome: Outcome) -> dict[str, Pace]:
    """How fast each tier's plain queries were."""
    from synapse_perf.analyze.latency_pace import pace_of
    from synapse_perf.analyze.query_load_plan import is_plain

    found = {}
    for case in run.cases:
        if is_plain(case):
            own = [trial for trial in outcome.trials if trial.spec.arm == case.name and trial.failure is None]
            pace = pace_of(own)
            if pace is not None:
                found[case.spec.labels["tier"]] = pace
    return found


def _targets(run: LatencyRun) -> dict[str, Target]:
    return {
        target.id.removeprefix("query-"): target for target in run.effort.targets if target.metric == "query_latency"
    }


def _not_steady(trials: Sequence[Trial]) -> list[str]:
    unsteady = sum(trial.facts.get("steady") is False for trial in trials)
    return [f"{unsteady} of {len(trials)} processes under load not steady after their warm-up"] if unsteady else []


def _told(loads: Loads, plan: LoadPlan, levels: Sequence[LoadLevel], run: LatencyRun) -> dict[str, Json]:
    """Shown in the result; no part of the digest by which runs are compared, as it is no part of what is judged."""
    from synapse_perf.analyze.latency_plan import TWO_STAGE

    has_two_stage = any(case.is_judged and case.spec.labels["tier"] == TWO_STAGE for case in run.cases)
    return {
        "users": list(loads.users),
        "offered_per_s": list(loads.rates),
        "goodput": {level.goodput.key: _goodput(level, run.effort.confidence) for level in levels},
        "left_out": list(plan.warnings),
        "without_load": [TWO_STAGE] if has_two_stage else [],
    }


def _goodput(level: LoadLevel, confidence: float) -> dict[str, Json]:
    """The share of queries within the target, with its interval where there are processes enough for one."""
    share, bounds = level.share(confidence)
    low, high = bounds or (None, None)
    return {"share": share, "low": low, "high": high, "confidence": confidence, "limit_s": level.limit_s}
