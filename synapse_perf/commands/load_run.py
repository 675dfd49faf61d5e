"""Carries out one run of profile-load: plan, trials, metrics, checks, findings, report."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import typer

from synapse_perf.analyze.load_plan import Case, LoadRequest, patience_s, plan_load
from synapse_perf.commands.conclude import Ending, conclude, tell_left_out
from synapse_perf.commands.interrupts import HeldInterrupts
from synapse_perf.commands.load_fit import FitReport, check_fit
from synapse_perf.commands.load_flamegraph import Recording, record, watched_start
from synapse_perf.commands.load_record import (
    failures_of,
    log_text,
    packages_of,
    warnings_of,
    with_devices,
    workload_of,
)
from synapse_perf.commands.measuring import carry_out, effort_of
from synapse_perf.commands.memory_check import check_memory
from synapse_perf.commands.model_choice import choose_models

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from synapse_perf.analyze.sampling import Arm
    from synapse_perf.analyze.stopping import Judgement
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.measure.runner import Attach
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Finding, Policy, Result, Subject
    from synapse_perf.profiles import Profile

FIT_NOTE = "then what fits into memory is planned, and checked by at most one load a model (--no-fit leaves it out)"
FLAMEGRAPH_NOTE = "at the end one more start is watched for the flame graph, and not judged"


class LoadRun:
    """One run, from what was asked for to the exit code."""

    def __init__(
        self,
        profile: Profile,
        request: LoadRequest,
        options: CommonOptions,
        *,
        names: Sequence[str],
        log_path: Path | None,
        wants_fit: bool = True,
    ) -> None:
        self.profile = profile
        self.options = options
        self.log_path = log_path
        self.wants_fit = wants_fit
        self.effort = effort_of(profile, options)
        self.bounds = self.effort.bounds
        checked = check_memory(choose_models(names, profile, quiet=options.quiet), request)
        self.choice, self.memory_warnings = checked.choice, checked.warnings
        size_bytes = sum(model.size_bytes for model in self.choice.models)
        self.request = replace(checked.request, timeout_s=patience_s(size_bytes, self.bounds.max_time_s or 0.0))

    @cached_property
    def cases(self) -> list[Case]:
        return plan_load(self.choice.models, self.request)

    @cached_property
    def arms(self) -> list[Arm]:
        from synapse_perf.analyze.sampling import Arm

        return [Arm(case.name, case.spec, None if case.is_judged else self.bounds.minimum) for case in self.cases]

    @property
    def planned(self) -> int:
        return len(self.cases) * self.bounds.minimum

    @property
    def timeout_s(self) -> float:
        return max(case.spec.timeout_s for case in self.cases)

    @property
    def subject(self) -> Subject:
        """One sample among the models makes the run one: its figures are then no verdict on a system."""
        return "sample" if any(model.is_sample for model in self.choice.models) else "real"

    def dry_run(self) -> int:
        """Tell what would be done, and do nothing."""
        from synapse_perf.commands.load_dry_run import earlier_results, plan_steps
        from synapse_perf.report.plan import DryRun, render_plan
        from synapse_perf.units import format_duration

        steps, note = plan_steps(self.cases, self.choice.models, self.bounds.minimum, earlier_results())
        notes = [note, *self.memory_warnings, *(failure.message for failure in self.choice.unusable)]
        notes += [FIT_NOTE] if self.wants_fit else []
        notes += [FLAMEGRAPH_NOTE] if self.options.flamegraph else []
        notes.append(f"a start that takes longer than {format_duration(self.timeout_s)} is ended, and has failed")
        plan = DryRun(
            "profile-load",
            self.choice.profile_name,
            tuple(steps),
            outputs=tuple(str(path) for path in self.options.output),
            max_time_s=self.bounds.max_time_s,
            notes=tuple(notes),
        )
        typer.echo(render_plan(plan, self.options.format), nl=False)
        return 0

    def measure(self, baseline: Result | None) -> int:
        """Measure, explain, report; the exit code."""
        from synapse_perf.clock import utc_timestamp
        from synapse_perf.host.checkup import warnings_before

        started_at, started_s = utc_timestamp(), time.monotonic()
        warnings = [*warnings_before("load"), *self.memory_warnings]
        if not self.options.quiet:
            for warning in warnings:
                typer.echo(f"warning: {warning}", err=True)
        tell_left_out(self.choice.unusable, len(self.choice.models))
        outcome = self._run_trials()
        fit = self._check_fit(outcome)
        graph = self._record_flamegraph(outcome.is_interrupted or fit.is_interrupted)
        with HeldInterrupts(again=outcome.is_interrupted or fit.is_interrupted or graph.is_interrupted) as held:
            result = self._result(outcome, fit.findings, started_at, [*warnings, *fit.warnings, *graph.warnings])
            result = replace(result, duration_s=time.monotonic() - started_s)
        ending = Ending(
            held.is_interrupted,
            bool(self.choice.unusable),
            self.profile.required,
            self._files(outcome, graph),
        )
        return conclude(result, baseline, self.options, ending)

    def _run_trials(self) -> Outcome:
        from synapse_perf.analyze.sampling import interleaved
        from synapse_perf.analyze.stopping import undecided_by

        policy = interleaved(
            self.arms, bounds=self.bounds, seed=self.effort.seed, undecided=undecided_by(self._judgement(), self.arms)
        )
        return carry_out(policy, self.planned, quiet=self.options.quiet, max_time_s=self.bounds.max_time_s)

    def _carry_out(self, policy: Policy, planned: int, attach: Attach | None = None) -> Outcome:
        return carry_out(policy, planned, quiet=self.options.quiet, attach=attach)

    def _check_fit(self, outcome: Outcome) -> FitReport:
        from synapse_perf.analyze.sampling import fixed, spent_s

        if outcome.is_interrupted or not self.wants_fit:
            return FitReport()
        left_s = (self.bounds.max_time_s or 0.0) - spent_s(outcome.trials)
        try:
            return check_fit(
                self.choice,
                self.request,
                outcome.trials,
                seconds_left=left_s,
                run=lambda specs: self._carry_out(fixed(specs), len(specs)),
            )
        except KeyboardInterrupt:  # between its trials
            return FitReport(is_interrupted=True)

    def _record_flamegraph(self, is_interrupted: bool) -> Recording:
        from synapse_perf.analyze.sampling import fixed

        path = self.options.flamegraph
        if path is None or is_interrupted:
            return Recording()
        try:
            spec = watched_start(self.cases)
            recording = record(spec, path, lambda one, attach: self._carry_out(fixed([one]), 1, attach))
        except KeyboardInterrupt:  # between its trials
            return Recording(is_interrupted=True)
        if recording.told:
            typer.echo(recording.told, err=True)
        return recording

    def _files(self, outcome: Outcome, graph: Recording) -> dict[Path, str]:
        """What is written beside the reports."""
        files = {self.log_path: log_text(outcome.trials), self.options.flamegraph: graph.text}
        return {path: text for path, text in files.items() if path is not None and text is not None}

    def _judgement(self) -> Judgement:
        from synapse_perf.benchmarks.profile_load import METRICS

        return self.effort.judgement(METRICS, self.choice.profile_name, self.subject)

    def _result(self, outcome: Outcome, more: Sequence[Finding], started_at: str, warnings: list[str]) -> Result:
        from synapse_perf.analyze.collect import metrics_of
        from synapse_perf.analyze.disturbance import disturbance_warnings, excuse_disturbed
        from synapse_perf.analyze.stopping import what_more_time_would_settle
        from synapse_perf.analyze.verdict import check_targets, overall_verdict
        from synapse_perf.benchmarks.profile_load import METRICS
        from synapse_perf.commands.load_explain import explain
        from synapse_perf.host.environment import describe
        from synapse_perf.model import Result

        trials = with_devices(outcome.trials)
        metrics = metrics_of(trials, METRICS, self.effort.confidence)
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
        return Result(
            benchmark="profile-load",
            subject=self.subject,
            profile=self.choice.profile_name,
            started_at=started_at,
            duration_s=0.0,
            workload=workload_of(self.choice.models, self.request),
            plan=self.effort.plan(outcome, self.arms, self._judgement(), self.timeout_s),
            environment=describe(packages=packages_of(outcome.trials)),
            metrics=metrics,
            checks=checks,
            comparisons=(),
            warnings=tuple(dict.fromkeys(warnings)),
            failures=(*self.choice.unusable, *failures_of(outcome.trials)),
            verdict=overall_verdict(checks, required=self.profile.required),
            findings=explain(metrics, outcome.trials, self.effort.confidence, more),
        )
