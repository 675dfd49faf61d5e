"""Carries out one run of bench-cgrag: prepare, trials, metrics, checks, findings, report."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from synapse_perf.analyze.retrieval_plan import RetrievalCase, RetrievalRequest, plan_retrieval
from synapse_perf.commands.conclude import Ending, conclude
from synapse_perf.commands.interrupts import HeldInterrupts
from synapse_perf.commands.measuring import carry_out, effort_of
from synapse_perf.commands.retrieval_examination import Examination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.analyze.sampling import Arm
    from synapse_perf.analyze.stopping import Judgement
    from synapse_perf.analyze.tuning import Budget, Tuning
    from synapse_perf.commands.load_flamegraph import Recording
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.retrieval_set import Prepared
    from synapse_perf.measure.runner import Attach
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import (
        Failure,
        Finding,
        Json,
        Metric,
        Policy,
        Result,
        Subject,
        Trial,
        TrialSpec,
    )
    from synapse_perf.profiles import Profile
    from synapse_perf.report.plan import PlanStep


class RetrievalRun:
    """One run over one prepared set."""

    def __init__(
        self,
        profile: Profile,
        prepared: Prepared,
        request: RetrievalRequest,
        options: CommonOptions,
        budget: Budget | None = None,
    ) -> None:
        self.profile = profile
        self.prepared = prepared
        self.request = request
        self.options = options
        self.effort = effort_of(profile, options)
        self.budget = budget
        self.warnings = list(prepared.warnings)
        self.examination = Examination()
        self.tuning: Tuning | None = None
        self.tuning_trials: tuple[Trial, ...] = ()

    @cached_property
    def cases(self) -> list[RetrievalCase]:
        return plan_retrieval(self.prepared.searched, self.request)

    @cached_property
    def arms(self) -> list[Arm]:
        from synapse_perf.analyze.sampling import Arm

        minimum = self.effort.bounds.minimum
        arms = [Arm(case.name, case.spec, None if case.is_judged else minimum) for case in self.cases]
        return [*arms, *(Arm(spec.arm, spec, minimum) for spec in self._experiments())]

    def _experiments(self) -> list[TrialSpec]:
        """Caches and load, where there is a text to embed."""
        from synapse_perf.analyze.retrieval_experiments import StreamOptions, cache_specs, concurrency_specs

        searched, request = self.prepared.searched, self.request
        if searched.encoder is None:
            return []
        stream = StreamOptions(kind="log" if self.prepared.has_log else "zipf")
        specs = cache_specs(searched, request, stream) if request.wants_caches else []
        return [*specs, *(concurrency_specs(searched, request) if request.wants_load else [])]

    @property
    def subject(self) -> Subject:
        return "sample" if self.prepared.searched.is_sample else "real"

    @property
    def profile_name(self) -> str:
        return self.profile.name

    def dry_run(self) -> int:
        """Tell what would be measured, and measure nothing; the set itself had to be prepared to know it."""
        from synapse_perf.report.plan import DryRun, render_plan

        plan = DryRun(
            "bench-cgrag",
            self.profile_name,
            tuple(_step(arm, self.effort.bounds.minimum) for arm in self.arms),
            outputs=tuple(str(path) for path in self.options.output),
            max_time_s=self.effort.bounds.max_time_s,
            notes=(f"searched: {self.prepared.searched.description}", *self.warnings),
        )
        typer.echo(render_plan(plan, self.options.format), nl=False)
        return 0

    def measure(self, baseline: Result | None) -> int:
        """Measure, explain, report; the exit code."""
        from synapse_perf.clock import utc_timestamp
        from synapse_perf.host.checkup import warnings_before

        started_at, started_s = utc_timestamp(), time.monotonic()
        self.examination = self._examine()
        warnings = [*warnings_before("retrieval"), *self.warnings, *self.examination.warnings]
        if not self.options.quiet:
            for warning in warnings:
                typer.echo(f"warning: {warning}", err=True)
        outcome = self._run_trials()
        if not outcome.is_interrupted:
            outcome = self._tune(outcome)
        graph = self._record_flamegraph(outcome.is_interrupted)
        with HeldInterrupts(again=outcome.is_interrupted or graph.is_interrupted) as held:
            result = self._result(outcome, started_at, [*warnings, *graph.warnings])
            result = replace(result, duration_s=time.monotonic() - started_s)
        files = {path: graph.text for path in (self.options.flamegraph,) if path and graph.text is not None}
        ending = Ending(held.is_interrupted, required=self.profile.required, files=files)
        return conclude(result, baseline, self.options, ending)

    def _examine(self) -> Examination:
        """Look at what is searched before anything is timed; raises for what cannot be."""
        from synapse_perf.commands.retrieval_examination import examine

        return examine(self.prepared.searched, self.request, self.carry_out, is_engine=self.prepared.is_engine)

    def _tune(self, outcome: Outcome) -> Outcome:
        """Look for the best index, if that was asked for; the same outcome, interrupted if that was."""
        if self.budget is None:
            return outcome
        from synapse_perf.analyze.sampling import spent_s
        from synapse_perf.commands.tune_run import tune

        left_s = (self.effort.bounds.max_time_s or 0.0) - spent_s(outcome.trials)
        self.tuning, tuned = tune(
            Path(self.prepared.searched.directory),
            self.budget,
            self.carry_out,
            k=self.request.k,
            current_search=self.request.search,
            processes=self.effort.bounds.minimum,
            confidence=self.effort.confidence,
            max_time_s=left_s,
        )
        self.tuning_trials = tuned.trials
        return replace(outcome, is_interrupted=tuned.is_interrupted)

    def carry_out(self, policy: Policy, planned: int) -> Outcome:
        return carry_out(policy, planned, quiet=self.options.quiet)

    def _run_trials(self) -> Outcome:
        from synapse_perf.analyze.sampling import interleaved
        from synapse_perf.analyze.stopping import undecided_by

        bounds = self.effort.bounds
        undecided = undecided_by(self._judgement(), self.arms)
        policy = interleaved(self.arms, bounds=bounds, seed=self.effort.seed, undecided=undecided)
        return carry_out(
            policy, len(self.arms) * bounds.minimum, quiet=self.options.quiet, max_time_s=bounds.max_time_s
        )

    def _record_flamegraph(self, is_interrupted: bool) -> Recording:
        """The warm state once more under a profiler, or else the first kind of trial; never judged."""
        from synapse_perf.analyze.sampling import fixed
        from synapse_perf.commands.load_flamegraph import Recording, record

        path = self.options.flamegraph
        if path is None or is_interrupted:
            return Recording()
        spec = next((arm.spec for arm in self.arms if arm.name == "warm"), self.arms[0].spec)

        def run(one: TrialSpec, attach: Attach | None) -> Outcome:
            return carry_out(fixed([one]), 1, quiet=self.options.quiet, attach=attach)

        try:
            recording = record(spec, path, run, "Retrieval,")
        except KeyboardInterrupt:  # between its trials
            return Recording(is_interrupted=True)
        if recording.told:
            typer.echo(recording.told, err=True)
        return recording

    def _judgement(self) -> Judgement:
        from synapse_perf.commands.retrieval_record import definitions

        return self.effort.judgement(definitions(), self.profile_name, self.subject)

    def _result(self, outcome: Outcome, started_at: str, warnings: list[str]) -> Result:
        from synapse_perf.analyze.collect import metrics_of
        from synapse_perf.analyze.disturbance import disturbance_warnings, excuse_disturbed
        from synapse_perf.analyze.load_steps import sender_warnings
        from synapse_perf.analyze.stopping import what_more_time_would_settle
        from synapse_perf.analyze.verdict import check_targets, overall_verdict
        from synapse_perf.commands.load_record import warnings_of
        from synapse_perf.commands.retrieval_record import definitions
        from synapse_perf.host.environment import describe
        from synapse_perf.model import Result

        trials = (*outcome.trials, *self.examination.trials)
        metrics = metrics_of(trials, definitions(), self.effort.confidence) + self._tuning_metrics()
        checks = check_targets(
            metrics,
            self.effort.targets,
            confidence=self.effort.confidence,
            subject=self.subject,
            profile=self.profile_name,
        )
        checks = excuse_disturbed(checks, metrics)
        warnings += what_more_time_would_settle(outcome.trials, self.arms, self._judgement())
        # No target is judged under load: a late sender is a warning, and changes no verdict.
        warnings += [*warnings_of(outcome.trials), *disturbance_warnings(outcome.trials), *sender_warnings(metrics)]
        return Result(
            benchmark="bench-cgrag",
            subject=self.subject,
            profile=self.profile_name,
            started_at=started_at,
            duration_s=0.0,
            workload=self._workload(),
            plan=self.effort.plan(outcome, self.arms, self._judgement(), self.request.timeout_s),
            environment=describe(),
            metrics=metrics,
            checks=checks,
            comparisons=(),
            warnings=tuple(dict.fromkeys(warnings)),
            failures=self._failures(outcome),
            verdict=overall_verdict(checks, required=self.profile.required),
            findings=self._findings(metrics, outcome.trials),
        )

    def _failures(self, outcome: Outcome) -> tuple[Failure, ...]:
        from synapse_perf.commands.load_record import failures_of

        return tuple(failures_of(outcome.trials))

    def _tuning_metrics(self) -> tuple[Metric, ...]:
        if self.tuning is None:
            return ()
        from synapse_perf.commands.tune_run import tuning_metrics

        return tuning_metrics(self.tuning_trials, self.tuning.count, self.effort.confidence)

    def _findings(self, metrics: Sequence[Metric], trials: Sequence[Trial]) -> tuple[Finding, ...]:
        """Every finding, the severest first."""
        from synapse_perf.analyze.retrieval_cache_findings import cache_findings
        from synapse_perf.analyze.retrieval_concurrency import concurrency_findings
        from synapse_perf.analyze.retrieval_findings import findings_of
        from synapse_perf.analyze.targets import find_target
        from synapse_perf.commands.retrieval_record import severest_first

        limit_s = find_target("cgrag-cold", self.effort.targets).limit
        confidence = self.effort.confidence
        findings = [self.tuning.finding()] if self.tuning is not None else []
        findings += findings_of(metrics, self.request.open_modes[0], limit_s, confidence)
        findings += [*cache_findings(metrics, trials, confidence), *concurrency_findings(metrics, confidence)]
        findings += self.examination.findings
        return severest_first(findings)

    def _workload(self) -> dict[str, Json]:
        from synapse_perf.commands.retrieval_record import workload_of

        return workload_of(self.prepared, self.request, self.examination, self.tuning)


def _step(arm: Arm, minimum: int) -> PlanStep:
    from synapse_perf.report.plan import PlanStep

    files = arm.spec.files if arm.spec.page_cache == "cold" else ()
    size = sum(Path(file).stat().st_size for file in files if Path(file).exists())
    return PlanStep(arm.name, arm.repeats or minimum, None, size)
