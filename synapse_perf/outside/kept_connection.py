"""One HTTP connection that is kept between queries, each of which has a deadline for all of its waits together."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from synapse_perf.outside.deadline import Deadline, DeadlinedSocket, is_gone
from synapse_perf.outside.streamed_answer import QueryLost


class KeptConnection:
    """`url` is an address without a path, or with one that its user asks below; not thread-safe."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        parts = urlsplit(self.url)
        self.path = parts.path.rstrip("/")
        self._address = (parts.hostname or "127.0.0.1", parts.port)
        self._is_secure = parts.scheme == "https"
        self._connection: http.client.HTTPConnection | None = None
        self.deadline = Deadline(timeout_s)

    def begin(self) -> int | None:
        """A query's time starts; the stamp of a new connection, or None where the one before is still good."""
        self.deadline = Deadline(self.timeout_s)
        if self._connection is not None and not is_gone(self._connection):
            wrapped: Any = self._connection.sock
            wrapped.deadline = self.deadline
            return None
        self.close()
        kind = http.client.HTTPSConnection if self._is_secure else http.client.HTTPConnection
        connection = kind(*self._address, timeout=self.deadline.left_s())
        connection.connect()
        connection.sock = DeadlinedSocket(connection.sock, self.deadline)
        connection.auto_open = 0  # it connects here, or not at all
        self._connection = connection
        return time.perf_counter_ns()

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> None:
        assert self._connection is not None
        self._connection.request(method, path, body, dict(headers))

    def receive(self) -> http.client.HTTPResponse:
        """The head of the answer."""
        assert self._connection is not None
        return self._connection.getresponse()

    def lost(self, error: Exception) -> QueryLost:
        """What a failed connection, which is closed, means to its user."""
        is_connected = self._connection is not None
        self.close()
        if isinstance(error, TimeoutError):
            told = "no whole answer" if is_connected else "no connection"
            return QueryLost("time-out", f"{told} within {self.timeout_s:g} s")
        if isinstance(error, ssl.SSLError):
            return QueryLost(
                "unreachable", f"no secure connection: {error.reason or error}", "is it an http:// server?"
            )
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if not is_connected:
            return QueryLost("unreachable", f"nothing answers at {self.url}: {reason}", "start the server")
        return QueryLost("broken-off", f"the server broke off: {reason}")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
