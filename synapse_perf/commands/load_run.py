"""Carries out one run of profile-load: plan, trials, metrics, checks, findings, report."""

from __future__ import annotations

import hashlib
import json
import random
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from synapse_perf.analyze.load_plan import Case, LoadRequest, ModelUnderTest, plan_load, variants
from synapse_perf.commands.conclude import Ending, conclude
from synapse_perf.commands.model_choice import choose_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.analyze.sampling import Arm
    from synapse_perf.analyze.stopping import Judgement
    from synapse_perf.analyze.targets import Target
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Failure, Json, Result, Subject, Trial
    from synapse_perf.profiles import Profile

DEFAULT_MAX_TIME_S = 600.0


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
    ) -> None:
        from synapse_perf.analyze.sampling import Bounds
        from synapse_perf.analyze.targets import parse_target_option, with_limits
        from synapse_perf.units import parse_duration

        sampling = profile.sampling
        self.profile = profile
        self.request = request
        self.options = options
        self.log_path = log_path
        self.confidence = options.confidence or sampling.confidence
        self.seed = options.seed if options.seed is not None else sampling.seed
        if self.seed is None:
            self.seed = random.SystemRandom().randrange(2**31)
        limits = {**profile.targets, **dict(parse_target_option(text) for text in options.target)}
        self.targets: tuple[Target, ...] = with_limits(limits)
        trials = options.trials or sampling.trials or Bounds().minimum
        max_time_s = parse_duration(options.max_time) if options.max_time else sampling.max_time_s
        self.bounds = Bounds(
            minimum=trials, maximum=max(trials, Bounds().maximum), max_time_s=max_time_s or DEFAULT_MAX_TIME_S
        )
        self.choice = choose_models(names, profile, quiet=options.quiet)

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
    def subject(self) -> Subject:
        """One sample among the models makes the run one: its figures are then no verdict on a system."""
        return "sample" if any(model.is_sample for model in self.choice.models) else "real"

    def dry_run(self) -> int:
        """Tell what would be done, and do nothing."""
        from synapse_perf.commands.load_dry_run import earlier_results, plan_steps
        from synapse_perf.report.plan import DryRun, render_plan

        steps, note = plan_steps(self.cases, self.choice.models, self.bounds.minimum, earlier_results())
        notes = [note, *(failure.message for failure in self.choice.unusable)]
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
        warnings = list(warnings_before("load"))
        if not self.options.quiet:
            for warning in warnings:
                typer.echo(f"warning: {warning}", err=True)
        outcome = self._run_trials()
        result = self._result(outcome, started_at, warnings)
        result = replace(result, duration_s=time.monotonic() - started_s)
        self._write_logs(outcome.trials)
        ending = Ending(outcome.is_interrupted, bool(self.choice.unusable), self.profile.required)
        return conclude(result, baseline, self.options, ending)

    def _run_trials(self) -> Outcome:
        from synapse_perf.analyze.sampling import interleaved
        from synapse_perf.analyze.stopping import undecided_by
        from synapse_perf.measure.session import run_trials
        from synapse_perf.report.progress import Progress
        from synapse_perf.results import state_directory

        policy = interleaved(
            self.arms, bounds=self.bounds, seed=self.seed or 0, undecided=undecided_by(self._judgement(), self.arms)
        )
        with Progress(quiet=self.options.quiet) as progress:
            return run_trials(
                policy,
                planned=self.planned,
                register_directory=state_directory() / "processes",
                observe=progress.observe,
            )

    def _judgement(self) -> Judgement:
        from synapse_perf.analyze.stopping import Judgement
        from synapse_perf.benchmarks.profile_load import METRICS

        return Judgement(METRICS, self.targets, self.confidence, self.choice.profile_name, self.subject)

    def _result(self, outcome: Outcome, started_at: str, warnings: list[str]) -> Result:
        from synapse_perf.analyze.collect import metrics_of
        from synapse_perf.analyze.disturbance import disturbance_warnings, excuse_disturbed
        from synapse_perf.analyze.stopping import explain_stop, undecided_by, what_more_time_would_settle
        from synapse_perf.analyze.verdict import check_targets, overall_verdict
        from synapse_perf.benchmarks.profile_load import METRICS
        from synapse_perf.commands.load_explain import explain
        from synapse_perf.host.environment import describe
        from synapse_perf.model import Result

        trials = with_devices(outcome.trials)
        metrics = metrics_of(trials, METRICS, self.confidence)
        checks = check_targets(
            metrics,
            self.targets,
            confidence=self.confidence,
            subject=self.subject,
            profile=self.choice.profile_name,
        )
        checks = excuse_disturbed(checks, metrics)
        judgement = self._judgement()
        undecided = undecided_by(judgement, self.arms)
        warnings += what_more_time_would_settle(outcome.trials, self.arms, judgement)
        warnings += [*warnings_of(outcome.trials), *disturbance_warnings(outcome.trials)]
        return Result(
            benchmark="profile-load",
            subject=self.subject,
            profile=self.choice.profile_name,
            started_at=started_at,
            duration_s=0.0,
            workload=workload_of(self.choice.models, self.request),
            plan={
                "trials": self.bounds.minimum,
                "max_time_s": self.bounds.max_time_s,
                "confidence": self.confidence,
                "seed": self.seed,
                "stopped": explain_stop(outcome.trials, self.arms, self.bounds, undecided),
            },
            environment=describe(packages=None),
            metrics=metrics,
            checks=checks,
            comparisons=(),
            warnings=tuple(dict.fromkeys(warnings)),
            failures=(*self.choice.unusable, *failures_of(outcome.trials)),
            verdict=overall_verdict(checks, required=self.profile.required),
            findings=explain(metrics, outcome.trials, self.confidence),
        )

    def _write_logs(self, trials: Sequence[Trial]) -> None:
        if self.log_path is None:
            return
        from synapse_perf.atomic_files import write_atomically

        parts = [f"=== {_case(trial)}\n{trial.facts.get('log', '')}\n" for trial in trials if trial.facts.get("log")]
        write_atomically(self.log_path, "".join(parts))


def with_devices(trials: Sequence[Trial]) -> list[Trial]:
    """Floors carry the device of their model's starts, so that their rows stand together."""
    devices = {
        trial.spec.labels["model"]: measurement.labels["device"]
        for trial in trials
        if not trial.spec.labels.get("variant")
        for sample in trial.samples
        for measurement in sample.values
        if "device" in measurement.labels
    }
    return [
        replace(trial, spec=replace(trial.spec, labels={**trial.spec.labels, "device": devices[model]}))
        if trial.spec.benchmark != "profile_load" and (model := trial.spec.labels["model"]) in devices
        else trial
        for trial in trials
    ]


def workload_of(models: Sequence[ModelUnderTest], request: LoadRequest) -> dict[str, Json]:
    """What was measured, with a digest over all that decides whether two runs did the same work."""
    first = {model.label: variants(model, request)[0][2] for model in models}
    described: dict[str, Json] = {
        model.label: {
            "file": Path(model.path).name,
            "digest": model.digest,
            "size_bytes": model.size_bytes,
            "description": model.description,
            "settings": {k: v for k, v in first[model.label].as_workload().items() if k != "model_path"},
        }
        for model in models
    }
    text = json.dumps(described, sort_keys=True)
    return {"models": described, "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}


def warnings_of(trials: Sequence[Trial]) -> list[str]:
    """What llama.cpp and the reading of its log warned of, once each."""
    found = dict.fromkeys(str(text) for trial in trials for text in trial.facts.get("warnings", ()))
    uncertified = {
        str(sample.facts.get("cache_how"))
        for trial in trials
        if trial.spec.labels.get("cache") == "uncertified"
        for sample in trial.samples
    }
    return [*found, *(f"not certified: {how}" for how in sorted(uncertified))]


def failures_of(trials: Sequence[Trial]) -> list[Failure]:
    """Each different failure once, as the first trial had it."""
    found: dict[tuple[str, str], Failure] = {}
    for trial in trials:
        if trial.failure is not None:
            found.setdefault((trial.failure.message, str(trial.failure.labels.get("model"))), trial.failure)
    return list(found.values())


def _case(trial: Trial) -> str:
    labels = ", ".join(f"{key}={value}" for key, value in sorted(trial.spec.labels.items()))
    return f"{labels}, {trial.spec.arm}, process {trial.process}"
