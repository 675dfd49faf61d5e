"""Which of the last few indexes answers single queries fastest, asked in turn in the same process?

Blocks of queries go to one index after the other, so that what the machine does meanwhile meets all of them alike; a
few queries before each block bring the index back into the processor's caches and are not timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.retrieval.exact import Floats

FIRST_IMPORT = None
METRICS = {
    "search_latency": MetricDefinition("search_latency", "s", "lower", "one query at a time in an open index"),
}
BLOCK = 100
BEFORE_BLOCK = 10
QUERIES = 500


def measure(context: Context) -> Iterator[Sample]:
    """One sample a query with its latency in every index, in the order of the queries."""
    import random

    import numpy as np

    from synapse_perf.retrieval.threads import set_threads

    work = context.workload
    set_threads(1)
    context.stage("opening the indexes")
    queries = np.ascontiguousarray(np.load(Path(work["directory"]) / "query_vectors.npy")[:QUERIES], dtype=np.float32)
    searches = [_search(finalist, work["k"]) for finalist in work["finalists"]]
    context.stage("timing single queries")
    order = random.Random(context.spawned_ns)  # another order in every process
    places = list(range(len(queries)))
    order.shuffle(places)
    latencies: list[dict[int, float]] = [{} for _ in searches]
    for start in range(0, len(places), BLOCK):
        block = places[start : start + BLOCK]
        for number in order.sample(range(len(searches)), len(searches)):
            _time_block(searches[number], queries, block, latencies[number])
    labels = [finalist["labels"] for finalist in work["finalists"]]
    for place in range(len(queries)):
        values = [
            Measurement("search_latency", one[place], label) for one, label in zip(latencies, labels, strict=True)
        ]
        yield Sample(tuple(values))


def _search(finalist: dict[str, Any], k: int) -> Callable[[Any], Any]:
    from synapse_perf.retrieval.opening import IndexUnusable, open_index
    from synapse_perf.retrieval.search_parameters import search_parameters

    try:
        index = open_index(finalist["file"])
    except IndexUnusable as error:
        raise BenchmarkFailed("error", f"cannot open {Path(finalist['file']).name}: {error}", "tune again") from error
    parameters = search_parameters(index, finalist["point"]) if finalist["point"] else None
    k = min(k, index.ntotal)
    return lambda row: index.search(row, k, params=parameters)


def _time_block(search: Callable[[Any], Any], queries: Floats, block: list[int], latencies: dict[int, float]) -> None:
    rows = [queries[place : place + 1] for place in block]
    for row in rows[-BEFORE_BLOCK:]:
        search(row)
    for place, row in zip(block, rows, strict=True):
        before_ns = time.perf_counter_ns()
        search(row)
        latencies[place] = (time.perf_counter_ns() - before_ns) * 1e-9
