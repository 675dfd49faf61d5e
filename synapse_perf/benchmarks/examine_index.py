"""Is this index what its metadata and its encoder say it is, and how is it set up? Looked at before any time is taken.

Nothing is timed for a target here. What cannot be searched at all ends with the one line that says why; everything else
is told as facts, of which the parent makes findings.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.benchmarks.retrieval_parts import encoder_from
from synapse_perf.samples import Json, MetricDefinition, Sample

if TYPE_CHECKING:
    from synapse_perf.llama.encoder import Encoder
    from synapse_perf.retrieval.exact import Floats
    from synapse_perf.retrieval.stored_vectors import Scan, StoredVectors

FIRST_IMPORT = None
METRICS: dict[str, MetricDefinition] = {}
# Stages in which it is the index file's fault when the process dies.
OPENING = "opening the index"
SEARCHING = "searching the index"
READING = "reading the vectors of the index"
ROWS_AT_MOST = 2_000_000  # of a larger index a sample is looked at
DIMENSION_ROWS = 20_000
QUERIES = 30
REBUILD = "build the index anew, or give another"


def measure(context: Context) -> Iterator[Sample]:
    """No sample: the facts of the process are what was found."""
    workload, facts = context.workload, context.facts
    context.stage("importing faiss")
    index, facts["open_s"] = _opened(context)
    from synapse_perf.retrieval.index_facts import describe_index

    facts["k"] = workload["k"]
    facts["index"] = describe_index(index, workload["parameters"]["search"])
    if index.ntotal == 0:
        raise BenchmarkFailed("error", f"{workload['name']}: the index is empty", "index some documents first")
    contents = _contents(context)
    encoder = _encoder(context, index)
    _search_once(context, index)
    _look_at_vectors(context, index, contents, encoder)
    if encoder is not None:
        facts["cut_off"] = _cut_off(context, encoder, contents)
        encoder.close()
    context.stage("comparing numbers of threads")
    facts["threads"] = _threads(context, index)
    facts["runtimes"] = _runtimes()
    yield from ()


def _opened(context: Context) -> tuple[Any, float]:
    from synapse_perf.retrieval.index_damage import open_checked
    from synapse_perf.retrieval.opening import IndexUnusable

    workload = context.workload
    context.stage(OPENING)
    started_s = time.monotonic()
    try:
        index = open_checked(workload["index"], workload["open"])
    except IndexUnusable as error:
        raise BenchmarkFailed("error", f"{workload['name']} cannot be used: {error}", REBUILD) from error
    return index, time.monotonic() - started_s


def _contents(context: Context) -> Sequence[str]:
    """The texts; none where there are only vectors."""
    path = context.workload["metadata"]
    if not path:
        return ()
    from synapse_perf.errors import InputError
    from synapse_perf.retrieval.chunks import read_metadata

    context.stage("reading the metadata of the index")
    started_s = time.monotonic()
    try:
        metadata = read_metadata(path)
    except InputError as error:
        raise BenchmarkFailed("error", error.message, error.remedy) from error
    read_s = time.monotonic() - started_s
    chunks = metadata.chunks
    context.facts["metadata"] = {"texts": len(chunks), "model_name": metadata.model_name, "read_s": read_s}
    return [chunk.content for chunk in chunks]


def _encoder(context: Context, index: Any) -> Encoder | None:
    options = context.workload["encoder"]
    if options is None:
        return None
    context.stage("loading the encoder")
    started_s = time.monotonic()
    encoder = encoder_from(options)
    context.facts["encoder_s"] = time.monotonic() - started_s
    context.facts["encoder"] = {name: options[name] for name in ("label", "model_name", "is_sample")}
    if index.d != encoder.dimension:
        raise BenchmarkFailed(
            "error",
            f"{context.workload['name']} holds vectors of {index.d} numbers, {options['label']} gives "
            f"{encoder.dimension}",
            "give the encoder that built the index with --encoder",
        )
    return encoder


def _search_once(context: Context, index: Any) -> None:
    """What the file breaks in a search, it breaks here; a parameter that the index does not have is told."""
    import numpy as np

    from synapse_perf.retrieval.pipeline import searcher
    from synapse_perf.retrieval.search_parameters import UnknownParameter

    workload = context.workload
    queries = np.load(workload["query_vectors"])[:5]
    if len(queries) and queries.shape[1] != index.d:
        raise BenchmarkFailed(
            "error", f"{workload['name']} holds vectors of {index.d} numbers, the queries have {queries.shape[1]}"
        )
    context.stage(SEARCHING)
    try:
        search = searcher(index, workload["parameters"]["search"])
        for row in queries:
            search(row.reshape(1, -1), min(workload["k"], index.ntotal))
    except UnknownParameter as error:
        raise BenchmarkFailed("error", f"{workload['name']}: {error}", "leave the option out") from error
    except RuntimeError as error:
        words = str(error).strip().rpartition("Error: ")[2]
        raise BenchmarkFailed("error", f"{workload['name']} cannot be searched: {words}", REBUILD) from error


# --- the vectors and their texts -------------------------------------------------------------------------------------


def _look_at_vectors(context: Context, index: Any, contents: Sequence[str], encoder: Encoder | None) -> None:
    import numpy as np

    from synapse_perf.retrieval.pipeline import searcher
    from synapse_perf.retrieval.round_trip import choose_texts, compare
    from synapse_perf.retrieval.stored_vectors import StoredVectors, scan

    context.stage(READING)
    stored = StoredVectors(index)
    if contents:
        _check_ids(context, stored, len(contents))
    places = choose_texts(stored.ids, contents) if encoder is not None and contents else []
    fresh = np.empty((len(places), index.d), dtype=np.float32)
    context.stage("embedding a few stored texts again")
    for row, place in zip(fresh, places, strict=True):
        assert encoder is not None
        row[:] = encoder.embed(contents[place])
    context.stage(READING)
    found = scan(stored, fresh, _sampled(stored)) if stored.can_be_read else None
    if found is not None:
        _check_finite(context, found)
        context.facts["vectors"] = _about_vectors(stored, found)
    if places:
        search = searcher(index, context.workload["parameters"]["search"])
        context.facts["round_trip"] = _with_texts(compare(stored, places, fresh, found, search), contents)


def _check_ids(context: Context, stored: StoredVectors, texts: int) -> None:
    last = int(stored.ids[-1])
    context.facts["metadata"]["last_id"] = last
    if last < texts:
        return
    held = len(stored.ids)
    what = f"{held} vectors" if last == held - 1 else f"{held} vectors with ids up to {last}"
    raise BenchmarkFailed(
        "error",
        f"{context.workload['name']} holds {what}, but its metadata only {texts} texts: they are out of step",
        "build the index and its metadata anew, together",
    )


def _sampled(stored: StoredVectors) -> Any:
    """All ids, or of very many some at random."""
    import numpy as np

    if len(stored.ids) <= ROWS_AT_MOST:
        return None
    return np.sort(np.random.default_rng(0).choice(stored.ids, size=ROWS_AT_MOST, replace=False))


def _check_finite(context: Context, found: Scan) -> None:
    broken = len(found.not_finite)
    if broken:
        more = f" and {broken - 1} more" if broken > 1 else ""
        raise BenchmarkFailed(
            "error",
            f"{context.workload['name']}: vector {int(found.not_finite[0])}{more} holds NaN or infinity, "
            "which no search finds",
            "embed their texts again, and build the index anew",
        )


def _about_vectors(stored: StoredVectors, found: Scan) -> dict[str, Json]:
    import numpy as np

    lengths = found.lengths
    return {
        "looked_at": len(lengths),
        "shortest": float(lengths.min()),
        "median_length": float(np.median(lengths)),
        "longest": float(lengths.max()),
        "share_of_lengths_off": float(np.mean(np.abs(lengths - 1) > 0.01)),
        "intrinsic_dimension": _intrinsic_dimension(stored),
    }


def _intrinsic_dimension(stored: StoredVectors) -> Json:
    """Of a part of the vectors where there are many: the estimate is for comparing sets of about the same size."""
    import numpy as np

    from synapse_perf.retrieval.dimension import intrinsic_dimension

    ids = stored.ids
    if len(ids) > DIMENSION_ROWS:
        ids = np.sort(np.random.default_rng(0).choice(ids, size=DIMENSION_ROWS, replace=False))
    vectors: Floats = stored.rows(ids)
    estimate = intrinsic_dimension(vectors, sample=500)
    return estimate and {"value": estimate.value, "low": estimate.low, "high": estimate.high, "vectors": len(ids)}


def _with_texts(trips: list[dict[str, Json]], contents: Sequence[str]) -> list[dict[str, Json]]:
    for trip in trips:
        found = trip["found"]
        trip["same_text"] = 0 <= found < len(contents) and contents[found] == contents[trip["id"]]
    return trips


def _cut_off(context: Context, encoder: Encoder, contents: Sequence[str]) -> dict[str, Json]:
    from synapse_perf.retrieval.text_limits import cut_off

    context.stage("counting the tokens of the texts")
    return cut_off(encoder.count_tokens, contents, encoder.max_tokens)


# --- the process -----------------------------------------------------------------------------------------------------


def _threads(context: Context, index: Any) -> dict[str, Json]:
    import numpy as np

    from synapse_perf.retrieval.pipeline import searcher
    from synapse_perf.retrieval.thread_cost import thread_cost

    workload = context.workload
    search, k = searcher(index, workload["parameters"]["search"]), min(workload["k"], index.ntotal)
    rows = [row.reshape(1, -1) for row in np.load(workload["query_vectors"])[:QUERIES]]
    return thread_cost(lambda row: search(row, k), rows, workload["omp_threads"])


def _runtimes() -> dict[str, list[str]] | None:
    """The OpenMP and BLAS libraries of a process that has all the parts of a retrieval; None: it cannot be told."""
    from synapse_perf.host.loaded_libraries import loaded_libraries, thread_runtimes
    from synapse_perf.llama.loading import low_level_api

    low_level_api()
    paths = loaded_libraries()
    return None if paths is None else thread_runtimes(paths)
