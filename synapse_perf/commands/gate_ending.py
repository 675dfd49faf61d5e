"""The end that `compare` and `gate` share: print, write the files, name the exit code."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from synapse_perf.commands.github_actions import shown, tell_gate
from synapse_perf.commands.interrupts import HeldInterrupts
from synapse_perf.commands.options import OUTPUT, option
from synapse_perf.commands.streams import print_data, tell
from synapse_perf.errors import PRECEDENCE, ExitCode, SynapsePerfError

if TYPE_CHECKING:
    from synapse_perf.analyze.gate_report import GateReport


@dataclass(frozen=True, slots=True)
class GateOutput:
    """Where a comparison is told."""

    output: Annotated[
        list[Path],
        option(
            "Write a report; the suffix tells the format: .json, .md (for a comment), .xml (JUnit), .prom. Repeatable.",
            "--output",
            OUTPUT,
            "-o",
        ),
    ] = field(default_factory=list)
    format: Annotated[Literal["console", "json", "md"], option("What goes to stdout.", "--format", OUTPUT)] = "console"
    allow_inconclusive: Annotated[
        bool, option("End with 0 and a warning where the exit code would be 3.", "--allow-inconclusive", OUTPUT)
    ] = False
    quiet: Annotated[bool, option("No progress on stderr.", "--quiet", OUTPUT, "-q")] = False
    debug: Annotated[bool, option("Tracebacks, and what the commands printed.", "--debug", OUTPUT)] = False


def check_gate_outputs(output: GateOutput) -> None:
    """Refuse what could not be written in the end before anything is measured."""
    from synapse_perf.report.gate_outputs import check_gate_output

    for path in output.output:
        check_gate_output(path)


def end_gate(report: GateReport, output: GateOutput) -> int:
    """Tell the report everywhere it was asked for; what cannot be written costs nothing else."""
    from synapse_perf.report.gate_outputs import write_gate_output

    with HeldInterrupts(again=report.is_interrupted) as held:
        problems: list[SynapsePerfError | None] = [print_data(_text(report, output.format))]
        for write in (partial(write_gate_output, report, path) for path in output.output):
            try:
                write()
            except SynapsePerfError as error:
                problems.append(error)
    codes = {report.exit_code}
    if report.exit_code == ExitCode.INCONCLUSIVE and output.allow_inconclusive:
        typer.echo("warning: inconclusive, and let pass by --allow-inconclusive", err=True)
        codes = {ExitCode.PASS}
    if held.is_interrupted:
        codes.add(ExitCode.INTERRUPTED)
    for problem in filter(None, problems):
        tell(problem.message, problem.remedy)
        codes.add(ExitCode.MEASUREMENT_FAILED)
    code = next(code for code in PRECEDENCE if code in codes)
    tell_gate(report, code)
    return code


def _text(report: GateReport, kind: Literal["console", "json", "md"]) -> str:
    from synapse_perf.report.gate_document import gate_document
    from synapse_perf.report.gate_outputs import gate_json
    from synapse_perf.report.render import document_text

    return gate_json(report) if kind == "json" else shown(document_text(gate_document(report), kind))
