"""How are many WebSocket connections made and ended, and why did one fail, in a sentence?

Without compression, keep-alive pings and proxies, each of which changes what is measured.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

QUIET_S = 0.3  # without a message for so long, what a server sends by itself to a new client has come
DRAIN_AT_MOST_S = 3.0  # some never are quiet
LARGEST_BYTES = 1 << 20
TOO_LARGE = f"the server sent a message of more than {LARGEST_BYTES // 1024} KiB"
WHOLE_ADDRESS = "give the WebSocket's whole address, with its path"


class ConnectionLost(Exception):  # noqa: N818 - says what happened
    """A connection could not be made, or has ended; `remedy` may be empty."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class Drained(NamedTuple):
    """What a server sent by itself, over all connections."""

    messages: int
    is_quiet: bool


async def connect_all(url: str, count: int, timeout_s: float) -> tuple[list[Any], list[float]]:
    """The connections, one after the other, and the seconds that each took with its handshake."""
    from websockets.asyncio.client import connect

    connections: list[Any] = []
    took_s: list[float] = []
    for _ in range(count):
        began_ns = time.perf_counter_ns()
        try:
            connection = await connect(
                url,
                compression=None,
                ping_interval=None,
                max_queue=None,
                proxy=None,
                open_timeout=timeout_s,
                close_timeout=timeout_s,
                max_size=LARGEST_BYTES,
            )
        except Exception as error:
            await close_all(connections)
            raise _why_not(url, error, len(connections), timeout_s) from error
        took_s.append((time.perf_counter_ns() - began_ns) * 1e-9)
        connections.append(connection)
    return connections, took_s


async def close_all(connections: Iterable[Any]) -> None:
    """With the closing handshake."""
    await asyncio.gather(*(one.close() for one in connections), return_exceptions=True)


async def drain(url: str, connections: Iterable[Any]) -> Drained:
    """Read what a server sends by itself to new clients, until none gets more or the patience is over.

    Raises ConnectionLost where one ends meanwhile.
    """
    deadline_ns = time.perf_counter_ns() + int(DRAIN_AT_MOST_S * 1e9)

    async def one(connection: Any) -> Drained:
        count = 0
        while time.perf_counter_ns() < deadline_ns:
            try:
                await asyncio.wait_for(connection.recv(), QUIET_S)
            except TimeoutError:
                return Drained(count, True)
            except Exception as error:
                ended = why_ended(connection)
                raise ConnectionLost(f"{url}: {ended}", remedy_of(ended)) from error
            count += 1
        return Drained(count, False)

    found = await asyncio.gather(*map(one, connections))
    return Drained(sum(each.messages for each in found), all(each.is_quiet for each in found))


def why_ended(connection: Any) -> str:
    """Who ended a connection, and what was said."""
    closed = connection.protocol.close_exc
    received, sent = closed.rcvd, closed.sent
    if sent is not None and sent.code == 1009 and not closed.rcvd_then_sent:
        return TOO_LARGE
    if sent is not None and received is None:
        return f"the server broke the protocol: {sent.reason or sent.code}"
    if received is None:
        return "the server ended the connection without a word"
    return f"the server closed the connection with {received.code} {received.reason}".rstrip()


def remedy_of(ended: str) -> str:
    """What to do about a connection that ended so."""
    if TOO_LARGE in ended:
        return "time smaller ones: what a message of that size takes is its transfer"
    return "see the server's log"


def reason_of(error: OSError) -> str:
    """In the system's words: asyncio's name the call instead."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)


def _why_not(url: str, error: Exception, made: int, timeout_s: float) -> ConnectionLost:
    name = type(error).__name__
    after = f" after {made} connection{'s' if made > 1 else ''}" if made else ""
    if isinstance(error, TimeoutError):
        return ConnectionLost(f"{url}: no handshake within {timeout_s:g} s{after}", "is it a WebSocket server?")
    if name == "InvalidStatus":
        status = error.response.status_code  # type: ignore[attr-defined]
        return ConnectionLost(f"{url} answers {status} to the handshake{after}", WHOLE_ADDRESS)
    if name.startswith("Invalid") or name in ("SecurityError", "NegotiationError", "ProtocolError"):
        cause = error.__cause__ or error
        return ConnectionLost(f"{url} does not speak WebSocket{after}: {cause or type(cause).__name__}", WHOLE_ADDRESS)
    if isinstance(error, ssl.SSLCertVerificationError):
        remedy = "make its certificate known: SSL_CERT_FILE=its-certificate.pem"
        return ConnectionLost(f"{url}{after}: its certificate is not trusted: {error.verify_message}", remedy)
    if isinstance(error, ssl.SSLError):
        return ConnectionLost(f"{url}: no secure connection{after}: {error.reason or error}", "is it a ws:// server?")
    if isinstance(error, OSError) and error.errno is None and url.startswith("wss"):  # it broke off within TLS
        return ConnectionLost(f"{url}: no secure connection{after}: the server ended it", "is it a ws:// server?")
    if isinstance(error, OSError):
        return ConnectionLost(f"nothing answers at {url}{after}: {reason_of(error)}", "start the server")
    return ConnectionLost(f"{url}: {name}: {error}{after}", "see the server's log")
