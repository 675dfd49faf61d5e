"""Where do the metrics of stored runs go, and how far have they come from a pinned run?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from synapse_perf.model import Result


def history(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND|FILE",
            help="Saved runs of a command such as bench-cgrag (default: that of the newest run), or result files.",
        ),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="These alone: a name or a pattern; one alone is plotted.")
    ] = None,
    pin: Annotated[
        str | None,
        typer.Option("--pin", metavar="NAME|PATH", help="Show the drift since this baseline or result file."),
    ] = None,
    last: Annotated[int, typer.Option("--last", min=2, help="Runs to look at, the newest.")] = 50,
    format: Annotated[  # noqa: A002 - the name of the option
        Literal["console", "json", "md"], typer.Option("--format", help="What goes to stdout.")
    ] = "console",
) -> None:
    """Show the trend of each metric over stored runs, and the drift since a pinned one."""
    import sys

    from synapse_perf.analyze.gate_history import history_of
    from synapse_perf.errors import InputError
    from synapse_perf.report.characters import needs_ascii
    from synapse_perf.report.gate_history import history_document, history_json
    from synapse_perf.report.render import document_text

    runs = _runs(words or [], last)
    pinned = _pinned(pin, runs[-1])
    found = history_of(runs, tuple(metric or ()), pinned)
    if not found.series:
        raise InputError("no metric of these runs is asked for", f"choose one of {_names(runs[-1])}")
    if format == "json":
        typer.echo(history_json(found), nl=False)
        return
    ascii_only = format == "console" and needs_ascii(sys.stdout)
    typer.echo(document_text(history_document(found, pin or "", ascii_only=ascii_only), format), nl=False)


def _runs(words: list[str], last: int) -> list[Result]:
    """Of one command, the oldest first; what cannot be read is told and left out."""
    from synapse_perf.baselines import results_of
    from synapse_perf.baselines.imported import read_run
    from synapse_perf.errors import InputError, SynapsePerfError
    from synapse_perf.results import list_runs, load

    files = [word for word in words if "/" in word or word.endswith(".json")]
    if files and len(files) < len(words):
        raise InputError("a command and files at once", "name one command, or files alone")
    if len(words) > 1 and not files:
        raise InputError(f"one command at a time: {words[0]}, {words[1]}", "name one of them")
    benchmark = words[0] if words and not files else None
    if benchmark is None and not files:
        benchmark = results_of(load("last"))[0].benchmark
    paths = [Path(file) for file in files] if files else list(reversed(list_runs(benchmark)[:last]))
    found: list[Result] = []
    for path in paths:
        try:
            found += results_of(read_run(path))
        except SynapsePerfError as error:
            if files:
                raise
            typer.echo(f"warning: left out: {error.message}", err=True)
    if not found:
        raise InputError(f"no run{f' of {benchmark}' if benchmark else ''} is saved", "measure first, or name files")
    benchmarks = {run.benchmark for run in found}
    if len(benchmarks) > 1:
        raise InputError(f"the files are of several commands: {', '.join(sorted(benchmarks))}", "name those of one")
    return sorted(found, key=lambda run: run.started_at)


def _pinned(name: str | None, newest: Result) -> Result | None:
    if name is None:
        return None
    from synapse_perf.analyze.compare import differing_fields
    from synapse_perf.baselines import results_of
    from synapse_perf.commands.gate_inputs import load_run
    from synapse_perf.errors import NotComparableError

    found = [result for result in results_of(load_run(name)) if result.benchmark == newest.benchmark]
    if not found:
        raise NotComparableError(f"--pin {name} is not of {newest.benchmark}", "name a run of the same command")
    if difference := differing_fields(newest, found[0]):
        raise NotComparableError(
            f"--pin {name} cannot be compared with the newest run; differing: {', '.join(difference)}",
            "name a run of the same machine and workload",
        )
    return found[0]


def _names(run: Result) -> str:
    return ", ".join(sorted({metric.name for metric in run.metrics}))
