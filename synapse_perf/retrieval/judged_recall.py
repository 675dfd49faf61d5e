"""What does an index miss of what an exact search finds, and does the context that is packed in the end differ?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from synapse_perf.retrieval.exact import (
    Floats,
    Ids,
    Metric,
    Recall,
    Shares,
    exact_search,
    hit_shares,
    recall_of,
    true_distances,
)
from synapse_perf.samples import Json

NOWHERE = -1
EXACT_TIMES = 15


class Truth(NamedTuple):
    """The vectors that distances are counted from, the id of each, and what an exact search finds among them."""

    vectors: Floats
    ids: Ids
    metric: Metric
    nearest: Ids  # rows of `vectors`, for each query
    distances: Floats


class Found(NamedTuple):
    """What the index gave for each query, its own chunk left out; scores as the index counts them."""

    ids: Ids
    scores: Floats
    seconds: list[float]


def make_truth(vectors: Floats, ids: Ids, queries: Floats, own: Ids, k: int, metric: Metric) -> Truth:
    """The exact answers; `own` is an id for each query, or -1."""
    rows = rows_of(ids, own)
    exact = exact_search(vectors, queries, k, metric, own=rows if (own >= 0).any() else None)
    return Truth(vectors, ids, metric, exact.ids, exact.distances)


def search_all(search: Callable[[Any, int], Any], queries: Floats, own: Ids, k: int, metric: Metric) -> Found:
    """Ask one query at a time, as a retriever does, for one more where a chunk of the query's own is left out."""
    ids = np.full((len(queries), k), NOWHERE, dtype=np.int64)
    scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    seconds = []
    for number, row in enumerate(queries):
        asked = row.reshape(1, -1)
        started = time.perf_counter()
        distances, near = search(asked, k + int(own[number] >= 0))
        seconds.append(time.perf_counter() - started)
        kept = np.flatnonzero((near[0] != own[number]) | (near[0] < 0))[:k]
        ids[number, : len(kept)] = near[0][kept]
        scores[number, : len(kept)] = to_scores(distances[0][kept], metric)
    return Found(ids, np.where(ids >= 0, scores, -np.inf), seconds)


def shares_found(truth: Truth, queries: Floats, found: Found) -> Shares:
    """Recall of each query, ties counted."""
    rows = rows_of(truth.ids, found.ids)
    distances = true_distances(truth.vectors, queries, rows, truth.metric)
    return hit_shares(rows, distances, truth.distances, found.ids.shape[1], truth.metric)


def rows_of(ids: Ids, asked: Ids) -> Ids:
    """Where these ids stand among the sorted `ids`; -1 for those that are not there."""
    rows = np.minimum(np.searchsorted(ids, asked), len(ids) - 1)
    return np.where(ids[rows] == asked, rows, NOWHERE)


def to_scores(distances: Floats, metric: Metric) -> Floats:
    """The engine's score: the cosine out of the squared distance of unit vectors, or the inner product itself."""
    scores: Floats = distances if metric == "inner-product" else (1 - distances / 2).astype(np.float32)
    return scores


# --- as facts, and for comparison ------------------------------------------------------------------------------------


def as_facts(recall: Recall) -> dict[str, Json]:
    return {"value": recall.value, "low": recall.low, "high": recall.high, "queries": recall.queries, "k": recall.k}


def probe_ladder(
    search_with: Callable[[Mapping[str, int]], Callable[[Any, int], Any]],
    lists: int,
    judge: Callable[[Found], Shares],
    ask: Callable[[Callable[[Any, int], Any]], Found],
    wanted: float,
) -> list[dict[str, Json]]:
    """Recall and time with 1, 2, 4 ... lists searched, until recall is certainly what is wanted."""
    steps = []
    probes = 1
    while True:
        found = ask(search_with({"nprobe": probes}))
        recall = recall_of(judge(found), found.ids.shape[1])
        steps.append({"nprobe": probes, "search_s": float(np.median(found.seconds)), **as_facts(recall)})
        if recall.low >= wanted or probes == lists:
            return steps
        probes = min(lists, 2 * probes)


def exact_search_s(queries: Floats, truth: Truth, k: int) -> float:
    """The median of one query against every vector, all of them in memory, as IndexFlat does it."""
    import faiss

    vectors = np.ascontiguousarray(truth.vectors, dtype=np.float32)
    kind = faiss.METRIC_L2 if truth.metric == "l2" else faiss.METRIC_INNER_PRODUCT
    seconds = []
    for number in range(EXACT_TIMES + 1):  # the first brings the vectors into the caches
        row = queries[number % len(queries)].reshape(1, -1)
        started = time.perf_counter()
        faiss.knn(row, vectors, k, kind)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])
