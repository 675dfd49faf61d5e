"""Engines for tests: what the engine's API answers, from threads or from one event loop that can be blocked."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.outside.chat_server import Answering, Handler

HEALTHY = {"status": "ok", "uptime": 1.0, "components": {"praxis": "ready"}, "traceId": "t"}


def answer(mode: str = "simple", text: str = "A page.", **metadata: Any) -> dict[str, Any]:
    """In the engine's form, its figures included."""
    told: dict[str, Any] = {
        "modelTier": "fast" if mode == "simple" else "balanced",
        "modelId": "tiny_fast",
        "complexity": {"tier": "fast", "score": 0.0} if mode == "simple" else None,
        "tokensUsed": 0,
        "processingTimeMs": 1.0,
        "cgragArtifacts": 0,
        "cacheHit": False,
        "queryMode": mode,
    }
    if mode == "two-stage":
        told |= {"processingTimeMs": 3.0, "stage1ProcessingTime": 1, "stage2ProcessingTime": 2}
    return {"id": "q", "query": "?", "response": text, "metadata": told | metadata}


def engine(asked: Answering | None = None) -> Answering:
    """Answers queries in the mode that they ask for, or as `asked` does, and its liveness URL."""

    def answering(handler: Handler) -> None:
        if handler.command == "GET":
            is_health = handler.path.endswith("/health/healthz")
            handler.whole(200 if is_health else 404, json.dumps(HEALTHY) if is_health else "{}")
        elif asked is not None:
            asked(handler)
        else:
            body = handler.requests[-1]["body"]
            handler.whole(200, json.dumps(answer(body["mode"])), **{"X-Response-Time": "1.50ms"})

    return answering


class LoopEngine:
    """An engine on one event loop, whose queries take `query_s`, all of which it may spend blocking that loop."""

    def __init__(self, query_s: float, *, blocks: bool) -> None:
        self._query_s, self._blocks = query_s, blocks
        self.url = ""

    async def serve(self, ready: threading.Event) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await self._ended.wait()
        server.close()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode(), reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the client is gone, or the test is over
        writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = head.splitlines()
        lengths = [line.partition(":")[2] for line in lines if line.lower().startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        found: dict[str, Any] = HEALTHY
        if lines[0].startswith("POST"):
            await self._work()
            found = answer(json.loads(body)["mode"], processingTimeMs=self._query_s * 1000)
        content = json.dumps(found).encode()
        length = f"Content-Length: {len(content)}\r\n\r\n"
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{length}".encode() + content)
        await writer.drain()

    async def _work(self) -> None:
        if self._blocks:
            time.sleep(self._query_s)  # the planted fault
        else:
            await asyncio.sleep(self._query_s)


@contextmanager
def loop_engine(query_s: float, *, blocks: bool) -> Iterator[LoopEngine]:
    made, ready = LoopEngine(query_s, blocks=blocks), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(made.serve(ready)))
    thread.start()
    try:
        ready.wait()
        yield made
    finally:
        made.end()
        thread.join()
