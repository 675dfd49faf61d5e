"""Asks a running service one request at a time, each on a connection of its own, and tells what came of it.

``ServiceClient(url, timeout_s).ask(body)`` returns once the whole answer is there; a body of None is a GET, any other
a POST of JSON. Whatever is no good answer is a `QueryLost`: a refused connection,
a time-out, a status that is not 2xx, an answer that breaks off, and a 200 whose `response` is empty, which is how the
engine answers where a model's server is dead.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

from synapse_perf.outside.kept_connection import KeptConnection
from synapse_perf.outside.streamed_answer import QueryLost, error_text, short

_PIECE_BYTES = 65536
_SAID_BYTES = 4096  # of an answer, which is looked at; the rest is read and let go
_HEADERS = {"Accept": "application/json, */*", "Content-Type": "application/json"}
_REMEDIES = {
    401: "it asks for a key or a name: let it answer this machine without",
    404: "give --url the whole address, with its path",
    405: "a POST needs --request FILE, a GET none",
    422: "see which fields the service wants",
}


class ServiceClient:
    """One service at one address."""

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        self._connection = KeptConnection(f"{parts.scheme}://{parts.netloc}", timeout_s)
        self.path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def ask(self, body: bytes | None) -> None:
        """Ask, read, and end the connection; QueryLost where there was no good answer."""
        started_ns = time.perf_counter_ns()
        try:
            self._connection.begin()
            method, headers = ("GET", {}) if body is None else ("POST", _HEADERS)
            self._connection.send(method, self.path, body, headers)
            response = self._connection.receive()
            said = _read(response)
            _check(response, said, self.path)
            return
        except QueryLost as error:
            lost = error
        except (OSError, http.client.HTTPException, ValueError) as error:
            lost = self._connection.lost(error)
        finally:
            self._connection.close()
        lost.after_s = (time.perf_counter_ns() - started_ns) * 1e-9
        raise lost


def _read(response: http.client.HTTPResponse) -> bytes:
    """All of the answer, of which the beginning is kept: a small answer is whole."""
    said = response.read(_SAID_BYTES)
    while response.read(_PIECE_BYTES):
        said = said[:_SAID_BYTES]
    if response.length:
        raise http.client.IncompleteRead(said, response.length)
    return said


def _check(response: http.client.HTTPResponse, said: bytes, path: str) -> None:
    status, told = response.status, f"{path} answers {response.status}"
    if 300 <= status < 400:
        raise QueryLost("status", f"{told} and sends to {response.headers.get('Location')}", "give that URL", status)
    answer: Any = None
    with contextlib.suppress(ValueError):
        answer = json.loads(said)
    if not 200 <= status < 300:
        words = error_text(answer) if answer is not None else said.decode(errors="replace")
        remedy = _REMEDIES.get(status, "see the service's log")
        raise QueryLost("status", f"{told}: {short(words)}" if words.strip() else told, remedy, status)
    if isinstance(answer, dict) and answer.get("response") == "":
        remedy = "the engine answers so where a model's server is dead: start it again, and see the engine's log"
        raise QueryLost("empty", f"{told} with an empty response", remedy, status)
