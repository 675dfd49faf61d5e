"""Which vectors are really the nearest, and what share of them did an index find?"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

Metric = Literal["l2", "inner-product"]
Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]
Ids: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Shares: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

BLOCK_BYTES = 64 << 20
# All distances are computed anew in the same way, so two that differ by more than rounding are no tie.
TIE = 1e-6
NORMAL_95 = 1.959964  # standard deviations


class Exact(NamedTuple):
    """The k nearest of each query, best first: squared Euclidean distances, or inner products."""

    ids: Ids
    distances: Floats


class Recall(NamedTuple):
    """The mean over queries of the share of the true neighbours found, with its 95 % interval."""

    value: float
    low: float
    high: float
    queries: int
    k: int


def exact_search(vectors: Floats, queries: Floats, k: int, metric: Metric = "l2", *, own: Ids | None = None) -> Exact:
    """The true nearest neighbours, by comparing with every vector, block by block.

    `own` names one vector per query that does not count (-1: none), such as the point itself.
    """
    import faiss

    asked = min(k + (own is not None), len(vectors))
    kind = faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
    heap = faiss.ResultHeap(len(queries), asked, keep_max=metric != "l2")
    for start, block in row_blocks(vectors):
        distances, ids = faiss.knn(queries, block, min(asked, len(block)), kind)
        heap.add_result(distances, ids + start)
    heap.finalize()
    ids = heap.I if own is None else without_own(heap.I, own)
    ids = ids[:, : min(k, asked)]
    distances = true_distances(vectors, queries, ids, metric)
    # FAISS's batch distances are differences of large terms; put in order what that mixed up.
    order = np.argsort(np.nan_to_num(distances, nan=np.inf) * _sign(metric), axis=1, kind="stable")
    return Exact(np.take_along_axis(ids, order, axis=1), np.take_along_axis(distances, order, axis=1))


def true_distances(vectors: Floats, queries: Floats, ids: Ids, metric: Metric = "l2") -> Floats:
    """The distance of each found vector from its query, from the vectors themselves; NaN for an id of -1."""
    distances = np.empty(ids.shape, dtype=np.float32)
    for number, (query, found) in enumerate(zip(queries, ids, strict=True)):
        near = vectors[found]
        distances[number] = np.square(near - query).sum(axis=1) if metric == "l2" else near @ query
    distances[ids < 0] = np.nan
    return distances


def hit_shares(found_ids: Ids, found_distances: Floats, exact: Floats, k: int, metric: Metric = "l2") -> Shares:
    """For each query the share of its k true neighbours that were found; any at the distance of the k-th counts as one.

    As ann-benchmarks counts, but with distances that are all computed in the same way (`true_distances`) instead of the
    libraries' own, so the threshold needs no allowance for more than rounding. An id counts once, -1 never.
    """
    k = min(k, exact.shape[1])
    ids, distances = found_ids[:, :k], found_distances[:, :k].astype(np.float64) * _sign(metric)
    last = exact[:, k - 1].astype(np.float64) * _sign(metric)
    threshold = last + TIE * np.maximum(1.0, np.abs(last))
    is_hit = (ids >= 0) & (distances <= threshold[:, None])
    by_id = np.argsort(ids, axis=1, kind="stable")
    ordered = np.take_along_axis(ids, by_id, axis=1)
    repeats = np.zeros_like(is_hit)
    np.put_along_axis(repeats[:, :], by_id[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    shares: Shares = (is_hit & ~repeats).sum(axis=1) / k
    return shares


def recall(found_ids: Ids, found_distances: Floats, exact_distances: Floats, k: int, metric: Metric = "l2") -> Recall:
    """Recall at k with its interval over queries."""
    shares = hit_shares(found_ids, found_distances, exact_distances, k, metric)
    return recall_of(shares, min(k, exact_distances.shape[1]))


def recall_of(shares: Shares, k: int, normal: float = NORMAL_95) -> Recall:
    """The mean share with Wilson's interval, on as many independent trials as the spread over queries is worth.

    The hits of one query come together, so n queries are worth n * k trials divided by the design effect (E. L. Korn,
    B. I. Graubard, Survey Methodology 24, 1998), at least n, and exactly n where all shares are equal and show no
    spread. Unlike a bootstrap it does not shrink to a point where every query found everything, which says little when
    the queries are few.
    """
    count = len(shares)
    mean = float(shares.mean())
    variance = float(shares.var(ddof=1)) if count > 1 else 0.0
    trials = float(count)
    if variance > 0:
        trials = min(max(mean * (1 - mean) / variance, 1.0), k) * count
    low, high = wilson_interval(mean, trials, normal)
    return Recall(mean, low, high, count, k)


def wilson_interval(share: float, trials: float, normal: float = NORMAL_95) -> tuple[float, float]:
    """The interval of a share of so many trials: E. B. Wilson, J. Am. Stat. Assoc. 22, 1927, 209-212."""
    square = normal**2
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    half = normal * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2)) / (1 + square / trials)
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


def row_blocks(vectors: Floats) -> Iterator[tuple[int, Floats]]:
    """Contiguous blocks of the rows with the number of the first; a mapped file is never in memory as a whole."""
    rows = max(1, BLOCK_BYTES // (vectors.shape[1] * 4))
    mapping: Any = vectors.base if isinstance(vectors, np.memmap) else None
    must_copy = True if mapping is not None else None  # the mapped pages go away below
    for start in range(0, len(vectors), rows):
        yield start, np.array(vectors[start : start + rows], dtype=np.float32, order="C", copy=must_copy)
        if isinstance(mapping, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            mapping.madvise(mmap.MADV_DONTNEED)  # only out of this process: the page cache keeps them


def without_own(ids: Ids, own: Ids) -> Ids:
    """Each row less its query's own vector, or less its last where that was not found."""
    is_own = (ids == own[:, None]) & (own[:, None] >= 0)
    is_own[~is_own.any(axis=1), -1] = True
    kept: Ids = ids[~is_own].reshape(len(ids), ids.shape[1] - 1)
    return kept


def _sign(metric: Metric) -> int:
    """What turns a distance or similarity into one where less is better."""
    return 1 if metric == "l2" else -1
