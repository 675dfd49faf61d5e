"""The options of ws-latency: which messages are sent, how many, and over how many connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from synapse_perf.commands.options import option

MESSAGES = "Which messages"


@dataclass(frozen=True, slots=True)
class MessageOptions:
    """What is sent, and what is waited for."""

    mode: Annotated[
        Literal["echo", "ping", "event"] | None,
        option("echo: it sends back; ping: the protocol's own; event: it pushes when triggered.", "--mode", MESSAGES),
    ] = None
    message: Annotated[
        str | None,
        option("The text to send; {mark} is replaced, or else it is appended.", "--message", MESSAGES, metavar="TEXT"),
    ] = None
    trigger: Annotated[
        str | None,
        option("With --mode event: POSTed to cause one that holds {mark}.", "--trigger", MESSAGES, metavar="URL"),
    ] = None
    connections: Annotated[
        str | None, option("Connections at a time (1). A list; up to 200.", "--connections", MESSAGES, metavar="N")
    ] = None
    rate: Annotated[
        float | None, option("Messages a second over all of them (100).", "--rate", MESSAGES, min=0.1, max=10000)
    ] = None
    messages: Annotated[
        int | None, option("Messages of each process (300).", "--messages", MESSAGES, min=10, max=10000)
    ] = None
