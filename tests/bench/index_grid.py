"""The exhaustive grid that the tuner is held against, and the worker that measures every point of it.

Everything is built and measured: no pruning, no race. The same builder (lists are trained once for each number of them)
and the same measure as the tuner's last: recall over all queries, p95 of single queries in six processes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from synapse_perf.benchmarks.context import Context
from synapse_perf.samples import Measurement, MetricDefinition, Sample

FIRST_IMPORT = None
METRICS = {
    "recall": MetricDefinition("recall", "1", "higher", "share of the true nearest neighbours that a search finds"),
    "search_latency": MetricDefinition("search_latency", "s", "lower", "one query at a time in an open index"),
}
TIMED_QUERIES = 200
BEFORE = 10
PROBES = (1, 2, 4, 8, 16, 32)
K_FACTORS = (4, 8, 16, 32, 64, 128, 256)
EFFORTS = (16, 32, 64, 128, 256)
LISTS = {100_000: (128, 256, 512, 1024), 20_000: (64, 128, 256, 512)}


def grid(count: int) -> dict[str, list[dict[str, int]]]:
    """Every point by its factory text: 10 families, 128 points at 100,000 vectors."""
    probes = [{"nprobe": value} for value in PROBES]
    both = [{"nprobe": probe, "k_factor": factor} for probe, factor in product(PROBES, (4, 16))]
    efforts = [{"efSearch": value} for value in EFFORTS]
    factors = [{"k_factor": value} for value in K_FACTORS]
    points: dict[str, list[dict[str, int]]] = {"Flat": [{}], "SQfp16": [{}], "SQ8": [{}]}
    points |= {f"RaBitQfs,Refine({codes})": factors for codes in ("SQfp16", "SQ8")}
    lists = LISTS[min(LISTS, key=lambda size: abs(size - count))]
    points |= {f"IVF{number},{codes}": probes for number in lists for codes in ("Flat", "SQ8")}
    points |= {f"IVF{number},RaBitQfs,Refine(SQfp16)": both for number in lists}
    return points | dict.fromkeys(("HNSW16,Flat", "HNSW32,Flat", "HNSW32,SQ8"), efforts)


def measure(context: Context) -> Iterator[Sample]:
    """With `recall` in the workload: build everything and count hits; else: open everything and time it."""
    from synapse_perf.retrieval.candidate_files import TuningSet
    from synapse_perf.retrieval.threads import set_threads

    work = context.workload
    prepared = TuningSet(Path(work["directory"]), "l2", work["k"], None, None)
    order = random.Random(context.spawned_ns)
    factories = list(work["points"]) if work["recall"] else order.sample(list(work["points"]), len(work["points"]))
    for factory in factories:
        index, file = prepared.built(factory)
        points = work["points"][factory]
        if work["recall"]:
            yield from _recalls(prepared, index, factory, str(file.path), points)
            continue
        set_threads(1)
        for point in order.sample(points, len(points)):
            yield from _latencies(prepared, index, factory, point)


def label(factory: str, point: dict[str, int]) -> dict[str, str]:
    return {"index": factory, "parameters": ",".join(f"{name}={value}" for name, value in point.items())}


def _recalls(prepared: Any, index: Any, factory: str, file: str, points: list[dict[str, int]]) -> Iterator[Sample]:
    from synapse_perf.retrieval.exact import recall, true_distances
    from synapse_perf.retrieval.indexes import search
    from synapse_perf.retrieval.threads import set_threads

    set_threads(prepared.threads)
    truth = prepared.exact()
    for point in points:
        _, ids = search(index, prepared.queries, prepared.k, point)
        distances = true_distances(prepared.vectors, prepared.queries, ids)
        found = recall(ids, distances, truth.distances, prepared.k)
        low = 1.0 if factory == "Flat" else found.low
        yield Sample((Measurement("recall", found.value, label(factory, point)),), {"low": low, "file": file})


def _latencies(prepared: Any, index: Any, factory: str, point: dict[str, int]) -> Iterator[Sample]:
    from synapse_perf.retrieval.search_parameters import search_parameters

    parameters = search_parameters(index, point) if point else None
    rows = [prepared.queries[place : place + 1] for place in range(TIMED_QUERIES)]
    for row in rows[-BEFORE:]:
        index.search(row, prepared.k, params=parameters)
    taken = []
    for row in rows:
        before_ns = time.perf_counter_ns()
        index.search(row, prepared.k, params=parameters)
        taken.append((time.perf_counter_ns() - before_ns) * 1e-9)
    yield Sample(tuple(Measurement("search_latency", value, label(factory, point)) for value in taken))
