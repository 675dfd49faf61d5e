"""How long does one tier's model take to answer a query, and where does the time go?

The worker loads the model, answers one query (`state=first`), warms up until it is steady, then asks its share of the
queries one at a time. With `prefix` cold the KV cache is empty before each query; with warm it holds the whole prompt,
so that what is left is the answer alone. `chat_parts` has the formulas.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.chat_parts import LATENCY_METRICS
from synapse_perf.benchmarks.context import Context
from synapse_perf.samples import Fact, Json, Labels, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.benchmarks.chat_parts import OpenChat, Runtime
    from synapse_perf.benchmarks.decode_drift import Rate
    from synapse_perf.llama.answer import Answer
    from synapse_perf.llama.chat_template import Message

FIRST_IMPORT = "llama_cpp"
METRICS = {
    **LATENCY_METRICS,
    "peak_rss": MetricDefinition("peak_rss", "B", "lower", "highest resident memory of the process"),
}
FIRST: Labels = {"state": "first", "variant": "first"}  # a variant is no steady state, and never judged
AFTER_SWAP: Labels = {"state": "after-swap", "variant": "after-swap"}
GAPS_AT_MOST = 2000  # kept as they are, of all answers of a process together


def measure(context: Context) -> Iterator[Sample]:
    """The first answer, then a sample for each query until the share is done or its time is spent."""
    from synapse_perf.benchmarks.chat_parts import failed, open_chat, start_llama
    from synapse_perf.llama.generation_failure import GenerationFailed

    workload = context.workload
    tier: str = workload["tier"]
    runtime = start_llama()
    neighbours = [_open_neighbour(context, runtime, other) for other in workload["neighbours"]]
    context.stage(f"loading the {tier} model")
    opened = open_chat(runtime, workload["settings"], tier)
    try:
        yield from _Session(context, opened).samples()
    except GenerationFailed as error:
        raise failed(error, f"tier {tier}", runtime) from error
    for one in (opened, *neighbours):
        one.close(runtime)


def _open_neighbour(context: Context, runtime: Runtime, options: Json) -> OpenChat:
    """Another tier's model that stays resident beside this one."""
    from synapse_perf.benchmarks.chat_parts import open_chat

    context.stage(f"loading the {options['tier']} model beside it")
    return open_chat(runtime, options["settings"], options["tier"])


class _Session:
    """One process's share of the queries."""

    def __init__(self, context: Context, opened: OpenChat) -> None:
        from synapse_perf.benchmarks.chat_parts import conversation

        self.context = context
        self.opened = opened
        self.chat = opened.chat
        self.queries: Sequence[Json] = context.workload["queries"]
        self.conversations = [conversation(query["prompt"], context.workload["system"]) for query in self.queries]
        self.is_warm_prefix: bool = context.workload["prefix"] == "warm"
        self.gaps_s: dict[str, list[float]] = {}
        self.rates: list[Rate] = []

    def samples(self) -> Iterator[Sample]:
        from synapse_perf.benchmarks.chat_parts import check_lengths, turns, warm_up

        context, workload = self.context, self.context.workload
        check_lengths(self.chat, workload, self.conversations)
        order = self._order()
        context.stage("the first query")
        first_ns = time.perf_counter_ns()
        yield self._first(order[0])
        first_s = (time.perf_counter_ns() - first_ns) * 1e-9
        context.stage("warming up")
        warmed = warm_up(self.chat, self.conversations, first_s)
        context.facts.update(discarded=warmed.discarded, steady=warmed.is_steady)
        throttled_before = _throttle_events()
        started_ns = time.perf_counter_ns()
        for done in turns(context):
            context.stage(self._progress(done, workload["count"]))
            yield self._sample(order[done + 1], started_ns)
        self._add_facts(throttled_before)

    def _order(self) -> list[int]:
        """Places of the queries, each as often as the others, the first one for the first answer.

        Another order in each process, drawn from its start, as no two start in the same microsecond.
        """
        draw = random.Random(self.context.spawned_ns // 1000)
        order: list[int] = []
        while len(order) < self.context.workload["count"] + 1:
            block = [*range(len(self.queries))]
            draw.shuffle(block)
            order += block
        return order[: self.context.workload["count"] + 1]

    def _progress(self, done: int, count: int) -> str:
        rate = f", {self.rates[-1].per_s:.1f} tokens/s" if self.rates else ""
        return f"query {done + 1} of {count}{rate}"

    def _first(self, place: int) -> Sample:
        """Where the model had to be swapped in for a query, this one and the load are what it waits for."""
        from synapse_perf.benchmarks.chat_parts import figures

        answer = self._ask(place)
        load_s, complexity = self.opened.load_s, self.queries[place]["complexity"]
        return Sample(
            (
                *figures(answer, {"complexity": complexity, **FIRST}),
                Measurement("query_latency", load_s + answer.total_s, {"complexity": complexity, **AFTER_SWAP}),
                Measurement("phase_time", load_s, {"phase": "load"}),
            ),
            self._facts(place, answer),
        )

    def _sample(self, place: int, started_ns: int) -> Sample:
        from synapse_perf.benchmarks.chat_parts import figures
        from synapse_perf.benchmarks.decode_drift import Rate
        from synapse_perf.host.frequency import fastest_core_hz

        answer = self._ask(place)
        at_s = (answer.started_ns - started_ns) * 1e-9
        complexity = self.queries[place]["complexity"]
        if answer.decode_rate is not None:
            self.rates.append(Rate(at_s, answer.decode_rate, complexity))
        self._keep_gaps(place, answer.gaps_s)
        facts = {**self._facts(place, answer), "at_s": at_s, "core_hz": fastest_core_hz()}
        return Sample(tuple(figures(answer, {"complexity": complexity})), facts)

    def _ask(self, place: int) -> Answer:
        from synapse_perf.benchmarks.chat_parts import wanted_of

        messages: Sequence[Message] = self.conversations[place]
        wanted = wanted_of(self.context.workload, self.queries[place]["max_tokens"])
        if self.is_warm_prefix:
            self.chat.read(messages)
        return self.chat.ask(messages, wanted, keeps_prefix=self.is_warm_prefix)

    def _facts(self, place: int, answer: Answer) -> dict[str, Fact]:
        from synapse_perf.benchmarks.chat_parts import answer_facts

        query = self.queries[place]
        return {"query": place, "routed_tier": query["tier"], "score": query["score"], **answer_facts(answer)}

    def _keep_gaps(self, place: int, gaps_s: list[float]) -> None:
        room = GAPS_AT_MOST - sum(len(kept) for kept in self.gaps_s.values())
        if room > 0:
            self.gaps_s.setdefault(str(place), []).extend(round(gap_s, 9) for gap_s in gaps_s[:room])

    def _add_facts(self, throttled_before: int | None) -> None:
        from synapse_perf.benchmarks.decode_drift import drift_of
        from synapse_perf.host.process_memory import memory_split
        from synapse_perf.llama.load_facts import package_versions

        drift, throttled = drift_of(self.rates), _throttle_events()
        self.context.facts.update(
            load_s=self.opened.load_s,
            n_ctx=self.chat.n_ctx,
            template=self.chat.template.source,
            template_compile_s=self.chat.template.compile_s,
            gaps_s=self.gaps_s,
            drift=drift and drift._asdict(),
            throttle_events=None if throttled is None or throttled_before is None else throttled - throttled_before,
            peak_rss=memory_split().peak_rss,
            packages=package_versions(),
        )


def _throttle_events() -> int | None:
    """How often heat has slowed the processor so far, where it is counted."""
    from synapse_perf.host.power import power

    return power().throttle_events
