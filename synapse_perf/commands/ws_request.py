"""What do the options of ws-latency ask for? Wrong ones are told before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from synapse_perf.errors import InputError

if TYPE_CHECKING:
    from synapse_perf.commands.ws_options import MessageOptions

RATE, MESSAGES, WARMUPS = 100.0, 300, 20
CONNECTIONS_AT_MOST = 200
PATIENCE_S = 2.0  # forty times the usual limit
_EXAMPLE = "such as ws://127.0.0.1:8000/ws"


@dataclass(frozen=True, slots=True)
class WsRequest:
    """One server, checked."""

    url: str
    mode: str
    message: str
    trigger: str | None
    connections: tuple[int, ...]
    rate: float
    count: int


def ws_request(url: str | None, options: MessageOptions) -> WsRequest:
    """Raises InputError for what cannot be asked."""
    if url is None:
        raise InputError("ws-latency: no URL is given", f"give the WebSocket's address, {_EXAMPLE}")
    mode = options.mode or ("event" if options.trigger else "echo")
    if (mode == "event") != (options.trigger is not None):
        told = "--mode event needs a --trigger" if mode == "event" else f"--trigger is not for --mode {mode}"
        raise InputError(told, "such as --mode event --trigger 'http://127.0.0.1:8000/events/test?message={mark}'")
    if options.message is not None and mode != "echo":
        raise InputError(f"--message is not for --mode {mode}", "leave one of them out")
    if options.trigger is not None:
        _checked("--trigger", options.trigger, ("http", "https"))
        if "{mark}" not in options.trigger:
            raise InputError(
                f"--trigger {options.trigger}: it has no {{mark}}", "by it the event is known: ?message={mark}"
            )
    return WsRequest(
        url=_checked("ws-latency", url, ("ws", "wss")),
        mode=mode,
        message=options.message or "",
        trigger=options.trigger,
        connections=_connections(options.connections),
        rate=options.rate or RATE,
        count=options.messages or MESSAGES,
    )


def _checked(told: str, url: str, schemes: tuple[str, ...]) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(f"{told} {url}: {error}", _EXAMPLE) from error
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        kinds = " or ".join(f"{scheme}://" for scheme in schemes)
        raise InputError(f"{told} {url}: not a {kinds} address", _EXAMPLE if "ws" in schemes else "give it whole")
    return url


def _connections(text: str | None) -> tuple[int, ...]:
    if text is None:
        return (1,)
    counts = []
    for part in text.split(","):
        if not part.strip().isdigit() or not 1 <= int(part) <= CONNECTIONS_AT_MOST:
            raise InputError(
                f"--connections {text}: '{part.strip()}' is not from 1 to {CONNECTIONS_AT_MOST}", "such as 1,50"
            )
        counts.append(int(part))
    return tuple(dict.fromkeys(counts))
