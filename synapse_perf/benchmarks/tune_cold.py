"""How long does a first answer take with the libraries loaded and the index not, and what memory does it hold?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Fact, Measurement, MetricDefinition, Sample

FIRST_IMPORT = None
METRICS = {
    "index_cold_time": MetricDefinition("index_cold_time", "s", "lower", "open an index and answer the first query"),
    "index_memory": MetricDefinition("index_memory", "B", "lower", "memory added by an open index after a query"),
}


def measure(context: Context) -> Iterator[Sample]:
    """One sample: this process opens the file once. The parent has put it out of the page cache before."""
    import numpy as np

    from synapse_perf.host.counters import snapshot
    from synapse_perf.host.process_memory import memory_split
    from synapse_perf.retrieval.indexes import search
    from synapse_perf.retrieval.opening import IndexUnusable, open_index
    from synapse_perf.retrieval.threads import set_threads

    work = context.workload
    set_threads(1)
    queries = np.load(Path(work["directory"]) / "query_vectors.npy", mmap_mode="r")
    place = context.spawned_ns % len(queries)
    query = np.array(queries[place : place + 1], dtype=np.float32)
    memory_before, counted_before = memory_split(), snapshot()
    context.stage("opening the index")
    started_ns = time.perf_counter_ns()
    try:
        index = open_index(work["file"], work["mode"])
    except IndexUnusable as error:
        raise BenchmarkFailed(
            "error", f"cannot open {Path(work['file']).name}: {error}", "open it in another way"
        ) from error
    opened_ns = time.perf_counter_ns()
    search(index, query, min(work["k"], index.ntotal), work["point"])
    ended_ns = time.perf_counter_ns()
    memory, counted = memory_split(), snapshot()
    facts: dict[str, Fact] = {
        "mode": work["mode"],
        "open_s": (opened_ns - started_ns) * 1e-9,
        "first_query_s": (ended_ns - opened_ns) * 1e-9,
        "major_faults": counted.major_faults - counted_before.major_faults,
    }
    values = [Measurement("index_cold_time", (ended_ns - started_ns) * 1e-9)]
    if memory.rss is not None and memory_before.rss is not None:
        values.append(Measurement("index_memory", float(memory.rss - memory_before.rss)))
    yield Sample(tuple(values), facts)
