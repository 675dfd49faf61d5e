"""How does a server answer HTTP requests that are sent from the loop that also reads its WebSocket?

A client for one address on asyncio alone: connections are kept and reused, each request has a connection to itself, and
nothing waits for a thread. What it sends is a trigger, or a URL that is polled as a page would.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import NamedTuple
from urllib.parse import urlsplit

from synapse_perf.outside.websocket_connections import ConnectionLost, reason_of

Kept = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_PORTS = {"http": 80, "https": 443}
_NO_HTTP = (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError)
_GOOD = range(200, 300)
_AT_A_TIME = 50  # polled requests that wait for their answer; more would only queue


class Polled(NamedTuple):
    """What polling a URL came to."""

    took_s: list[float]
    failed: int
    first_error: str
    skipped: int
    left: int  # that still waited for their answer in the end


class HttpCaller:
    """Requests to one server, as many at a time as are asked for."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._idle: list[Kept] = []

    async def call(self, method: str, url: str, body: str = "") -> None:
        """Send and read the whole answer; ConnectionLost for one that is no success."""
        told = url.partition("?")[0]
        try:
            status = await asyncio.wait_for(self._call(method, url, body), self._timeout_s)
        except TimeoutError as error:
            raise ConnectionLost(f"{told}: no answer within {self._timeout_s:g} s", "see the server's log") from error
        except ssl.SSLError as error:
            remedy = "does it speak http://, or is its certificate unknown here (SSL_CERT_FILE)?"
            raise ConnectionLost(f"{told}: no secure connection: {error.reason or error}", remedy) from error
        except (ConnectionResetError, BrokenPipeError, *_NO_HTTP) as error:
            raise ConnectionLost(f"{told} does not speak HTTP, or broke off", "give its whole address") from error
        except OSError as error:
            raise ConnectionLost(f"nothing answers at {told}: {reason_of(error)}", "start the server") from error
        if status not in _GOOD:
            raise ConnectionLost(f"{method} {told} answers {status}", "try it by hand: curl -i")

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()

    async def _call(self, method: str, url: str, body: str) -> int:
        parts = urlsplit(url)
        content = body.encode()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc.rpartition('@')[2]}", "Accept: */*"]
        if method != "GET":
            lines.append(f"Content-Length: {len(content)}")
        if content:
            is_json = body.lstrip().startswith(("{", "["))
            lines.append(f"Content-Type: {'application/json' if is_json else 'text/plain'}")
        request = "\r\n".join((*lines, "", "")).encode() + content
        while self._idle:
            kept = self._idle.pop()
            if not kept[0].at_eof():  # else the server ended it meanwhile
                return await self._ask(kept, request)
        port = parts.port or _PORTS[parts.scheme]
        secured = ssl.create_default_context() if parts.scheme == "https" else None
        return await self._ask(await asyncio.open_connection(parts.hostname, port, ssl=secured), request)

    async def _ask(self, connection: Kept, request: bytes) -> int:
        reader, writer = connection
        is_kept = False
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            status = int(head[0].split(" ")[1])
            headers = {
                name.strip().lower(): value.strip().lower() for name, _, value in (h.partition(":") for h in head[1:])
            }
            is_kept = await _read_body(reader, status, headers) and headers.get("connection") != "close"
            return status
        except IndexError as error:
            raise ValueError("no status line") from error
        finally:
            if is_kept:
                self._idle.append(connection)
            else:
                writer.close()


async def poll(url: str, per_s: float, timeout_s: float, until: asyncio.Event) -> Polled:
    """GET it at that rate, each at its own time, whatever became of the others."""
    caller, took_s, errors = HttpCaller(timeout_s), [], []
    tasks: set[asyncio.Task[None]] = set()
    skipped, number, began_ns = 0, 0, time.perf_counter_ns()

    async def ask() -> None:
        asked_ns = time.perf_counter_ns()
        try:
            await caller.call("GET", url)
            took_s.append((time.perf_counter_ns() - asked_ns) * 1e-9)
        except ConnectionLost as error:
            errors.append(str(error))

    while not until.is_set():
        if len(tasks) < _AT_A_TIME:
            task = asyncio.create_task(ask())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        else:
            skipped += 1
        number += 1
        left_s = number / per_s - (time.perf_counter_ns() - began_ns) * 1e-9
        try:
            await asyncio.wait_for(until.wait(), max(0.0, left_s))
        except TimeoutError:
            continue
    left = len(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    caller.close()
    return Polled(took_s, len(errors), errors[0] if errors else "", skipped, left)


async def _read_body(reader: asyncio.StreamReader, status: int, headers: dict[str, str]) -> bool:
    """Read it to its end; whether the connection can be used again."""
    if status in (204, 304):
        return True
    if headers.get("transfer-encoding") == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        while await reader.readuntil(b"\r\n") != b"\r\n":  # trailers
            pass
        return True
    if "content-length" in headers:
        await reader.readexactly(int(headers["content-length"]))
        return True
    await reader.read()
    return False
