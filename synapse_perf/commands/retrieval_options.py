"""The options of bench-cgrag: what is searched, and how a query is answered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from synapse_perf.commands.options import option

SOURCE = "What is searched (one of these; with none, a built-in sample)"
RETRIEVAL = "How a query is answered (defaults: those of the engine)"
CASES = "Which cases"
TUNING = "Which index"


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What is searched, and with which queries."""

    corpus: Annotated[Path | None, option("Index this folder of text and code.", "--corpus", SOURCE, metavar="DIR")] = (
        None
    )
    index: Annotated[
        Path | None, option("A FAISS index, with its metadata beside it.", "--index", SOURCE, metavar="FILE")
    ] = None
    engine: Annotated[
        Path | None, option("The index and the settings of an engine checkout.", "--engine", SOURCE, metavar="DIR")
    ] = None
    retriever: Annotated[
        str | None,
        option("Your own code: a factory of retrievers.", "--retriever", SOURCE, metavar="PKG.MODULE:FACTORY"),
    ] = None
    vectors: Annotated[
        Path | None, option("Vectors alone, one a row: the search is measured.", "--vectors", SOURCE, metavar="NPY")
    ] = None
    synthetic: Annotated[
        int | None, option("So many made vectors, clustered as text is.", "--synthetic", SOURCE, min=100, metavar="N")
    ] = None
    metadata: Annotated[
        Path | None, option("The metadata of --index, where it lies elsewhere.", "--metadata", SOURCE, metavar="FILE")
    ] = None
    queries: Annotated[
        Path | None,
        option("Queries, one a line, or JSON Lines with 'query' and 'relevant'.", "--queries", SOURCE, metavar="FILE"),
    ] = None
    encoder: Annotated[
        str | None,
        option(
            "The encoder: a GGUF, its name, or a sentence-transformers folder. Default: all-MiniLM-L6-v2.",
            "--encoder",
            SOURCE,
            metavar="PATH|NAME",
        ),
    ] = None
    chunk_size: Annotated[int | None, option("Words in a chunk (512).", "--chunk-size", SOURCE)] = None
    chunk_overlap: Annotated[int | None, option("Words that chunks share (50).", "--chunk-overlap", SOURCE)] = None
    factory: Annotated[
        str | None,
        option("The index to build, as FAISS names it (the engine's rule).", "--factory", SOURCE, metavar="TEXT"),
    ] = None


@dataclass(frozen=True, slots=True)
class RetrievalOptions:
    """How a query is answered, and which cases are measured."""

    max_artifacts: Annotated[
        int | None, option("Chunks wanted (5); five times as many are searched.", "--max-artifacts", RETRIEVAL)
    ] = None
    min_relevance: Annotated[
        float | None, option("Least cosine of a chunk (0.7).", "--min-relevance", RETRIEVAL, min=-1.0, max=1.0)
    ] = None
    token_budget: Annotated[
        int | None, option("Tokens that the context may take (8000).", "--token-budget", RETRIEVAL, min=1)
    ] = None
    nprobe: Annotated[int | None, option("Lists that an IVF index searches.", "--nprobe", RETRIEVAL, min=1)] = None
    ef_search: Annotated[
        int | None, option("Candidates that an HNSW index keeps.", "--ef-search", RETRIEVAL, min=1)
    ] = None
    open_modes: Annotated[
        str | None,
        option("read, mmap, ifc, readahead: a list; the first is judged.", "--open", CASES, metavar="MODES"),
    ] = None
    omp_threads: Annotated[
        str | None, option("Threads of FAISS for one query, 0 for its own choice. A list.", "--omp-threads", CASES)
    ] = None
    threads: Annotated[str | None, option("Threads of the encoder. A list.", "--threads", CASES, "-t")] = None
    states: Annotated[
        str | None,
        option("process-cold, cold, preloaded, warm: a list (all).", "--state", CASES, metavar="STATES"),
    ] = None
    openings: Annotated[
        bool, option("Also measure every way to open the index.", "--openings/--no-openings", CASES)
    ] = True
    caches: Annotated[
        bool, option("Also measure caches, on a stream of repeated queries.", "--caches/--no-caches", CASES)
    ] = True
    concurrency: Annotated[
        bool, option("Also retrieve under load, as a service on asyncio does.", "--concurrency", CASES)
    ] = False


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """Whether the best index is looked for, and what it has to keep to."""

    tune: Annotated[bool, option("Race other indexes on these vectors, and name the best.", "--tune", TUNING)] = False
    recall: Annotated[
        float, option("Least share of the true neighbours that it finds.", "--recall", TUNING, min=0.01, max=1.0)
    ] = 0.95
    latency: Annotated[
        str | None, option("Most that a search takes (p95), such as 5ms.", "--latency", TUNING, metavar="DURATION")
    ] = None
    memory: Annotated[str | None, option("Most that it holds, such as 500MB.", "--memory", TUNING, metavar="SIZE")] = (
        None
    )
