"""WebSocket servers for tests, each a process of its own, as they are met: sound, stalling, leaking, or none at all.

Run as a program with the name of a kind and its numbers; it prints its port.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

_kept: list[int] = []
_count = 0


@contextmanager
def websocket_server(kind: str, *numbers: int) -> Iterator[str]:
    """The address of one."""
    command = [sys.executable, "-m", "tests.outside.websocket_servers", kind, *map(str, numbers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        try:
            assert running.stdout is not None
            yield f"ws://127.0.0.1:{int(running.stdout.readline())}/"
        finally:
            running.kill()


async def _echo(connection: ServerConnection, stall_at: int = 0, silent_at: int = 0, close_at: int = 0) -> None:
    """Sends back; at the message of that number it stalls for 300 ms, says nothing, or ends the connection."""
    global _count
    async for message in connection:
        _count += 1
        if _count == close_at:
            await connection.close(1011, "out of memory")
        if _count == stall_at:
            time.sleep(0.3)
        if _count != silent_at:
            await connection.send(message)


async def _binary(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message.encode() if isinstance(message, str) else message)


async def _leaking(connection: ServerConnection, every: int) -> None:
    """Keeps a socket of each so many clients, as a list of clients does from which nobody takes them."""
    global _count
    _count += 1
    if _count % every == 0:
        _kept.append(os.dup(connection.transport.get_extra_info("socket").fileno()))
    await _echo(connection)


async def _leaking_after_abrupt_ends(connection: ServerConnection) -> None:
    """Takes a client from its list only after a closing handshake."""
    kept = os.dup(connection.transport.get_extra_info("socket").fileno())
    await _echo(connection)  # raises where the end is abrupt
    os.close(kept)


async def _silent(connection: ServerConnection) -> None:
    async for _ in connection:
        pass


async def _closing(connection: ServerConnection) -> None:
    await connection.close(1008, "who are you")


async def _talking(connection: ServerConnection) -> None:
    """Never stops by itself, as an unfiltered log."""

    async def talk() -> None:
        while True:
            await connection.send("line")
            await asyncio.sleep(0.05)

    talking = asyncio.create_task(talk())
    await _echo(connection)
    talking.cancel()


async def _huge(connection: ServerConnection) -> None:
    await connection.send(b"x" * 10_000_000)
    await _echo(connection)


Handler = Callable[..., Awaitable[None]]
_WEBSOCKETS: dict[str, Handler] = {
    "echo": _echo,
    "binary": _binary,
    "leaking": _leaking,
    "leaking-abrupt": _leaking_after_abrupt_ends,
    "silent": _silent,
    "closing": _closing,
    "talking": _talking,
    "huge": _huge,
}
_ANSWERS = {
    "mute": None,  # takes the connection and says nothing
    "refusing": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    "page": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
}


async def _odd(kind: str) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        content = _ANSWERS[kind]
        if content is None:
            await asyncio.sleep(60)
        elif kind != "ssh":
            await reader.readuntil(b"\r\n\r\n")
        writer.write(content or b"")
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


async def _main(kind: str, numbers: list[int]) -> None:
    server: Any
    if kind in _ANSWERS:
        server = await _odd(kind)
    else:
        handler = _WEBSOCKETS[kind]
        server = await serve(lambda one: handler(one, *numbers), "127.0.0.1", 0, compression=None, max_size=None)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], [int(one) for one in sys.argv[2:]]))
