"""The options of leak-hunt for what runs already: which process, and how it is driven."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from synapse_perf.commands.options import option

RUNNING = "What runs already"


@dataclass(frozen=True, slots=True)
class OutsideOptions:
    """A running process, watched from outside; never ended, stopped or signalled."""

    pid: Annotated[
        int | None,
        option(
            "Watch this process and its children, as time goes by or while --url or --ws drives it.",
            "--pid",
            RUNNING,
            min=1,
            metavar="PID",
        ),
    ] = None
    url: Annotated[
        str | None,
        option(
            "Ask this service again and again. Its process: --pid, or the one that listens there.",
            "--url",
            RUNNING,
            metavar="URL",
        ),
    ] = None
    request: Annotated[
        Path | None,
        option(
            "JSON that is sent: one body (a POST) or with --ws one message; or JSON Lines, taken in turn.",
            "--request",
            RUNNING,
            metavar="FILE",
        ),
    ] = None
    ws: Annotated[
        str | None,
        option(
            "Connect to this WebSocket, exchange a message and leave, again and again.", "--ws", RUNNING, metavar="URL"
        ),
    ] = None
    disconnect: Annotated[
        str | None,
        option(
            "How a client leaves: close, drop (without the handshake), reset, half-open (silent). A list.",
            "--disconnect",
            RUNNING,
            metavar="HOW",
        ),
    ] = None
    every: Annotated[
        str | None,
        option(
            "Between two readings of --pid alone. Default: what --max-time has room for.",
            "--every",
            RUNNING,
            metavar="DURATION",
        ),
    ] = None
    request_timeout: Annotated[
        str | None,
        option("For a whole request or message (60s).", "--request-timeout", RUNNING, metavar="DURATION"),
    ] = None

    @property
    def is_asked(self) -> bool:
        """Whether anything of this is asked for, rightly or wrongly."""
        return self != OutsideOptions()
