"""How long does each message take that is sent at a time fixed beforehand, over one or many WebSocket connections?

Latency counts from the intended moment: a server that stalls delays every message that is due meanwhile, as it does
for its users, where a client that waits for each answer would send fewer and hide it. How late the sender itself was is
told beside it. Connections take turns, so that many of them are spread over the schedule and never ask at once.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from synapse_perf.outside.websocket_connections import why_ended

LEAD_NS = 20_000_000
NEAR_NS = 1_500_000  # epoll rounds up to whole milliseconds, so the last of it is waited for by turns of the loop
_LOOK_S = 0.002
MARK = "{mark}"


class Exchange(NamedTuple):
    """One message, with moments in ns; where it was awaited by several connections, when it came to each."""

    intended_ns: int
    sent_ns: int
    arrived_ns: tuple[int, ...]  # in order
    expected: int
    error: str

    @property
    def is_lost(self) -> bool:
        return len(self.arrived_ns) < self.expected

    @property
    def lateness_s(self) -> float:
        """Of the sender."""
        return (self.sent_ns - self.intended_ns) * 1e-9

    def after_s(self, arrival: int) -> float:
        """From when it was due until it came to that connection in order of arrival: 0 the first, -1 the last."""
        return (self.arrived_ns[arrival] - self.intended_ns) * 1e-9


class Schedule:
    """Messages at a rate over connections in turn; each carries a mark by which its answer is known."""

    def __init__(self, connections: list[Any], *, rate: float, count: int, patience_s: float) -> None:
        self._connections = connections
        self._rate = rate
        self._count = count
        self._patience_s = patience_s
        self._run = secrets.token_hex(4)
        self._waiting: dict[int, set[int]] = {}  # by the message's place, the connections that it has to come to
        self._sent_ns: dict[int, int] = {}
        self._arrived_ns: dict[int, list[int]] = {}
        self._errors: dict[int, str] = {}
        self.ended: dict[int, str] = {}  # by connection, why

    async def echo(self, message: str) -> list[Exchange]:
        """`message` is sent with its mark; any answer on the same connection that holds the mark is its answer."""

        async def send(place: int, mark: str) -> None:
            await self._connections[self._turn(place)].send(marked(message, mark))

        return await self._carry_out(send)

    async def events(self, trigger: Callable[[str], Awaitable[None]]) -> list[Exchange]:
        """`trigger` makes the server send an event with the mark, which has to come to every connection."""

        async def send(_place: int, mark: str) -> None:
            await trigger(mark)

        return await self._carry_out(send, is_for_all=True)

    async def pings(self) -> list[Exchange]:
        """The protocol's own ping, which the server's library answers, not its application."""

        async def send(place: int, mark: str) -> None:
            turn = self._turn(place)
            pong = await self._connections[turn].ping(mark.encode())

            def arrived(done: Any) -> None:
                if not done.cancelled() and done.exception() is None:
                    self._arrived(place, turn, time.perf_counter_ns())

            pong.add_done_callback(arrived)

        return await self._carry_out(send)

    def _turn(self, place: int) -> int:
        return place % len(self._connections)

    async def _carry_out(
        self, send: Callable[[int, str], Awaitable[None]], *, is_for_all: bool = False
    ) -> list[Exchange]:
        everyone = range(len(self._connections))
        readers = [asyncio.create_task(self._read(turn)) for turn in everyone]
        began_ns = time.perf_counter_ns() + LEAD_NS
        due_ns = [began_ns + int(place / self._rate * 1e9) for place in range(self._count)]
        awaited = [set(everyone) if is_for_all else {self._turn(place)} for place in range(self._count)]
        expected = [len(one) for one in awaited]
        tasks: set[asyncio.Task[None]] = set()
        for place in range(self._count):
            mark = f"{self._run}-{place}."
            await _until(due_ns[place])
            self._waiting[place] = awaited[place]
            task = asyncio.create_task(self._send(place, mark, send))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        deadline_ns = time.perf_counter_ns() + int(self._patience_s * 1e9)
        while (self._waiting or tasks) and time.perf_counter_ns() < deadline_ns:
            await asyncio.sleep(_LOOK_S)
        for pending in (*readers, *tasks):
            pending.cancel()
        await asyncio.gather(*readers, *tasks, return_exceptions=True)
        return [
            Exchange(
                due_ns[place],
                self._sent_ns.get(place, due_ns[place]),
                tuple(self._arrived_ns.get(place, ())),
                expected[place],
                self._errors.get(place, ""),
            )
            for place in range(self._count)
        ]

    async def _send(self, place: int, mark: str, send: Callable[[int, str], Awaitable[None]]) -> None:
        self._sent_ns[place] = time.perf_counter_ns()
        try:
            await send(place, mark)
        except Exception as error:
            self._waiting.pop(place, None)
            self._errors[place] = str(error) or type(error).__name__

    async def _read(self, turn: int) -> None:
        connection, run = self._connections[turn], self._run
        run_bytes = run.encode()
        while True:
            try:
                message = await connection.recv()
            except asyncio.CancelledError:
                raise
            except Exception:
                self._end(turn, why_ended(connection))
                return
            arrived_ns = time.perf_counter_ns()  # before it is looked at, which the server has no part in
            start = message.find(run if isinstance(message, str) else run_bytes)
            if start >= 0:
                told = message[start + len(run) + 1 : start + len(run) + 12]
                text = told if isinstance(told, str) else told.decode("ascii", "replace")
                digits = "".join(itertools.takewhile("0123456789".__contains__, text))
                if digits:
                    self._arrived(int(digits), turn, arrived_ns)

    def _arrived(self, place: int, turn: int, arrived_ns: int) -> None:
        awaited = self._waiting.get(place)
        if awaited is not None and turn in awaited:
            self._arrived_ns.setdefault(place, []).append(arrived_ns)
            awaited.discard(turn)
            if not awaited:
                del self._waiting[place]

    def _end(self, turn: int, why: str) -> None:
        """What is awaited from a connection that has ended will not come."""
        self.ended[turn] = why
        for place, awaited in tuple(self._waiting.items()):
            awaited.discard(turn)
            if not awaited:
                del self._waiting[place]


def marked(text: str, mark: str) -> str:
    """The text with the mark in its place, or behind it where it has none."""
    return text.replace(MARK, mark) if MARK in text else f"{text}{mark}"


async def _until(moment_ns: int) -> None:
    left_ns = moment_ns - time.perf_counter_ns()
    if left_ns > NEAR_NS:
        await asyncio.sleep((left_ns - NEAR_NS) * 1e-9)
    while time.perf_counter_ns() < moment_ns:
        await asyncio.sleep(0)
