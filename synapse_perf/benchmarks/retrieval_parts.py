"""The parts of the built-in retrieval, loaded one after another as a service loads them, each a stage of the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.samples import Json

if TYPE_CHECKING:
    from synapse_perf.benchmarks.ledger import Ledger
    from synapse_perf.llama.encoder import Encoder
    from synapse_perf.retrieval.pipeline import Pipeline


def load_libraries(context: Context, ledger: Ledger) -> None:
    """Import FAISS and llama.cpp's bindings, and give FAISS its threads; 0 leaves them as FAISS has them."""
    from synapse_perf.retrieval.threads import set_threads

    context.stage("importing faiss and llama_cpp")
    with ledger.stage("import.faiss"):
        set_threads(context.workload["omp_threads"])
    with ledger.stage("import.llama_cpp"):
        from synapse_perf.llama.loading import low_level_api

        low_level_api()


def open_encoder(context: Context, ledger: Ledger) -> Encoder:
    """Load the encoder; BenchmarkFailed with llama.cpp's words."""
    context.stage("loading the encoder")
    with ledger.stage("encoder"):
        return encoder_from(context.workload["encoder"])


def encoder_from(options: Mapping[str, Json]) -> Encoder:
    """The encoder of a workload: path, label, threads, max_tokens."""
    from synapse_perf.llama.encoder import Encoder
    from synapse_perf.llama.loading import LoadFailed

    try:
        return Encoder(options["path"], options["threads"], options["max_tokens"])
    except LoadFailed as error:
        remedy = "give another encoder with --encoder"
        raise BenchmarkFailed("error", f"{options['label']}: {error}", remedy) from error


def open_pipeline(context: Context, ledger: Ledger, encoder: Encoder) -> Pipeline:
    """What a lazy retriever does at its first query: open the index, read the texts."""
    from synapse_perf.retrieval.opening import IndexUnusable, open_index
    from synapse_perf.retrieval.pipeline import Parameters, Pipeline

    workload = context.workload
    context.stage("opening the index")
    with ledger.stage("open"):
        try:
            index = open_index(workload["index"], workload["open"])
        except IndexUnusable as error:
            remedy = "build the index anew, or give another"
            raise BenchmarkFailed("error", f"the index cannot be opened: {error}", remedy) from error
    with ledger.stage("metadata"):
        contents = read_contents(workload["metadata"])
    _check(index, encoder, len(contents))
    return Pipeline(encoder.embed, index, contents, Parameters.from_workload(workload["parameters"]))


def read_contents(path: str) -> list[str]:
    """The texts of the chunks in the order of the index, from the engine's metadata file in either of its forms."""
    document = json.loads(Path(path).read_bytes())
    chunks = document["chunks"] if isinstance(document, dict) else document
    return [chunk["content"] for chunk in chunks]


def read_queries(path: str) -> list[str]:
    """The texts of queries.jsonl."""
    return [json.loads(line)["query"] for line in Path(path).read_bytes().splitlines()]


def _check(index: Any, encoder: Encoder, texts: int) -> None:
    if index.d != encoder.dimension:
        raise BenchmarkFailed(
            "error",
            f"the index holds vectors of {index.d} numbers, the encoder gives {encoder.dimension}",
            "give the encoder that built the index with --encoder",
        )
    if index.ntotal > texts:
        raise BenchmarkFailed(
            "error",
            f"the index holds {index.ntotal} vectors, but the metadata only {texts} texts",
            "build the index anew: the two files are out of step",
        )
    if index.ntotal == 0:
        raise BenchmarkFailed("error", "the index is empty", "index some documents first")
