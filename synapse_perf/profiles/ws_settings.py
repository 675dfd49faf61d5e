"""What does `ws-latency` measure where its options leave it open?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from synapse_perf.errors import InputError

CONNECTIONS_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class WsLatencySettings:
    """The server and its messages; None leaves it to the command, `sample` takes a server of the tool's own."""

    url: str | None = None
    mode: Literal["echo", "ping", "event"] | None = None
    message: str | None = None
    trigger: str | None = None
    trigger_body: str | None = None
    connections: tuple[int, ...] = ()
    rate: float | None = None  # messages a second
    messages: int | None = None  # of each process
    load_url: str | None = None
    load_rate: float | None = None  # polls a second
    sample: bool = False

    def __post_init__(self) -> None:
        if any(not 1 <= count <= CONNECTIONS_AT_MOST for count in self.connections):
            raise InputError(f"ws-latency.connections must be from 1 to {CONNECTIONS_AT_MOST}", "correct the value")
        for name in ("rate", "load_rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"ws-latency.{name} must be above 0", "correct the value")
        if self.messages is not None and self.messages < 10:
            raise InputError("ws-latency.messages must be at least 10", "correct the value")
