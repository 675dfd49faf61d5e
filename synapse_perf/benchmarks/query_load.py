"""How long do queries to one tier's model take when several come at once, or come when they come?

A model with its context answers one query at a time and is not safe to use from several threads, so a service has to
put a queue in front of it. Here one thread owns the model and answers in the order of arrival; the queue is as long as
it has to be, until a step is given up. `query_load_steps` has the formulas.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks import query_load_steps
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.query_load_steps import Served
from synapse_perf.samples import Json, Sample

if TYPE_CHECKING:
    from synapse_perf.benchmarks.chat_parts import OpenChat, Runtime

FIRST_IMPORT = "llama_cpp"
METRICS = query_load_steps.METRICS


def measure(context: Context) -> Iterator[Sample]:
    """The samples of each step, in the order in which the steps were offered."""
    from synapse_perf.benchmarks.chat_parts import conversation, start_llama

    workload, runtime = context.workload, start_llama()
    neighbours = [_open(context, runtime, other) for other in workload["neighbours"]]
    opened = _open(context, runtime, workload)
    owner = ModelOwner(context, runtime, opened)
    conversations = [conversation(query["prompt"], workload["system"]) for query in workload["queries"]]
    contents = list(zip(conversations, workload["queries"], strict=True))
    owner.call(owner.prepare, conversations)
    started_ns = time.perf_counter_ns()
    for step in query_load_steps.offer_steps(context, owner.serve, contents, owner.settle):
        if not step.answered and any(request.error for request in step.requests):
            raise BenchmarkFailed("error", f"no query was answered: {step.requests[0].error}", "measure without load")
        yield from query_load_steps.samples_of(step, workload["limit_s"])
    context.facts.update(asking_s=(time.perf_counter_ns() - started_ns) * 1e-9, n_ctx=opened.chat.n_ctx)
    owner.close()
    for one in (opened, *neighbours):
        one.close(runtime)


def _open(context: Context, runtime: Runtime, options: Json) -> OpenChat:
    from synapse_perf.benchmarks.chat_parts import open_chat

    context.stage(f"loading the {options['tier']} model")
    return open_chat(runtime, options["settings"], options["tier"])


class ModelOwner:
    """The one thread that may use the model; everything that is asked of it waits in the order of its coming."""

    def __init__(self, context: Context, runtime: Runtime, opened: OpenChat) -> None:
        self._context = context
        self._runtime = runtime
        self._chat = opened.chat
        self._thread = ThreadPoolExecutor(1)

    async def serve(self, content: Any) -> Served:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.ask, content)

    def ask(self, content: Any) -> Served:
        """One answer into an empty KV cache, as the prompts of strangers have no prefix in common."""
        from synapse_perf.benchmarks.chat_parts import wanted_of

        messages, query = content
        began_ns = time.perf_counter_ns()
        answer = self._chat.ask(messages, wanted_of(self._context.workload, query["max_tokens"]))
        return Served(began_ns, answer.ended_ns, len(answer.tokens), (answer.ended_ns - began_ns) * 1e-9)

    def prepare(self, conversations: Any) -> None:
        """The first answer and the warm-up, in the thread that will answer."""
        from synapse_perf.benchmarks.chat_parts import check_lengths, wanted_of, warm_up

        check_lengths(self._chat, self._context.workload, conversations)
        self._context.stage("warming up")
        first = self._chat.ask(conversations[0], wanted_of(self._context.workload))
        warmed = warm_up(self._chat, conversations, first.total_s)
        self._context.facts.update(discarded=warmed.discarded + 1, steady=warmed.is_steady)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """A function in the owner's thread, with llama.cpp's words where it fails."""
        from synapse_perf.benchmarks.chat_parts import failed
        from synapse_perf.llama.generation_failure import GenerationFailed

        try:
            return self._thread.submit(function, *arguments).result()
        except GenerationFailed as error:
            raise failed(error, f"tier {self._context.workload['tier']}", self._runtime) from error

    def settle(self) -> None:
        """Wait for the answer that nobody waits for any more, if there is one."""
        self._thread.submit(int).result()

    def close(self) -> None:
        self._thread.shutdown()
