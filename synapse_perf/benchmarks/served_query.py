"""How long does an OpenAI-compatible server take to answer a query, seen from outside?

A worker is one client with one connection that it keeps; its first query, which opens it, stands apart. With `prefix`
cold each query has a first line of its own, so that the server finds nothing of it in its KV cache; with warm the same
query was asked right before. A lost query is one past every limit. `chat_parts` has the formulas of an answer;
chunk_rate is decode_rate over chunks, where the server does not count its tokens.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.chat_parts import LATENCY_METRICS
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Fact, Json, Labels, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.benchmarks.decode_drift import Rate
    from synapse_perf.outside.chat_client import ChatClient
    from synapse_perf.outside.streamed_answer import QueryLost, Served

FIRST_IMPORT = "http.client"
METRICS = {
    **LATENCY_METRICS,
    "chunk_rate": MetricDefinition(
        "chunk_rate", "1/s", "higher", "chunks with text after the first / time from the first to the last"
    ),
}
FIRST: Labels = {"state": "first", "variant": "first"}  # it opens the connection
KEY_VARIABLE = "SYNAPSE_PERF_API_KEY"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MARK_LENGTH = 8


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each query until the share is done or its time is spent; BenchmarkFailed if none was answered."""
    from synapse_perf.benchmarks.chat_parts import turns
    from synapse_perf.outside.chat_client import ChatClient

    workload = context.workload
    client = ChatClient(workload["url"], workload["timeout_s"], workload["model"], os.environ.get(KEY_VARIABLE))
    session = _Session(context, client)
    try:
        context.stage("the first query")
        yield session.sample(is_first=True)
        for done in turns(context):
            context.stage(session.progress(done))
            yield session.sample()
    finally:
        client.close()
    session.add_facts()
    session.check_any_answered()


class _Session:
    """One client's share of the queries."""

    def __init__(self, context: Context, client: ChatClient) -> None:
        self._context = context
        self._workload = context.workload
        self._client = client
        self._draw = random.Random(context.spawned_ns // 1000)  # no two processes start in the same microsecond
        self._due: list[int] = []
        self._rates: list[Rate] = []
        self._lost: list[QueryLost] = []
        self._asked = 0

    def progress(self, done: int) -> str:
        rate = f", {self._rates[-1].per_s:.1f} tokens/s" if self._rates else ""
        lost = f", {len(self._lost)} lost" if self._lost else ""
        return f"query {done + 1} of {self._workload['count']}{rate}{lost}"

    def sample(self, *, is_first: bool = False) -> Sample:
        """The next query; BenchmarkFailed where from the start nothing listens."""
        from synapse_perf.outside.streamed_answer import QueryLost

        place = self._next_place()
        query = self._workload["queries"][place]
        self._asked += 1
        labels: Labels = {"complexity": query["complexity"]}
        asked: dict[str, Fact] = {
            "query": place,
            "routed_tier": query["tier"],
            "score": query["score"],
            "asked_tokens": query["max_tokens"] or self._workload["max_tokens"],
            "lost": False,
        }
        try:
            served = self._ask(query)
        except QueryLost as error:
            if is_first and error.kind == "unreachable":
                raise BenchmarkFailed("error", str(error), error.remedy) from error
            self._lost.append(error)
            return self._lost_sample(error, labels, asked)
        figures = _figures(served, {**labels, **(FIRST if is_first else {})})
        self._keep_rate(served, query)
        return Sample(tuple(figures), {**asked, **_told(served)})

    def add_facts(self) -> None:
        from synapse_perf.benchmarks.decode_drift import drift_of

        drift = drift_of(self._rates)
        lost = [{"kind": error.kind, "told": str(error)} for error in self._lost]
        self._context.facts.update(drift=drift and drift._asdict(), lost=lost)

    def check_any_answered(self) -> None:
        if len(self._lost) < self._asked:
            return
        error = self._lost[-1]
        told = f"none of {self._asked} queries was answered: {error}"
        raise BenchmarkFailed("time-out" if error.kind == "time-out" else "error", told, error.remedy)

    def _next_place(self) -> int:
        """Each query as often as the others, in another order in each process."""
        if not self._due:
            self._due = [*range(len(self._workload["queries"]))]
            self._draw.shuffle(self._due)
        return self._due.pop()

    def _ask(self, query: Json) -> Served:
        from synapse_perf.benchmarks.chat_parts import conversation

        workload = self._workload
        mark = "".join(self._draw.choices(_LETTERS, k=_MARK_LENGTH))
        first, *others = conversation(query["prompt"], workload["system"])
        messages = [{**first, "content": f"{mark}\n{first['content']}"}, *others]
        more = {"temperature": workload["temperature"], "seed": workload["seed"]}
        if workload["is_fixed_length"]:
            more["ignore_eos"] = True
        if workload["prefix"] == "warm":
            self._client.ask(messages, 1, **more)
        return self._client.ask(messages, query["max_tokens"] or workload["max_tokens"], **more)

    def _lost_sample(self, error: QueryLost, labels: Labels, asked: dict[str, Fact]) -> Sample:
        """As long as a user would have waited for nothing, and never within the target."""
        waited_s = max(error.after_s, self._workload["timeout_s"], self._workload["limit_s"] or 0.0)
        told: dict[str, Fact] = {"lost": True, "lost_kind": error.kind, "lost_told": str(error)}
        facts = {**asked, **told, "after_s": error.after_s}
        return Sample((Measurement("query_latency", waited_s, labels),), facts)

    def _keep_rate(self, served: Served, query: Json) -> None:
        from synapse_perf.benchmarks.decode_drift import Rate

        per_s = served.decode_rate
        if per_s is not None:
            self._rates.append(Rate(served.started_ns * 1e-9, per_s, query["complexity"]))


def _figures(served: Served, labels: Labels) -> list[Measurement]:
    """What cannot be told from outside is left out."""
    gaps_s = _gaps_s(served)
    values = {
        "query_latency": served.total_s,
        "time_to_first_token": served.first_token_s,
        "inter_token_latency": median(gaps_s) if gaps_s and served.is_token_by_token else None,
        "decode_rate": served.decode_rate,
        "chunk_rate": None if served.is_counted else _chunk_rate(served),
    }
    return [Measurement(name, value, labels) for name, value in values.items() if value is not None]


def _gaps_s(served: Served) -> list[float]:
    return [(after - before) * 1e-9 for before, after in pairwise(served.piece_ns)]


def _chunk_rate(served: Served) -> float | None:
    span_ns = served.piece_ns[-1] - served.piece_ns[0]
    return (len(served.piece_ns) - 1) / (span_ns * 1e-9) if span_ns else None


def _told(served: Served) -> dict[str, Fact]:
    """The seconds of each part, which add up to the latency, and what the server counted."""
    gaps_s = sorted(_gaps_s(served))
    connected_ns = served.connected_ns or served.started_ns
    return {
        "prompt_tokens": served.prompt_tokens,
        "reused_tokens": served.reused_tokens,
        "generated_tokens": served.generated_tokens if served.is_counted else None,
        "chunks": len(served.piece_ns),
        "ended_by": served.ended_by,
        "connect_s": (connected_ns - served.started_ns) * 1e-9,
        "send_s": (served.sent_ns - connected_ns) * 1e-9,
        "first_byte_s": (served.status_ns - served.sent_ns) * 1e-9,
        "first_word_s": (served.piece_ns[0] - served.status_ns) * 1e-9,
        "chunks_s": (served.ended_ns - served.piece_ns[0]) * 1e-9,
        "gap_p95_s": gaps_s[int(0.95 * (len(gaps_s) - 1) + 0.5)] if gaps_s else None,
        "gap_max_s": gaps_s[-1] if gaps_s else None,
        "server_prefill_s": _milliseconds(served, "prompt_ms"),
        "server_decode_s": _milliseconds(served, "predicted_ms"),
    }


def _milliseconds(served: Served, name: str) -> float | None:
    """The server's own figure, in seconds."""
    return served.timings[name] * 1e-3 if name in served.timings else None
