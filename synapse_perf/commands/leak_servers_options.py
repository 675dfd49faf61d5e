"""The options of leak-hunt's `servers`: which server is started, when it is ready, how it is stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from synapse_perf.commands.options import option

SERVERS = "How servers are started and stopped"
READY_TIMEOUT = "1m"


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What goes with servers."""

    server: Annotated[
        str | None,
        option(
            "Start and stop this server. Default: llama_cpp.server with each model in turn, on a free port.",
            "--server",
            SERVERS,
            metavar="COMMAND",
        ),
    ] = None
    ready_url: Annotated[
        str | None,
        option(
            "Where it answers 200 once it is ready. Default: /health or /v1/models at its --host and --port.",
            "--ready-url",
            SERVERS,
            metavar="URL",
        ),
    ] = None
    ready_timeout: Annotated[
        str | None,
        option(
            f"How long it may take to be ready, and again to a first token (default {READY_TIMEOUT}).",
            "--ready-timeout",
            SERVERS,
            metavar="DURATION",
        ),
    ] = None
    stop: Annotated[
        str | None,
        option(
            "How it is stopped, in turn: term, kill, parent (SIGTERM after its parent was killed). A list.",
            "--stop",
            SERVERS,
            metavar="HOW",
        ),
    ] = None

    @property
    def is_asked_for(self) -> bool:
        return any((self.server, self.ready_url, self.ready_timeout, self.stop))
