"""How long does each message take that is sent at a time fixed beforehand, over one or many WebSocket connections?

Latency counts from the intended moment: a server that stalls delays every message that is due meanwhile, as it does
for its users, where a client that waits for each answer would send fewer and hide it. How late the sender itself was is
told beside it. Without compression, keep-alive pings and proxies, each of which changes what is measured.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

LEAD_NS = 20_000_000
NEAR_NS = 1_500_000  # epoll rounds up to whole milliseconds, so the last of it is waited for by turns of the loop
QUIET_S = 0.3  # without a frame for so long, what a server sends by itself to a new client has come


class Exchange(NamedTuple):
    """One message, with moments in ns; `received_ns` is None where nothing came back in time."""

    intended_ns: int
    sent_ns: int
    received_ns: int | None
    connection: int
    error: str

    @property
    def lateness_s(self) -> float:
        return (self.sent_ns - self.intended_ns) * 1e-9


class ConnectFailed(Exception):  # noqa: N818 - says what happened
    """Not all connections could be made; `remedy` may be empty."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


async def connect_all(url: str, count: int, timeout_s: float) -> tuple[list[Any], list[float]]:
    """The connections, one after the other, and the seconds that each took with its handshake."""
    from websockets.asyncio.client import connect

    connections: list[Any] = []
    took_s: list[float] = []
    for _ in range(count):
        began_ns = time.perf_counter_ns()
        try:
            connection = await connect(
                url, compression=None, ping_interval=None, max_queue=None, proxy=None, open_timeout=timeout_s
            )
        except Exception as error:
            await close_all(connections)
            raise _why(url, error, len(connections), timeout_s) from error
        took_s.append((time.perf_counter_ns() - began_ns) * 1e-9)
        connections.append(connection)
    return connections, took_s


async def close_all(connections: Iterable[Any]) -> None:
    """With the closing handshake."""
    await asyncio.gather(*(one.close() for one in connections), return_exceptions=True)


async def drain(connections: Iterable[Any]) -> int:
    """Read what a server sends by itself to new clients, until none gets more; how many messages that were."""

    async def one(connection: Any) -> int:
        count = 0
        while True:
            try:
                await asyncio.wait_for(connection.recv(), QUIET_S)
            except Exception:
                return count
            count += 1

    return sum(await asyncio.gather(*map(one, connections)))


class Schedule:
    """Messages at a rate over connections in turn; each carries a mark by which its answer is known."""

    def __init__(self, connections: list[Any], *, rate: float, count: int, patience_s: float) -> None:
        self._connections = connections
        self._rate = rate
        self._count = count
        self._patience_s = patience_s
        self._run = secrets.token_hex(4)
        self._waiting: dict[str, int] = {}  # by mark, its place
        self._sent_ns: dict[int, int] = {}
        self._received_ns: dict[int, int] = {}
        self._errors: dict[int, str] = {}
        self._intended_ns: list[int] = []

    async def echo(self, message: str) -> list[Exchange]:
        """`message` is sent with its mark; any answer that holds the mark is its answer."""

        async def send(place: int, mark: str) -> None:
            text = message.replace("{mark}", mark) if "{mark}" in message else f"{message}{mark}"
            await self._connection(place).send(text)

        return await self._carry_out(send)

    async def events(self, trigger: Callable[[str], Awaitable[None]]) -> list[Exchange]:
        """`trigger` makes the server send an event with the mark to every connection; the last of them counts."""

        async def send(_place: int, mark: str) -> None:
            await trigger(mark)

        return await self._carry_out(send)

    async def pings(self) -> list[Exchange]:
        """The protocol's own ping, which the server's library answers, not its application."""

        async def send(place: int, mark: str) -> None:
            pong = await self._connection(place).ping(mark.encode())

            def arrived(done: Any) -> None:
                if not done.cancelled() and done.exception() is None:
                    self._arrived(mark)

            pong.add_done_callback(arrived)

        return await self._carry_out(send)

    def _connection(self, place: int) -> Any:
        return self._connections[place % len(self._connections)]

    async def _carry_out(self, send: Callable[[int, str], Awaitable[None]]) -> list[Exchange]:
        readers = [asyncio.create_task(self._read(connection)) for connection in self._connections]
        began_ns = time.perf_counter_ns() + LEAD_NS
        self._intended_ns = [began_ns + int(place / self._rate * 1e9) for place in range(self._count)]
        tasks = set()
        for place in range(self._count):
            await _until(self._intended_ns[place])
            task = asyncio.create_task(self._send(place, send))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        deadline_ns = time.perf_counter_ns() + int(self._patience_s * 1e9)
        while (self._waiting or tasks) and time.perf_counter_ns() < deadline_ns:
            await asyncio.sleep(0.002)
        for task in (*readers, *tasks):
            task.cancel()
        await asyncio.gather(*readers, *tasks, return_exceptions=True)
        return [self._exchange(place) for place in range(self._count)]

    async def _send(self, place: int, send: Callable[[int, str], Awaitable[None]]) -> None:
        mark = f"{self._run}-{place}"
        self._waiting[mark] = place
        self._sent_ns[place] = time.perf_counter_ns()
        try:
            await send(place, mark)
        except Exception as error:
            self._waiting.pop(mark, None)
            self._errors[place] = f"{type(error).__name__}: {error}"

    async def _read(self, connection: Any) -> None:
        async for message in connection:
            text = message if isinstance(message, str) else message.decode("utf-8", "replace")
            start = text.find(self._run)
            if start >= 0:
                digits = "".join(itertools.takewhile(str.isdigit, text[start + len(self._run) + 1 :]))
                self._arrived(f"{self._run}-{digits}")

    def _arrived(self, mark: str) -> None:
        place = self._waiting.pop(mark, None)
        if place is not None:
            self._received_ns[place] = time.perf_counter_ns()

    def _exchange(self, place: int) -> Exchange:
        sent_ns = self._sent_ns.get(place, self._intended_ns[place])
        connection = place % len(self._connections)
        return Exchange(
            self._intended_ns[place], sent_ns, self._received_ns.get(place), connection, self._errors.get(place, "")
        )


async def _until(moment_ns: int) -> None:
    left_ns = moment_ns - time.perf_counter_ns()
    if left_ns > NEAR_NS:
        await asyncio.sleep((left_ns - NEAR_NS) * 1e-9)
    while time.perf_counter_ns() < moment_ns:
        await asyncio.sleep(0)


def percentile(values: list[float], share: float) -> float:
    """The smallest that is at least as large as this share of all."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _why(url: str, error: Exception, made: int, timeout_s: float) -> ConnectFailed:
    name = type(error).__name__
    after = f" after {made} connections" if made else ""
    if isinstance(error, TimeoutError):
        return ConnectFailed(f"{url}: no handshake within {timeout_s:g} s{after}", "is it a WebSocket server?")
    if name == "InvalidStatus":
        status = error.response.status_code  # type: ignore[attr-defined]
        return ConnectFailed(f"{url} answers {status} to the handshake{after}", "give the WebSocket's whole address")
    if name in ("InvalidMessage", "InvalidHandshake", "InvalidUpgrade", "InvalidHeader"):
        return ConnectFailed(f"{url} does not speak WebSocket{after}: {error}", "give the WebSocket's whole address")
    if isinstance(error, OSError):
        return ConnectFailed(f"nothing answers at {url}{after}: {error.strerror or error}", "start the server")
    return ConnectFailed(f"{url}: {name}: {error}{after}", "see the server's log")
