"""How long does the engine take to answer a query, seen from outside, and how much of that does it tell itself?

One worker is one client with one connection that it keeps. In simple mode a query counts for the tier that the engine
says has answered, in two-stage mode for the whole. phase_time: engine = its own processingTimeMs, engine.stage1 and
engine.stage2 the parts of that, overhead = query_latency - engine, which is what its figure leaves out.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Fact, FailureKind, Json, Labels, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.outside.engine_client import EngineAnswer, EngineClient
    from synapse_perf.outside.streamed_answer import QueryLost

FIRST_IMPORT = "http.client"
KEY_VARIABLE = "SYNAPSE_PERF_API_KEY"
METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("query_latency", "s", "lower", "query sent to the end of its answer, from outside"),
        MetricDefinition("phase_time", "s", "lower", "time of one part of a query"),
    )
}
TWO_STAGE = "two-stage"
NO_ENGINE, REFUSED = ("unreachable", "no-stream"), (401, 403, 404, 405, 422)  # asked wrongly: no latency of an engine
FIRST: Labels = {"state": "first", "variant": "first"}  # it opens the connection, and may find the engine cold
CACHED: Labels = {"state": "cached", "variant": "cached"}  # never mixed with what a model has answered


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each query, the first one apart, until the share is done or its time is spent."""
    from synapse_perf.benchmarks.chat_parts import turns
    from synapse_perf.outside.engine_client import EngineClient

    workload = context.workload
    client = EngineClient(workload["url"], workload["timeout_s"], os.environ.get(KEY_VARIABLE))
    session = _Session(context, client)
    order = _order(context)
    try:
        context.stage("the first query")
        yield session.sample(order[0], is_first=True)
        for done in turns(context):
            context.stage(f"query {done + 1} of {workload['count']}")
            yield session.sample(order[done + 1])
        session.check_any_answered()
    finally:
        client.close()


def _order(context: Context) -> Sequence[int]:
    """Places of the queries, each as often as the others, in another order in each process."""
    draw, order = random.Random(context.spawned_ns // 1000), list[int]()
    while len(order) < context.workload["count"] + 1:
        block = [*range(len(context.workload["queries"]))]
        draw.shuffle(block)
        order += block
    return order


class _Session:
    """One client's share of the queries."""

    def __init__(self, context: Context, client: EngineClient) -> None:
        self._workload = context.workload
        self._client = client
        self._last_lost: QueryLost | None = None
        self._answered = 0
        self._tier = TWO_STAGE if self._workload["mode"] == TWO_STAGE else "fast"  # until an answer says which

    def sample(self, place: int, *, is_first: bool = False) -> Sample:
        """A lost query is one as well; BenchmarkFailed where the first shows that no engine is asked."""
        from synapse_perf.outside.streamed_answer import QueryLost

        workload, query = self._workload, self._workload["queries"][place]
        try:
            answer = self._client.ask(
                query["prompt"],
                workload["mode"],
                query["max_tokens"] or workload["max_tokens"],
                workload["temperature"],
                workload["use_context"],
            )
        except QueryLost as error:
            if is_first and (error.kind in NO_ENGINE or error.status in REFUSED):
                raise BenchmarkFailed("error", str(error), error.remedy) from error
            self._last_lost = error
            return self._lost(place, error)
        self._answered += 1
        if workload["mode"] != TWO_STAGE and answer.tier:
            self._tier = answer.tier
        labels = {**self._labels(query), **(CACHED if answer.is_cached else FIRST if is_first else {})}
        return Sample(tuple(_figures(answer, labels)), {**self._asked(place), **_told(answer)})

    def check_any_answered(self) -> None:
        """BenchmarkFailed where every query of this process was lost."""
        error = self._last_lost
        if error is not None and not self._answered:
            kind: FailureKind = "time-out" if error.kind == "time-out" else "error"
            raise BenchmarkFailed(kind, f"no {self._workload['mode']} query was answered: {error}", error.remedy)

    def _lost(self, place: int, error: QueryLost) -> Sample:
        """As long as a user would have to wait for nothing, and never within the target."""
        workload = self._workload
        waited_s = max(error.after_s, workload["timeout_s"], workload["limit_s"] or 0.0)
        facts: dict[str, Fact] = {
            **self._asked(place),
            "lost": True,
            "lost_kind": error.kind,
            "lost_told": str(error),
            "after_s": error.after_s,
        }
        labels = self._labels(workload["queries"][place])
        return Sample((Measurement("query_latency", waited_s, labels),), facts)

    def _labels(self, query: Json) -> dict[str, str]:
        return {"tier": self._tier} | ({} if self._tier == TWO_STAGE else {"complexity": query["complexity"]})

    def _asked(self, place: int) -> dict[str, Fact]:
        query = self._workload["queries"][place]
        return {"query": place, "routed_tier": query["tier"], "score": query["score"], "lost": False}


def _figures(answer: EngineAnswer, labels: Labels) -> Iterator[Measurement]:
    yield Measurement("query_latency", answer.total_s, labels)
    phases = {
        "engine": answer.processing_s,
        "engine.stage1": answer.stage1_s,
        "engine.stage2": answer.stage2_s,
        "overhead": answer.overhead_s,
    }
    for name, seconds in phases.items():
        if seconds is not None:
            yield Measurement("phase_time", seconds, {**labels, "phase": name})


def _told(answer: EngineAnswer) -> dict[str, Fact]:
    return {
        "answered_by": answer.tier or None,
        "model": answer.model or None,
        "engine_score": answer.score,
        "characters": len(answer.text),  # its count of tokens is always 0
        "artifacts": answer.artifacts,
        "cached": answer.is_cached,
        "connect_s": answer.connect_s,
        "response_s": answer.response_s,
    }
