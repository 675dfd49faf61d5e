"""What does a way to open the index cost, with the first query that pays for what the opening put off?

A map that opens in a fraction of a millisecond may fault in the whole file at the first query, so neither is told
without the other.
"""

from __future__ import annotations

from collections.abc import Iterator

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Measurement, MetricDefinition, Sample

FIRST_IMPORT = "numpy"
METRICS = {
    "retrieval_latency": MetricDefinition("retrieval_latency", "s", "lower", "one stage of opening and searching"),
}
NEXT_SEARCHES = 5


def measure(context: Context) -> Iterator[Sample]:
    """One sample: open, first search, and the median of the next few, in this process alone."""
    import statistics

    import numpy as np

    from synapse_perf.benchmarks.ledger import Ledger
    from synapse_perf.host.process_memory import memory_split
    from synapse_perf.host.residency import resident_share
    from synapse_perf.retrieval.opening import IndexUnusable, open_index
    from synapse_perf.retrieval.pipeline import searcher
    from synapse_perf.retrieval.threads import set_threads

    workload, ledger = context.workload, Ledger()
    set_threads(workload["omp_threads"])
    vectors = np.load(workload["query_vectors"])
    first = context.spawned_ns // 1000 % len(vectors)
    rows = [vectors[(first + n) % len(vectors)].reshape(1, -1) for n in range(NEXT_SEARCHES + 1)]
    resident = resident_share(workload["index"])
    before = memory_split()
    context.stage(f"opening the index ({workload['open']})")
    with ledger.stage("open"):
        try:
            index = open_index(workload["index"], workload["open"])
        except IndexUnusable as error:
            raise BenchmarkFailed("error", f"the index cannot be opened this way: {error}", "leave it out") from error
    search = searcher(index, workload["parameters"]["search"])
    with ledger.stage("first_search"):
        search(rows[0], min(workload["k"], index.ntotal))
    for row in rows[1:]:
        with ledger.stage("next_search"):
            search(row, min(workload["k"], index.ntotal))
    spans = ledger.durations_s(("open", "first_search"))
    following = [(end.at_ns - start.at_ns) * 1e-9 for name, start, end in ledger.spans if name == "next_search"]
    values = {"open+search": sum(spans.values()), **spans, "next_search": statistics.median(following)}
    after = memory_split()
    facts = {"resident_at_open": resident, "query": first, **ledger.counts()}
    if after.anonymous is not None and before.anonymous is not None:
        facts["anonymous_bytes"] = after.anonymous - before.anonymous
    labels = {"state": workload["state"], "open": workload["open"]}
    yield Sample(
        tuple(
            Measurement("retrieval_latency", seconds, {**labels, "stage": stage}) for stage, seconds in values.items()
        ),
        facts,
    )
