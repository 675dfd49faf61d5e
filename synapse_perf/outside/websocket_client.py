"""One WebSocket connection that can also be left in the ways in which clients are lost (RFC 6455).

``connect(url, timeout_s) -> WebSocketConnection``: `exchange(message)` sends a text and waits for one back, or without
a text a ping for its pong, which every server answers. Then it is left by `close` (the closing handshake), `drop` (the
TCP connection ends without it, as where a browser's tab is closed), `reset` (an RST, as where a program crashes), or
not at all. Over a plain socket, as libraries do not leave a connection badly. Whatever goes wrong is a `QueryLost`.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import ssl
import struct
from typing import NamedTuple
from urllib.parse import urlsplit

from synapse_perf.outside.deadline import Deadline
from synapse_perf.outside.streamed_answer import QueryLost

ACCEPT_SALT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of the RFC
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
NORMAL = struct.pack("!H", 1000)
_FINAL, _MASKED = 0x80, 0x80
_HEAD_BYTES = 65536  # of the answer to the handshake
_FRAME_BYTES = 64 * 1024 * 1024
_LINGER_NOTHING = struct.pack("ii", 1, 0)  # closing then resets


class Frame(NamedTuple):
    opcode: int
    content: bytes


def connect(url: str, timeout_s: float) -> WebSocketConnection:
    """Connected and shaken hands."""
    parts = urlsplit(url)
    is_secure = parts.scheme == "wss"
    host, port = parts.hostname or "127.0.0.1", parts.port or (443 if is_secure else 80)
    deadline = Deadline(timeout_s)
    try:
        sock = socket.create_connection((host, port), timeout=deadline.left_s())
    except TimeoutError as error:
        raise QueryLost("time-out", f"no connection to {host}:{port} within {timeout_s:g} s") from error
    except OSError as error:
        told = f"nothing answers at {host}:{port}: {error.strerror or error}"
        raise QueryLost("unreachable", told, "start the server") from error
    try:
        if is_secure:
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        connection = WebSocketConnection(sock, timeout_s)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.shake_hands(parts.netloc, path, deadline)
    except QueryLost:
        sock.close()
        raise
    except (OSError, ValueError) as error:
        sock.close()
        raise _lost(error, timeout_s) from error
    return connection


class WebSocketConnection:
    """One connection; every wait ends after `timeout_s`."""

    def __init__(self, sock: socket.socket, timeout_s: float) -> None:
        self._sock = sock
        self._timeout_s = timeout_s
        self._buffer = bytearray()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def shake_hands(self, host: str, path: str, deadline: Deadline) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade")
        request = (*lines, f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "")
        self._sock.sendall("\r\n".join(request).encode())
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _HEAD_BYTES:
                raise QueryLost("no-stream", "the answer to the handshake does not end", "is it a WebSocket server?")
            self._receive(deadline)
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        _check_handshake(head.decode("latin-1").split("\r\n"), key, path)

    def exchange(self, text: str | None) -> None:
        """Send and wait for the answer; what the server says in between is read and let go."""
        deadline = Deadline(self._timeout_s)
        try:
            if text is None:
                self._send(PING, b"leak-hunt")
                self._wait_for((PONG,), deadline)
            else:
                self._send(TEXT, text.encode())
                self._wait_for((TEXT, BINARY), deadline)
        except (OSError, ValueError) as error:
            raise _lost(error, self._timeout_s) from error

    def close(self) -> None:
        """Say so, wait for the server's word and for its end of the connection."""
        deadline = Deadline(self._timeout_s)
        try:
            self._send(CLOSE, NORMAL)
            self._wait_for((CLOSE,), deadline)
            while True:  # the server closes first
                self._receive(deadline)
        except ConnectionError:
            pass
        except (OSError, ValueError) as error:
            raise _lost(error, self._timeout_s) from error
        finally:
            self._sock.close()

    def drop(self) -> None:
        """End it without a word: the system tells the server that no more will come."""
        self._drain()
        self._sock.close()

    def reset(self) -> None:
        """End it as a crash does."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING)
        self._sock.close()

    def is_let_go(self) -> bool:
        """Whether the server has ended it, which then ends here too; what it says is not answered."""
        try:
            self._sock.setblocking(False)
            while self._sock.recv(65536):
                pass
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            pass
        self._sock.close()
        return True

    def _drain(self) -> None:
        """What is unread would turn the end into a reset."""
        self.is_let_go()

    def _send(self, opcode: int, content: bytes) -> None:
        self._sock.settimeout(self._timeout_s)
        self._sock.sendall(frame_of(opcode, content, os.urandom(4)))

    def _wait_for(self, opcodes: tuple[int, ...], deadline: Deadline) -> None:
        while True:
            frame = self._next_frame(deadline)
            if frame.opcode in opcodes:
                return
            if frame.opcode == PING:
                self._send(PONG, frame.content)
            if frame.opcode == CLOSE:
                raise QueryLost("broken-off", f"the server closed it{_why(frame.content)}", "see the server's log")

    def _next_frame(self, deadline: Deadline) -> Frame:
        while (found := frame_in(self._buffer)) is None:
            self._receive(deadline)
        return found

    def _receive(self, deadline: Deadline) -> None:
        self._sock.settimeout(deadline.left_s())
        received = self._sock.recv(65536)
        if not received:
            raise ConnectionResetError("the server ended the connection")
        self._buffer += received


def frame_of(opcode: int, content: bytes, mask: bytes) -> bytes:
    """One whole message of a client, which always masks."""
    size = len(content)
    if size < 126:
        head = struct.pack("!BB", _FINAL | opcode, _MASKED | size)
    elif size < 65536:
        head = struct.pack("!BBH", _FINAL | opcode, _MASKED | 126, size)
    else:
        head = struct.pack("!BBQ", _FINAL | opcode, _MASKED | 127, size)
    repeated = (mask * (size // 4 + 1))[:size]
    masked = (int.from_bytes(content, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
    return head + mask + masked


def frame_in(buffer: bytearray) -> Frame | None:
    """The first whole frame of a server, taken out of the buffer; None where more has to come."""
    if len(buffer) < 2:
        return None
    opcode, size, start = buffer[0] & 0x0F, buffer[1] & 0x7F, 2
    if buffer[1] & _MASKED:
        raise ValueError("a server's frame is masked")
    for code, length in ((126, 2), (127, 8)):
        if size == code:
            start += length
            if len(buffer) < start:
                return None
            size = int.from_bytes(buffer[2:start], "big")
            break
    if size > _FRAME_BYTES:
        raise ValueError(f"a frame has {size} bytes")
    if len(buffer) < start + size:
        return None
    content = bytes(buffer[start : start + size])
    del buffer[: start + size]
    return Frame(opcode, content)


def _check_handshake(lines: list[str], key: str, path: str) -> None:
    _, _, told = lines[0].partition(" ")
    if not told.startswith("101"):
        status = int(told[:3]) if told[:3].isdigit() else None
        remedy = "give --ws the whole address of the WebSocket, with its path"
        raise QueryLost("status", f"{path} answers {told or 'no HTTP'} to the handshake", remedy, status)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    wanted = base64.b64encode(hashlib.sha1((key + ACCEPT_SALT).encode(), usedforsecurity=False).digest()).decode()
    if headers.get("sec-websocket-accept") != wanted:
        raise QueryLost("no-stream", f"{path} accepts another handshake than this", "is a proxy in between?")


def _why(content: bytes) -> str:
    """The code and the words of a closing frame."""
    if len(content) < 2:
        return ""
    return f" with {int.from_bytes(content[:2], 'big')} {content[2:].decode(errors='replace')}".rstrip()


def _lost(error: Exception, timeout_s: float) -> QueryLost:
    if isinstance(error, TimeoutError):
        return QueryLost("time-out", f"no answer within {timeout_s:g} s")
    if isinstance(error, ssl.SSLError):
        return QueryLost("unreachable", f"no secure connection: {error.reason or error}", "is it a ws:// server?")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return QueryLost("broken-off", f"the server broke off: {reason}", "see the server's log")
