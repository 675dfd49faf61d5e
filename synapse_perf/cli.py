"""Registers the commands; the one place where errors become text and exit codes."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer
from typer.exceptions import Abort, TyperException

from synapse_perf import __version__
from synapse_perf.commands import (
    baseline,
    bench_cgrag,
    cache,
    compare,
    doctor,
    gate,
    history,
    init,
    leak_hunt,
    models,
    profile_load,
    profiles,
    report,
    schema,
    service_startup,
    tier_latency,
    ui_fps,
    ws_latency,
)
from synapse_perf.commands import (
    run as run_command,
)
from synapse_perf.commands.github_actions import tell_error
from synapse_perf.commands.interrupts import catch_signals, ignore_signals
from synapse_perf.commands.options import takes
from synapse_perf.commands.streams import ELSEWHERE, cause_of, drop_stdout, is_stdout_broken, secure_streams, tell
from synapse_perf.errors import MEANINGS, ExitCode, SynapsePerfError

# The words before the colon or the comma: enough for a reminder, the README has them whole.
EPILOG = "Exit codes: " + " · ".join(f"{code:d} {re.split('[:,]', text)[0]}" for code, text in MEANINGS.items())

app = typer.Typer(
    name="synapse-perf",
    help="Says where the time and the memory of local language models go, what bounds them, and whether they meet "
    "their targets: measured, with intervals, or honestly inconclusive.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command("profile-load", no_args_is_help=False)(takes(profile_load.profile_load))
app.command("bench-cgrag", no_args_is_help=False)(takes(bench_cgrag.bench_cgrag))
app.command("tier-latency", no_args_is_help=False)(takes(tier_latency.tier_latency))
app.command("leak-hunt", no_args_is_help=False)(takes(leak_hunt.leak_hunt))
app.command("service-startup", no_args_is_help=False)(takes(service_startup.service_startup))
app.command("ws-latency", no_args_is_help=False)(takes(ws_latency.ws_latency))
app.command("ui-fps", no_args_is_help=False)(takes(ui_fps.ui_fps))
app.command("run", no_args_is_help=False)(takes(run_command.run))
app.command("init")(init.init)
app.command("doctor")(doctor.doctor)
app.command("compare")(takes(compare.compare))
app.command("gate", no_args_is_help=False)(takes(gate.gate))
app.command("history")(history.history)
app.command("report")(report.report)
app.command("schema")(schema.schema)
app.add_typer(baseline.app, name="baseline")
app.add_typer(models.app, name="models")
app.add_typer(profiles.app, name="profiles")
app.add_typer(cache.app, name="cache")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"synapse-perf {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> NoReturn:
    """Entry point of the console script and of ``python -m synapse_perf``."""
    secure_streams()
    catch_signals()
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # a second one, while the first was told
        code = ExitCode.INTERRUPTED
    ignore_signals()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; every error ends as one line on stderr."""
    try:
        code = app(args=list(arguments), prog_name="synapse-perf", standalone_mode=False)
        sys.stdout.flush()
    except SynapsePerfError as error:
        return _tell(error.message, error.remedy, error.exit_code, "--debug" in arguments)
    except TyperException as error:
        message = error.format_message()
        # A command that needs arguments and got none has shown its help already, and has nothing more to say.
        return _tell(message, _usage_hint(error), ExitCode.USAGE) if message.strip() else ExitCode.USAGE
    except (KeyboardInterrupt, Abort):
        return _tell("interrupted", "", ExitCode.INTERRUPTED)
    except (BrokenPipeError, SystemExit) as error:
        return _readerless(error)
    except Exception as error:
        return _fault(error, "--debug" in arguments)
    if code == ExitCode.INTERRUPTED and not isinstance(code, ExitCode):  # Typer's answer to Ctrl-C, not a command's
        return _tell("interrupted", "", ExitCode.INTERRUPTED)
    return int(code or 0)


def _readerless(error: BrokenPipeError | SystemExit) -> int:
    """The reader of stdout has gone, as with `| head`: Typer would end with 1, which says that a target is missed."""
    if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
        raise error
    drop_stdout()
    return ExitCode.PASS


def _fault(error: Exception, is_debugging: bool) -> int:
    if isinstance(error, OSError) and is_stdout_broken():
        return _tell(f"stdout cannot be written: {cause_of(error)}", ELSEWHERE, ExitCode.USAGE, is_debugging)
    told = f"a fault of synapse-perf itself: {type(error).__name__}: {error}"
    remedy = "run it again with --debug, and report what it prints"
    return _tell(told, remedy, ExitCode.MEASUREMENT_FAILED, is_debugging)


def _usage_hint(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    if context is None:
        return ""
    is_unlike_any = hasattr(error, "possibilities") and not error.possibilities  # no slip of the fingers
    dash = "; a file name that begins with a dash is written ./-NAME" if is_unlike_any else ""
    return f"see '{context.command_path} --help'{dash}"


def _tell(message: str, remedy: str, code: ExitCode, is_debugging: bool = False) -> int:
    if is_debugging:
        import traceback

        traceback.print_exc()
    tell(message, remedy)
    if code != ExitCode.INTERRUPTED:
        tell_error(message, remedy)
    return code
