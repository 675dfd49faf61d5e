"""Makes a set of vectors without texts ready to be searched: given as a file, or made; in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FIRST_IMPORT = None
MORE_SPACE = "free some space, or keep it elsewhere (SYNAPSE_PERF_CACHE_DIR)"
METRICS = {"build_time": MetricDefinition("build_time", "s", "lower", "time to train, fill and write the index")}


def measure(context: Context) -> Iterator[Sample]:
    """Write docs.index, vectors.npy and query_vectors.npy; queries are never rows that are indexed."""
    from synapse_perf.errors import InputError
    from synapse_perf.retrieval.building import CannotBuild, build_index, engine_factory, save_index, save_vectors

    workload, folder = context.workload, Path(context.workload["directory"])
    try:
        vectors, queries = _vectors(context)
        factory = workload["factory"] or engine_factory(len(vectors))
        started_s = time.monotonic()
        context.stage(f"building {factory} over {len(vectors)} vectors")
        index = build_index(vectors, factory)
    except InputError as error:
        raise BenchmarkFailed("error", error.message, error.remedy) from error
    except CannotBuild as error:
        raise BenchmarkFailed("error", str(error), "choose another --factory") from error
    try:
        save_index(index, folder / "docs.index")
        build_s = time.monotonic() - started_s
        save_vectors(vectors, folder / "vectors.npy")
        save_vectors(queries, folder / "query_vectors.npy")
    except OSError as error:
        raise BenchmarkFailed(
            "error", f"the prepared set cannot be kept: {error.strerror or error}", MORE_SPACE
        ) from error
    facts = {"vectors": len(vectors), "queries": len(queries), "dimension": vectors.shape[1], "factory": factory}
    yield Sample((Measurement("build_time", build_s),), facts)


def _vectors(context: Context) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The vectors to index and those to ask with, all of length 1."""
    workload = context.workload
    if workload["file"] is None:
        from synapse_perf.retrieval.synthetic import synthetic_vectors

        context.stage(f"making {workload['count']} vectors")
        return synthetic_vectors(workload["count"], workload["dimension"], seed=workload["seed"])
    from synapse_perf.retrieval.vector_files import hold_out, read_vectors, unit_rows

    context.stage("reading the vectors")
    kept, queries = hold_out(read_vectors(Path(workload["file"])), seed=workload["seed"])
    return unit_rows(kept), unit_rows(queries)
