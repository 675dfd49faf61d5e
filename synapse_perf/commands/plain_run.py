"""One run of a command that measures a few kinds of trials and judges them: plan, trials, checks, report.

A command of that kind is a subclass with its arms, its workload and what it finds.
"""

from __future__ import annotations

import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import typer

from synapse_perf.commands.conclude import Ending, conclude
from synapse_perf.commands.interrupts import HeldInterrupts
from synapse_perf.commands.measuring import carry_out, effort_of

if TYPE_CHECKING:
    from synapse_perf.analyze.sampling import Arm
    from synapse_perf.analyze.stopping import Judgement
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Check, Finding, Json, Leak, Metric, MetricDefinition, Policy, Result, Subject, Trial
    from synapse_perf.profiles import Profile


class PlainRun(ABC):
    """From what was asked for to the exit code."""

    benchmark: ClassVar[str]
    notes: Sequence[str] = ()
    timeout_s: float = 600.0
    subject: Subject = "real"

    def __init__(self, profile: Profile, options: CommonOptions) -> None:
        self.profile = profile
        self.options = options
        self.effort = effort_of(profile, options)

    # --- what a command is ---------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def definitions(self) -> Mapping[str, MetricDefinition]:
        """The metrics of its benchmark."""

    @cached_property
    @abstractmethod
    def arms(self) -> list[Arm]:
        """The kinds of trials."""

    @abstractmethod
    def described(self) -> dict[str, Json]:
        """The workload, as the result file tells it; its digest decides what is comparable."""

    def findings(self, metrics: Sequence[Metric], trials: Sequence[Trial]) -> Sequence[Finding]:  # noqa: ARG002
        return ()

    def noted(self) -> dict[str, Json]:
        """What the result file tells beside the workload, and what decides nothing of what is comparable."""
        return {}

    def policy(self) -> Policy:
        """Which trial comes next; in blocks with one of each arm."""
        return self.policy_of(self.arms)

    def checked(self, checks: Sequence[Check], trials: Sequence[Trial]) -> Sequence[Check]:  # noqa: ARG002
        """The checks, after a look at what makes them worthless."""
        return checks

    def warnings(self, trials: Sequence[Trial]) -> Sequence[str]:  # noqa: ARG002
        return ()

    def leaks(self, trials: Sequence[Trial]) -> tuple[Leak, ...]:  # noqa: ARG002
        return ()

    # --- the run -------------------------------------------------------------------------------------------------

    def dry_run(self) -> int:
        """Tell what would be done, and do nothing."""
        from synapse_perf.report.plan import DryRun, PlanStep, render_plan

        bounds = self.effort.bounds
        plan = DryRun(
            self.benchmark,
            self.profile.name,
            tuple(PlanStep(arm.name, arm.repeats or bounds.minimum, None, 0) for arm in self.arms),
            outputs=tuple(str(path) for path in self.options.output),
            max_time_s=bounds.max_time_s,
            notes=tuple(self.notes),
        )
        typer.echo(render_plan(plan, self.options.format), nl=False)
        return 0

    def policy_of(self, arms: Sequence[Arm]) -> Policy:
        """These alone, in blocks, until each is decided."""
        from synapse_perf.analyze.sampling import interleaved
        from synapse_perf.analyze.stopping import undecided_by

        undecided = undecided_by(self._judgement, arms)
        return interleaved(arms, bounds=self.effort.bounds, seed=self.effort.seed, undecided=undecided)

    def measure(self, baseline: Result | None) -> int:
        """Measure, judge, report; the exit code."""
        from synapse_perf.clock import utc_timestamp

        started_at, started_s = utc_timestamp(), time.monotonic()
        bounds = self.effort.bounds
        planned = sum(arm.repeats or bounds.minimum for arm in self.arms)
        outcome = carry_out(self.policy(), planned, quiet=self.options.quiet, max_time_s=bounds.max_time_s)
        with HeldInterrupts(again=outcome.is_interrupted) as held:
            result = replace(self._result(outcome, started_at), duration_s=time.monotonic() - started_s)
        return conclude(result, baseline, self.options, Ending(held.is_interrupted, False, self.profile.required))

    @property
    def _judgement(self) -> Judgement:
        return self.effort.judgement(self.definitions, self.profile.name, self.subject)

    def _result(self, outcome: Outcome, started_at: str) -> Result:
        from synapse_perf.analyze.collect import metrics_of
        from synapse_perf.analyze.disturbance import disturbance_warnings
        from synapse_perf.analyze.stopping import what_more_time_would_settle
        from synapse_perf.analyze.verdict import check_targets, overall_verdict
        from synapse_perf.commands.load_record import failures_of, warnings_of
        from synapse_perf.host.environment import describe
        from synapse_perf.model import Result

        trials, confidence = outcome.trials, self.effort.confidence
        metrics = metrics_of(trials, self.definitions, confidence)
        checks = check_targets(
            metrics, self.effort.targets, confidence=confidence, subject=self.subject, profile=self.profile.name
        )
        checks, leaks = tuple(self.checked(checks, trials)), self.leaks(trials)
        return Result(
            benchmark=self.benchmark,
            subject=self.subject,
            profile=self.profile.name,
            started_at=started_at,
            duration_s=0.0,
            workload=self._workload(),
            plan=self.effort.plan(outcome, self.arms, self._judgement, self.timeout_s),
            environment=describe(),
            metrics=metrics,
            checks=checks,
            comparisons=(),
            warnings=(
                *self.warnings(trials),
                *what_more_time_would_settle(trials, self.arms, self._judgement),
                *warnings_of(trials),
                *disturbance_warnings(trials),
            ),
            failures=tuple(failures_of(trials)),
            verdict=overall_verdict(checks, required=self.profile.required, leaks=leaks),
            findings=tuple(self.findings(metrics, trials)),
            leaks=leaks,
        )

    def _workload(self) -> dict[str, Json]:
        described = self.described()
        text = json.dumps(described, sort_keys=True)
        return {**described, **self.noted(), "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}
