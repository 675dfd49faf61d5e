"""The end of a run of several commands: print the table, write the files, and name the code for what could not be."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

import typer

from synapse_perf.commands.streams import print_data, tell
from synapse_perf.errors import ExitCode, SynapsePerfError

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.model import Suite


def conclude_suite(suite: Suite, options: CommonOptions, required: Collection[str], alerts: Path | None) -> ExitCode:
    """Print and write all that can be; what cannot costs nothing else."""
    from synapse_perf.atomic_files import write_atomically
    from synapse_perf.report.alert_rules import alert_rules
    from synapse_perf.report.render import write_output
    from synapse_perf.report.suite_sections import render_suite

    problems: list[SynapsePerfError | None] = [print_data(render_suite(suite, options.format))]
    writers = [partial(write_output, suite, path) for path in options.output]
    writers += [partial(write_atomically, alerts, alert_rules(suite))] if alerts else []
    for write in writers:
        try:
            write()
        except SynapsePerfError as error:
            problems.append(error)
    if not options.quiet:
        typer.echo("saved; 'synapse-perf report last' shows it again, each command in full", err=True)
    undelivered = [problem for problem in problems if problem is not None]
    for problem in undelivered:
        tell(problem.message, problem.remedy)
    if undelivered:
        return ExitCode.MEASUREMENT_FAILED
    is_lacking = any(check.status == "not-measured" and check.target in required for check in suite.checks)
    return ExitCode.INCONCLUSIVE if is_lacking else ExitCode.PASS
