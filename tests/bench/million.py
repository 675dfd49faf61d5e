"""One stage of a million vectors in a process of its own, whose peak memory is its own: made, or built and asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from synapse_perf.benchmarks.context import Context
from synapse_perf.samples import Measurement, MetricDefinition, Sample

FIRST_IMPORT = None
METRICS: dict[str, MetricDefinition] = {}
COUNT, QUERIES, K = 1_000_000, 200, 10


def measure(context: Context) -> Iterator[Sample]:
    """Without a factory text the vectors are made, with one its index is built, saved, opened and searched."""
    directory, factory = Path(context.workload["directory"]), context.workload["factory"]
    seconds = _search(directory, factory) if factory else _make(directory)
    yield Sample(tuple(Measurement(name, value) for name, value in [*seconds.items(), ("peak_rss", _peak_bytes())]))


def _make(directory: Path) -> dict[str, float]:
    import numpy as np

    from synapse_perf.retrieval.synthetic import synthetic_vectors

    started_s = time.perf_counter()
    vectors, queries = synthetic_vectors(COUNT, queries=QUERIES)
    made_s = time.perf_counter()
    np.save(directory / "vectors.npy", vectors)
    np.save(directory / "query_vectors.npy", queries)
    return {"make_s": made_s - started_s, "save_s": time.perf_counter() - made_s}


def _search(directory: Path, factory: str) -> dict[str, float]:
    import numpy as np

    from synapse_perf.retrieval.code_for import open_mode
    from synapse_perf.retrieval.indexes import build, file_bytes, search
    from synapse_perf.retrieval.opening import open_index
    from synapse_perf.retrieval.threads import set_threads

    queries = np.load(directory / "query_vectors.npy")
    path = directory / "one.index"
    built = build(np.load(directory / "vectors.npy", mmap_mode="r"), factory)
    stamps = [time.perf_counter()]
    size = file_bytes(built.index, path)
    stamps.append(time.perf_counter())
    train_s, add_s = built.train_s, built.add_s
    del built
    set_threads(1)
    stamps.append(time.perf_counter())
    index = open_index(str(path), open_mode(factory))
    stamps.append(time.perf_counter())
    point = {name: value for name, value in (("nprobe", 16), ("k_factor", 16)) if _has(factory, name)}
    latencies = []
    for place in range(len(queries)):
        before_s = time.perf_counter()
        search(index, queries[place : place + 1], K, point)
        latencies.append(time.perf_counter() - before_s)
    path.unlink()
    return {
        "train_s": train_s,
        "add_s": add_s,
        "save_s": stamps[1] - stamps[0],
        "file_bytes": float(size),
        "open_s": stamps[3] - stamps[2],
        "first_query_s": latencies[0],
        "p50_s": float(np.median(latencies)),
    }


def _has(factory: str, name: str) -> bool:
    return ("IVF" in factory) if name == "nprobe" else ("Refine" in factory)


def _peak_bytes() -> float:
    from synapse_perf.host.process_memory import memory_split

    return float(memory_split().peak_rss or 0)
