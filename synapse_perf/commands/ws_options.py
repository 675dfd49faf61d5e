"""The options of ws-latency: which messages are sent, how many, over how many connections, and what goes on beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from synapse_perf.commands.options import option

MESSAGES, BESIDE = "Which messages", "What goes on beside them"


@dataclass(frozen=True, slots=True)
class MessageOptions:
    """What is sent, and what is waited for."""

    mode: Annotated[
        Literal["echo", "ping", "event"] | None,
        option(
            "echo: it sends back; ping: the protocol's own; event: it pushes when triggered. Default: found out.",
            "--mode",
            MESSAGES,
        ),
    ] = None
    message: Annotated[
        str | None,
        option("The text to send; {mark} is replaced, or else it is appended.", "--message", MESSAGES, metavar="TEXT"),
    ] = None
    trigger: Annotated[
        str | None,
        option(
            "POSTed to cause an event that holds {mark}, in its URL or its body.", "--trigger", MESSAGES, metavar="URL"
        ),
    ] = None
    trigger_body: Annotated[
        str | None, option("The body of that POST.", "--trigger-body", MESSAGES, metavar="TEXT")
    ] = None
    connections: Annotated[
        str | None, option("Connections at a time (1). A list; up to 200.", "--connections", MESSAGES, metavar="N")
    ] = None
    rate: Annotated[
        float | None,
        option("Messages a second over all of them (100; events 20).", "--rate", MESSAGES, min=0.1, max=10000),
    ] = None
    messages: Annotated[
        int | None, option("Messages of each process (300; events 100).", "--messages", MESSAGES, min=10, max=5000)
    ] = None
    load_url: Annotated[
        str | None,
        option("Measure also while this is polled: idle and under load.", "--load-url", BESIDE, metavar="URL"),
    ] = None
    load_rate: Annotated[float | None, option("Polls a second (5).", "--load-rate", BESIDE, min=0.1, max=1000)] = None
    pid: Annotated[
        int | None,
        option(
            "The server, for what it holds of clients that left. Default: found by its port.",
            "--pid",
            BESIDE,
            metavar="PID",
            min=1,
        ),
    ] = None
