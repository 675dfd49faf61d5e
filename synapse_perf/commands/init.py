"""How does a profile of one's own begin? With what is found on this machine, each line with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_FILE = Path("synapse-perf.toml")


def init(
    engine: Annotated[
        Path | None,
        typer.Option(help="A checkout of the engine (default: the current directory, where it is one).", metavar="DIR"),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The profile to write.", metavar="FILE")
    ] = DEFAULT_FILE,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a profile for what is found here: models, an engine checkout, a compose file, what answers on its ports."""
    from synapse_perf.atomic_files import check_writable, write_atomically
    from synapse_perf.commands.init_finding import find_here
    from synapse_perf.commands.init_text import profile_text
    from synapse_perf.errors import InputError
    from synapse_perf.profiles import load_profile

    if output.suffix != ".toml":
        raise InputError(f"{output}: a profile's name ends in .toml", f"such as -o {DEFAULT_FILE}")
    if output.exists() and not force:
        raise InputError(f"{output} is there already", "name another with -o, or add --force to write over it")
    check_writable(output)
    found = find_here(Path.cwd(), engine)
    for line in found.told():
        typer.echo(line, err=True)
    write_atomically(output, profile_text(found), is_new=not force)
    load_profile(str(output.absolute()))
    shown = output if "/" in str(output) else f"./{output}"
    typer.echo(f"written: {output}; see what it would measure: synapse-perf run --profile {shown} --dry-run", err=True)
