"""Carries out one run of tier-latency: trials, metrics, checks, findings, report."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import typer

from synapse_perf.analyze.latency_plan import (
    LatencyCase,
    LatencyRequest,
    missing_for_two_stage,
    plan_latency,
    retrieval_workload,
    within_time,
)
from synapse_perf.commands.conclude import Ending, conclude, tell_left_out
from synapse_perf.commands.interrupts import HeldInterrupts
from synapse_perf.commands.measuring import carry_out, effort_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_perf.analyze.load_plan import ModelUnderTest
    from synapse_perf.analyze.query_set import Query
    from synapse_perf.analyze.sampling import Arm
    from synapse_perf.analyze.stopping import Judgement
    from synapse_perf.commands.model_choice import Choice
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.retrieval_set import Prepared
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Finding, Json, Metric, Result, Subject, Trial
    from synapse_perf.profiles import Profile


class LatencyRun:
    """One run over the tiers."""

    def __init__(
        self,
        profile: Profile,
        tiers: Mapping[str, ModelUnderTest],
        choice: Choice,
        queries: Sequence[Query],
        request: LatencyRequest,
        prepared: Prepared | None,
        options: CommonOptions,
    ) -> None:
        self.profile = profile
        self.tiers = tiers
        self.choice = choice
        self.queries = queries
        self.prepared = prepared
        self.options = options
        self.effort = effort_of(profile, options)
        self.request = request

    @cached_property
    def cases(self) -> list[LatencyCase]:
        from synapse_perf.analyze.retrieval_plan import RetrievalRequest

        retrieval = retrieval_workload(self.prepared.searched, RetrievalRequest()) if self.prepared else None
        cases = plan_latency(self.tiers, self.queries, self.request, retrieval)
        bounds = self.effort.bounds
        return within_time(cases, bounds.max_time_s or 0.0, unjudged=bounds.minimum, processes=bounds.minimum)

    @cached_property
    def arms(self) -> list[Arm]:
        return [case.arm(self.effort.bounds.minimum) for case in self.cases]

    @property
    def subject(self) -> Subject:
        """One sample among the models makes the run one; so does a sample that is retrieved from."""
        return "sample" if any(model.is_sample for model in self.tiers.values()) else "real"

    def dry_run(self) -> int:
        """Tell what would be done, and do nothing."""
        from synapse_perf.report.plan import DryRun, PlanStep, render_plan

        minimum = self.effort.bounds.minimum
        plan = DryRun(
            "tier-latency",
            self.choice.profile_name,
            tuple(PlanStep(arm.name, arm.repeats or minimum, None, 0) for arm in self.arms),
            outputs=tuple(str(path) for path in self.options.output),
            max_time_s=self.effort.bounds.max_time_s,
            notes=tuple(f"{tier}: {model.label}, {model.description}" for tier, model in self.tiers.items()),
        )
        typer.echo(render_plan(plan, self.options.format), nl=False)
        return 0

    def measure(self, baseline: Result | None) -> int:
        """Measure, explain, report; the exit code."""
        from synapse_perf.analyze.sampling import interleaved
        from synapse_perf.analyze.stopping import undecided_by
        from synapse_perf.clock import utc_timestamp
        from synapse_perf.host.checkup import warnings_before

        started_at, started_s = utc_timestamp(), time.monotonic()
        warnings = [*warnings_before("latency"), *self._not_asked()]
        if not self.options.quiet:
            for warning in warnings:
                typer.echo(f"warning: {warning}", err=True)
        tell_left_out(self.choice.unusable, len(self.tiers))
        bounds = self.effort.bounds
        undecided = undecided_by(self._judgement(), self.arms)
        policy = interleaved(self.arms, bounds=bounds, seed=self.effort.seed, undecided=undecided)
        outcome = carry_out(policy, len(self.arms) * bounds.minimum, quiet=self.options.quiet)
        with HeldInterrupts(again=outcome.is_interrupted) as held:
            result = self._result(outcome, started_at, warnings)
            result = replace(result, duration_s=time.monotonic() - started_s)
        ending = Ending(held.is_interrupted, bool(self.choice.unusable), self.profile.required)
        return conclude(result, baseline, self.options, ending)

    def _not_asked(self) -> list[str]:
        """Which tiers have no model, and what cannot be measured for that."""
        missing = missing_for_two_stage(self.tiers, self.queries) if self.request.overlaps else ()
        return [f"no {tier} model: its queries, and two-stage queries that need it, are not asked" for tier in missing]

    def _judgement(self) -> Judgement:
        from synapse_perf.benchmarks.tier_latency import METRICS

        return self.effort.judgement(METRICS, self.choice.profile_name, self.subject)

    def _result(self, outcome: Outcome, started_at: str, warnings: list[str]) -> Result:
        from synapse_perf.analyze.collect import metrics_of
        from synapse_perf.analyze.disturbance import disturbance_warnings, excuse_disturbed
        from synapse_perf.analyze.latency_marks import speed_warnings
        from synapse_perf.analyze.stopping import what_more_time_would_settle
        from synapse_perf.analyze.verdict import check_targets, overall_verdict
        from synapse_perf.benchmarks.tier_latency import METRICS
        from synapse_perf.commands.load_record import failures_of, warnings_of
        from synapse_perf.host.environment import describe
        from synapse_perf.model import Result

        metrics = metrics_of(outcome.trials, METRICS, self.effort.confidence)
        checks = check_targets(
            metrics,
            self.effort.targets,
            confidence=self.effort.confidence,
            subject=self.subject,
            profile=self.choice.profile_name,
        )
        checks = excuse_disturbed(checks, metrics)
        warnings += what_more_time_would_settle(outcome.trials, self.arms, self._judgement())
        warnings += [*warnings_of(outcome.trials), *disturbance_warnings(outcome.trials)]
        warnings += speed_warnings(outcome.trials, self.effort.confidence)
        return Result(
            benchmark="tier-latency",
            subject=self.subject,
            profile=self.choice.profile_name,
            started_at=started_at,
            duration_s=0.0,
            workload=self._workload(outcome.trials),
            plan=self._told_plan(outcome),
            environment=describe(),
            metrics=metrics,
            checks=checks,
            comparisons=(),
            warnings=tuple(dict.fromkeys(warnings)),
            failures=(*self.choice.unusable, *failures_of(outcome.trials)),
            verdict=overall_verdict(checks, required=self.profile.required),
            findings=self._findings(metrics),
        )

    def _told_plan(self, outcome: Outcome) -> dict[str, Json]:
        """With the queries that warmed the processes up, which are in no figure."""
        plan = self.effort.plan(outcome, self.arms, self._judgement(), self.request.load.timeout_s)
        discarded = [trial.facts["discarded"] for trial in outcome.trials if "discarded" in trial.facts]
        return {**plan, "discarded_queries": sum(discarded)}

    def _findings(self, metrics: Sequence[Metric]) -> tuple[Finding, ...]:
        """Every finding, the severest first."""
        from synapse_perf.analyze.latency_findings import findings_of
        from synapse_perf.commands.load_explain import SEVERITIES

        limits = {
            target.id.removeprefix("query-"): target.limit
            for target in self.effort.targets
            if target.metric == "query_latency"
        }
        found = findings_of(metrics, self.effort.confidence, limits)
        return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))

    def _workload(self, trials: Sequence[Trial]) -> dict[str, Json]:
        """What was measured; prompts are private, so only a digest of them is kept.

        The context that a model got is told beside it; what asked for it is in the digest already.
        """
        request = self.request
        described: dict[str, Json] = {
            "tiers": {
                tier: {"file": model.label, "digest": model.digest, "description": model.description}
                for tier, model in self.tiers.items()
            },
            "queries": len(self.queries),
            "max_tokens": request.max_tokens,
            "draft_tokens": request.draft_tokens,
            "fixed_length": request.is_fixed_length,
            "resident": request.resident,
            "searched": self.prepared.searched.digest if self.prepared else None,
        }
        prompts = [query.as_workload() for query in self.queries]
        text = json.dumps([described, prompts], sort_keys=True)
        contexts = {trial.spec.labels["tier"]: trial.facts["n_ctx"] for trial in trials if "n_ctx" in trial.facts}
        for tier, context in contexts.items():
            described["tiers"][tier]["context"] = context
        return {**described, "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}
