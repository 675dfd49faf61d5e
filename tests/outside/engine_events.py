"""An engine's event stream for tests, in a process of its own: what /ws/events and the API beside it do.

Run as a program with the seconds for which a look at its resources blocks its only event loop. It prints the ports of
the WebSocket and of the API. New clients get the last 100 events first; a POST publishes one to all of them; each
request is told to those who did not filter, as the engine does.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve

HISTORY = 100


class EventEngine(NamedTuple):
    events: str
    api: str

    @property
    def trigger(self) -> str:
        return f"{self.api}/api/events/test?event_type=performance&message={{mark}}"

    @property
    def resources(self) -> str:
        return f"{self.api}/api/metrics/resources"


@contextmanager
def event_engine(blocks_s: float = 0.0) -> Iterator[EventEngine]:
    command = [sys.executable, "-m", "tests.outside.engine_events", str(blocks_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        try:
            assert running.stdout is not None
            events, api = map(int, running.stdout.readline().split())
            yield EventEngine(f"ws://127.0.0.1:{events}/ws/events?types=performance", f"http://127.0.0.1:{api}")
        finally:
            running.kill()


class _Bus:
    def __init__(self, blocks_s: float) -> None:
        self._blocks_s = blocks_s
        self._subscribers: dict[asyncio.Queue[str], set[str]] = {}
        self._past: deque[tuple[str, str]] = deque(maxlen=HISTORY)
        for number in range(HISTORY):
            self.publish("performance", f"before {number}")

    def publish(self, kind: str, message: str) -> None:
        event = {"timestamp": time.time(), "type": kind, "message": message, "severity": "info", "metadata": {}}
        text = json.dumps(event)
        self._past.append((kind, text))
        for queue, types in self._subscribers.items():
            if not types or kind in types:
                queue.put_nowait(text)

    async def subscriber(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        asked = parse_qs(urlsplit(connection.request.path).query)
        types = {one for text in asked.get("types", ()) for one in text.split(",")}
        queue: asyncio.Queue[str] = asyncio.Queue()
        for kind, text in self._past:
            if not types or kind in types:
                queue.put_nowait(text)
        self._subscribers[queue] = types
        try:
            while True:
                await connection.send(await queue.get())
        finally:
            del self._subscribers[queue]

    async def api(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                method, path, _ = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ", 2)
                self.publish("log", f"{method} {path}")
                found = self._answer(method, urlsplit(path).path, parse_qs(urlsplit(path).query))
                content = json.dumps(found).encode()
                status = "200 OK" if found is not None else "404 Not Found"
                head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
                writer.write(head.encode() + content)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, method: str, path: str, asked: dict[str, list[str]]) -> Any:
        if (method, path) == ("POST", "/api/events/test"):
            self.publish(asked["event_type"][0], asked["message"][0])
            return {"status": "ok"}
        if (method, path) == ("GET", "/api/metrics/resources"):
            time.sleep(self._blocks_s)  # the planted fault: it asks the system how busy it is, and waits on the loop
            return {"cpu": 0}
        return None


async def _main(blocks_s: float) -> None:
    bus = _Bus(blocks_s)
    api = await asyncio.start_server(bus.api, "127.0.0.1", 0)
    async with serve(bus.subscriber, "127.0.0.1", 0, compression=None) as events:
        sys.stdout.write(f"{events.sockets[0].getsockname()[1]} {api.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1])))
