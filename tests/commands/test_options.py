from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import typer
from typer.testing import CliRunner

from synapse_perf.commands.options import option, takes

PANEL = "Panel"


@dataclass(frozen=True, slots=True)
class Shared:
    number: Annotated[int, option("A number.", "--number", PANEL, "-n")] = 3
    words: Annotated[list[str], option("Words.", "--word", PANEL)] = field(default_factory=list)


def invoke(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()

    @app.callback()
    def program() -> None:
        """Makes `show` a subcommand."""

    def show(name: Annotated[str, typer.Argument()], *, shared: Shared) -> None:
        typer.echo(f"{name} {shared}")

    app.command("show")(takes(show))
    result = CliRunner().invoke(app, ["show", *arguments])
    return result.exit_code, result.output


def test_a_command_gets_its_shared_options_as_one_value() -> None:
    assert invoke("x", "-n", "5", "--word", "a", "--word", "b") == (0, "x Shared(number=5, words=['a', 'b'])\n")


def test_options_that_are_not_given_have_their_defaults() -> None:
    assert invoke("x") == (0, "x Shared(number=3, words=[])\n")


def test_each_shared_option_stands_in_the_help_under_its_panel() -> None:
    code, text = invoke("--help")

    assert code == 0
    assert all(word in text for word in (PANEL, "--number", "A number.", "--word"))
