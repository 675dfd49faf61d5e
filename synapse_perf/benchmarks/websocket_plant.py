"""Which WebSocket does the self-test of leak-hunt visit? An echo on 127.0.0.1 that keeps sockets, or does not.

Run by path as ``websocket_plant.py [keeps]`` in a process of its own; its port is its first line, and it ends with its
stdin. With ``keeps`` a client that leaves without a handshake is never closed. Standard library only.
"""

import base64
import hashlib
import socket
import sys
import threading
from collections.abc import Callable

SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of RFC 6455
CLOSE = 8
KEPT: list[socket.socket] = []


def serve(listener: socket.socket, *, keeps: bool) -> None:
    while True:
        client, _ = listener.accept()
        with client.makefile("rb") as incoming:
            try:
                has_closed = talk(client, incoming.read, incoming.readline)
            except (OSError, EOFError):
                has_closed = False
        if keeps and not has_closed:
            KEPT.append(client)
        else:
            client.close()


def talk(client: socket.socket, read: Callable[[int], bytes], readline: Callable[[], bytes]) -> bool:
    """Echo every message; whether the client said that it leaves."""
    key = b""
    while line := readline().strip():
        name, _, value = line.partition(b":")
        key = value.strip() if name.lower() == b"sec-websocket-key" else key
    accept = base64.b64encode(hashlib.sha1(key + SALT, usedforsecurity=False).digest())
    client.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    while True:
        first = read(2)
        if len(first) < 2:
            raise EOFError
        opcode, size = first[0] & 15, first[1] & 127
        mask, content = read(4), read(min(size, 125))
        plain = bytes(byte ^ mask[place % 4] for place, byte in enumerate(content))
        client.sendall(bytes([0x80 | (10 if opcode == 9 else opcode), len(plain)]) + plain)
        if opcode == CLOSE:
            return True


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sys.stdout.write(f"{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        threading.Thread(target=serve, args=(listening,), kwargs={"keeps": "keeps" in sys.argv}, daemon=True).start()
        sys.stdin.read()
