from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from synapse_perf.retrieval.dimension import intrinsic_dimension
from synapse_perf.retrieval.exact import exact_search
from synapse_perf.retrieval.synthetic import Kind, synthetic_vectors

KINDS: list[Kind] = ["clustered", "nearly-uniform"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_vector_and_query_has_unit_length(kind: Kind) -> None:
    vectors, queries = synthetic_vectors(3000, 64, queries=50, kind=kind)
    assert vectors.shape == (3000, 64)
    assert queries.shape == (50, 64)
    assert vectors.dtype == queries.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-5)


def test_the_same_seed_gives_the_same_vectors_and_another_seed_others() -> None:
    one, queries = synthetic_vectors(500, 32, queries=10, seed=7)
    same, same_queries = synthetic_vectors(500, 32, queries=10, seed=7)
    other, _ = synthetic_vectors(500, 32, queries=10, seed=8)
    np.testing.assert_array_equal(one, same)
    np.testing.assert_array_equal(queries, same_queries)
    assert not np.allclose(one, other)


def test_more_vectors_of_a_seed_begin_with_the_fewer_only_in_kind_and_keep_the_queries() -> None:
    _, few = synthetic_vectors(500, 32, queries=10, seed=7)
    _, many = synthetic_vectors(9000, 32, queries=10, seed=7)
    np.testing.assert_array_equal(few, many)


def test_no_query_is_one_of_the_vectors_but_each_has_neighbours() -> None:
    vectors, queries = synthetic_vectors(10_000, 64, queries=200)
    nearest = 1 - exact_search(vectors, queries, 1).distances[:, 0] / 2
    chance = queries @ vectors[:1000].T
    assert nearest.max() < 0.999
    assert nearest.mean() > chance.mean() + 4 * chance.std()


def test_clustered_vectors_fill_few_dimensions_and_nearly_uniform_ones_many() -> None:
    clustered = intrinsic_dimension(synthetic_vectors(10_000, 384, queries=1)[0], sample=300)
    uniform = intrinsic_dimension(synthetic_vectors(10_000, 384, queries=1, kind="nearly-uniform")[0], sample=300)
    assert clustered is not None
    assert uniform is not None
    assert clustered.high < 25
    assert uniform.low > 60


def test_the_clusters_differ_in_size() -> None:
    vectors, _ = synthetic_vectors(5000, 64, queries=1)
    near = (vectors[:300] @ vectors.T > 0.7).sum(axis=1)
    assert np.percentile(near, 90) > 4 * np.percentile(near, 10)


def test_memory_stays_little_above_that_of_the_vectors() -> None:
    tracemalloc.start()
    try:
        vectors, _ = synthetic_vectors(200_000, 384, queries=10)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.3 * vectors.nbytes


def test_too_few_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        synthetic_vectors(10, 2)
