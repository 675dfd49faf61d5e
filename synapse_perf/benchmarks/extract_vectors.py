"""Writes the vectors that an index holds into a file, so that other indexes can be built over them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Sample

FIRST_IMPORT = None
METRICS = {}  # type: ignore[var-annotated]
TEXTS = "tune on the texts instead: --corpus DIR"


def measure(context: Context) -> Iterator[Sample]:
    """No sample: a file of float32, one row a vector, in the order of the index."""
    import numpy as np

    from synapse_perf.retrieval.opening import IndexUnusable, open_index
    from synapse_perf.retrieval.stored_vectors import StoredVectors

    context.stage("reading the vectors of the index")
    try:
        stored = StoredVectors(open_index(context.workload["index"]))
    except IndexUnusable as error:
        raise BenchmarkFailed("error", f"the index cannot be opened: {error}", "build it anew") from error
    if not stored.can_be_read or stored.storage != "exact":
        raise BenchmarkFailed("error", "the index keeps no exact vectors to build others from", TEXTS)
    path = Path(context.workload["output"])
    fresh = path.with_name(f".{path.name}")
    with fresh.open("wb") as file:
        np.save(file, stored.all_rows())
    fresh.replace(path)
    yield Sample(())
