"""How is a WebSocket measured where there is none? A small server of this tool's own, that sends back what it gets.

Run as a program: it prints its port, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def sample_server() -> Iterator[str]:
    """Its address, as long as the block runs."""
    command = [sys.executable, "-m", "synapse_perf.outside.sample_websocket"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as server:
        try:
            assert server.stdout is not None
            yield f"ws://127.0.0.1:{int(server.stdout.readline())}/echo"
        finally:
            server.kill()


async def _send_back(connection: Any) -> None:
    from websockets.exceptions import ConnectionClosed

    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


async def _serve() -> None:
    from websockets.asyncio.server import serve

    async with serve(_send_back, "127.0.0.1", 0, compression=None) as server:
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(_serve())
