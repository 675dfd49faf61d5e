"""What does this tool keep on the disk, and how does it go away?"""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="List or delete the model files that this tool made or fetched.")


@app.command("list")
def list_() -> None:
    """List the models in the cache: synthesised, converted, fetched by the set-up, or left half made."""
    from synapse_perf.commands.models import show
    from synapse_perf.gguf_files.cache import cache_directory, cached_files
    from synapse_perf.report.models import cache_document

    show(cache_document(cached_files(), str(cache_directory())))


@app.command("clean")
def clean(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete what `cache list` shows, and nothing else; it is made or fetched again where it is needed."""
    import sys

    from synapse_perf.errors import InputError
    from synapse_perf.gguf_files.cache import cached_files, remove_cached_files
    from synapse_perf.units import format_bytes

    files = cached_files()
    size = format_bytes(sum(file.size_bytes for file in files))
    if files and not yes:
        if not sys.stdin.isatty():
            raise InputError("there is no terminal to ask on", "add --yes to delete without being asked")
        if not typer.confirm(f"delete {len(files)} files, {size}?", err=True):
            typer.echo("nothing was deleted", err=True)
            return
    for file in remove_cached_files():
        typer.echo(file.path)
    typer.echo(f"deleted {len(files)} files, {size}", err=True)
