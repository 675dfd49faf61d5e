"""What of a search reaches the prompt: does the context differ from an exact search's, and is the answer in it?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from synapse_perf.retrieval.exact import Floats, Ids, wilson_interval
from synapse_perf.retrieval.judged_recall import Found, Truth, to_scores
from synapse_perf.retrieval.packing import pack
from synapse_perf.samples import Json

EMPTY_AT_MOST = 0.05  # share of the queries that may get nothing under the threshold that is proposed
STEPS = 20  # of a threshold from 0 to 1


class PromptContext(NamedTuple):
    """The chunks that are packed for one query, and how many were relevant enough."""

    chunks: tuple[int, ...]
    candidates: int


def judge_contexts(
    truth: Truth, found: Found, relevant: Sequence[frozenset[int]], contents: Sequence[str], parameters: Json
) -> tuple[dict[str, Json], list[dict[str, Json]]]:
    """Facts over all queries, and of each; `relevant` are the ids of right answers, empty where nobody knows."""
    least, budget = parameters["min_relevance"], parameters["token_budget"]
    exact_scores = to_scores(truth.distances, truth.metric)
    exact = packed(truth.ids[truth.nearest], exact_scores, contents, least, budget)
    given = packed(found.ids, found.scores, contents, least, budget)
    lower = min(least, lower_threshold(found.scores[:, 0]))
    lowered = packed(found.ids, found.scores, contents, lower, budget)
    differs = [is_changed(one, other, contents) for one, other in zip(given, exact, strict=True)]
    first = ranks(found.ids, relevant)
    facts: dict[str, Json] = {
        "contexts": {
            "changed": _share(differs),
            "empty": _share([not one.candidates for one in given]),
            "one_chunk": _share([one.candidates == 1 for one in given]),
            "min_relevance": least,
            "median_best_score": float(np.median(found.scores[:, 0])) if found.ids.size else None,
            "lower_min_relevance": lower,
            "empty_with_lower": _share([not one.candidates for one in lowered]),
        }
    }
    judged = [number for number, wanted in enumerate(relevant) if wanted]
    if judged:
        facts["relevance"] = {
            "found": _share([first[number] is not None for number in judged]),
            "in_context": _share([bool(relevant[number] & {*given[number].chunks}) for number in judged]),
            "in_context_with_lower": _share([bool(relevant[number] & {*lowered[number].chunks}) for number in judged]),
            "mean_reciprocal_rank": float(np.mean([1 / (first[number] or np.inf) for number in judged])),
        }
    per_query = [
        {"candidates": one.candidates, "chunks": len(one.chunks), "context_changed": other, "rank": rank}
        for one, other, rank in zip(given, differs, first, strict=True)
    ]
    return facts, per_query


def packed(ids: Ids, scores: Floats, contents: Sequence[str], least: float, token_budget: int) -> list[PromptContext]:
    """The context of each query, by the engine's rule."""
    contexts = []
    for row, score in zip(ids, scores, strict=True):
        relevant = [int(at) for at, value in zip(row, score, strict=True) if at >= 0 and value >= least]
        contexts.append(PromptContext(pack(relevant, contents, token_budget).chunks, len(relevant)))
    return contexts


def is_changed(one: PromptContext, other: PromptContext, contents: Sequence[str]) -> bool:
    """Whether the two hold other texts; copies of a text are the same to whoever reads them."""
    return sorted(contents[at] for at in one.chunks) != sorted(contents[at] for at in other.chunks)


def ranks(ids: Ids, relevant: Sequence[frozenset[int]]) -> list[int | None]:
    """The place of the first relevant chunk among the results, from 1 on; None where none is there."""
    return [
        next((place for place, at in enumerate(row.tolist(), 1) if at in wanted), None)
        for row, wanted in zip(ids, relevant, strict=True)
    ]


def lower_threshold(best_scores: Floats) -> float:
    """The highest round threshold under which nearly every query still gets its best chunk."""
    ordered = np.sort(best_scores)
    score = float(ordered[int(EMPTY_AT_MOST * len(ordered))])
    return float(np.floor(score * STEPS) / STEPS) if np.isfinite(score) else -1.0


def _share(happened: Sequence[bool]) -> dict[str, Json]:
    """With its 95 % interval over the queries."""
    value, count = sum(happened) / len(happened), len(happened)
    low, high = wilson_interval(value, count)
    return {"value": value, "low": low, "high": high, "of": count}
