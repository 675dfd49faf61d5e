"""What do the options and the profile ask of ws-latency? What is wrong is told before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from synapse_perf.errors import InputError, NothingNamedError

if TYPE_CHECKING:
    from synapse_perf.commands.options import CommonOptions
    from synapse_perf.commands.ws_options import MessageOptions
    from synapse_perf.profiles.ws_settings import WsLatencySettings

RATES = {"echo": 100.0, "ping": 100.0, "event": 20.0}
COUNTS = {"echo": 300, "ping": 300, "event": 100}
LOAD_RATE = 5.0
CONNECTIONS_AT_MOST = 200
MARK = "{mark}"
_EXAMPLE = "such as ws://127.0.0.1:8000/ws"
_EVENTS = "such as --mode event --trigger 'http://127.0.0.1:8000/events/test?message={mark}'"


@dataclass(frozen=True, slots=True)
class WsRequest:
    """One server, checked; without a mode it has to be found out."""

    url: str
    mode: str | None
    message: str
    trigger: str | None
    trigger_body: str
    connections: tuple[int, ...]
    asked_rate: float | None
    asked_count: int | None
    load_url: str | None
    load_rate: float
    pid: int | None
    is_sample: bool

    @property
    def rate(self) -> float:
        return self.asked_rate or RATES[self.mode or "echo"]

    @property
    def count(self) -> int:
        return self.asked_count or COUNTS[self.mode or "echo"]


def ws_request(url: str | None, options: MessageOptions, profile: WsLatencySettings) -> WsRequest:
    """Raises InputError for what cannot be asked. A URL that is given leaves the profile's server out altogether."""
    from synapse_perf.profiles.ws_settings import WsLatencySettings

    address = url or profile.url
    is_sample = address is None and profile.sample
    if address is None and not is_sample:
        raise NothingNamedError("ws-latency: no URL is given", f"give the WebSocket's address, {_EXAMPLE}")
    server = WsLatencySettings() if url is not None else profile
    mode = options.mode or server.mode
    message = _first(options.message, server.message)
    trigger = _first(options.trigger, server.trigger)
    body = _first(options.trigger_body, server.trigger_body)
    load_url = _first(options.load_url, server.load_url)
    if trigger is not None:
        mode = mode or "event"
    _check_mode(mode, message, trigger, body)
    if load_url is not None:
        _checked("--load-url", load_url, ("http", "https"))
    elif options.load_rate is not None:
        raise InputError("--load-rate without --load-url: nothing is polled", "give --load-url URL")
    return WsRequest(
        url=_checked("ws-latency", address, ("ws", "wss")) if address else "",
        mode=mode or ("echo" if is_sample else None),
        message=message or "",
        trigger=trigger,
        trigger_body=body or "",
        connections=_connections(options.connections) or profile.connections or (1,),
        asked_rate=options.rate or profile.rate,
        asked_count=options.messages or profile.messages,
        load_url=load_url,
        load_rate=options.load_rate or profile.load_rate or LOAD_RATE,
        pid=options.pid,
        is_sample=is_sample,
    )


def check_common(options: CommonOptions) -> None:
    """Refuse the shared options that messages to a server cannot heed; within `run` they are for others."""
    from synapse_perf.commands.options import PartOptions

    if isinstance(options, PartOptions):
        return
    if options.flamegraph is not None:
        raise InputError("--flamegraph: the time goes by in the server", "py-spy record --pid, on the server's process")
    if options.python is not None:
        raise InputError("--python: no code of yours runs in this", "leave it out")


def _first(*texts: str | None) -> str | None:
    return next((text for text in texts if text is not None), None)


def _check_mode(mode: str | None, message: str | None, trigger: str | None, body: str | None) -> None:
    """What belongs to another mode is refused, as it would read as if it had been used."""
    if mode == "event" and trigger is None:
        raise InputError("--mode event needs a --trigger", _EVENTS)
    if mode != "event" and trigger is not None:
        raise InputError(f"--trigger is not for --mode {mode}", _EVENTS)
    if body is not None and trigger is None:
        raise InputError("--trigger-body without --trigger: nothing is posted", _EVENTS)
    if message is not None and mode not in (None, "echo"):
        raise InputError(f"--message is not for --mode {mode}", "leave one of them out")
    if trigger is not None:
        _checked("--trigger", trigger, ("http", "https"))
        if MARK not in trigger and MARK not in (body or ""):
            raise InputError(
                f"--trigger {trigger}: it has no {MARK}, and no --trigger-body has one",
                f"the event is known by it: ?message={MARK}",
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
    if any(ord(letter) <= ord(" ") for letter in url):
        raise InputError(f"{told} {url}: it has a blank", "write %20 for it")
    return url


def _connections(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    counts = []
    for part in text.split(","):
        if not part.strip().isdecimal() or not 1 <= int(part) <= CONNECTIONS_AT_MOST:
            raise InputError(
                f"--connections {text}: '{part.strip()}' is not from 1 to {CONNECTIONS_AT_MOST}", "such as 1,50"
            )
        counts.append(int(part))
    return tuple(dict.fromkeys(counts))
