"""The end that every measuring command shares: compare, save, write the reports, print, and name the exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from synapse_perf.errors import SynapsePerfError

if TYPE_CHECKING:
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.model import Result


@dataclass(frozen=True, slots=True)
class Ending:
    """What happened beside the result that the exit code has to tell."""

    is_interrupted: bool = False
    has_wrong_input: bool = False  # some models could not be read; the others were measured
    required: Sequence[str] = ()  # targets that have to be measured


def check_outputs(options: CommonOptions) -> None:
    """Refuse what could not be written in the end before anything is measured."""
    from synapse_perf.report.render import check_output_path

    for path in options.output:
        check_output_path(path)


def load_baseline(options: CommonOptions, benchmark: str) -> Result | None:
    """The baseline that the run is to be compared with; NoBaselineError before anything is measured."""
    if options.baseline is None:
        return None
    from synapse_perf.baselines import load_for

    return load_for(options.baseline, benchmark)


def conclude(result: Result, baseline: Result | None, options: CommonOptions, ending: Ending) -> int:
    """Save first, so that nothing that was measured is lost by what comes after."""
    from synapse_perf.analyze.compare import compare
    from synapse_perf.analyze.verdict import exit_code, overall_verdict
    from synapse_perf.report.render import render, write_output
    from synapse_perf.results import save_run

    if baseline is not None:
        comparisons = compare(result, baseline)
        verdict = overall_verdict(result.checks, comparisons, ending.required)
        result = replace(result, comparisons=comparisons, verdict=verdict)
    result = without_private_words(result)
    try:
        saved = f"saved as {_short(save_run(result))}; 'synapse-perf report last' shows it again"
    except SynapsePerfError as error:
        saved = f"warning: this run could not be saved: {error.message}"
    typer.echo(render(result, options.format), nl=False)
    for path in options.output:
        write_output(result, path)
    if not options.quiet:
        typer.echo(saved, err=True)
    sys.stdout.flush()
    return exit_code(
        result, interrupted=ending.is_interrupted, wrong_input=ending.has_wrong_input, required=ending.required
    )


def without_private_words(result: Result) -> Result:
    """Results are made to be committed: home paths, user and host names leave the texts that may hold them."""
    from synapse_perf.host.privacy import redact

    failures = tuple(
        replace(failure, message=redact(failure.message), remedy=redact(failure.remedy), detail=redact(failure.detail))
        for failure in result.failures
    )
    return replace(result, failures=failures, warnings=tuple(redact(warning) for warning in result.warnings))


def _short(path: Path) -> str:
    home = str(Path.home())
    text = str(path)
    return "~" + text[len(home) :] if text.startswith(home + "/") else text
