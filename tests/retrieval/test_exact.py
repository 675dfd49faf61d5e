from __future__ import annotations

import numpy as np
import pytest

from synapse_perf.retrieval import exact
from synapse_perf.retrieval.exact import Metric, exact_search, hit_shares, recall, recall_of, true_distances

METRICS: list[Metric] = ["l2", "inner-product"]
RNG = np.random.default_rng(3)
VECTORS = RNG.standard_normal((700, 16)).astype(np.float32)
QUERIES = RNG.standard_normal((40, 16)).astype(np.float32)


def _by_sorting(k: int, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    """Every distance in double precision, sorted."""
    wide, asked = VECTORS.astype(np.float64), QUERIES.astype(np.float64)
    distances = ((asked[:, None] - wide) ** 2).sum(axis=2) if metric == "l2" else -(asked @ wide.T)
    ids = np.argsort(distances, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(distances, ids, axis=1)
    return ids, values if metric == "l2" else -values


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("block_bytes", [1 << 26, 100 * 16 * 4, 1])
def test_the_nearest_are_those_that_sorting_all_distances_gives(
    metric: Metric, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "BLOCK_BYTES", block_bytes)
    found = exact_search(VECTORS, QUERIES, 10, metric)
    ids, distances = _by_sorting(10, metric)
    np.testing.assert_array_equal(found.ids, ids)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-5, atol=1e-5)


def test_close_distances_are_in_their_true_order() -> None:
    """Batch distances are differences of large numbers and would mix these up."""
    vectors = np.full((50, 8), 100.0, dtype=np.float32)
    vectors[:, 0] += np.arange(50, dtype=np.float32) / 100
    found = exact_search(vectors, np.full((1, 8), 100.0, dtype=np.float32), 50)
    np.testing.assert_array_equal(found.ids[0], np.arange(50))


def test_more_neighbours_than_vectors_gives_all_of_them() -> None:
    assert sorted(exact_search(VECTORS[:7], QUERIES[:1], 10).ids[0]) == list(range(7))


def test_the_own_vector_of_a_query_is_left_out_where_one_is_named() -> None:
    own = np.array([5, -1, 9], dtype=np.int64)
    found = exact_search(VECTORS, VECTORS[[5, 6, 9]], 3, own=own)
    everything = exact_search(VECTORS, VECTORS[[5, 6, 9]], 4)
    assert 5 not in found.ids[0]
    assert found.ids[1][0] == 6
    np.testing.assert_array_equal(found.ids[0], everything.ids[0][1:])
    np.testing.assert_array_equal(found.ids[1], everything.ids[1][:3])


@pytest.mark.parametrize("metric", METRICS)
def test_exact_results_have_a_recall_of_one_in_any_order(metric: Metric) -> None:
    found = exact_search(VECTORS, QUERIES, 10, metric)
    shuffled = found.ids[:, ::-1].copy()
    assert recall(shuffled, true_distances(VECTORS, QUERIES, shuffled, metric), found.distances, 10, metric).value == 1


def _share(ids: list[int], distances: list[float], exact_distances: list[float], metric: Metric = "l2") -> float:
    k = len(exact_distances)
    arrays = np.array([distances], dtype=np.float32), np.array([exact_distances], dtype=np.float32)
    return float(hit_shares(np.array([ids], dtype=np.int64), *arrays, k, metric)[0])


def test_another_vector_at_the_distance_of_the_last_counts() -> None:
    assert _share([1, 2, 99], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3]) == 1


def test_a_vector_a_little_further_does_not_count() -> None:
    assert _share([1, 2, 99], [0.1, 0.2, 0.3001], [0.1, 0.2, 0.3]) == pytest.approx(2 / 3)


def test_a_larger_inner_product_counts_and_a_smaller_does_not() -> None:
    assert _share([1, 2, 3], [0.9, 0.8, 0.6], [0.9, 0.8, 0.7], "inner-product") == pytest.approx(2 / 3)


def test_the_same_id_again_and_a_missing_one_are_no_hits() -> None:
    assert _share([4, 4, 4], [0.1, 0.1, 0.1], [0.1, 0.2, 0.3]) == pytest.approx(1 / 3)
    assert _share([4, -1, -1], [0.1, float("nan"), float("nan")], [0.1, 0.2, 0.3]) == pytest.approx(1 / 3)


def test_a_result_that_is_too_short_loses_what_is_missing() -> None:
    assert _share([4], [0.1], [0.1, 0.2]) == 0.5


def test_recall_is_the_mean_over_queries() -> None:
    found = recall_of(np.array([1.0, 0.5, 0.9, 0.8]), 10)
    assert found.value == pytest.approx(0.8)
    assert found.low < 0.8 < found.high
    assert (found.queries, found.k) == (4, 10)


def test_all_found_on_few_queries_shows_less_than_on_many() -> None:
    few, many = recall_of(np.ones(10), 10), recall_of(np.ones(1000), 10)
    assert few.high == many.high == 1
    assert few.low == pytest.approx(0.722, abs=0.001)  # Wilson's bound for 10 of 10
    assert many.low == pytest.approx(0.996, abs=0.001)


@pytest.mark.parametrize("together", [0.2, 2.0, 50.0])
@pytest.mark.parametrize("true_recall", [0.8, 0.95, 0.99])
def test_the_interval_holds_the_true_recall(true_recall: float, together: float) -> None:
    """Hits of a query come together: shares drawn from a beta distribution, then ten hits from each."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        shares = rng.beta(true_recall * together, (1 - true_recall) * together, size=300)
        found = recall_of(rng.binomial(10, shares) / 10, 10)
        held += found.low <= true_recall <= found.high
    assert held / 400 > 0.91  # least where 3 of the 300 queries are expected to miss everything
