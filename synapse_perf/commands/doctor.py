"""What can this machine measure, and what would spoil it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_perf.report.document import Document


def doctor(
    python: Annotated[
        str | None,
        typer.Option(
            "--python", metavar="PATH", help="The interpreter that will load the models. Default: the tool's."
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--models", metavar="FOLDER", help="Also try page-cache eviction beside these models. Repeatable."
        ),
    ] = None,
    format: Annotated[  # noqa: A002 - the name of the option
        Literal["console", "json"], typer.Option("--format", help="What goes to stdout.")
    ] = "console",
    selftest: Annotated[
        bool, typer.Option("--selftest", help="Instead, prove that leak-hunt sees planted leaks here, and only those.")
    ] = False,
) -> int:
    """Say what this machine can and cannot measure, one line each, with the remedy.

    Ends with 0 even if there are warnings, which a measurement repeats where they spoil it, and with 2 if no model can
    be loaded at all. With --selftest it takes some seconds, and ends with 3 if leak-hunt cannot be trusted here.
    """
    if selftest:
        return _self_test(python, models or [], format)
    from synapse_perf.errors import ExitCode
    from synapse_perf.host.checkup import can_measure, check_up
    from synapse_perf.host.environment import describe
    from synapse_perf.report.doctor import document, to_json

    conditions = check_up(_folders(models or []), python)
    able = can_measure(conditions)
    environment = describe()
    if format == "json":
        typer.echo(to_json(conditions, environment, can_measure=able), nl=False)
    else:
        typer.echo(_on_console(document(conditions, environment, can_measure=able)), nl=False, color=True)
    return ExitCode.PASS if able else ExitCode.USAGE


def _self_test(python: str | None, models: list[str], format: str) -> int:  # noqa: A002 - the name of the option
    from dataclasses import asdict
    from pathlib import Path

    from synapse_perf.commands.load_request import interpreter
    from synapse_perf.commands.selftest import self_test
    from synapse_perf.errors import ExitCode, InputError
    from synapse_perf.report.selftest import selftest_document, selftest_json

    if models:
        raise InputError("--models has no part in --selftest", "leave one of them out")
    seen, code = self_test(interpreter(Path(python) if python else None), quiet=False)
    cases = [asdict(one) for one in seen]
    is_json = format == "json"
    text = selftest_json(cases, is_passed=code == ExitCode.PASS) if is_json else _on_console(selftest_document(cases))
    typer.echo(text, nl=False, color=None if is_json else True)
    return code


def _on_console(shown: Document) -> str:
    import shutil
    import sys

    from synapse_perf.report.characters import needs_ascii, wants_color
    from synapse_perf.report.console import to_console

    return to_console(
        shown,
        width=shutil.get_terminal_size().columns,
        color=wants_color(sys.stdout),
        ascii_only=needs_ascii(sys.stdout),
    )


def _folders(models: list[str]) -> dict[str, Path]:
    """The places whose file system matters, under the names that the report gives them."""
    import os
    from pathlib import Path

    from platformdirs import user_cache_path

    from synapse_perf.errors import InputError
    from synapse_perf.results import state_directory

    moved = os.environ.get("SYNAPSE_PERF_CACHE_DIR")
    folders = {
        "state": state_directory(),
        "cache": Path(moved) if moved else user_cache_path("synapse-perf", appauthor=False),
    }
    for name in models:
        path = Path(name).expanduser()
        if not path.exists():
            raise InputError(f"{name}: no such folder", "name a folder that holds models, or a model")
        folders[f"models in {name}"] = path if path.is_dir() else path.parent
    return folders
