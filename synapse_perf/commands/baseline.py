"""Which runs are the ones to compare with?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from synapse_perf.commands.gate_inputs import today
from synapse_perf.commands.report import Kind, rendered

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_perf.model import Result, Suite

app = typer.Typer(no_args_is_help=True, help="Keep runs to compare later ones with, under ./baselines/.")

COLUMNS = ("NAME", "COMMAND", "RUNS", "STARTED", "COMMIT", "VERDICT")
KEPT = 10


@app.command("save")
def save(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME] [RUN]...",
            help="Becomes ./baselines/NAME.json (default: command, profile and class of machine); runs are files or "
            "last, last~1 ... (default: last).",
        ),
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Put the runs beside those that it holds.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a baseline of that name.")] = False,
) -> None:
    """Make runs the baseline of that name; several tell how much runs of the same code differ."""
    from synapse_perf import baselines
    from synapse_perf.analyze.gate_figures import failures_of
    from synapse_perf.errors import InputError

    name, runs = _name_and_runs(words or [])
    results = [result for run in runs for result in baselines.results_of(run)]
    chosen = name or baselines.name_for(results[0])
    for failure in (each for run in runs for each in failures_of(run)):
        typer.echo(f"warning: a part of the run {failure}", err=True)
    if add and force:
        raise InputError("--add keeps what --force would replace", "give one of the two")
    if add and baselines.baseline_path(chosen).exists():
        for result in results:
            path, count = baselines.add(chosen, result)
        typer.echo(f"{path}: {count} runs")
        return
    path = baselines.save(chosen, runs[0] if len(runs) == 1 else baselines.joined_alike(results), force=force)
    typer.echo(path)


@app.command("list")
def list_() -> None:
    """List the baselines under ./baselines/, and what was waived."""
    from synapse_perf import baselines
    from synapse_perf.baselines.waivers import load_waivers

    paths = baselines.list_baselines()
    if not paths:
        typer.echo("no baselines here; save the newest run as one: synapse-perf baseline save", err=True)
    else:
        rows = [COLUMNS, *map(_row, paths)]
        widths = [max(len(row[column]) for row in rows if column < len(row) - 1) for column in range(len(COLUMNS) - 1)]
        for row in rows:
            padded = [text.ljust(width) for text, width in zip(row[:-1], widths, strict=False)]
            typer.echo("  ".join([*padded, row[-1]]))
    for waiver in load_waivers():
        end = "RAN OUT on" if waiver.is_expired(today()) else "waived through"
        typer.echo(f"{waiver.metric}: {end} {waiver.expires}: {waiver.reason}")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A baseline by name, or a result file.")],
    format: Annotated[Kind, typer.Option("--format", help="How it is shown.")] = "console",  # noqa: A002
) -> None:
    """Show the run that a baseline is."""
    from synapse_perf import baselines

    text = rendered(baselines.load(name), format)
    typer.echo(text, nl=not text.endswith("\n"))


@app.command("waive")
def waive(
    metric: Annotated[str, typer.Option("--metric", help="As the gate names it, with its labels.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it may be slower; every gate shows it.")],
    expires: Annotated[str, typer.Option("--expires", help="2026-12-31 or 30d; from the day after, gates fail.")],
    up_to: Annotated[str | None, typer.Option("--up-to", help="The largest slowdown that is agreed to: 15%.")] = None,
) -> None:
    """Let one metric be slower for a while."""
    from synapse_perf.baselines.waivers import Waiver, expiry
    from synapse_perf.baselines.waivers import waive as add_waiver
    from synapse_perf.commands.gate_inputs import parse_share
    from synapse_perf.errors import InputError

    for option, text in (("--metric", metric), ("--reason", reason)):
        if not text.strip() or not text.isprintable():
            raise InputError(f"{option} is empty, or has characters that cannot be printed", f"give it: {option} TEXT")
    share = parse_share(up_to, "--up-to") if up_to else None
    waiver = Waiver(metric.strip(), reason.strip(), expiry(expires, today()), share)
    typer.echo(f"{add_waiver(waiver)}: {waiver.metric} is waived through {waiver.expires}")


@app.command("prune")
def prune(
    keep: Annotated[int, typer.Option("--keep", min=1, help="Runs to keep of each command in a baseline.")] = KEPT,
) -> None:
    """Drop old runs of each baseline, waivers that have run out, and what killed writers have left."""
    from synapse_perf import baselines
    from synapse_perf.baselines.waivers import drop_expired

    dropped = {path: baselines.keep_newest(path, keep) for path in baselines.list_baselines()}
    for path, count in dropped.items():
        if count:
            typer.echo(f"{path}: {count} run{'s' * (count > 1)} dropped, the newest {keep} kept")
    expired = drop_expired(today())
    for waiver in expired:
        typer.echo(f"{waiver.metric}: the waiver that ran out on {waiver.expires} is dropped")
    left = baselines.remove_leftovers()
    if not any(dropped.values()) and not expired and not left:
        typer.echo("nothing to drop", err=True)


def _name_and_runs(words: list[str]) -> tuple[str | None, list[Result | Suite]]:
    """The one word that is neither a saved run nor a file is the name."""
    from synapse_perf.commands.gate_inputs import load_run
    from synapse_perf.errors import InputError
    from synapse_perf.results import is_run_name

    runs = [word for word in words if is_run_name(word) or "/" in word or word.endswith(".json")]
    names = [word for word in words if word not in runs]
    if len(names) > 1:
        raise InputError(f"two names: {names[0]} and {names[1]}", "a run is last, last~1 or a path with .json")
    return (names[0] if names else None), [load_run(run) for run in runs or ["last"]]


def _row(path: Path) -> tuple[str, ...]:
    """What the list says of one file: a damaged one says so, and the others are still listed."""
    from synapse_perf.baselines import results_of
    from synapse_perf.errors import SynapsePerfError
    from synapse_perf.results import load

    try:
        loaded = load(path)
    except SynapsePerfError as error:
        return path.stem, error.message.removeprefix(f"{path}: ")
    results = results_of(loaded)
    if not results:
        return path.stem, "run", "0", "", "", loaded.verdict
    benchmarks = {result.benchmark for result in results}
    first = results[0]
    commit = str(first.environment.git.get("revision") or "")[:10]
    started = first.started_at[:16].replace("T", " ")
    benchmark = benchmarks.pop() if len(benchmarks) == 1 else "run"
    return path.stem, benchmark, str(len(results)), started, commit, loaded.verdict
