"""Which runs are the ones to compare with?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from synapse_perf.commands.report import Kind, rendered

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer(no_args_is_help=True, help="Keep runs to compare later ones with, under ./baselines/.")

COLUMNS = ("NAME", "COMMAND", "STARTED", "COMMIT", "VERDICT")


@app.command("save")
def save(
    name: Annotated[str, typer.Argument(help="Becomes ./baselines/NAME.json.")],
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="A result file, or a saved run: last, last~1 ...")
    ] = "last",
    force: Annotated[bool, typer.Option("--force", help="Replace a baseline of that name.")] = False,
) -> None:
    """Make a run the baseline of that name."""
    from synapse_perf import baselines, results

    typer.echo(baselines.save(name, results.load(run), force=force))


@app.command("list")
def list_() -> None:
    """List the baselines under ./baselines/."""
    from synapse_perf import baselines

    paths = baselines.list_baselines()
    if not paths:
        typer.echo("no baselines here; save the newest run as one: synapse-perf baseline save NAME", err=True)
        return
    rows = [COLUMNS, *map(_row, paths)]
    widths = [max(len(row[column]) for row in rows if column < len(row) - 1) for column in range(len(COLUMNS) - 1)]
    for row in rows:
        typer.echo("  ".join([*(text.ljust(width) for text, width in zip(row[:-1], widths, strict=False)), row[-1]]))


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A baseline by name, or a result file.")],
    format: Annotated[Kind, typer.Option("--format", help="How it is shown.")] = "console",  # noqa: A002
) -> None:
    """Show the run that a baseline is."""
    from synapse_perf import baselines

    text = rendered(baselines.load(name), format)
    typer.echo(text, nl=not text.endswith("\n"))


def _row(path: Path) -> tuple[str, ...]:
    """What the list says of one file: a damaged one says so, and the others are still listed."""
    from synapse_perf.errors import SynapsePerfError
    from synapse_perf.model import Suite
    from synapse_perf.results import load

    try:
        loaded = load(path)
    except SynapsePerfError as error:
        return path.stem, error.message.removeprefix(f"{path}: ")
    if isinstance(loaded, Suite):
        if not loaded.results:
            return path.stem, "run", "", "", loaded.verdict
        benchmark, first = "run", loaded.results[0]
    else:
        benchmark, first = loaded.benchmark, loaded
    commit = str(first.environment.git.get("revision") or "")[:10]
    return path.stem, benchmark, first.started_at[:16].replace("T", " "), commit, loaded.verdict
