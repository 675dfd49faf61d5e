"""How does a saved run read, in another format or once more?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from synapse_perf.model import Result, Suite

Kind = Literal["console", "json", "md"]


def report(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="A result file, or a saved run: last, last~1 ...")
    ] = "last",
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            help="Write it here; the suffix tells the format: .json, .md, .html, .xml, .prom. Repeatable.",
        ),
    ] = None,
    format: Annotated[  # noqa: A002 - the name of the option
        Kind | None, typer.Option("--format", help="What goes to stdout; with --output, nothing unless this is given.")
    ] = None,
) -> None:
    """Render a saved run or a result file again."""
    from synapse_perf.report.render import check_output_path, write_output
    from synapse_perf.results import load

    for path in output or []:
        check_output_path(path)
    loaded = load(run)
    for path in output or []:
        write_output(loaded, path)
    if format is not None or not output:
        text = rendered(loaded, format or "console")
        typer.echo(text, nl=not text.endswith("\n"))


def rendered(loaded: Result | Suite, kind: Kind) -> str:
    """The text of a run; of a suite its table, then each of its runs in turn."""
    from synapse_perf.model import Suite
    from synapse_perf.report.render import render
    from synapse_perf.report.suite_sections import is_of_commands, render_suite
    from synapse_perf.results import dumps

    if not isinstance(loaded, Suite):
        return render(loaded, kind)
    if is_of_commands(loaded):
        return render_suite(loaded, kind, in_full=True)
    if kind == "json":
        return dumps(loaded)
    return "\n".join(render(each, kind).rstrip("\n") + "\n" for each in loaded.results)
