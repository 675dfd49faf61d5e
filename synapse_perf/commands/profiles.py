"""Which profiles come with the tool, and what do they say?"""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="What is measured on which models, as TOML files.")


@app.command("list")
def list_() -> None:
    """List the profiles that come with the tool."""
    from synapse_perf.profiles import builtin_profiles, load_profile

    profiles = [load_profile(path.stem) for path in builtin_profiles()]
    width = max((len(profile.name) for profile in profiles), default=0)
    for profile in profiles:
        typer.echo(f"{profile.name.ljust(width)}  {profile.description}")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|PATH", help="A name that `profiles list` shows, or a file.")],
) -> None:
    """Print a profile with its comments, after checking it; a start for a profile of your own."""
    from synapse_perf.profiles import find_profile, load_profile

    load_profile(name)
    typer.echo(find_profile(name).read_text("utf-8"), nl=False)
