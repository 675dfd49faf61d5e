"""Embeds a corpus and builds the index over it: the preparation of a retrieval benchmark, in a process of its own.

Not timed as a benchmark. Texts that were embedded before come from the cache, so an interrupted run goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.retrieval_parts import encoder_from, read_contents, read_queries
from synapse_perf.samples import Measurement, MetricDefinition, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from synapse_perf.llama.encoder import Encoder

    Embedded: TypeAlias = tuple[str, NDArray[np.float32]]

FIRST_IMPORT = None
METRICS = {
    metric.name: metric
    for metric in (
        MetricDefinition("embedding_time", "s", "lower", "time to embed the texts that were not in the cache"),
        MetricDefinition("build_time", "s", "lower", "time to train, fill and write the index"),
    )
}
TOLD_EVERY_S = 0.5
ANOTHER_ENCODER = "give another encoder with --encoder"
MORE_SPACE = "free some space, or keep it elsewhere (SYNAPSE_PERF_CACHE_DIR)"


def measure(context: Context) -> Iterator[Sample]:
    """Write docs.index, vectors.npy and query_vectors.npy beside docs_metadata.json and queries.jsonl."""
    from synapse_perf.retrieval.building import save_vectors

    workload = context.workload
    folder = Path(workload["directory"])
    started_s = time.monotonic()
    factory = workload["factory"]  # None: the index exists, only the queries are embedded
    texts = read_contents(str(folder / "docs_metadata.json")) if factory is not None else []
    queries = read_queries(str(folder / "queries.jsonl"))
    try:
        vectors, embedded = _embedded(context, [*texts, *queries])
        embedding_s = time.monotonic() - started_s
        chunk_vectors = vectors[: len(texts)]
        started_s = time.monotonic()
        if factory is not None:
            context.stage(f"building the index over {len(texts)} vectors")
            _build(chunk_vectors, folder / "docs.index", factory)
            save_vectors(chunk_vectors, folder / "vectors.npy")
        save_vectors(vectors[len(texts) :], folder / "query_vectors.npy")
    except OSError as error:
        raise BenchmarkFailed(
            "error", f"the prepared set cannot be kept: {error.strerror or error}", MORE_SPACE
        ) from error
    facts = {"texts": len(texts), "queries": len(queries), "embedded": embedded, "dimension": vectors.shape[1]}
    values = (Measurement("embedding_time", embedding_s), Measurement("build_time", time.monotonic() - started_s))
    yield Sample(values, facts)


def _embedded(context: Context, texts: list[str]) -> tuple[NDArray[np.float32], int]:
    """The vectors of all texts in their order, and how many had to be embedded now."""
    import numpy as np

    from synapse_perf.llama.loading import LoadFailed
    from synapse_perf.retrieval.embedding_cache import EmbeddingCache

    context.stage("loading the encoder")
    options = {**context.workload["encoder"], "threads": 1}
    encoders = [encoder_from(options)]
    waits = partial(context.stage, "waiting for another run that embeds with the same encoder")
    try:
        with EmbeddingCache(Path(context.workload["cache"]), encoders[0].dimension, waits) as cache:
            vectors = np.empty((len(texts), encoders[0].dimension), np.float32)
            missing = [text for text in dict.fromkeys(texts) if text not in cache]
            side_by_side = min(context.workload["encoder"]["threads"], len(missing))
            encoders += [encoder_from(options) for _ in range(1, side_by_side)]
            for text, vector in _told(context, _in_turn(encoders, missing), len(missing)):
                cache.add(text, vector)
            for row, text in enumerate(texts):
                vectors[row] = cache.get(text)
    except LoadFailed as error:
        raise BenchmarkFailed("error", f"{options['label']}: {error}", ANOTHER_ENCODER) from error
    for encoder in encoders:
        encoder.close()
    if not np.isfinite(vectors).all():
        raise BenchmarkFailed("error", f"{options['label']} gives vectors that are no numbers (NaN)", ANOTHER_ENCODER)
    return vectors, len(missing)


def _in_turn(encoders: list[Encoder], texts: list[str]) -> Iterator[Embedded]:
    """Each text with its vector, in order.

    The encoders work side by side with one thread each: threads that share a text wait for each other spinning, which
    on a busy machine makes embedding ten times slower than one thread alone.
    """
    from concurrent.futures import ThreadPoolExecutor
    from queue import SimpleQueue

    free: SimpleQueue[Encoder] = SimpleQueue()
    for encoder in encoders:
        free.put(encoder)

    def embed(text: str) -> Embedded:
        encoder = free.get()
        try:
            return text, encoder.embed(text)
        finally:
            free.put(encoder)

    with ThreadPoolExecutor(len(encoders)) as pool:
        yield from pool.map(embed, texts)


def _told(context: Context, embedded: Iterator[Embedded], count: int) -> Iterator[Embedded]:
    """The same, with the progress told now and then."""
    started_s = told_s = time.monotonic()
    for done, one in enumerate(embedded, start=1):
        yield one
        now_s = time.monotonic()
        if now_s - told_s > TOLD_EVERY_S:
            told_s = now_s
            left_s = (now_s - started_s) / done * (count - done)
            context.stage(f"embedding texts, {done} of {count}, about {left_s:.0f} s left")


def _build(vectors: NDArray[np.float32], path: Path, factory: str) -> None:
    from synapse_perf.retrieval.building import CannotBuild, build_index, save_index

    try:
        index: Any = build_index(vectors, factory)
    except CannotBuild as error:
        raise BenchmarkFailed("error", str(error), "choose another --factory") from error
    save_index(index, path)
