"""Carries out one run of tier-latency: trials, metrics, checks, findings, report."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import typer

from synapse_perf.analyze.latency_plan import LatencyCase, LatencyRequest, plan_latency
from synapse_perf.analyze.load_plan import patience_s
from synapse_perf.commands.conclude import Ending, conclude, tell_left_out
from synapse_perf.commands.interrupts import HeldInterrupts
from synapse_perf.commands.latency_record import checks_of, distinct, not_asked, ranked, without_context, workload_of
from synapse_perf.commands.measuring import carry_out, effort_of
from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_perf.analyze.query_set import Query
    from synapse_perf.analyze.sampling import Arm
    from synapse_perf.analyze.stopping import Judgement
    from synapse_perf.commands.latency_beside import Beside, MeasureBeside
    from synapse_perf.commands.latency_context import TwoStageContext
    from synapse_perf.commands.load_flamegraph import Recording
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.tier_choice import Tiers
    from synapse_perf.measure.runner import Attach
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import (
        Failure,
        Finding,
        Json,
        Metric,
        MetricDefinition,
        Policy,
        Result,
        Subject,
        Trial,
    )
    from synapse_perf.profiles import Profile


class LatencyRun:
    """One run over the tiers."""

    def __init__(
        self,
        profile: Profile,
        chosen: Tiers,
        queries: Sequence[Query],
        request: LatencyRequest,
        context: TwoStageContext | None,
        options: CommonOptions,
        *,
        beside: Sequence[MeasureBeside] = (),
        beside_s: float = 0.0,
        notes: Sequence[str] = (),
        explains: bool = False,
    ) -> None:
        self.profile = profile
        self.chosen = chosen
        self.tiers = chosen.models
        self.queries = queries
        self.context = context
        self.options = options
        effort = effort_of(profile, options)
        self.whole_time_s = effort.bounds.max_time_s
        left_s = max(0.0, (self.whole_time_s or 0.0) - beside_s)
        self.effort = replace(effort, bounds=replace(effort.bounds, max_time_s=left_s))
        size_bytes = sum(model.size_bytes for model in self.tiers.values())
        timeout_s = patience_s(size_bytes, self.effort.bounds.max_time_s or 0.0)
        self.request = replace(request, load=replace(request.load, timeout_s=timeout_s))
        self.measure_beside = beside
        self.notes = notes
        self.explains = explains
        if not self.arms:
            told = not_asked(self.tiers, queries, self.request)
            raise InputError(f"nothing would be asked: {'; '.join(told)}", "give a --tier for them, or --asked every")

    # --- what is measured --------------------------------------------------------------------------------------------

    @cached_property
    def cases(self) -> list[LatencyCase]:
        retrieval = self.context.workload if self.context else None
        return plan_latency(self.tiers, self.queries, self.request, retrieval)

    @cached_property
    def arms(self) -> list[Arm]:
        return [case.arm(self.effort.bounds.minimum) for case in self.cases]

    @property
    def subject(self) -> Subject:
        """One sample among the models makes the run one."""
        return "sample" if any(model.is_sample for model in self.tiers.values()) else "real"

    @property
    def profile_name(self) -> str:
        return self.chosen.choice.profile_name

    def _definitions(self) -> Mapping[str, MetricDefinition]:
        from synapse_perf.benchmarks.tier_latency import METRICS

        return METRICS

    def _judgement(self) -> Judgement:
        """What more trials are run for; a two-stage query out of a sample of documents is none of it."""
        judgement = self.effort.judgement(self._definitions(), self.profile_name, self.subject)
        if self.context is not None and self.context.is_sample:
            others = tuple(target for target in judgement.targets if target.id != "query-two-stage")
            judgement = replace(judgement, targets=others)
        return judgement

    # --- the run -----------------------------------------------------------------------------------------------------

    def dry_run(self) -> int:
        """Tell what would be done, and do nothing."""
        from synapse_perf.commands.latency_dry_run import dry_run

        return dry_run(self)

    def measure(self, baseline: Result | None) -> int:
        """Measure, explain, report; the exit code."""
        from synapse_perf.clock import utc_timestamp
        from synapse_perf.host.checkup import warnings_before

        started_at, started_s = utc_timestamp(), time.monotonic()
        warnings = [*warnings_before("latency"), *self.told_before()]
        if not self.options.quiet:
            for warning in warnings:
                typer.echo(f"warning: {warning}", err=True)
        unusable = self.chosen.choice.unusable
        tell_left_out(unusable, len(self.tiers))
        outcome = self._run_trials()
        beside = self._measure_beside(outcome)
        is_interrupted = outcome.is_interrupted or any(one.is_interrupted for one in beside)
        graph = self._record_flamegraph(is_interrupted)
        with HeldInterrupts(again=is_interrupted or graph.is_interrupted) as held:
            result = self._result(outcome, beside, started_at, [*warnings, *graph.warnings])
            result = replace(result, duration_s=time.monotonic() - started_s)
        files = {path: graph.text for path in (self.options.flamegraph,) if path and graph.text is not None}
        ending = Ending(held.is_interrupted, bool(unusable), self.profile.required, files)
        return conclude(result, baseline, self.options, ending)

    def carry_out(
        self, policy: Policy, planned: int, attach: Attach | None = None, *, max_time_s: float | None = None
    ) -> Outcome:
        return carry_out(policy, planned, quiet=self.options.quiet, attach=attach, max_time_s=max_time_s)

    def _run_trials(self) -> Outcome:
        from synapse_perf.analyze.latency_pace import paced
        from synapse_perf.analyze.stopping import needs_by

        bounds, judgement = self.effort.bounds, self._judgement()
        needs = needs_by(judgement, self.arms)
        policy = paced(self.cases, bounds=bounds, judgement=judgement, needs=needs, seed=self.effort.seed)
        return self.carry_out(policy, len(self.arms) * bounds.minimum, max_time_s=bounds.max_time_s)

    def _measure_beside(self, outcome: Outcome) -> list[Beside]:
        """What was asked for after the tiers, until one is interrupted."""
        found: list[Beside] = []
        for measure in self.measure_beside:
            if outcome.is_interrupted or any(one.is_interrupted for one in found):
                break
            found.append(measure(self, outcome))
        return found

    def _record_flamegraph(self, is_interrupted: bool) -> Recording:
        """The first kind of trial once more under a profiler; never judged."""
        from synapse_perf.commands.latency_flamegraph import record_queries
        from synapse_perf.commands.load_flamegraph import Recording

        path = self.options.flamegraph
        if path is None or is_interrupted or not self.arms:
            return Recording()
        return record_queries(self.arms[0].spec, path, self.carry_out)

    # --- what came of it ---------------------------------------------------------------------------------------------

    def told_before(self) -> list[str]:
        """What the user may not expect of what is measured."""
        told = not_asked(self.tiers, self.queries, self.request)
        return [*self.chosen.warnings, *told, *(self.context.warnings if self.context else ())]

    def _result(self, outcome: Outcome, beside: Sequence[Beside], started_at: str, warnings: list[str]) -> Result:
        from synapse_perf.analyze.collect import metrics_of
        from synapse_perf.analyze.verdict import overall_verdict
        from synapse_perf.host.environment import describe
        from synapse_perf.model import Result

        metrics = metrics_of(outcome.trials, self._definitions(), self.effort.confidence)
        is_sample_context = self.context is not None and self.context.is_sample
        checks = checks_of(metrics, self.effort, self.profile_name, self.subject, is_sample_context=is_sample_context)
        findings = [*self._findings(metrics), *(one for more in beside for one in more.findings)]
        for more in beside:
            metrics, checks = metrics + more.metrics, checks + more.checks
        warnings += [*self._warnings_after(outcome), *(text for more in beside for text in more.warnings)]
        return Result(
            benchmark="tier-latency",
            subject=self.subject,
            profile=self.profile_name,
            started_at=started_at,
            duration_s=0.0,
            workload={**self._workload(outcome.trials), **{k: v for more in beside for k, v in more.facts.items()}},
            plan=self._told_plan(outcome),
            environment=describe(),
            metrics=metrics,
            checks=checks,
            comparisons=(),
            warnings=tuple(dict.fromkeys(warnings)),
            failures=(*self._failures(outcome), *(one for more in beside for one in more.failures)),
            verdict=overall_verdict(checks, required=self.profile.required),
            findings=ranked(findings),
        )

    def _failures(self, outcome: Outcome) -> tuple[Failure, ...]:
        from synapse_perf.commands.load_record import failures_of

        return (*self.chosen.choice.unusable, *distinct(failures_of(outcome.trials)))

    def _warnings_after(self, outcome: Outcome) -> list[str]:
        from synapse_perf.analyze.disturbance import disturbance_warnings
        from synapse_perf.analyze.latency_marks import speed_warnings
        from synapse_perf.analyze.latency_pace import left_out
        from synapse_perf.analyze.stopping import what_more_time_would_settle
        from synapse_perf.commands.load_record import warnings_of

        return [
            *([] if outcome.is_interrupted else left_out(self.cases, outcome.trials)),
            *what_more_time_would_settle(outcome.trials, self.arms, self._judgement()),
            *(without_context(outcome.trials) if self.context else ()),
            *warnings_of(outcome.trials),
            *disturbance_warnings(outcome.trials),
            *speed_warnings(outcome.trials, self.effort.confidence),
        ]

    def _told_plan(self, outcome: Outcome) -> dict[str, Json]:
        """With the queries that warmed the processes up, which are in no figure."""
        plan = self.effort.plan(outcome, self.arms, self._judgement(), self.request.load.timeout_s)
        discarded = [trial.facts["discarded"] for trial in outcome.trials if "discarded" in trial.facts]
        told: dict[str, Json] = {**plan, "max_time_s": self.whole_time_s, "discarded_queries": sum(discarded)}
        return {**told, "explained": True} if self.explains else told

    def _findings(self, metrics: Sequence[Metric]) -> list[Finding]:
        from synapse_perf.analyze.latency_findings import findings_of

        return list(findings_of(metrics, self.effort.confidence, self.limits))

    @property
    def limits(self) -> dict[str, float]:
        """Of the targets in seconds, by tier."""
        return {
            target.id.removeprefix("query-"): target.limit
            for target in self.effort.targets
            if target.metric == "query_latency"
        }

    def _workload(self, trials: Sequence[Trial]) -> dict[str, Json]:
        return workload_of(self.tiers, self.queries, self.request, self.context, trials)
