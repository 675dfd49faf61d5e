"""How does a running server answer several users at a time, or queries that come when they come?

A worker holds as many connections as queries are under way, up to a limit; each query has a first line of its own, so
that the server finds nothing of it in its KV cache. `query_load_steps` has the formulas.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks import query_load_steps
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.query_load_steps import SEEN_FROM_OUTSIDE, Served
from synapse_perf.samples import Json, Sample

if TYPE_CHECKING:
    from synapse_perf.outside.chat_client import ChatClient

FIRST_IMPORT = "http.client"
METRICS = query_load_steps.METRICS
MOST_CONNECTIONS = 256
KEY_VARIABLE = "SYNAPSE_PERF_API_KEY"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def measure(context: Context) -> Iterator[Sample]:
    """The samples of each step, in the order in which the steps were offered."""
    crowd, queries = Crowd(context), context.workload["queries"]
    crowd.settle()
    for step in query_load_steps.offer_steps(context, crowd.serve, queries, crowd.settle):
        if not step.answered and step.requests:
            raise BenchmarkFailed("error", f"no query was answered: {step.requests[0].error}", "see its log")
        yield from query_load_steps.samples_of(step, context.workload["limit_s"], SEEN_FROM_OUTSIDE)
    crowd.close()


class Crowd:
    """Asks from many threads, each query on a connection that no other one uses meanwhile."""

    def __init__(self, context: Context) -> None:
        self._workload = context.workload
        # What is given up on has to end, or it would still be answered during the next step.
        self._patience_s = min(self._workload["timeout_s"], max(one["patience_s"] for one in self._workload["steps"]))
        self._threads = ThreadPoolExecutor(MOST_CONNECTIONS)
        self._idle: deque[ChatClient] = deque()
        self._draw = random.Random(context.spawned_ns)

    async def serve(self, query: Any) -> Served:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.ask, query)

    def ask(self, query: Json) -> Served:
        """QueryLost for what is not answered whole."""
        from synapse_perf.benchmarks.chat_parts import conversation

        workload, client = self._workload, self._take()
        first, *others = conversation(query["prompt"], workload["system"])
        mark = "".join(self._draw.choices(_LETTERS, k=8))
        more = {"temperature": workload["temperature"], "seed": workload["seed"]}
        if workload["is_fixed_length"]:
            more["ignore_eos"] = True
        messages = [{**first, "content": f"{mark}\n{first['content']}"}, *others]
        try:
            found = client.ask(messages, query["max_tokens"] or workload["max_tokens"], **more)
        finally:
            self._idle.append(client)
        return Served(found.piece_ns[0], found.ended_ns, found.generated_tokens, found.total_s)

    def settle(self) -> None:
        """Until a short query is answered: what was given up on may still keep the server busy."""
        from synapse_perf.outside.streamed_answer import QueryLost

        query = {**self._workload["queries"][0], "max_tokens": 1}
        try:
            self._threads.submit(self.ask, query).result()
        except QueryLost as error:
            if error.kind == "unreachable":
                raise BenchmarkFailed("error", str(error), error.remedy) from error

    def close(self) -> None:
        for client in self._idle:
            client.close()
        self._threads.shutdown()

    def _take(self) -> ChatClient:
        from synapse_perf.outside.chat_client import ChatClient

        try:
            return self._idle.pop()
        except IndexError:
            workload = self._workload
            return ChatClient(workload["url"], self._patience_s, workload["model"], os.environ.get(KEY_VARIABLE))
