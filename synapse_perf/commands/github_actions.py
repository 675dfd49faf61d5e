"""What does GitHub get of a gate that runs in one of its jobs? By itself: annotations, a summary, and outputs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from synapse_perf.analyze.gate_report import GateReport


def is_job() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"


def tell_gate(report: GateReport, code: int) -> None:
    """Annotations on stderr, which the runner reads as it does stdout: that holds data alone.

    What cannot be written is told, and changes no verdict: nobody asked for it.
    """
    from synapse_perf.report.gate_comment import SUMMARY_BYTES, capped, gate_markdown
    from synapse_perf.report.gate_github import step_outputs, workflow_commands

    if not is_job():
        return
    typer.echo(workflow_commands(report), err=True, nl=False)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        _append(Path(summary), capped(f"{gate_markdown(report)}\n", SUMMARY_BYTES - _size(Path(summary))))
    outputs = os.environ.get("GITHUB_OUTPUT")
    if outputs:
        _append(Path(outputs), step_outputs(report, code))


def tell_error(message: str, remedy: str) -> None:
    """What ended a command, as an annotation."""
    from synapse_perf.report.gate_github import Annotation, workflow_command

    if is_job():
        told = f"{message}\n{remedy}" if remedy else message
        typer.echo(workflow_command(Annotation("error", "synapse-perf", told)), err=True)


def shown(text: str) -> str:
    """A report as it may stand in the log of a job."""
    from synapse_perf.report.gate_github import without_commands

    return without_commands(text) if is_job() else text


def foreign(text: str) -> str:
    """The output of somebody's program as it may stand in the log of a job."""
    from synapse_perf.report.gate_github import foreign_output

    return foreign_output(text) if is_job() else text


def _append(path: Path, text: str) -> None:
    """In one write: other steps' texts stay before it."""
    try:
        with path.open("ab", buffering=0) as stream:
            stream.write(text.encode())
    except OSError as error:
        typer.echo(f"warning: {path} cannot be written: {error.strerror}", err=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
