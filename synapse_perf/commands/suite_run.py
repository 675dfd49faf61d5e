"""Carries out one run of several commands: each in turn, kept as soon as it is finished, one table in the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING

import typer

from synapse_perf.commands.options import CommonOptions, PartOptions
from synapse_perf.commands.streams import print_data, tell
from synapse_perf.commands.suite_parts import MEASURED_BY, call_part
from synapse_perf.errors import PRECEDENCE, ExitCode, InputError, NotComparableError, SynapsePerfError

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_perf.model import Result, Suite
    from synapse_perf.profiles import Profile

HOW: dict[str, str] = {
    "service-startup": "synapse-perf service-startup --image IMAGE --url URL",
    "ws-latency": "synapse-perf ws-latency URL",
    "ui-fps": "synapse-perf ui-fps URL",
}


class SuiteRun:
    """One run over several commands."""

    def __init__(self, profile: Profile, options: CommonOptions, names: Sequence[str]) -> None:
        from synapse_perf.commands.measuring import effort_of
        from synapse_perf.units import parse_duration

        self.profile = profile
        self.options = options
        self.names = tuple(names)
        self.targets = effort_of(profile, options).targets
        self.max_time_s = parse_duration(options.max_time) if options.max_time else None
        self.baselines = self._baselines()
        self.results: list[Result] = []
        self.codes: set[ExitCode] = set()
        self._unmeasured: dict[str, str] = {}  # by command, why
        self._file: Path | None = None

    def dry_run(self) -> int:
        """What each command would do."""
        codes = [call_part(name, self._part_options(None, dry_run=True)) for name in self.names]
        return max(codes)

    def measure(self, *, is_resumed: bool, alerts: Path | None = None) -> int:
        """Run one after another, judge, report; the exit code."""
        from synapse_perf.commands.interrupts import HeldInterrupts

        started_s = time.monotonic()
        self.results = self._finished_before() if is_resumed else []
        waiting = [name for name in self.names if name not in {result.benchmark for result in self.results}]
        for number, name in enumerate(waiting, start=1 + len(self.names) - len(waiting)):
            left_s = None if self.max_time_s is None else self.max_time_s - (time.monotonic() - started_s)
            if left_s is not None and left_s <= 0:
                self._unmeasured[name] = f"--max-time {self.options.max_time} was over before its turn"
                continue
            share_s = None if left_s is None else left_s / (len(self.names) - number + 1)
            self._announce(number, name, share_s)
            self._run_one(name, share_s)
            if ExitCode.INTERRUPTED in self.codes:
                break
        with HeldInterrupts(again=ExitCode.INTERRUPTED in self.codes) as held:
            code = self._conclude(alerts)
        return ExitCode.INTERRUPTED if held.is_interrupted else code

    def _announce(self, number: int, name: str, share_s: float | None) -> None:
        from synapse_perf.units import format_duration

        if not self.options.quiet:
            limit = "" if share_s is None else f", at most {format_duration(share_s)}"
            typer.echo(f"{number} of {len(self.names)}: {name}{limit}", err=True)

    def _run_one(self, name: str, share_s: float | None) -> None:
        options = self._part_options(share_s)
        try:
            code = ExitCode(call_part(name, options))
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
        except SynapsePerfError as error:
            tell(f"{name}: {error.message}", error.remedy)
            code = error.exit_code
            self._unmeasured[name] = error.message
        self.codes.add(code)
        self.results += options.collected
        if code == ExitCode.INTERRUPTED and not options.collected:
            self._unmeasured[name] = "interrupted"
        if options.collected:
            self._save(self._suite())

    def _part_options(self, share_s: float | None, *, dry_run: bool = False) -> PartOptions:
        common = {one.name: getattr(self.options, one.name) for one in fields(CommonOptions)}
        changed = {"output": [], "format": "console", "dry_run": dry_run, "baselines": self.baselines}
        if share_s is not None:
            changed["max_time"] = f"{share_s:.3f}s"
        return PartOptions(**{**common, **changed})

    def _baselines(self) -> dict[str, Result]:
        """Of each command that the baseline holds; what it lacks is told, and makes the run end with its code."""
        from synapse_perf.baselines import load_for

        found: dict[str, Result] = {}
        if self.options.baseline is None:
            return found
        for name in self.names:
            try:
                found[name] = load_for(self.options.baseline, name)
            except NotComparableError:
                tell(f"{self.options.baseline} holds no {name}: it is measured, and compared with nothing", "")
        if not found:
            raise NotComparableError(
                f"{self.options.baseline} holds none of {', '.join(self.names)}", "name a suite that run wrote"
            )
        return found

    def _finished_before(self) -> list[Result]:
        """What the last run of this profile has finished; InputError where there is none."""
        from synapse_perf.model import Suite
        from synapse_perf.results import find_run, load
        from synapse_perf.results.runs import SUITE

        try:
            self._file = find_run("last", SUITE)
        except InputError as error:
            raise InputError("--resume: no run is saved that could go on", "start one: leave out --resume") from error
        last = load(self._file)
        results = last.results if isinstance(last, Suite) else ()
        name = next((result.profile for result in results), self.profile.name)
        wanted = self.profile.name if self.options.profile else name
        if name != wanted:
            raise InputError(f"--resume: the last run is of the profile {name}", f"add --profile {name}, or run anew")
        finished = [one for one in results if one.benchmark in self.names and one.plan.get("stopped") != "interrupted"]
        for result in finished:
            typer.echo(f"taken over: {result.benchmark}, measured {result.started_at[:16]} UTC", err=True)
        return finished

    def _suite(self) -> Suite:
        from synapse_perf.analyze.suite import suite_of

        reasons = {target: self._why_not(command) for target, command in MEASURED_BY.items()}
        ordered = sorted(self.results, key=lambda result: self.names.index(result.benchmark))
        return suite_of(ordered, self.targets, reasons, profile=self.profile.name, required=self.profile.required)

    def _why_not(self, command: str) -> str:
        if command in self._unmeasured:
            return self._unmeasured[command]
        if command in self.names:
            return "nothing was measured that it judges"
        return f"not part of this run; measure it: {HOW.get(command, f'synapse-perf {command}')}"

    def _save(self, suite: Suite) -> None:
        """Under one name, rewritten after each command, so that a run that is killed keeps what it has finished."""
        from synapse_perf.atomic_files import write_atomically
        from synapse_perf.results import dumps, save_run

        try:
            if self._file is None:
                self._file = save_run(suite)
            else:
                write_atomically(self._file, dumps(suite))
        except SynapsePerfError as error:
            typer.echo(f"warning: this run could not be saved: {error.message}; {error.remedy}", err=True)

    def _conclude(self, alerts: Path | None) -> int:
        from synapse_perf.atomic_files import write_atomically
        from synapse_perf.report.alert_rules import alert_rules
        from synapse_perf.report.render import write_output
        from synapse_perf.report.suite_sections import render_suite

        suite = self._suite()
        self._save(suite)
        problems: list[SynapsePerfError | None] = [print_data(render_suite(suite, self.options.format))]
        writers = [partial(write_output, suite, path) for path in self.options.output]
        writers += [partial(write_atomically, alerts, alert_rules(suite))] if alerts else []
        for write in writers:
            try:
                write()
            except SynapsePerfError as error:
                problems.append(error)
        if not self.options.quiet:
            typer.echo("saved; 'synapse-perf report last' shows it again, each command in full", err=True)
        undelivered = [problem for problem in problems if problem is not None]
        for problem in undelivered:
            tell(problem.message, problem.remedy)
        codes = {*self.codes, ExitCode.PASS, *([ExitCode.MEASUREMENT_FAILED] if undelivered else [])}
        if any(check.status == "not-measured" and check.target in self.profile.required for check in suite.checks):
            codes.add(ExitCode.INCONCLUSIVE)
        return next(code for code in PRECEDENCE if code in codes)
