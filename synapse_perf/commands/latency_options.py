"""The options of tier-latency: which tiers, which queries, how long the answers are, which cases, and all together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from synapse_perf.commands.latency_tune import TuneOptions
from synapse_perf.commands.options import OUTPUT, CommonOptions, LoadOptions, option
from synapse_perf.commands.query_load_options import QueryLoadOptions
from synapse_perf.commands.served_options import ServedOptions

TIERS = "Which tiers"
QUERIES = "What is asked"
CONTEXT = "What a two-stage query retrieves from (one of these; with none, a built-in sample)"
CASES = "Which cases"


@dataclass(frozen=True, slots=True)
class TierOptions:
    """Which models are the tiers, and what stays in memory."""

    tier: Annotated[
        list[str],
        option("A tier's model: fast, balanced or deep (powerful). Repeatable.", "--tier", TIERS, metavar="TIER=MODEL"),
    ] = field(default_factory=list)
    resident: Annotated[
        Literal["one", "all"] | None, option("How many models are in memory at a time.", "--resident", TIERS)
    ] = None


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """What is asked, and how long the answers are."""

    queries: Annotated[
        Path | None, option("Queries as JSON Lines, each with its 'prompt'.", "--queries", QUERIES, metavar="FILE")
    ] = None
    asked: Annotated[
        Literal["routed", "every"] | None,
        option("Does a tier get the queries routed to it, or every one?", "--asked", QUERIES),
    ] = None
    queries_per_process: Annotated[
        int | None,
        option("Queries of a complexity that one process is asked (15).", "--queries-per-process", QUERIES, min=1),
    ] = None
    max_tokens: Annotated[int | None, option("Tokens of an answer (256).", "--max-tokens", QUERIES, "-n", min=1)] = None
    draft_tokens: Annotated[
        int | None, option("Tokens of a two-stage query's draft (500).", "--draft-tokens", QUERIES, min=1)
    ] = None
    context_tokens: Annotated[
        int | None, option("Tokens of what is retrieved for it (2048).", "--context-tokens", QUERIES, min=1)
    ] = None
    fixed_length: Annotated[
        bool | None,
        option("Answer past the model's own end, so that all are as long.", "--fixed-length/--until-end", QUERIES),
    ] = None
    temperature: Annotated[
        float | None, option("Of sampling; 0, the default, is greedy.", "--temperature", QUERIES, min=0.0, max=100.0)
    ] = None
    system: Annotated[str | None, option("A system prompt before each query.", "--system", QUERIES, metavar="TEXT")] = (
        None
    )


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """What a two-stage query retrieves from, as for bench-cgrag."""

    corpus: Annotated[Path | None, option("A folder of text and code.", "--corpus", CONTEXT, metavar="DIR")] = None
    index: Annotated[
        Path | None, option("A FAISS index, with its metadata beside it.", "--index", CONTEXT, metavar="FILE")
    ] = None
    metadata: Annotated[
        Path | None, option("The metadata of --index, where it lies elsewhere.", "--metadata", CONTEXT, metavar="FILE")
    ] = None
    engine: Annotated[
        Path | None, option("The index and the settings of an engine checkout.", "--engine", CONTEXT, metavar="DIR")
    ] = None
    retriever: Annotated[
        str | None,
        option("Your own code: a factory of retrievers.", "--retriever", CONTEXT, metavar="PKG.MODULE:FACTORY"),
    ] = None
    encoder: Annotated[
        str | None,
        option("The encoder of the query (all-MiniLM-L6-v2).", "--encoder", CONTEXT, metavar="PATH|NAME"),
    ] = None
    min_relevance: Annotated[
        float | None,
        option("Least cosine of a chunk (0.7; of the sample any).", "--min-relevance", CONTEXT, min=-1.0, max=1.0),
    ] = None


@dataclass(frozen=True, slots=True)
class CaseOptions:
    """Which cases are measured, which of them is judged, and how much is told."""

    two_stage: Annotated[
        bool, option("Also two-stage queries, with retrieval.", "--two-stage/--no-two-stage", CASES)
    ] = True
    variants: Annotated[
        bool,
        option("Also the other prefix, the high-level API, and overlaps.", "--variants/--no-variants", CASES),
    ] = True
    prefix: Annotated[
        Literal["cold", "warm"] | None,
        option("Is the prompt in the KV cache when it is judged? By default it is not.", "--prefix", CASES),
    ] = None
    overlap: Annotated[
        Literal["none", "load", "retrieval", "load+retrieval"] | None,
        option("What a two-stage query that is judged does during its draft.", "--overlap", CASES),
    ] = None
    explain: Annotated[bool, option("Show how each figure is computed.", "--explain", OUTPUT)] = False


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """Everything that one run was asked for."""

    tiers: TierOptions = field(default_factory=TierOptions)
    queries: QueryOptions = field(default_factory=QueryOptions)
    searched: ContextOptions = field(default_factory=ContextOptions)
    cases: CaseOptions = field(default_factory=CaseOptions)
    tuning: TuneOptions = field(default_factory=TuneOptions)
    under_load: QueryLoadOptions = field(default_factory=QueryLoadOptions)
    served: ServedOptions = field(default_factory=ServedOptions)
    loading: LoadOptions = field(default_factory=LoadOptions)
    common: CommonOptions = field(default_factory=CommonOptions)
