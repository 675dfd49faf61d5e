"""What did a server stream for a query, when did each piece come, and how many tokens were they?"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from synapse_perf.outside.deadline import Deadline
from synapse_perf.outside.event_stream import EventStream

LossKind = Literal["unreachable", "time-out", "status", "broken-off", "no-stream", "empty"]
DONE = "[DONE]"
_PIECE_BYTES = 65536
_SHOWN = 160  # characters of what a server said


class QueryLost(Exception):  # noqa: N818  # says what happened
    """A query without a whole answer; `status` is that of HTTP, where there was one."""

    def __init__(self, kind: LossKind, message: str, remedy: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.kind: LossKind = kind
        self.remedy = remedy
        self.status = status
        self.after_s = 0.0


class Served(NamedTuple):
    """One answer with its stamps, in ns on the machine-wide clock.

    `piece_ns` has one stamp for each delta with text in it, which may hold several tokens; deltas that were read at
    once share one. `reused_tokens` is None where the server does not say what it found in its KV cache.
    """

    text: str
    started_ns: int
    connected_ns: int | None  # None: the connection of the query before was used again
    sent_ns: int
    status_ns: int  # when the head of the answer was there
    piece_ns: tuple[int, ...]
    ended_ns: int
    ended_by: str  # the server's finish_reason
    prompt_tokens: int | None
    generated_tokens: int
    is_counted: bool  # by the server; otherwise pieces stand for tokens
    reused_tokens: int | None
    timings: Mapping[str, float]  # the server's own, as llama-server names them

    @property
    def total_s(self) -> float:
        return (self.ended_ns - self.started_ns) * 1e-9

    @property
    def first_token_s(self) -> float:
        """Time to the first delta with text, which the one that only names the role is not."""
        return (self.piece_ns[0] - self.started_ns) * 1e-9

    @property
    def is_token_by_token(self) -> bool:
        """Whether gaps between pieces are gaps between tokens, by the server's count and by their own stamps."""
        return self.is_counted and self.generated_tokens == len(self.piece_ns) == len(set(self.piece_ns))

    @property
    def decode_rate(self) -> float | None:
        """Tokens per second after the first: (n - 1) / (t_last - t_first); None where the first piece held several."""
        if not self.is_token_by_token or len(self.piece_ns) < 2:
            return None
        return (len(self.piece_ns) - 1) / ((self.piece_ns[-1] - self.piece_ns[0]) * 1e-9)


class AnswerReading:
    """An answer as it comes in."""

    def __init__(self, started_ns: int, connected_ns: int | None) -> None:
        self.started_ns, self.connected_ns = started_ns, connected_ns
        self.sent_ns = self.status_ns = self.ended_ns = started_ns
        self.texts: list[str] = []
        self.piece_ns: list[int] = []
        self.ended_by = ""
        self.is_done = False
        self.usage: Mapping[str, Any] = {}
        self.timings: Mapping[str, Any] = {}

    def read(self, response: http.client.HTTPResponse, deadline: Deadline) -> None:
        """All of it: what follows [DONE] ends the body, without which the connection could not be used again."""
        stream = EventStream()
        while piece := response.read1(_PIECE_BYTES):
            now_ns = time.perf_counter_ns()
            for event in stream.feed(piece):
                if event.is_error:
                    raise QueryLost("broken-off", f"the server tells an error: {short(event.data)}")
                self._take(event.data, now_ns)
            deadline.left_s()
        if not self.is_done and not self.ended_by:
            raise QueryLost("broken-off", f"the stream ended in mid-answer, after {len(self.piece_ns)} pieces")

    def served(self) -> Served:
        """QueryLost where there is no word in it."""
        if not self.piece_ns:
            raise QueryLost("empty", "an answer without a word", "is the model a chat model, and its template right?")
        told = _count(self.usage.get("completion_tokens"))
        told = told if told is not None else _count(self.timings.get("predicted_n"))
        prompt = _count(self.usage.get("prompt_tokens"))
        details = self.usage.get("prompt_tokens_details")
        reused = _count(details.get("cached_tokens")) if isinstance(details, Mapping) else None
        return Served(
            text="".join(self.texts),
            started_ns=self.started_ns,
            connected_ns=self.connected_ns,
            sent_ns=self.sent_ns,
            status_ns=self.status_ns,
            piece_ns=tuple(self.piece_ns),
            ended_ns=self.ended_ns,
            ended_by=self.ended_by or "unknown",
            prompt_tokens=prompt,
            generated_tokens=len(self.piece_ns) if told is None else told,
            is_counted=told is not None,
            reused_tokens=reused if reused is not None else _count(self.timings.get("cache_n")),
            timings={name: value for name, value in self.timings.items() if isinstance(value, int | float)},
        )

    def _take(self, data: str, now_ns: int) -> None:
        if self.is_done:
            return
        if data.strip() == DONE:
            self.is_done = True
            return
        try:
            chunk = json.loads(data)
        except ValueError as error:
            raise QueryLost("no-stream", f"an event is no JSON: {short(data)}") from error
        if not isinstance(chunk, Mapping):
            raise QueryLost("no-stream", f"an event is no object: {short(data)}")
        if chunk.get("error"):
            raise QueryLost("broken-off", f"the server tells an error: {short(error_text(chunk))}")
        self.usage = chunk["usage"] if isinstance(chunk.get("usage"), Mapping) else self.usage
        self.timings = chunk["timings"] if isinstance(chunk.get("timings"), Mapping) else self.timings
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(choice, Mapping):
            self._take_choice(choice, now_ns)

    def _take_choice(self, choice: Mapping[str, Any], now_ns: int) -> None:
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            said = [delta.get(name) for name in ("reasoning_content", "reasoning", "content")]
            text = "".join(part for part in said if isinstance(part, str))
            if text:
                self.texts.append(text)
                self.piece_ns.append(now_ns)
                self.ended_ns = now_ns
        if choice.get("finish_reason"):
            self.ended_by = str(choice["finish_reason"])
            self.ended_ns = now_ns


def error_text(answer: Any) -> str:
    """The server's own words, where an error object has some."""
    for key in ("error", "detail", "message"):
        if isinstance(answer, Mapping) and answer.get(key):
            answer = answer[key]
    return answer if isinstance(answer, str) else json.dumps(answer)


def short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
