"""A real server on 127.0.0.1 that leaves behind what its first argument names; the port is its first line.

HTTP and WebSocket over plain asyncio streams. A fault is planted by name; without one it is a good server.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ctypes
import hashlib
import json
import os
import struct
import sys
import threading
import time
from typing import Any

FAULT = sys.argv[1] if len(sys.argv) > 1 else ""
PR_SET_PTRACER, ANYBODY = 0x59616D61, ctypes.c_ulong(-1)  # to look at it, where only a parent might
SALT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEPT: list[Any] = []
ASKED: list[int] = []
LEFT = threading.Event()
WORK = 500_000 if FAULT in ("busy", "grows") else 0  # some 10 ms within one function: to be seen at it from outside


def leave_behind() -> None:
    """What one request leaves behind."""
    ASKED.append(1)
    if FAULT in ("bytes", "busy"):
        KEPT.append(bytearray(200_000))
        sum(range(WORK))
    elif FAULT == "descriptor":
        KEPT.append(os.open(os.devnull, os.O_RDONLY))
    elif FAULT == "thread":
        threading.Thread(target=wait_for_ever, daemon=True).start()
    elif FAULT == "cache" and len(KEPT) < 15:
        KEPT.append(bytearray(300_000))
    elif FAULT == "late" and len(ASKED) == 12:
        KEPT.append(bytearray(20_000_000))  # once
    elif FAULT == "saw-tooth":  # garbage that waits until there is much of it, as for the collector's oldest generation
        KEPT.append(bytearray(300_000))
        if len(KEPT) == 25:
            KEPT.clear()
    elif FAULT == "ends":
        time.sleep(0.01)  # too long to be repeated within a sample, so that some samples come before the end
        if len(ASKED) == 15:
            os._exit(3)


def wait_for_ever() -> None:
    LEFT.wait()


def answer(path: str, body: bytes) -> tuple[str, dict[str, Any]]:
    number = len(ASKED)
    if path == "/missing":
        return "404 Not Found", {"detail": "Not Found"}
    if FAULT == "only-twos" and b"2" not in body:
        return "400 Bad Request", {"detail": "no two"}
    if FAULT == "empty":
        return "200 OK", {"response": "" if number % 3 == 2 else "words"}
    if FAULT == "fails" and number > 5:
        return "503 Service Unavailable", {"detail": "busy"}
    if FAULT == "fails-now-and-then" and number % 4 == 3:
        return "503 Service Unavailable", {"detail": "busy"}
    return "200 OK", {"response": "words", "asked": json.loads(body or b"null")}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "sec-websocket-key" in headers and first.split()[1] == "/ws":
            await talk(reader, writer, headers["sec-websocket-key"])
            return
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        leave_behind()
        if FAULT == "hangs":
            await asyncio.sleep(3600)
        status, content = answer(first.split()[1], body)
        text = json.dumps(content).encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
        await writer.drain()
        await reader.read()  # until the client has gone
    writer.close()


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
    accept = base64.b64encode(hashlib.sha1((key + SALT).encode()).digest()).decode()
    head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    writer.write(head.encode())
    is_closed = False
    try:
        while True:
            start = reader.readexactly(2)
            opcode, size = await (asyncio.wait_for(start, 0.5) if FAULT == "asks" else start)
            size &= 127
            if size == 126:
                (size,) = struct.unpack("!H", await reader.readexactly(2))
            mask = await reader.readexactly(4)
            content = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(size)))
            opcode &= 15
            content = content[:100]
            writer.write(bytes([0x80 | {9: 10}.get(opcode, opcode), len(content)]) + content)
            is_closed = opcode == 8
            if is_closed:
                break
    except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
        pass
    if FAULT == "close-wait" and not is_closed:
        KEPT.append(writer)  # the handler ends, and nobody closes
        return
    if FAULT == "task" and not is_closed:
        KEPT.append(asyncio.get_running_loop().create_task(asyncio.sleep(3600)))
        KEPT.append(bytearray(100_000))
    writer.close()


async def main() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    if FAULT == "grows":
        asyncio.get_running_loop().create_task(grow())
    await server.serve_forever()


async def grow() -> None:
    """By the clock, so that it keeps its pace on a crowded machine too."""
    started_s = time.monotonic()
    while True:
        while len(KEPT) < 100 * (time.monotonic() - started_s):
            KEPT.append(bytearray(100_000))
        sum(range(WORK))
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main())
