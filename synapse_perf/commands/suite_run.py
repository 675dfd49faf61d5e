"""Carries out one run of several commands: each in turn, kept as soon as it is finished, one table in the end."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import typer

from synapse_perf.commands.options import CommonOptions, PartOptions
from synapse_perf.commands.streams import tell
from synapse_perf.commands.suite_parts import ELSEWHERE, MEASURED_BY, UNHEEDED, call_part, shares_of
from synapse_perf.errors import PRECEDENCE, ExitCode, InputError, NothingNamedError, SynapsePerfError

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_perf.model import Result, Suite
    from synapse_perf.profiles import Profile

INTERRUPTED = "interrupted; go on with: synapse-perf run --resume"


class SuiteRun:
    """One run over several commands; `is_chosen`: they were named on the command line, and have to be measurable."""

    def __init__(
        self, profile: Profile, options: CommonOptions, names: Sequence[str], *, is_chosen: bool = False
    ) -> None:
        from synapse_perf.commands.measuring import effort_of
        from synapse_perf.commands.suite_baseline import baselines_for
        from synapse_perf.commands.suite_resume import digest_of
        from synapse_perf.units import parse_duration

        self.profile = profile
        self.options = options
        self.names = tuple(names)
        self.is_chosen = is_chosen
        self.targets = effort_of(profile, options).targets
        self.max_time_s = parse_duration(options.max_time) if options.max_time else None
        if self.max_time_s == 0:
            raise InputError(f"--max-time {options.max_time}: leaves no time", "give such as 5m, or leave it out")
        self.baselines = baselines_for(self.names, options.baseline)
        self.digest = digest_of(profile, options)
        self.results: list[Result] = []
        self.codes: set[ExitCode] = {ExitCode.PASS}
        self.unmeasured: dict[str, str] = {}  # by command, why
        self._file: Path | None = None

    def dry_run(self) -> int:
        """What each command would do."""
        shares = shares_of(self.names, self.profile.sampling.max_time_s, self.max_time_s)
        texts = []
        for name in self.names:
            with redirect_stdout(io.StringIO()) as told:
                self._run_one(name, shares[name] if self.max_time_s is not None else None)
            texts.append(told.getvalue())
        if self.options.format == "json":
            plans = [json.loads(text) for text in texts if text]
            texts = [json.dumps({"kind": "plans", "plans": plans}, indent=2) + "\n"]
        typer.echo("\n".join(text for text in texts if text), nl=False)
        return next(code for code in PRECEDENCE if code in self.codes)

    def measure(self, *, is_resumed: bool, alerts: Path | None = None) -> int:
        """Run one after another, judge, report; the exit code."""
        from synapse_perf.commands.interrupts import HeldInterrupts
        from synapse_perf.commands.suite_ending import conclude_suite

        if is_resumed:
            self._take_over()
        try:
            self._run_all()
        except KeyboardInterrupt:  # between two commands
            self.codes.add(ExitCode.INTERRUPTED)
        with HeldInterrupts(again=ExitCode.INTERRUPTED in self.codes) as held:
            suite = self.suite()
            self.save(suite)
            self.codes.add(conclude_suite(suite, self.options, self.profile.required, alerts))
        if held.is_interrupted:
            self.codes.add(ExitCode.INTERRUPTED)
        return next(code for code in PRECEDENCE if code in self.codes)

    def suite(self) -> Suite:
        from synapse_perf.analyze.suite import suite_of
        from synapse_perf.host.privacy import redact

        reasons = {target: redact(self._why_not(*by)) for target, by in MEASURED_BY.items()}
        ordered = sorted(self.results, key=lambda result: self.names.index(result.benchmark))
        return suite_of(ordered, self.targets, reasons, profile=self.profile.name, required=self.profile.required)

    def save(self, suite: Suite) -> None:
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

    # --- one after another ---------------------------------------------------------------------------------------

    def _run_all(self) -> None:
        from synapse_perf.commands.suite_progress import announced

        started_s = time.monotonic()
        finished = {result.benchmark for result in self.results}
        waiting = [name for name in self.names if name not in finished]
        for place, name in enumerate(waiting):
            left_s = None if self.max_time_s is None else self.max_time_s - (time.monotonic() - started_s)
            if left_s is not None and left_s <= 0:
                self.unmeasured[name] = f"--max-time {self.options.max_time} was over before its turn"
                continue
            shares = shares_of(waiting[place:], self.profile.sampling.max_time_s, left_s)
            number = len(self.names) - len(waiting) + place + 1
            label = f"{number} of {len(self.names)}: {name}"
            after_s = sum(shares.values()) - shares[name]
            with announced(label, shares[name], after_s, quiet=self.options.quiet) as ending:
                ending.text = self._run_one(name, None if left_s is None else shares[name])
            if ExitCode.INTERRUPTED in self.codes:
                return

    def _run_one(self, name: str, share_s: float | None) -> str:
        """Run one command and keep what it has measured; how it ended, in words."""
        options = self._part_options(name, share_s)
        try:
            code = ExitCode(call_part(name, options))
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
        except NothingNamedError as error:
            code = error.exit_code if self.is_chosen else ExitCode.PASS
            self._cannot(name, error)
        except SynapsePerfError as error:
            code = ExitCode.PASS if self._is_sample(name) else error.exit_code
            self._cannot(name, error)
        except Exception as error:  # the other commands are measured nevertheless
            code = ExitCode.MEASUREMENT_FAILED
            told = f"a fault of synapse-perf itself: {type(error).__name__}: {error}"
            self._cannot(name, SynapsePerfError(told, f"report what this prints: synapse-perf {name} --debug"))
        self.codes.add(code)
        if options.collected:
            self.results += [self._kept(result) for result in options.collected]
            self.save(self.suite())
        elif code == ExitCode.INTERRUPTED:
            self.unmeasured[name] = INTERRUPTED
        return _how_it_ended(options.collected[-1] if options.collected else None, code)

    def _cannot(self, name: str, error: SynapsePerfError) -> None:
        if self.options.debug:
            import traceback

            traceback.print_exc()
        told = error.message.removeprefix(f"{name}: ")
        is_no_fault = isinstance(error, NothingNamedError) or self._is_sample(name)
        if is_no_fault and not self.is_chosen:
            typer.echo(f"not measured: {name}: {told}; {error.remedy}", err=True)
            self.unmeasured[name] = f"{told} ({error.remedy})"
        else:
            tell(f"{name}: {told}", error.remedy)
            self.unmeasured[name] = told

    def _is_sample(self, name: str) -> bool:
        """Whether it would have been of the tool's own server or page: what is missing for that is no fault."""
        settings = getattr(self.profile, name.replace("-", "_"))
        return getattr(settings, "sample", False) and settings.url is None and not self.is_chosen

    def _kept(self, result: Result) -> Result:
        from synapse_perf.commands.suite_resume import marked

        return marked(result, self.digest)

    def _part_options(self, name: str, share_s: float | None) -> PartOptions:
        default = CommonOptions()
        left_out = UNHEEDED.get(name, frozenset())
        common = {
            one.name: getattr(default if one.name in left_out else self.options, one.name)
            for one in fields(CommonOptions)
        }
        changed: dict[str, object] = {"output": [], "baselines": self.baselines, "profile_read": self.profile}
        if not self.options.dry_run:
            changed["format"] = "console"
        if share_s is not None:
            changed["max_time"] = f"{share_s:.3f}s"
            changed["ends_at_s"] = None if self.options.dry_run else time.monotonic() + share_s
        return PartOptions(**{**common, **changed})

    # --- what is taken over, and what is not there ---------------------------------------------------------------

    def _take_over(self) -> None:
        from synapse_perf.analyze.verdict import exit_code, overall_verdict
        from synapse_perf.commands.conclude import compared
        from synapse_perf.commands.suite_resume import finished_before

        self._file, finished, left_out = finished_before(self.names, self.digest)
        for result in finished:
            typer.echo(f"taken over: {result.benchmark}, measured {result.started_at[:16]} UTC", err=True)
            baseline = self.baselines.get(result.benchmark)
            verdict = overall_verdict(result.checks, required=self.profile.required, leaks=result.leaks)
            alone = replace(result, comparisons=(), verdict=verdict)  # an earlier baseline is none of this run's
            judged = compared(alone, baseline, self.profile.required)
            self.results.append(judged)
            self.codes.add(exit_code(judged))
        for told in left_out:
            typer.echo(f"not taken over: {told}", err=True)

    def _why_not(self, command: str, arguments: str) -> str:
        how = f"synapse-perf {command} {arguments}"
        from synapse_perf.analyze.stopping import TIME_SPENT

        if command in self.unmeasured:
            return self.unmeasured[command]
        if command not in self.names:
            return f"not part of this run; measure it: {how}"
        result = next((one for one in self.results if one.benchmark == command), None)
        if result is None:
            return "the run ended before its turn; go on with: synapse-perf run --resume"
        if result.failures:
            return f"failed: {result.failures[0].message}"
        if result.plan.get("stopped") == "interrupted":
            return INTERRUPTED
        stopped = str(result.plan.get("stopped", ""))
        if stopped.startswith(TIME_SPENT) and not arguments.endswith(ELSEWHERE):
            return f"{stopped}; give a longer --max-time, or measure it alone: {how}"
        return f"measure it: {how}"


def _how_it_ended(result: Result | None, code: ExitCode) -> str:
    if code == ExitCode.INTERRUPTED:
        return "interrupted"
    if result is None:
        return "not measured"
    return "measured, on samples" if result.subject == "sample" else result.verdict.replace("-", " ")
