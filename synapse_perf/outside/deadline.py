"""How long may a query take in all? A socket whose every wait ends with the query's time, however bytes drip in."""

from __future__ import annotations

import http.client
import io
import select
import socket
import time
from typing import Any


class Deadline:
    """The end of the time that a query has."""

    def __init__(self, seconds: float) -> None:
        self._end_ns = time.perf_counter_ns() + int(seconds * 1e9)

    def left_s(self) -> float:
        """Seconds left; TimeoutError where none are."""
        left_ns = self._end_ns - time.perf_counter_ns()
        if left_ns <= 0:
            raise TimeoutError
        return left_ns * 1e-9


class DeadlinedSocket:
    """A socket whose every wait ends with the query's time: a server that drips bytes gets no new time by each."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.sock = sock
        self.deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode  # http.client reads answers, and nothing else
        return io.BufferedReader(_DeadlinedReader(self))

    def sendall(self, content: bytes) -> None:
        self.sock.settimeout(self.deadline.left_s())
        self.sock.sendall(content)

    def close(self) -> None:
        self.sock.close()


class _DeadlinedReader(io.RawIOBase):
    def __init__(self, owner: DeadlinedSocket) -> None:
        self._owner = owner
        self._raw = owner.sock.makefile("rb", buffering=0)  # keeps the socket open as long as an answer is read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._owner.sock.settimeout(self._owner.deadline.left_s())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


def is_gone(connection: http.client.HTTPConnection) -> bool:
    """Whether the server closed it since, or left it in the middle of something: nothing may be there to be read."""
    wrapped: Any = connection.sock
    if wrapped is None:
        return True
    readable, _, _ = select.select([wrapped.sock], [], [], 0)
    return bool(readable)
