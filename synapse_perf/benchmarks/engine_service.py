"""What does the engine's service cost around its models: a new connection, and an event loop that a query blocks?

Its liveness URL needs no model, so whatever it waits for is the service. It is asked on a kept connection and on a new
one in turn, then every 50 ms from a thread of its own while nothing else is asked, while a query runs, and after that.
A wait counts from the moment at which the request was due, so that one which is blocked hides none behind it; what the
thread itself was late by is noted beside it, as a control for a machine that is too busy.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Fact, Json, Measurement, MetricDefinition, Sample

FIRST_IMPORT = "http.client"
KEY_VARIABLE = "SYNAPSE_PERF_API_KEY"
METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("query_latency", "s", "lower", "query sent to the end of its answer, from outside"),
        MetricDefinition("health_latency", "s", "lower", "liveness URL: due to answered"),
    )
}
IDLE, BUSY = "idle", "during-query"
PERIOD_S = 0.05
PAIRS = 10  # of a kept and a new connection
IDLE_S, IDLE_S_AT_MOST = 0.5, 3.0
POLLED = {"variant": "health-polled"}


class Poll(NamedTuple):
    """One request to the liveness URL."""

    wait_s: float  # from when it was due
    late_s: float | None  # of the thread that sends; None where the poll before it was still under way


def measure(context: Context) -> Iterator[Sample]:
    """The pairs of connections, then idle, a query and idle again for each query of this process's share."""
    from synapse_perf.benchmarks.chat_parts import turns
    from synapse_perf.outside.streamed_answer import QueryLost

    queries = context.workload["queries"]
    try:
        context.stage("connections")
        yield from _connections(context)
    except QueryLost as error:
        raise BenchmarkFailed("error", f"its health URL: {error}", error.remedy) from error
    first = context.spawned_ns // 1000
    for done in turns(context):
        context.stage(f"health while query {done + 1} of {context.workload['count']} runs")
        yield from _around_query(context, queries[(first + done) % len(queries)])


# --- connections -----------------------------------------------------------------------------------------------------


def _connections(context: Context) -> Iterator[Sample]:
    """A pair a sample, in turn the new one and the kept one first."""
    from synapse_perf.outside.engine_client import EngineClient

    options = (context.workload["url"], context.workload["timeout_s"], os.environ.get(KEY_VARIABLE))
    kept = EngineClient(*options)
    kept.health()
    reused = 0
    for number in range(PAIRS):
        found: dict[str, float] = {}
        for name in ("kept", "new") if number % 2 else ("new", "kept"):
            client = kept if name == "kept" else EngineClient(*options)
            started_ns = time.perf_counter_ns()
            health = client.health()
            found[name] = (time.perf_counter_ns() - started_ns) * 1e-9
            if name == "new":
                client.close()
            reused += name == "kept" and health.connected_ns is None
        yield Sample(tuple(Measurement("health_latency", found[name], {"connection": name}) for name in found))
    kept.close()
    context.facts["keeps_connections"] = reused == PAIRS


# --- the event loop --------------------------------------------------------------------------------------------------


class Poller:
    """Polls from a thread of its own until it is told to end."""

    def __init__(self, url: str, timeout_s: float, api_key: str | None) -> None:
        from synapse_perf.outside.engine_client import EngineClient

        self._client = EngineClient(url, timeout_s, api_key)
        self._ended = threading.Event()
        self._end_ns: int | None = None
        self._thread = threading.Thread(target=self._run, name="health")
        self.polls: list[Poll] = []
        self.failed = 0
        self._thread.start()

    def end(self) -> None:
        """All that was due is sent; what was sent is waited for."""
        self._end_ns = time.perf_counter_ns()
        self._ended.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        due_ns = time.perf_counter_ns()
        while self._end_ns is None or due_ns <= self._end_ns:
            left_s = (due_ns - time.perf_counter_ns()) * 1e-9
            if left_s > 0 and self._ended.wait(left_s):
                break
            late_s = None if left_s <= 0 and self.polls else (time.perf_counter_ns() - due_ns) * 1e-9
            self._ask()
            self.polls.append(Poll((time.perf_counter_ns() - due_ns) * 1e-9, late_s))
            due_ns += int(PERIOD_S * 1e9)

    def _ask(self) -> None:
        from synapse_perf.outside.streamed_answer import QueryLost

        try:
            self._client.health()
        except QueryLost:
            self.failed += 1  # it has waited all the same


def _around_query(context: Context, query: Json) -> Iterator[Sample]:
    yield _idle(context, IDLE_S)
    poller = _poller(context)
    try:
        asked = _ask(context, query)
    finally:
        poller.end()
    yield _sample(poller, BUSY)
    yield asked
    yield _idle(context, min(IDLE_S_AT_MOST, max(IDLE_S, asked.values[0].value)))


def _idle(context: Context, seconds: float) -> Sample:
    poller = _poller(context)
    time.sleep(seconds)
    poller.end()
    return _sample(poller, IDLE)


def _poller(context: Context) -> Poller:
    workload = context.workload
    return Poller(workload["url"], workload["timeout_s"], os.environ.get(KEY_VARIABLE))


def _sample(poller: Poller, state: str) -> Sample:
    lateness = [poll.late_s for poll in poller.polls if poll.late_s is not None]
    facts: dict[str, Fact] = {"latest_sender_s": max(lateness, default=0.0), "failed": poller.failed}
    return Sample(tuple(Measurement("health_latency", poll.wait_s, {"state": state}) for poll in poller.polls), facts)


def _ask(context: Context, query: Json) -> Sample:
    """The query that is polled beside counts for nothing else; one that is lost has been waited for."""
    from synapse_perf.outside.engine_client import EngineClient
    from synapse_perf.outside.streamed_answer import QueryLost

    workload = context.workload
    client = EngineClient(workload["url"], workload["timeout_s"], os.environ.get(KEY_VARIABLE))
    length = query["max_tokens"] or workload["max_tokens"]
    lost: str | None = None
    started_ns = time.perf_counter_ns()
    try:
        client.ask(query["prompt"], workload["mode"], length, workload["temperature"], workload["use_context"])
    except QueryLost as error:
        lost = error.kind
    total_s = (time.perf_counter_ns() - started_ns) * 1e-9
    client.close()
    labels = {"mode": workload["mode"], **POLLED}
    return Sample((Measurement("query_latency", total_s, labels),), {"lost": lost is not None, "lost_kind": lost})
