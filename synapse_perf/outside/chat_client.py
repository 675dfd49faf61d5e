"""Asks an OpenAI-compatible server for a streamed answer, and stamps what a user of it would wait for.

``ChatClient(url, timeout_s, model=None, api_key=None).ask(messages, max_tokens, **more) -> Served`` is one query on one
connection that is kept alive; it is not thread-safe, so concurrent senders have a client each. `more` goes into the
request body as it is (``temperature=0.0``, ``seed=1``, ``cache_prompt=False``). A query that gave no whole answer
raises `QueryLost` with a kind, one line, and the seconds it took.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from synapse_perf.outside.event_stream import TooLong
from synapse_perf.outside.kept_connection import KeptConnection
from synapse_perf.outside.streamed_answer import AnswerReading, QueryLost, Served, error_text, short

_PIECE_BYTES = 65536
_HEAD_BYTES = 640  # of a body that is no stream


class ChatClient:
    """One connection to one server; `timeout_s` is for a whole query, however often it gives a sign of life."""

    def __init__(self, url: str, timeout_s: float, model: str | None = None, api_key: str | None = None) -> None:
        self._kept = KeptConnection(url, timeout_s)
        self.url = self._kept.url
        self.model = model
        self._headers = {"Accept": "text/event-stream, application/json", "Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        path = self._kept.path.removesuffix("/chat/completions")
        self._prefix = path if path.endswith("/v1") else f"{path}/v1"

    def served_models(self) -> list[str]:
        """The names of GET /v1/models, in the server's order."""
        try:
            self._kept.begin()
            response = self._request("GET", "/models", None)
            answer = json.loads(response.read())
            return [str(entry["id"]) for entry in answer["data"]]
        except (ValueError, KeyError, TypeError) as error:
            self.close()
            remedy = "give --url the address of an OpenAI-compatible server"
            raise QueryLost("no-stream", f"{self._prefix}/models is no list of models", remedy) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from error

    def ask(self, messages: Sequence[Mapping[str, str]], max_tokens: int, **more: Any) -> Served:
        """The whole answer, or QueryLost; a connection that failed is not used again."""
        body = json.dumps(
            {
                **({"model": self.model} if self.model else {}),
                "messages": list(messages),
                "max_tokens": max_tokens,
                "stream": True,
                "stream_options": {"include_usage": True},
                **more,
            }
        ).encode()
        started_ns = time.perf_counter_ns()
        try:
            connected_ns = self._kept.begin()
            reading = AnswerReading(started_ns, connected_ns)
            response = self._request("POST", "/chat/completions", body, reading)
            _check_is_stream(response)
            reading.read(response, self._kept.deadline)
            response.close()
            return reading.served()
        except QueryLost as error:
            lost = error
        except (OSError, http.client.HTTPException, ValueError) as error:
            lost = self._lost(error)
        self.close()
        lost.after_s = (time.perf_counter_ns() - started_ns) * 1e-9
        raise lost

    def close(self) -> None:
        self._kept.close()

    def _request(
        self, method: str, path: str, body: bytes | None, reading: AnswerReading | None = None
    ) -> http.client.HTTPResponse:
        self._kept.send(method, self._prefix + path, body, self._headers)
        sent_ns = time.perf_counter_ns()
        response = self._kept.receive()
        if reading is not None:
            reading.sent_ns, reading.status_ns = sent_ns, time.perf_counter_ns()
        if response.status != http.client.OK:
            raise _refused(response, self._prefix + path)
        return response

    def _lost(self, error: Exception) -> QueryLost:
        lost = self._kept.lost(error)
        if isinstance(error, TooLong):
            return QueryLost("no-stream", f"what it streams are no events: {error}")
        return lost


def _check_is_stream(response: http.client.HTTPResponse) -> None:
    kind = response.headers.get_content_type()
    if kind != "text/event-stream":
        said = short(response.read(_HEAD_BYTES).decode(errors="replace"))
        raise QueryLost("no-stream", f"the answer is {kind} and no stream: {said}", "is --url a chat server?")


def _refused(response: http.client.HTTPResponse, path: str) -> QueryLost:
    status, remedy = response.status, ""
    told = f"{path} answers {status}"
    if 300 <= status < 400:
        return QueryLost("status", f"{told} and sends to {response.headers.get('Location')}", "give that URL", status)
    said = response.read(_PIECE_BYTES).decode(errors="replace")
    with contextlib.suppress(ValueError):
        said = error_text(json.loads(said))
    if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        remedy = "give the key with --api-key"
    elif status == http.client.NOT_FOUND:
        remedy = "check the URL and the model's name"
    return QueryLost("status", f"{told}: {short(said)}" if said.strip() else told, remedy, status)
