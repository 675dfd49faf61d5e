"""Carries out one run of leak-hunt: looks, verdicts, report."""

from __future__ import annotations

import contextlib
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
    from collections.abc import Iterator, Sequence

    from synapse_perf.commands.leak_attribution import Attributed
    from synapse_perf.commands.leak_hunts import Asked, Chosen
    from synapse_perf.commands.leak_owner_options import OwnerOptions
    from synapse_perf.measure.session import Outcome
    from synapse_perf.model import Failure, Finding, Json, Leak, Result, Trial

DEFAULT_MAX_TIME_S = 120.0
# Those in which an error before any sample is wrong input.
FIRST_STEP_IS_INPUT = ("leak_function", "leak_cache", "leak_service", "leak_websocket")
# Of a workload: where the keys lie that are described already, and the number of a process.
NOT_THE_WORK = ("keys_file", "process", "suspect")
MEMORY_SHORT = "give it less to do, or close other programs"
USERS_CODE = ("leak_function", "leak_cache")  # of which anything may be left running
ENDED_ITSELF = "see why it ends the process that calls it, and name a function that comes back"


def max_time_of(asked: Asked) -> float:
    """What the run may take."""
    from synapse_perf.units import parse_duration

    asked_s = parse_duration(asked.common.max_time) if asked.common.max_time else None
    return asked_s or asked.profile.sampling.max_time_s or DEFAULT_MAX_TIME_S


class LeakRun:
    """One run over all hunts that were asked for."""

    def __init__(self, asked: Asked, chosen: Chosen, owning: OwnerOptions) -> None:
        from synapse_perf.commands.leak_attribution import looking_for, wanted_of

        self.asked = asked
        self.chosen = replace(chosen, hunts=looking_for(wanted_of(owning).suspect, chosen.hunts))
        self.owning = owning
        self.options = asked.common
        self.max_time_s = max_time_of(asked)

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
            notes=(
                "where something grows, twice and up to 32 times as many iterations follow, each look in a new process",
                "then one more process tells who holds it, for a quarter of the time at most",
            ),
        )
        typer.echo(render_plan(plan, self.options.format), nl=False)
        return 0

    def measure(self, baseline: Result | None) -> int:
        """Hunt, judge, report; the exit code."""
        from synapse_perf.clock import utc_timestamp

        started_at, started_s = utc_timestamp(), time.monotonic()
        tell_left_out(self.chosen.unusable, len(self.chosen.hunts))
        with self._nothing_left_running():
            outcome, owners = self._carry_out()
        with HeldInterrupts(again=outcome.is_interrupted or owners.is_interrupted) as held:
            result = replace(self._result(outcome, started_at, owners), duration_s=time.monotonic() - started_s)
        is_wrong = bool(self.chosen.unusable) or _is_wrong_input(outcome.trials)
        ending = Ending(held.is_interrupted, is_wrong, files=owners.files)
        return conclude(result, baseline, self.options, ending)

    def _carry_out(self) -> tuple[Outcome, Attributed]:
        from synapse_perf.commands.leak_lines import line_findings

        lines = line_findings(self.owning.lines, self.chosen.hunts, quiet=self.options.quiet)
        policy = next_look(self.chosen.hunts, self.max_time_s)
        outcome = carry_out(policy, len(self.chosen.hunts), quiet=self.options.quiet, max_time_s=self.max_time_s)
        owners = self._owners(outcome)
        return outcome, replace(owners, findings=(*owners.findings, *lines))

    @contextlib.contextmanager
    def _nothing_left_running(self) -> Iterator[None]:
        """End, when all is done, what the user's code has started, wherever it went: it is known by a mark."""
        from synapse_perf.outside.server_family import ServerFamily

        if not any(hunt.spec.benchmark in USERS_CODE for hunt in self.chosen.hunts):
            yield
            return
        family = ServerFamily(adopts=False)
        marked = [replace(one, spec=replace(one.spec, env={**one.spec.env, **family.env})) for one in self.chosen.hunts]
        self.chosen = replace(self.chosen, hunts=tuple(marked))
        try:
            yield
        finally:
            family.end_at_once()

    def _owners(self, outcome: Outcome) -> Attributed:
        """Who holds what grew, by trials of their own; of a run that was interrupted nobody asks."""
        from synapse_perf.commands.leak_attribution import Attributed, attribute

        if outcome.is_interrupted:
            return Attributed()
        return attribute(self.chosen.hunts, outcome.trials, self.owning, self.max_time_s, quiet=self.options.quiet)

    def _result(self, outcome: Outcome, started_at: str, owners: Attributed) -> Result:
        from synapse_perf.analyze.disturbance import disturbance_warnings
        from synapse_perf.analyze.leak_filling import told_rows
        from synapse_perf.analyze.leak_releases import release_findings
        from synapse_perf.analyze.leak_rows import leak_metrics
        from synapse_perf.analyze.verdict import overall_verdict
        from synapse_perf.benchmarks.leak_loop import METRICS
        from synapse_perf.commands.load_record import warnings_of
        from synapse_perf.host.environment import describe
        from synapse_perf.model import Result

        leaks, findings = self._with_caches(outcome.trials, told_rows(self._leaks(outcome.trials), owners.growing))
        return Result(
            benchmark="leak-hunt",
            subject=self.chosen.subject,
            profile=self.chosen.profile_name,
            started_at=started_at,
            duration_s=0.0,
            workload=self._workload(),
            plan=self._plan(outcome, owners),
            environment=describe(),
            metrics=leak_metrics(outcome.trials, METRICS),
            checks=(),
            comparisons=(),
            warnings=(
                *self.chosen.warnings,
                *owners.warnings,
                *warnings_of(outcome.trials),
                *disturbance_warnings(outcome.trials),
            ),
            failures=(*self.chosen.unusable, *_failures(outcome.trials)),
            verdict=overall_verdict((), leaks=leaks),
            findings=(*owners.findings, *findings, *release_findings(outcome.trials)),
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

    def _with_caches(
        self, trials: Sequence[Trial], leaks: tuple[Leak, ...]
    ) -> tuple[tuple[Leak, ...], tuple[Finding, ...]]:
        """The same rows as they read with what new keys and known ones tell together."""
        if self.chosen.key_use is None:
            return leaks, ()
        from synapse_perf.commands.leak_cache import judged_caches

        return judged_caches(self.chosen.caches, self.chosen.key_use, trials, leaks)

    def _plan(self, outcome: Outcome, owners: Attributed) -> dict[str, Json]:
        from synapse_perf.analyze.leak_unasked import told_holders

        untold = {name: reason for trial in outcome.trials for name, reason in trial.facts.get("untold", {}).items()}
        grown = {
            str(trial.spec.labels["hunt"]): trial.facts["grown"] for trial in outcome.trials if "grown" in trial.facts
        }
        holders = told_holders(self.chosen.hunts, outcome.trials)
        looks = {hunt.name: len(looks_of(outcome.trials, hunt.name)) for hunt in self.chosen.hunts}
        return {
            "max_time_s": self.max_time_s,
            "iterations": {hunt.name: hunt.iteration for hunt in self.chosen.hunts},
            "looks": looks,
            **cost_of(outcome.trials),
            **({"stopped": "interrupted"} if outcome.is_interrupted else {}),
            **({"untold": untold} if untold else {}),
            **({"grown": grown} if grown else {}),
            **({"running": dict(owners.running)} if owners.running else {}),
            **({"holders": holders} if holders else {}),
        }

    def _workload(self) -> dict[str, Json]:
        described = {**self.chosen.workload, "hunts": [hunt.name for hunt in self.chosen.hunts]}
        specs = [{k: v for k, v in hunt.spec.workload.items() if k not in NOT_THE_WORK} for hunt in self.chosen.hunts]
        text = json.dumps([described, specs], sort_keys=True)
        return {**described, "digest": hashlib.sha256(text.encode()).hexdigest()[:16]}


def cost_of(trials: Sequence[Trial]) -> dict[str, Json]:
    """How long the hunt took over what its iterations took alone, from the start of each process to its end."""
    samples = [sample.facts for trial in trials for sample in trial.samples]
    alone_s = sum(float(facts.get("call_s") or 0) * float(facts.get("calls") or 1) for facts in samples)
    hunt_s = sum(trial.wall_s for trial in trials)
    return {"hunt_over_iterations": hunt_s / alone_s, "iterations_s": alone_s} if alone_s > 0 else {}


def _is_wrong_input(trials: Sequence[Trial]) -> bool:
    """A name that is not there, of which no line has run, so there is no traceback; or one that cannot be imported."""
    return any(
        trial.failure is not None
        and trial.spec.benchmark in FIRST_STEP_IS_INPUT
        and trial.failure.kind == "error"
        and (not trial.failure.detail or trial.failure.message.startswith("importing "))
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
