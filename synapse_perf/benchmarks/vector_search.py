"""How long does one search take in a settled process, where there are vectors but no texts?"""

from __future__ import annotations

import time
from collections.abc import Iterator

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Measurement, MetricDefinition, Sample

FIRST_IMPORT = "numpy"
METRICS = {"retrieval_latency": MetricDefinition("retrieval_latency", "s", "lower", "one search")}
WARM_UPS = 20


def measure(context: Context) -> Iterator[Sample]:
    """A sample for each query, one at a time; nothing is told between two of them."""
    import numpy as np

    from synapse_perf.retrieval.opening import IndexUnusable, open_index
    from synapse_perf.retrieval.pipeline import searcher
    from synapse_perf.retrieval.threads import set_threads

    workload = context.workload
    set_threads(workload["omp_threads"])
    context.stage("opening the index")
    try:
        index = open_index(workload["index"], workload["open"])
    except IndexUnusable as error:
        raise BenchmarkFailed("error", f"the index cannot be opened: {error}", "build it anew") from error
    vectors = np.load(workload["query_vectors"])
    first, count = context.spawned_ns // 1000 % len(vectors), min(workload["count"], len(vectors))
    rows = [vectors[(first + n) % len(vectors)].reshape(1, -1) for n in range(len(vectors))]
    search, k = searcher(index, workload["parameters"]["search"]), min(workload["k"], index.ntotal)
    for row in (rows[count:] or rows)[:WARM_UPS]:
        search(row, k)
    context.stage(f"searching for {count} queries, one at a time")
    clock, cpu, stamps = time.perf_counter_ns, time.process_time_ns, []
    for row in rows[:count]:
        started, started_cpu = clock(), cpu()
        search(row, k)
        stamps.append((clock() - started, cpu() - started_cpu))
    labels = {"state": "warm", "stage": "search"}
    for number, (wall_ns, cpu_ns) in enumerate(stamps):
        facts = {"query": (first + number) % len(vectors), "cpu_s": cpu_ns * 1e-9}
        yield Sample((Measurement("retrieval_latency", wall_ns * 1e-9, labels),), facts)
