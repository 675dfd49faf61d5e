"""Asks the engine's own query API as its front end does, and stamps what a user of it would wait for.

``EngineClient(url, timeout_s).ask(query, mode, max_tokens, temperature, use_context) -> EngineAnswer`` is one query on
one connection that is kept alive; ``health()`` asks its liveness URL. Not thread-safe. The API does not stream, so an
answer has an end and no first token. Facts of S.Y.N.A.P.S.E. engine 5.1.1: its body is in snake_case (keys in camelCase
are ignored in silence), its answer in camelCase, and a model server that is dead shows as a 200 with an empty response.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import time
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from synapse_perf.outside.kept_connection import KeptConnection
from synapse_perf.outside.streamed_answer import QueryLost, error_text, short

Mode = Literal["simple", "two-stage"]
QUERY_PATH, HEALTH_PATH = "/api/query", "/health/healthz"
LONGEST_QUERY, MOST_TOKENS, HOTTEST = 10_000, 4096, 2.0  # that the engine takes
# As the parts of the engine call them: its registry, its telemetry, its environment.
TIERS: Mapping[str, str] = {
    "fast": "fast",
    "q2": "fast",
    "balanced": "balanced",
    "q3": "balanced",
    "powerful": "deep",
    "deep": "deep",
    "q4": "deep",
}
_BODY_BYTES = 32 * 1024 * 1024  # of an answer: more is none
_REMEDIES = {
    401: "give the key with --api-key",
    403: "give the key with --api-key",
    404: "give --url the address of the engine's backend (port 8000)",
    405: "give --url the address of the engine's backend (port 8000)",
    422: f"the engine takes 1 to {LONGEST_QUERY} characters of query and 1 to {MOST_TOKENS} tokens of answer",
    429: "ask with fewer at a time",
    502: "is the backend behind the proxy up?",
    503: "enable a model of that tier and start its server",
    504: "the proxy in front of the engine has the shorter time-out",
}
_TWO_STAGE_500 = "is a balanced or powerful model enabled and running? two-stage queries end so where none is"


class EngineAnswer(NamedTuple):
    """One answer: stamps in ns on the machine-wide clock, and what the engine says of itself (None: it does not)."""

    text: str
    started_ns: int
    connected_ns: int | None  # None: the connection of the query before was used again
    sent_ns: int
    status_ns: int  # when the head of the answer was there
    ended_ns: int
    tier: str  # that answered, under this tool's names; "" where the engine does not say
    model: str
    score: float | None
    processing_s: float | None
    stage1_s: float | None
    stage2_s: float | None
    response_s: float | None  # of its outermost layer, by a header
    artifacts: int | None
    is_cached: bool

    @property
    def total_s(self) -> float:
        return (self.ended_ns - self.started_ns) * 1e-9

    @property
    def connect_s(self) -> float | None:
        return None if self.connected_ns is None else (self.connected_ns - self.started_ns) * 1e-9

    @property
    def overhead_s(self) -> float | None:
        """What the engine's own figure leaves out."""
        return None if self.processing_s is None else self.total_s - self.processing_s


class Health(NamedTuple):
    """One answer of the liveness URL."""

    sent_ns: int
    ended_ns: int
    connected_ns: int | None


class EngineClient:
    """One connection to one engine; `timeout_s` is for a whole query."""

    def __init__(self, url: str, timeout_s: float, api_key: str | None = None) -> None:
        self._kept = KeptConnection(url, timeout_s)
        self._prefix = self._kept.path.removesuffix(QUERY_PATH).removesuffix("/api")
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    def ask(
        self,
        query: str,
        mode: Mode = "simple",
        max_tokens: int = 256,
        temperature: float = 0.7,
        use_context: bool = True,
    ) -> EngineAnswer:
        """The whole answer, or QueryLost with the seconds it took; a connection that failed is not used again."""
        asked = {
            "query": query,
            "mode": mode,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "use_context": use_context,
        }
        started_ns = time.perf_counter_ns()
        try:
            connected_ns = self._kept.begin()
            sent_ns, status_ns, response, content = self._exchange("POST", QUERY_PATH, json.dumps(asked).encode())
            ended_ns = time.perf_counter_ns()
            _check_status(response, content, mode)
            stamps = (started_ns, connected_ns, sent_ns, status_ns, ended_ns)
            return _answer_of(_parsed(response, content), stamps, response.headers.get("X-Response-Time"))
        except QueryLost as error:
            lost = error
            self.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            lost = self._kept.lost(error)
        lost.after_s = (time.perf_counter_ns() - started_ns) * 1e-9
        raise lost

    def health(self) -> Health:
        """Its liveness URL, whose answer must be a JSON object: another server in front answers pages to anything.

        A server may end a kept connection just as it is used again; this request is asked once more then, on a new
        one, as RFC 9112 (9.3.1) lets a client do with what changes nothing.
        """
        try:
            connected_ns = self._kept.begin()
            try:
                sent_ns, _, response, content = self._exchange("GET", HEALTH_PATH, None)
            except ConnectionError:
                if connected_ns is not None:
                    raise
                self._kept.close()
                return self.health()
            ended_ns = time.perf_counter_ns()
            if response.status != http.client.OK:
                raise QueryLost("status", f"{HEALTH_PATH} answers {response.status}", status=response.status)
            _parsed(response, content)
            return Health(sent_ns, ended_ns, connected_ns)
        except QueryLost:
            self.close()
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._kept.lost(error) from error

    def close(self) -> None:
        self._kept.close()

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, int, http.client.HTTPResponse, bytes]:
        """When it was sent, when the head came, and the whole answer."""
        self._kept.send(method, self._prefix + path, body, self._headers)
        sent_ns = time.perf_counter_ns()
        response = self._kept.receive()
        status_ns = time.perf_counter_ns()
        content = response.read(_BODY_BYTES + 1)
        if len(content) > _BODY_BYTES:
            raise QueryLost("no-stream", f"the answer has more than {_BODY_BYTES} bytes", "is --url the engine?")
        missing = response.length  # of a body that was to have so many bytes
        if missing:
            raise http.client.IncompleteRead(content, missing)
        return sent_ns, status_ns, response, content


def _check_status(response: http.client.HTTPResponse, content: bytes, mode: Mode) -> None:
    status = response.status
    if status == http.client.OK:
        return
    told = f"{QUERY_PATH} answers {status}"
    if 300 <= status < 400:
        raise QueryLost("status", f"{told} and sends to {response.headers.get('Location')}", "give that URL", status)
    said = content.decode(errors="replace")
    with contextlib.suppress(ValueError):
        said = _said(json.loads(said))
    remedy = _REMEDIES.get(status, "see the engine's log")
    if status == http.client.INTERNAL_SERVER_ERROR and mode == "two-stage":
        remedy = _TWO_STAGE_500
    raise QueryLost("status", f"{told}: {short(said)}" if said.strip() else told, remedy, status)


def _said(answer: Any) -> str:
    """The words of an error object; of one that names each wrong field, the first."""
    detail = answer.get("detail") if isinstance(answer, Mapping) else None
    first = detail[0] if isinstance(detail, list) and detail else None
    if isinstance(first, Mapping) and "msg" in first:
        place = first.get("loc")
        where = ".".join(map(str, place)) if isinstance(place, list) else "the body"
        return f"{where}: {first['msg']}"
    if isinstance(detail, Mapping) and "error" in detail:
        return ": ".join(str(detail[name]) for name in ("error", "message") if detail.get(name))
    return error_text(answer)


def _parsed(response: http.client.HTTPResponse, content: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, Mapping):
        kind, said = response.headers.get_content_type(), short(content[:640].decode(errors="replace"))
        remedy = "give --url the address of the engine's backend (port 8000)"
        raise QueryLost("no-stream", f"the answer is {kind} and no JSON object: {said}", remedy)
    return answer


def _answer_of(
    answer: Mapping[str, Any], stamps: tuple[int, int | None, int, int, int], response_time: str | None
) -> EngineAnswer:
    text = answer.get("response")
    if not isinstance(text, str):
        told = f"the answer has no response: {short(error_text(answer))}"
        raise QueryLost("no-stream", told, "is --url the engine's backend?")
    metadata = answer.get("metadata")
    told_of: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
    if not text.strip():
        model = told_of.get("modelId")
        raise QueryLost(
            "empty",
            f"200 with an empty response{f' of {model}' if isinstance(model, str) and model else ''}",
            "the engine answers so where a model's server is dead: start it again, and see the engine's log",
            http.client.OK,
        )
    complexity = told_of.get("complexity")
    score = complexity.get("score") if isinstance(complexity, Mapping) else None
    artifacts = _number(told_of.get("cgragArtifacts"))
    started_ns, connected_ns, sent_ns, status_ns, ended_ns = stamps
    return EngineAnswer(
        text=text,
        started_ns=started_ns,
        connected_ns=connected_ns,
        sent_ns=sent_ns,
        status_ns=status_ns,
        ended_ns=ended_ns,
        tier=TIERS.get(str(told_of.get("modelTier", "")).lower(), ""),
        model=str(told_of.get("modelId") or ""),
        score=_number(score),
        processing_s=_seconds(told_of.get("processingTimeMs")),
        stage1_s=_seconds(told_of.get("stage1ProcessingTime")),
        stage2_s=_seconds(told_of.get("stage2ProcessingTime")),
        response_s=_header_s(response_time),
        artifacts=None if artifacts is None else int(artifacts),
        is_cached=told_of.get("cacheHit") is True,
    )


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) and value >= 0 else None


def _seconds(milliseconds: Any) -> float | None:
    value = _number(milliseconds)
    return None if value is None else value * 1e-3


def _header_s(text: str | None) -> float | None:
    """The header is written as ``12.34ms``."""
    try:
        return None if text is None else _seconds(float(text.strip().removesuffix("ms")))
    except ValueError:
        return None
