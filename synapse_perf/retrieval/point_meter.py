"""How much does an index recall at one setting, and how long does a single query take there?"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from synapse_perf.retrieval.exact import (
    NORMAL_95,
    Exact,
    Floats,
    Metric,
    Shares,
    hit_shares,
    recall_of,
    true_distances,
)
from synapse_perf.retrieval.indexes import search
from synapse_perf.retrieval.operating_points import Operating
from synapse_perf.retrieval.search_parameters import search_parameters

BATCH = 100  # queries answered together for the recall
RECALL_S = 3.0  # for the recall at one setting; what is left is not asked, but never fewer than a batch
CLEAR = 3.3  # standard deviations: recall that is so far from what is wanted needs no more queries
TIMED = 300
ROUNDS = 6
FIRST_LOOK_ROUNDS = 4
FIRST_LOOK_TIMED = 100
TIMED_ONCE = 100  # where the recall is too low, a look at the latency is enough
TIMING_S = 0.5
LEAST_TIMED = 50


class PointMeter:
    """Measures one index on the same queries at any setting."""

    def __init__(
        self,
        index: Any,
        vectors: Floats,
        queries: Floats,
        exact: Exact,
        metric: Metric,
        *,
        wanted: float,
        threads: int,
        is_first_look: bool = False,
    ) -> None:
        self.index, self.vectors, self.queries, self.exact, self.metric = index, vectors, queries, exact, metric
        self.wanted, self.threads = wanted, threads
        self.rounds, self.timed = (FIRST_LOOK_ROUNDS, FIRST_LOOK_TIMED) if is_first_look else (ROUNDS, TIMED)
        self.k = exact.ids.shape[1]

    def measure(self, point: Mapping[str, int]) -> Operating:
        """Recall from batches on all threads; latency of one query at a time on one thread."""
        recall = recall_of(self._shares(point), self.k)
        latencies = self.latencies(point, is_closer=recall.high >= self.wanted)
        reach = NORMAL_95 * math.sqrt(0.95 * 0.05 / len(latencies))
        shares = [0.5, 0.95, 0.95 - reach, min(1.0, 0.95 + reach)]
        p50_s, p95_s, low_s, high_s = np.quantile(latencies, shares, method="inverted_cdf").tolist()
        return Operating(dict(point), recall, p50_s, p95_s, low_s, high_s, len(latencies))

    def latencies(self, point: Mapping[str, int], *, is_closer: bool = True) -> np.ndarray[Any, np.dtype[np.float64]]:
        """For each query the least of a few rounds: what else the machine did falls out, what the query needs stays."""
        import faiss

        faiss.omp_set_num_threads(1)
        parameters = search_parameters(self.index, point) if point else None
        count = min(self.timed if is_closer else TIMED_ONCE, len(self.queries))
        rows = [self.queries[place : place + 1] for place in range(count)]
        least: list[float] = []
        started_s = time.perf_counter()
        for round_number in range(self.rounds if is_closer else 1):
            taken = least if round_number == 0 else []
            for place, row in enumerate(rows):
                before_ns = time.perf_counter_ns()
                self.index.search(row, self.k, params=parameters)
                taken.append((time.perf_counter_ns() - before_ns) * 1e-9)
                if place + 1 >= LEAST_TIMED and time.perf_counter() - started_s > TIMING_S:
                    rows = rows[: place + 1]
                    break
            if round_number:
                least = [min(pair) for pair in zip(least, taken, strict=False)] + least[len(taken) :]
            if time.perf_counter() - started_s > TIMING_S:
                break
        return np.array(least)

    def _shares(self, point: Mapping[str, int]) -> Shares:
        import faiss

        faiss.omp_set_num_threads(self.threads)
        shares: list[Shares] = []
        started_s = time.perf_counter()
        for start in range(0, len(self.queries), BATCH):
            batch = self.queries[start : start + BATCH]
            _, ids = search(self.index, batch, self.k, point)
            distances = true_distances(self.vectors, batch, ids, self.metric)
            truth = self.exact.distances[start : start + BATCH]
            shares.append(hit_shares(ids, distances, truth, self.k, self.metric))
            if time.perf_counter() - started_s > RECALL_S or self._is_clear(np.concatenate(shares)):
                break
        return np.concatenate(shares)

    def _is_clear(self, shares: Shares) -> bool:
        so_far = recall_of(shares, self.k, CLEAR)
        return not so_far.low <= self.wanted <= so_far.high
