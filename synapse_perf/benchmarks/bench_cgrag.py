"""How long does a retrieval take, from the text of a query to the packed context: in a cold process, and in a warm one?

One process measures one state. ``process-cold``: from the spawn, everything included. ``cold``: libraries and encoder
are resident, the index is not. ``preloaded``: the index was opened, and another query answered, before. ``warm``: many
queries, one at a time, once the process has settled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.context import Context
from synapse_perf.samples import Fact, Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.benchmarks.ledger import Ledger
    from synapse_perf.llama.encoder import Encoder
    from synapse_perf.retrieval.pipeline import Pipeline, Retrieved

FIRST_IMPORT = "numpy"
METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition(
            "retrieval_latency", "s", "lower", "text of a query to the packed context, or one stage of it"
        ),
        MetricDefinition("recall", "1", "higher", "share of the true nearest neighbours that a search finds"),
        MetricDefinition("peak_rss", "B", "lower", "highest resident memory of the process"),
    )
}
WARM_UP_TEXT = "which setting decides how many chunks are returned?"
STEADY_WINDOW = 5  # queries
STEADY_WITHIN = 1.1  # of the window before: then the process has settled
WARM_UPS_AT_MOST = 40


def measure(context: Context) -> Iterator[Sample]:
    """One sample in the cold states; in the warm one a sample for each query."""
    from synapse_perf.benchmarks.ledger import Ledger
    from synapse_perf.benchmarks.retrieval_parts import load_libraries, open_encoder, open_pipeline, read_queries

    workload, ledger = context.workload, Ledger()
    load_libraries(context, ledger)
    encoder = open_encoder(context, ledger)
    queries = read_queries(workload["queries"])
    if workload["state"] == "warm":
        yield from _warm_samples(context, open_pipeline(context, ledger, encoder), queries)
    else:
        yield _first_sample(context, ledger, encoder, queries)
    encoder.close()


# --- the first retrieval of a process --------------------------------------------------------------------------------


def _first_sample(context: Context, ledger: Ledger, encoder: Encoder, queries: Sequence[str]) -> Sample:
    from synapse_perf.benchmarks.retrieval_parts import open_pipeline
    from synapse_perf.host.residency import resident_share

    state, number = context.workload["state"], _drawn(context, queries)
    if state != "process-cold":
        encoder.embed(WARM_UP_TEXT)  # a resident encoder has served before
    resident = resident_share(context.workload["index"])
    pipeline = open_pipeline(context, ledger, encoder)
    if state == "preloaded":
        pipeline.retrieve(WARM_UP_TEXT)
    context.stage("answering the first query")
    with ledger.stage("retrieve"):
        retrieved = pipeline.retrieve(queries[number])
    facts = {"query": number, "resident_at_open": resident, **_about(retrieved), **ledger.counts()}
    values = _ledger_values(context, state, ledger, retrieved)
    return Sample(tuple(_latency(state, stage, seconds) for stage, seconds in values.items()), facts)


def _ledger_values(context: Context, state: str, ledger: Ledger, retrieved: Retrieved) -> dict[str, float]:
    """The total of a state and its stages: since the spawn, since the index was needed, or of the answer alone.

    What the worker itself needs before it can begin is no part of the total, and told apart.
    """
    answer = _stages(retrieved)
    answer_s = sum(answer.values())
    if state == "preloaded":
        return {"total": answer_s, "preload": sum(ledger.durations_s(("open", "metadata")).values()), **answer}
    if state == "cold":
        opening = ledger.durations_s(("open", "metadata"))
        return {"total": sum(opening.values()) + answer_s, **opening, **answer}
    from synapse_perf.benchmarks.ledger import before_the_benchmark

    before = before_the_benchmark(context, ledger)
    stages = {"interpreter": before["interpreter"], "import.numpy": before["first_import"]}
    stages |= {**ledger.durations_s(("import.faiss", "import.llama_cpp", "encoder", "open", "metadata")), **answer}
    total_s = (retrieved.stamps[-1].at_ns - context.spawned_ns) * 1e-9 - before["harness"]
    residual_s = total_s - sum(stages.values())
    return {"total": total_s, **stages, "residual": residual_s, "harness": before["harness"]}


# --- the retrievals of a process that has settled --------------------------------------------------------------------


def _warm_samples(context: Context, pipeline: Pipeline, queries: Sequence[str]) -> Iterator[Sample]:
    """This process's share of the queries; nothing is told between two of them."""
    from synapse_perf.host.process_memory import memory_split

    first, count = _drawn(context, queries), min(context.workload["count"], len(queries))
    order = [*range(first, len(queries)), *range(first)]
    context.stage("warming up")
    discarded = _warm_up(pipeline, [queries[number] for number in order[count:] or order])
    context.stage(f"answering {count} queries, one at a time")
    answers = [(number, pipeline.retrieve(queries[number])) for number in order[:count]]
    context.facts.update(discarded=discarded, peak_rss=memory_split().peak_rss)
    for number, retrieved in answers:
        stages = _stages(retrieved)
        values = {"total": sum(stages.values()), **stages}
        facts = {"query": number, "discarded": discarded, **_about(retrieved), **_cpu_facts(retrieved)}
        yield Sample(tuple(_latency("warm", stage, seconds) for stage, seconds in values.items()), facts)


def _warm_up(pipeline: Pipeline, queries: Sequence[str]) -> int:
    """Answer queries until a window of them is no longer faster than the one before; how many were discarded."""
    window_s = float("inf")
    for done in range(0, WARM_UPS_AT_MOST, STEADY_WINDOW):
        answers = [pipeline.retrieve(queries[(done + place) % len(queries)]) for place in range(STEADY_WINDOW)]
        before_s, window_s = window_s, min(sum(_stages(answer).values()) for answer in answers)
        if before_s < window_s * STEADY_WITHIN:
            return done + STEADY_WINDOW
    return WARM_UPS_AT_MOST


# --- what one answer says --------------------------------------------------------------------------------------------


def _drawn(context: Context, queries: Sequence[str]) -> int:
    """The query that this process begins with: another in each, as their starts are never at the same microsecond."""
    return context.spawned_ns // 1000 % len(queries)


def _latency(state: str, stage: str, seconds: float) -> Measurement:
    return Measurement("retrieval_latency", seconds, {"state": state, "stage": stage})


def _stages(retrieved: Retrieved) -> dict[str, float]:
    from synapse_perf.retrieval.pipeline import STAGES

    stamps = retrieved.stamps
    return {name: (stamps[i + 1].at_ns - stamps[i].at_ns) * 1e-9 for i, name in enumerate(STAGES)}


def _cpu_facts(retrieved: Retrieved) -> dict[str, Fact]:
    """Processor time of all threads by stage, in seconds."""
    from synapse_perf.retrieval.pipeline import STAGES

    stamps = retrieved.stamps
    stages = {f"{name}.cpu_s": (stamps[i + 1].cpu_ns - stamps[i].cpu_ns) * 1e-9 for i, name in enumerate(STAGES)}
    return {"cpu_s": sum(stages.values()), **stages}


def _about(retrieved: Retrieved) -> dict[str, Fact]:
    packed = retrieved.packed
    return {"chunks": len(packed.chunks), "tokens": packed.tokens, "candidates": retrieved.candidates}
