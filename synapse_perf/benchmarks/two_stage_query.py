"""How long does a two-stage query take, and what is on its critical path?

FAST drafts an answer, retrieval finds context for the query, and BALANCED or DEEP, as the query's score decides, writes
the answer out of both. With one model resident at a time each query begins with the second stage's model in memory, as
after the query before, so that both swaps are on the path. What `overlap` names is done in a thread during the draft,
and only what is left of it after that counts as its phase: the phases always add up to the whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_perf.benchmarks.chat_parts import LATENCY_METRICS
from synapse_perf.benchmarks.context import Context
from synapse_perf.samples import Fact, Json, Labels, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from synapse_perf.benchmarks.chat_parts import OpenChat, Runtime
    from synapse_perf.benchmarks.query_context import Found, Retrieve
    from synapse_perf.llama.answer import Answer
    from synapse_perf.llama.chat_template import Message

FIRST_IMPORT = "llama_cpp"
METRICS = {
    **LATENCY_METRICS,
    "peak_rss": MetricDefinition("peak_rss", "B", "lower", "highest resident memory of the process"),
}
DRAFTING = "fast"
LOAD, RETRIEVAL = "load", "retrieval"  # what may overlap the draft
_REFINE = (
    "Question:\n{query}\n\nContext:\n{context}\n\nDraft of an answer:\n{draft}\n\n"
    "Write the final answer: keep what the draft has right, correct it by the context, and add what is missing."
)


class Answered(NamedTuple):
    """One two-stage query: its two answers, and the stamps that end each phase, in ns."""

    draft: Answer
    refinement: Answer
    found: Found | None
    context_tokens: int  # of what was found, as it was cut for the prompt
    started_ns: int
    fast_ready_ns: int
    drafted_ns: int
    retrieved_ns: int
    second_ready_ns: int
    cut_ns: int  # what was found is as short as was asked
    ended_ns: int
    load_s: float | None  # of the second model, where it had to be loaded
    retrieval_s: float  # whether it was on the path or beside it


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each query, the first one apart, until the share is done or its time is spent."""
    from concurrent.futures import ThreadPoolExecutor

    from synapse_perf.benchmarks.chat_parts import failed, start_llama
    from synapse_perf.llama.generation_failure import GenerationFailed

    runtime = start_llama()
    with ThreadPoolExecutor(1, "beside-the-draft") as beside, ThreadPoolExecutor(1, "retrieval") as retrieving:
        session = _Session(context, runtime, beside, retrieving)
        try:
            yield from session.samples()
        except GenerationFailed as error:
            raise failed(error, session.doing, runtime) from error
        session.close()


class _Session:
    """The models that are resident, the retrieval, and this process's share of the queries."""

    def __init__(
        self, context: Context, runtime: Runtime, beside: ThreadPoolExecutor, retrieving: ThreadPoolExecutor
    ) -> None:
        from synapse_perf.benchmarks.query_context import open_retrieval

        self.context = context
        self.runtime = runtime
        self.beside = beside
        self.retrieving = retrieving
        self.keeps_all: bool = context.workload["resident"] == "all"
        self.overlap: list[str] = context.workload["overlap"]
        self.resident: dict[str, OpenChat] = {}
        self.doing = ""
        self.rate = ""  # of the refinement before, for the display
        # Where it runs in a thread, it is opened there too: a retriever may hold what belongs to one thread.
        self.retrieve: Retrieve | None = self._in_turn_or_beside(RETRIEVAL, lambda: open_retrieval(context, runtime))()

    def samples(self) -> Iterator[Sample]:
        from synapse_perf.benchmarks.chat_parts import turns
        from synapse_perf.host.process_memory import memory_split

        context, workload = self.context, self.context.workload
        order = [
            (context.spawned_ns // 1000 + step) % len(workload["queries"]) for step in range(workload["count"] + 1)
        ]
        self._prepare(order)
        context.stage("the first query")
        first = self._sample(order[0], {"state": "first", "variant": f"first {workload['variant']}".strip()})
        yield first
        context.facts["discarded"] = self._warm_up(order, first.values[0].value)
        for done in turns(context):
            context.stage(f"query {done + 1} of {workload['count']}{self.rate}")
            yield self._sample(order[done + 1], {})
        context.facts["peak_rss"] = memory_split().peak_rss

    def close(self) -> None:
        for opened in self.resident.values():
            opened.close(self.runtime)
        self.resident = {}

    # --- one query ---------------------------------------------------------------------------------------------------

    def _answer(self, query: Json, number: int) -> Answered:
        from synapse_perf.benchmarks.chat_parts import wanted_of

        workload, clock = self.context.workload, time.perf_counter_ns
        wanted = wanted_of(workload, query["max_tokens"])
        second: str = query["second_tier"]
        started_ns = clock()
        self._make_resident(DRAFTING)
        fast_ready_ns = clock()
        retrieval = self._in_turn_or_beside(RETRIEVAL, lambda: self._retrieve(query["prompt"], number))
        load = self._in_turn_or_beside(LOAD, lambda: self._load(second)) if second not in self.resident else None
        self.doing = f"the draft of query {number}"
        draft = self._ask(DRAFTING, query["prompt"], wanted._replace(max_tokens=workload["draft_tokens"]))
        drafted_ns = clock()
        found, retrieval_s = retrieval()
        retrieved_ns = clock()
        if not self.keeps_all:
            self._release(DRAFTING)
        load_s = None if load is None else self._admit(second, load())
        second_ready_ns = clock()
        self.doing = f"the refinement of query {number}"
        context, context_tokens = self.resident[second].chat.cut(
            found.text if found else "", workload["context_tokens"]
        )
        cut_ns = clock()
        prompt = _REFINE.format(query=query["prompt"], context=context or "none", draft=draft.text)
        refinement = self._ask(second, prompt, wanted)
        return Answered(
            draft,
            refinement,
            found,
            context_tokens,
            started_ns,
            fast_ready_ns,
            drafted_ns,
            retrieved_ns,
            second_ready_ns,
            cut_ns,
            clock(),
            load_s,
            retrieval_s,
        )

    def _in_turn_or_beside(self, name: str, work: Callable[[], Any]) -> Callable[[], Any]:
        """The work as a call that gives its result: begun at once in a thread where it overlaps, else when called."""
        if name not in self.overlap:
            return work
        return (self.retrieving if name == RETRIEVAL else self.beside).submit(work).result

    def _ask(self, tier: str, prompt: str, wanted: Any) -> Answer:
        from synapse_perf.benchmarks.chat_parts import conversation

        messages: list[Message] = conversation(prompt, self.context.workload["system"])
        return self.resident[tier].chat.ask(messages, wanted)

    def _retrieve(self, query: str, number: int) -> tuple[Found | None, float]:
        started_ns = time.perf_counter_ns()
        found = self.retrieve(query, number) if self.retrieve else None
        return found, (time.perf_counter_ns() - started_ns) * 1e-9

    # --- which models are in memory ----------------------------------------------------------------------------------

    def _prepare(self, order: list[int]) -> None:
        """What is resident when the first query comes: all, or the second stage's model of a query before."""
        from synapse_perf.benchmarks.chat_parts import conversation, wanted_of

        workload = self.context.workload
        queries = [workload["queries"][place] for place in order]
        tiers = list(dict.fromkeys(query["second_tier"] for query in queries))
        self._make_resident(DRAFTING)
        wanted = wanted_of(workload)._replace(max_tokens=workload["draft_tokens"])
        for query in queries:
            self.doing = "the draft"
            self.resident[DRAFTING].chat.check_length(conversation(query["prompt"], workload["system"]), wanted)
        for tier in tiers if self.keeps_all else tiers[:1]:
            self._make_resident(tier)

    def _make_resident(self, tier: str) -> None:
        if tier in self.resident:
            return
        if not self.keeps_all:
            for other in list(self.resident):
                self._release(other)
        self._admit(tier, self._load(tier))

    def _load(self, tier: str) -> OpenChat:
        from synapse_perf.benchmarks.chat_parts import open_chat

        return open_chat(self.runtime, self.context.workload["models"][tier], tier)

    def _admit(self, tier: str, opened: OpenChat) -> float:
        self.resident[tier] = opened
        return opened.load_s

    def _release(self, tier: str) -> None:
        if tier in self.resident:
            self.resident.pop(tier).close(self.runtime)

    def _warm_up(self, order: list[int], first_s: float) -> int:
        """Models that stay are brought to their steady state; one that is loaded for each query has none."""
        from synapse_perf.benchmarks.chat_parts import conversation, warm_up

        if not self.keeps_all:
            return 0
        self.context.stage("warming up")
        workload = self.context.workload
        asked = [conversation(workload["queries"][place]["prompt"], workload["system"]) for place in sorted({*order})]
        return sum(warm_up(opened.chat, asked, first_s).discarded for opened in self.resident.values())

    # --- what one query says -----------------------------------------------------------------------------------------

    def _sample(self, place: int, labels: Labels) -> Sample:
        from synapse_perf.benchmarks.chat_parts import answer_facts

        query = self.context.workload["queries"][place]
        answered = self._answer(query, place + 1)
        refinement, found = answered.refinement, answered.found
        self.rate = f", {refinement.decode_rate:.1f} tokens/s" if refinement.decode_rate else ""
        values = [Measurement("query_latency", (answered.ended_ns - answered.started_ns) * 1e-9, labels)]
        if refinement.token_ns:
            first_s = (refinement.token_ns[0] - answered.started_ns) * 1e-9
            values.append(Measurement("time_to_first_token", first_s, labels))
        phases = _phases(answered)
        values += [Measurement("phase_time", seconds, {**labels, "phase": name}) for name, seconds in phases.items()]
        facts: dict[str, Fact] = {
            "query": place,
            "score": query["score"],
            "complexity": query["complexity"],
            "second_tier": query["second_tier"],
            "results": found.results if found else None,
            "context_tokens": answered.context_tokens,
            "load_s": answered.load_s,
            "retrieval_s": answered.retrieval_s,
            **{f"draft.{name}": value for name, value in answer_facts(answered.draft).items()},
            **answer_facts(refinement),
        }
        return Sample(tuple(values), facts)


def _phases(answered: Answered) -> dict[str, float]:
    """Seconds on the critical path; those with a dot are parts of another."""
    refinement = answered.refinement
    ends = {
        "swap.draft": (answered.started_ns, answered.fast_ready_ns),
        "draft": (answered.fast_ready_ns, answered.drafted_ns),
        "draft.prefill": (answered.draft.started_ns, answered.draft.prefilled_ns),
        "draft.generation": (answered.draft.prefilled_ns, answered.draft.ended_ns),
        "retrieval": (answered.drafted_ns, answered.retrieved_ns),
        "swap.refinement": (answered.retrieved_ns, answered.second_ready_ns),
        "cutting": (answered.second_ready_ns, answered.cut_ns),
        "prefill": (refinement.started_ns, refinement.prefilled_ns),
        "generation": (refinement.prefilled_ns, refinement.ended_ns),
    }
    phases = {name: (end - start) * 1e-9 for name, (start, end) in ends.items()}
    phases["swap"] = phases["swap.draft"] + phases["swap.refinement"]
    whole_s = (answered.ended_ns - answered.started_ns) * 1e-9
    phases["residual"] = whole_s - sum(seconds for name, seconds in phases.items() if "." not in name)
    return phases
