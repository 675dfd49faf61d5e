"""One gate while it runs: a run of an arm, a pair of runs, pairs until the policy is content."""

from __future__ import annotations

import os
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from synapse_perf.clock import now_ns, seconds_between
from synapse_perf.errors import InputError
from synapse_perf.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_perf.analyze.gate_figures import Figure
    from synapse_perf.analyze.gate_paired import Rules
    from synapse_perf.analyze.gate_policy import Arm, Pair, PairSpec
    from synapse_perf.measure.register import Register
    from synapse_perf.measure.worktree_arm import ArmRun
    from synapse_perf.measure.worktrees import Revision, Worktrees
    from synapse_perf.model import Result, Suite, TrialSpec

    PairPolicy: TypeAlias = Callable[[Sequence[Pair], Rules, int], PairSpec | None]

CPU_METRIC = "command_cpu_time"  # what the command, with all that it started, used of the processor
OUTPUT_VARIABLE = "SYNAPSE_PERF_OUTPUT"
_PADDING_BYTES = 4096
_OWN_CODES = (0, 1, 3)  # with which a measuring command of this tool ends that has measured
_STAGES = {"screen": "every metric", "confirm": "fresh pairs for what is open"}


@dataclass(frozen=True, slots=True)
class PairedRequest:
    """What `gate --against` was asked for."""

    revision: str
    commands: tuple[str, ...]  # each writes a result; together they are one run of a side
    setup: str
    rules: Rules
    metrics: tuple[str, ...]
    seed: int
    timeout_s: float
    max_time_s: float
    profile: str = ""  # the file that a side has to have
    can_differ: bool = True  # whether what is measured is anything of the repository
    quiet: bool = False
    debug: bool = False


@dataclass(slots=True)
class PairedGate:
    """One gate while it runs."""

    request: PairedRequest
    before: Revision
    after: Revision
    places: Worktrees
    register: Register
    environments: Mapping[Arm, Path]
    pairs: list[Pair] = field(default_factory=list)
    walls_s: list[float] = field(default_factory=list)
    is_interrupted: bool = False
    is_out_of_time: bool = False
    is_accompanied: bool = False  # another gate was at work when this one began or ended
    afters: list[Result | Suite] = field(default_factory=list)  # runs of the change, whose targets are judged too
    started_ns: int = field(default_factory=now_ns)

    def carry_out(self, policy: PairPolicy) -> None:
        """Every pair that the policy asks for; what is finished stays when the user interrupts."""
        from synapse_perf.measure.events import TrialFinished, TrialStarted
        from synapse_perf.model import Trial
        from synapse_perf.report.progress import Progress

        try:
            with Progress(quiet=self.request.quiet) as progress:
                self._warm_up()
                while (spec := policy(self.pairs, self.request.rules, self.request.seed)) is not None:
                    if self._time_left_s() < self._pair_s():
                        self.is_out_of_time = True
                        return
                    trial = _shown(spec)
                    left_s = self._pair_s() * self._pairs_left(spec)
                    progress.observe(TrialStarted(trial, spec.number, len(self.pairs), self._planned(spec), left_s))
                    self.pairs.append(self._measure(spec))
                    progress.observe(TrialFinished(Trial(trial, spec.number, (), self.walls_s[-1])))
        except KeyboardInterrupt:
            self.is_interrupted = True

    def slowdowns(self) -> dict[str, float]:
        """By metric the logarithm of how much slower the second arm is."""
        from synapse_perf.analyze.gate_policy import judge

        judged = judge(self.pairs, self.request.rules)
        return {one.metric: one.slowdown for one in judged if one.slowdown is not None}

    def _warm_up(self) -> None:
        """One run of each arm that is not judged: caches of bytecode are written, and mistakes show at once."""
        from synapse_perf.analyze.gate_figures import check_wanted
        from synapse_perf.commands.gate_checks import check_same_workload

        arms: tuple[Arm, Arm] = ("before", "after")
        runs = [self._run(arm) for arm in arms]
        both = [run for run, _, _ in runs]
        check_wanted(self.request.metrics, both)
        check_same_workload(both, (self.before, self.after))
        self.walls_s.append(sum(done.wall_s for _, _, done in runs))
        least = self.request.rules.screened_pairs()
        needed_s = least * self._pair_s()
        if needed_s > self._time_left_s():
            raise InputError(
                f"--max-time {format_duration(self.request.max_time_s)} is too short: at least {least} pairs of "
                f"{format_duration(self._pair_s())} are needed",
                f"give it {format_duration(2 * needed_s)} or more, or measure less in each run",
            )

    def _measure(self, spec: PairSpec) -> Pair:
        from synapse_perf.analyze.gate_paired import PairedRuns
        from synapse_perf.analyze.gate_policy import Pair

        figures: dict[Arm, Mapping[str, Figure]] = {}
        disturbances: list[str] = []
        wall_s = 0.0
        for arm in spec.order:
            run, figures[arm], done = self._run(arm)
            wall_s += done.wall_s
            disturbances += done.disturbances
            if arm == "after":
                self.afters.append(run)
        self.walls_s.append(wall_s)
        return Pair(spec, PairedRuns(figures["before"], figures["after"]), tuple(dict.fromkeys(disturbances)))

    def _run(self, arm: Arm) -> tuple[Result | Suite, Mapping[str, Figure], ArmRun]:
        """Every command once, on the code of that side."""
        from synapse_perf.analyze.gate_figures import EVERY_TIME, Figure, companions_of, figures_of, results_of
        from synapse_perf.errors import MeasurementError, SynapsePerfError
        from synapse_perf.model import Suite

        revision = self.before if arm == "before" else self.after
        done: list[ArmRun] = []
        results: list[Result] = []
        for command in self.request.commands:
            done.append(self._run_command(command, arm, revision))
            results += results_of(_read(self._output, revision))
        run = results[0] if len(results) == 1 else Suite(tuple(results), (), "not-measured")
        try:
            figures = figures_of(run, self.request.metrics)
        except SynapsePerfError as error:
            raise MeasurementError(
                f"what the command wrote at {revision.shown}: {error.message}", error.remedy
            ) from error
        if not figures:
            wanted = f" that matches {', '.join(self.request.metrics)}" if self.request.metrics else ""
            raise MeasurementError(
                f"at {revision.shown} the command measured no metric{wanted}", "an empty run is no pass"
            )
        together = _together(done)
        processor = Figure(together.cpu_s, "s", "lower", is_principal=False, stands_for=EVERY_TIME)
        return run, {**figures, **companions_of(run, self.request.metrics), CPU_METRIC: processor}, together

    @property
    def _output(self) -> Path:
        return self.places.home / "output.json"

    def _run_command(self, command: str, arm: Arm, revision: Revision) -> ArmRun:
        from synapse_perf.measure.worktree_arm import run_arm

        place = self.places.before if arm == "before" else self.places.after
        self._output.unlink(missing_ok=True)
        done = run_arm(
            command,
            place,
            environment_of(place, self.places.home, self.environments.get(arm)),
            timeout_s=self.request.timeout_s,
            log=self.places.home / "log",
            register=self.register,
        )
        _check_run(done, self._output, revision, self.request)
        return done

    def _pair_s(self) -> float:
        return statistics.median(self.walls_s[1:] or self.walls_s)

    def _time_left_s(self) -> float:
        return self.request.max_time_s - seconds_between(self.started_ns, now_ns())

    def _pairs_left(self, spec: PairSpec) -> int:
        """To the next look, which may be the last."""
        return spec.until_look(sum(pair.spec.stage == spec.stage for pair in self.pairs))

    def _planned(self, spec: PairSpec) -> int:
        return len(self.pairs) + self._pairs_left(spec)


def _read(output: Path, revision: Revision) -> Result | Suite:
    from synapse_perf.baselines.imported import read_run
    from synapse_perf.errors import MeasurementError, SynapsePerfError

    try:
        return read_run(output)
    except SynapsePerfError as error:
        message = error.message.removeprefix(f"{output}: ")
        raise MeasurementError(f"what the command wrote at {revision.shown}: {message}", error.remedy) from error


def _together(runs: Sequence[ArmRun]) -> ArmRun:
    """Several commands as one run."""
    told = tuple(dict.fromkeys(text for run in runs for text in run.disturbances))
    return replace(
        runs[-1], wall_s=sum(run.wall_s for run in runs), cpu_s=sum(run.cpu_s for run in runs), disturbances=told
    )


def _check_run(done: ArmRun, output: Path, revision: Revision, request: PairedRequest) -> None:
    from synapse_perf.errors import MeasurementError

    if done.is_timeout:
        show_output(done, request)
        message = f"at {revision.shown} the command took longer than {request.timeout_s:g} s"
        raise MeasurementError(message, "give it more time: --timeout")
    if done.status and not (done.status in _OWN_CODES and _is_own(output)):
        show_output(done, request)
        how = f"signal {-done.status}" if done.status < 0 else f"status {done.status}"
        message = f"at {revision.shown} the command ended with {how}: {last_line(done)}"
        remedy = "it runs in a checkout of each side, which has what is committed there; --debug shows what it printed"
        raise MeasurementError(message, remedy)
    if not output.exists():
        raise MeasurementError(
            f"at {revision.shown} the command wrote no result",
            f"let it write its JSON to the file that the variable {OUTPUT_VARIABLE} names",
        )


def _is_own(output: Path) -> bool:
    """Whether it is a result file of this tool, whose commands also end with 1 and 3 when they have measured."""
    try:
        with output.open("rb") as stream:
            return b'"kind"' in stream.read(100)
    except OSError:
        return False


def environment_of(place: Path, home: Path, environment: Path | None = None) -> dict[str, str]:
    """The user's own, with this worktree's code first on Python's path, before any editable installation."""
    from synapse_perf.measure.worktree_environment import VARIABLE
    from synapse_perf.results.runs import STATE_DIRECTORY_VARIABLE

    folders = [str(place), *([str(place / "src")] if (place / "src").is_dir() else [])]
    inherited = os.environ.get("PYTHONPATH")
    built = {}
    if environment is not None:
        built = {VARIABLE: str(environment), "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    return {
        **os.environ,
        **built,
        "PYTHONPATH": os.pathsep.join([*folders, *([inherited] if inherited else [])]),
        OUTPUT_VARIABLE: str(home / "output.json"),
        STATE_DIRECTORY_VARIABLE: str(home / "state"),  # the runs of both sides are not the user's last runs
        # Where the stack begins depends on the size of the environment, and can shift what is measured.
        "SYNAPSE_PERF_PADDING": "x" * random.randrange(_PADDING_BYTES),
    }


def show_output(done: ArmRun, request: PairedRequest) -> None:
    from synapse_perf.commands.github_actions import foreign

    if request.debug and done.output:
        sys.stderr.write(foreign(done.output.rstrip()) + "\n")


def last_line(done: ArmRun) -> str:
    if done.is_timeout:
        return "it takes too long"
    lines = done.output.strip().splitlines()
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]  # a hint comes after it
    return (errors or lines or [f"status {done.status}"])[-1]


def _shown(spec: PairSpec) -> TrialSpec:
    """As the progress display knows trials; which arm comes first is nobody's business while it is measured."""
    from synapse_perf.model import TrialSpec

    return TrialSpec("gate", _STAGES[spec.stage], {}, {})
