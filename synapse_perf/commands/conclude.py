"""The end that every measuring command shares: compare, save, write the reports, print, and name the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from synapse_perf.commands.interrupts import HeldInterrupts
from synapse_perf.commands.options import PartOptions
from synapse_perf.commands.streams import print_data, tell
from synapse_perf.errors import PRECEDENCE, ExitCode, SynapsePerfError

if TYPE_CHECKING:
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.model import Failure, Result


@dataclass(frozen=True, slots=True)
class Ending:
    """What happened beside the result that the exit code has to tell."""

    is_interrupted: bool = False
    has_wrong_input: bool = False  # some models could not be read; the others were measured
    required: Sequence[str] = ()  # targets that have to be measured
    files: Mapping[Path, str] = field(default_factory=dict)  # what else was asked for, beside reports


def check_outputs(options: CommonOptions, *more: Path | None) -> None:
    """Refuse what could not be written in the end before anything is measured; `more` are files beside reports."""
    from synapse_perf.atomic_files import check_writable
    from synapse_perf.report.render import check_output_path

    for path in options.output:
        check_output_path(path)
    for other in more:
        if other is not None:
            check_writable(other)
    if options.flamegraph is not None:
        from synapse_perf.report.flamegraph import check_flamegraph_path

        check_flamegraph_path(options.flamegraph)


def load_baseline(options: CommonOptions, benchmark: str) -> Result | None:
    """The baseline that the run is to be compared with; NoBaselineError before anything is measured."""
    if isinstance(options, PartOptions):
        return options.baselines.get(benchmark)
    if options.baseline is None:
        return None
    from synapse_perf.baselines import load_for

    return load_for(options.baseline, benchmark)


def conclude(result: Result, baseline: Result | None, options: CommonOptions, ending: Ending) -> int:
    """Save first, so that nothing that was measured is lost by what comes after; then try every output."""
    with HeldInterrupts(again=ending.is_interrupted) as held:
        from synapse_perf.analyze.verdict import exit_code
        from synapse_perf.atomic_files import write_atomically
        from synapse_perf.report.render import render, write_output

        result = without_private_words(compared(result, baseline, ending.required))
        if isinstance(options, PartOptions):
            options.collected.append(result)
            _tell_failures(result, options)
            return exit_code(
                result, interrupted=held.is_interrupted, wrong_input=ending.has_wrong_input, required=ending.required
            )
        saved = _save(result, options)
        problems: list[SynapsePerfError | None] = [print_data(render(result, options.format))]
    if saved:
        typer.echo(saved, err=True)
    writers = [partial(write_output, result, path) for path in options.output]
    writers += [partial(write_atomically, path, text) for path, text in ending.files.items()]
    for write in writers:
        try:
            write()
        except SynapsePerfError as error:
            problems.append(error)
    _tell_failures(result, options)
    if held.is_interrupted:
        typer.echo("interrupted: the report has what was finished", err=True)
    undelivered = [problem for problem in problems if problem is not None]
    for problem in undelivered:
        tell(problem.message, problem.remedy)
    code = exit_code(
        result, interrupted=held.is_interrupted, wrong_input=ending.has_wrong_input, required=ending.required
    )
    codes = {code, ExitCode.MEASUREMENT_FAILED} if undelivered else {code}
    return next(first for first in PRECEDENCE if first in codes)


def compared(result: Result, baseline: Result | None, required: Sequence[str]) -> Result:
    """The result with its changes against the baseline, if there is one, and the verdict that follows."""
    from synapse_perf.analyze.leak_compare import compare_runs
    from synapse_perf.analyze.verdict import overall_verdict

    if baseline is None:
        return result
    comparisons = compare_runs(result, baseline)
    verdict = overall_verdict(result.checks, comparisons, required, result.leaks)
    return replace(result, comparisons=comparisons, verdict=verdict)


def _save(result: Result, options: CommonOptions) -> str:
    """What to tell about it, if anything."""
    from synapse_perf.results import save_run

    try:
        path = save_run(result)
    except SynapsePerfError as error:
        return f"warning: this run could not be saved: {error.message}; {error.remedy}"
    return "" if options.quiet else f"saved as {_short(path)}; 'synapse-perf report last' shows it again"


def _tell_failures(result: Result, options: CommonOptions) -> None:
    """What failed while measuring, where a log of the run is read that does not have the report."""
    from synapse_perf.report.figures import where_of

    for failure in result.failures:
        if not failure.arm:  # told before measuring
            continue
        tell(f"{where_of(failure.labels, failure.arm)}: {failure.message}", failure.remedy)
        if options.debug and failure.detail:
            typer.echo(failure.detail.rstrip(), err=True)


def tell_left_out(unusable: Sequence[Failure], left: int) -> None:
    """Which models cannot be measured, told before the others are."""
    for failure in unusable:
        tell(failure.message, failure.remedy)
    if unusable:
        others = "the other model is" if left == 1 else f"the other {left} models are"
        typer.echo(f"{others} measured", err=True)


def without_private_words(result: Result) -> Result:
    """Results are made to be committed: home paths, user and host names leave the texts that may hold them."""
    from synapse_perf.host.privacy import redact

    failures = tuple(
        replace(failure, message=redact(failure.message), remedy=redact(failure.remedy), detail=redact(failure.detail))
        for failure in result.failures
    )
    metrics = tuple(
        replace(metric, trials=tuple(replace(trial, facts=_redacted(trial.facts)) for trial in metric.trials))
        for metric in result.metrics
    )
    findings = tuple(
        replace(
            finding,
            cause=redact(finding.cause),
            evidence=_redacted(finding.evidence),
            change=redact(finding.change),
            check=redact(finding.check),
        )
        for finding in result.findings
    )
    warnings = tuple(redact(warning) for warning in result.warnings)
    return replace(result, metrics=metrics, findings=findings, failures=failures, warnings=warnings)


def _redacted(value: Any) -> Any:
    """The same, with every text in it redacted."""
    from synapse_perf.host.privacy import redact

    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_redacted, value))
    return value


def _short(path: Path) -> str:
    home = str(Path.home())
    text = str(path)
    return "~" + text[len(home) :] if text.startswith(home + "/") else text
