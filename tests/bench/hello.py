"""A Typer program with the same style of help and nothing to do."""

from typing import Annotated

import typer

app = typer.Typer(
    name="hello",
    help="Says hello.",
    epilog="Nothing more.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.command("hello")
def hello(name: Annotated[str, typer.Option("--name", help="Whom to greet.", rich_help_panel="Words")] = "you") -> None:
    """Say hello."""
    typer.echo(f"hello {name}")


@app.command("bye")
def bye() -> None:
    """Say bye."""


app()
