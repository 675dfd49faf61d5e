"""Carries out one run of leak-hunt: looks, verdicts, report."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from synapse_perf.analyze.leak_plan import look_spec, looks_of, next_look
from synapse_perf.analyze.leak_rows import UNTRIMMED
from synapse_perf.commands.conclude import Ending, conclude, tell_left_out
from synapse_perf.commands.interrupts import HeldInterrupts
from synapse_perf.commands.measuring import carry_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_perf.commands.leak_hunts import Asked, Chosen
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Failure, Json, Leak, Result, Trial

DEFAULT_MAX_TIME_S = 120.0
MEMORY_SHORT = "give it less to do, or close other programs"
ENDED_ITSELF = "see why it ends the process that calls it, and name a function that comes back"


class LeakRun:
    """One run over all hunts that were asked for."""

    def __init__(self, asked: Asked, chosen: Chosen) -> None:
        from synapse_perf.units import parse_duration

        self.asked = asked
        self.chosen = chosen
        self.options = asked.common
        asked_s = parse_duration(self.options.max_time) if self.options.max_time else None
        self.max_time_s: float = asked_s or asked.profile.sampling.max_time_s or DEFAULT_MAX_TIME_S

    def dry_run(self) -> int:
        """Tell what would be done, and do nothing."""
        from synapse_perf.report.plan import DryRun, PlanStep, render_plan

        each = self.max_time_s / len(self.chosen.hunts)
        looks = {hunt.name: look_spec(hunt, 0, each).samples for hunt in self.chosen.hunts}
        plan = DryRun(
            "leak-hunt",
            self.chosen.profile_name,
            tuple(PlanStep(f"{name}: {count} iterations", 1, None, 0) for name, count in looks.items()),
            outputs=tuple(str(path) for path in self.options.output),
            max_time_s=self.max_time_s,
            notes=("where something grows, twice and four times as many iterations follow, each in a new process",),
        )
        typer.echo(render_plan(plan, self.options.format), nl=False)
        return 0

    def measure(self, baseline: Result | None) -> int:
        """Hunt, judge, report; the exit code."""
        from synapse_perf.clock import utc_timestamp

        started_at, started_s = utc_timestamp(), time.monotonic()
        tell_left_out(self.chosen.unusable, len(self.chosen.hunts))
        policy = next_look(self.chosen.hunts, self.max_time_s)
        outcome = carry_out(policy, len(self.chosen.hunts), quiet=self.options.quiet)
        with HeldInterrupts(again=outcome.is_interrupted) as held:
            result = replace(self._result(outcome, started_at), duration_s=time.monotonic() - started_s)
        ending = Ending(held.is_interrupted, bool(self.chosen.unusable) or _is_wrong_input(outcome.trials))
        return conclude(result, baseline, self.options, ending)

    def _result(self, outcome: Outcome, started_at: str) -> Result:
        from synapse_perf.analyze.disturbance import disturbance_warnings
        from synapse_perf.analyze.leak_rows import leak_metrics
        from synapse_perf.analyze.verdict import overall_verdict
        from synapse_perf.benchmarks.leak_loop import METRICS
        from synapse_perf.commands.load_record import warnings_of
        from synapse_perf.host.environment import describe
        from synapse_perf.model import Result

        leaks = self._leaks(outcome.trials)
        return Result(
            benchmark="leak-hunt",
            subject=self.chosen.subject,
            profile=self.chosen.profile_name,
            started_at=started_at,
            duration_s=0.0,
            workload=self._workload(),
            plan=self._plan(outcome),
            environment=describe(),
            metrics=leak_metrics(outcome.trials, METRICS),
            checks=(),
            comparisons=(),
            warnings=(*self.chosen.warnings, *warnings_of(outcome.trials), *disturbance_warnings(outcome.trials)),
            failures=(*self.chosen.unusable, *_failures(outcome.trials)),
            verdict=overall_verdict((), leaks=leaks),
            findings=(),
            leaks=leaks,
        )

    def _leaks(self, trials: Sequence[Trial]) -> tuple[Leak, ...]:
        """The rows of every hunt's last look."""
        from synapse_perf.analyze.leak_rows import decisive, leaks_of

        rows: list[Leak] = []
        for hunt in self.chosen.hunts:
            look = decisive(looks_of(trials, hunt.name))
            untrimmed = [one for one in trials if one.spec.labels["hunt"] == hunt.name and one.spec.arm == UNTRIMMED]
            if look is not None:
                rows += leaks_of(look, untrimmed[0] if untrimmed else None)
        return tuple(rows)

    def _plan(self, outcome: Outcome) -> dict[str, Json]:
        untold = {name: reason for trial in outcome.trials for name, reason in trial.facts.get("untold", {}).items()}
        looks = {hunt.name: len(looks_of(outcome.trials, hunt.name)) for hunt in self.chosen.hunts}
        return {
            "max_time_s": self.max_time_s,
            "iterations": {hunt.name: hunt.iteration for hunt in self.chosen.hunts},
            "looks": looks,
            **({"stopped": "interrupted"} if outcome.is_interrupted else {}),
            **({"untold": untold} if untold else {}),
        }

    def _workload(self) -> dict[str, Json]:
        described = {**self.chosen.workload, "hunts": [hunt.name for hunt in self.chosen.hunts]}
        text = json.dumps([described, [dict(hunt.spec.workload) for hunt in self.chosen.hunts]], sort_keys=True)
        return {**described, "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}


def _is_wrong_input(trials: Sequence[Trial]) -> bool:
    """A name that is not there: no line of the user's has run, so there is no traceback."""
    return any(
        trial.failure is not None
        and trial.spec.benchmark == "leak_function"
        and trial.failure.kind == "error"
        and not trial.failure.detail
        and not trial.samples
        for trial in trials
    )


def _failures(trials: Sequence[Trial]) -> list[Failure]:
    """Of code of the user's, with what a user can do about it there."""
    from synapse_perf.commands.load_record import failures_of
    from synapse_perf.commands.retriever_choice import explained

    return [
        _with_remedy(explained(failure)) if failure.labels.get("hunt", "").count(":") else failure
        for failure in failures_of(trials)
    ]


def _with_remedy(failure: Failure) -> Failure:
    if failure.kind == "out-of-memory":
        return replace(failure, remedy=MEMORY_SHORT)
    if "the worker ended with status" in failure.message:
        return replace(failure, remedy=ENDED_ITSELF)
    return failure
