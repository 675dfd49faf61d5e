from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import pytest

from synapse_perf.retrieval import point_meter
from synapse_perf.retrieval.exact import exact_search
from synapse_perf.retrieval.indexes import build, search
from synapse_perf.retrieval.point_meter import PointMeter
from synapse_perf.retrieval.synthetic import synthetic_vectors

VECTORS, QUERIES = synthetic_vectors(3000, 32, queries=400)
EXACT = exact_search(VECTORS, QUERIES, 10)


def _meter(index: Any, wanted: float = 0.9) -> PointMeter:
    return PointMeter(index, VECTORS, QUERIES, EXACT, "l2", wanted=wanted, threads=1)


def test_recall_is_the_share_of_the_true_neighbours() -> None:
    index = build(VECTORS, "IVF32,Flat").index
    found = _meter(index, wanted=0.75).measure({"nprobe": 1})
    _, ids = search(index, QUERIES[: found.recall.queries], 10, {"nprobe": 1})
    hits = [len(set(own.tolist()) & set(true.tolist())) for own, true in zip(ids, EXACT.ids, strict=False)]
    assert found.recall.value == pytest.approx(np.mean(hits) / 10)


def test_a_clear_recall_needs_fewer_queries_than_a_close_one() -> None:
    index = build(VECTORS, "IVF32,Flat").index
    clear = _meter(index, wanted=0.9999).measure({"nprobe": 1}).recall
    close = _meter(index, wanted=clear.value).measure({"nprobe": 1}).recall
    assert clear.queries < close.queries == 400


def test_where_recall_is_too_low_the_latency_is_only_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_meter, "TIMING_S", 60.0)  # none is slow, however crowded the machine
    index = build(VECTORS, "IVF32,Flat").index
    assert _meter(index, wanted=0.9999).measure({"nprobe": 1}).timed == point_meter.TIMED_ONCE
    assert _meter(index, wanted=0.1).measure({"nprobe": 1}).timed == point_meter.TIMED


class Clocked:
    """An index whose searches take what they are told to take."""

    def __init__(self, times_ms: list[list[float]], monkeypatch: pytest.MonkeyPatch) -> None:
        self.times_ms = [time for one_round in times_ms for time in one_round]
        self.now_ns = 0
        monkeypatch.setattr("synapse_perf.retrieval.point_meter.time.perf_counter_ns", lambda: self.now_ns)
        monkeypatch.setattr("synapse_perf.retrieval.point_meter.time.perf_counter", lambda: self.now_ns * 1e-9)

    def search(self, row: object, k: int, params: object = None) -> None:
        self.now_ns += round(self.times_ms.pop(0) * 1e6)


def test_each_query_counts_with_the_least_of_its_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_meter, "TIMED", 3)
    meter = _meter(Clocked([[1, 9, 3], [5, 2, 4]], monkeypatch))
    meter.rounds = 2
    np.testing.assert_allclose(meter.latencies({}) * 1e3, [1, 2, 3])


def test_slow_searches_are_timed_on_fewer_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = _meter(Clocked([[100.0] * 1000], monkeypatch))
    assert len(meter.latencies({})) == point_meter.LEAST_TIMED


def test_queries_are_timed_on_one_thread() -> None:
    before = faiss.omp_get_max_threads()
    try:
        _meter(build(VECTORS, "Flat").index).measure({})
        assert faiss.omp_get_max_threads() == 1
    finally:
        faiss.omp_set_num_threads(before)


def test_a_first_look_times_fewer_queries_in_fewer_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {}
    for is_first_look in (True, False):
        clocked = Clocked([[0.01] * 10_000], monkeypatch)
        PointMeter(
            clocked, VECTORS, QUERIES, EXACT, "l2", wanted=0.9, threads=1, is_first_look=is_first_look
        ).latencies({})
        counts[is_first_look] = 10_000 - len(clocked.times_ms)
    assert counts[True] == point_meter.FIRST_LOOK_ROUNDS * point_meter.FIRST_LOOK_TIMED
    assert counts[False] == point_meter.ROUNDS * point_meter.TIMED
