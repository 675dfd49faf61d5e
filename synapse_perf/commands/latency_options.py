"""The options of tier-latency: which tiers, which queries, how long the answers are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from synapse_perf.commands.options import option

TIERS = "Which tiers"
QUERIES = "What is asked"
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
    corpus: Annotated[
        Path | None, option("The two-stage query's documents (a sample).", "--corpus", QUERIES, metavar="DIR")
    ] = None
    two_stage: Annotated[
        bool, option("Also two-stage queries, with retrieval.", "--two-stage/--no-two-stage", CASES)
    ] = True
    variants: Annotated[
        bool,
        option("Also warm prefixes, the high-level API, and overlaps.", "--variants/--no-variants", CASES),
    ] = True
