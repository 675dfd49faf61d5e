from __future__ import annotations

import gc
from typing import Any

import faiss
import numpy as np
import pytest

from synapse_perf.retrieval.building import build_index
from synapse_perf.retrieval.pipeline import searcher
from synapse_perf.retrieval.search_parameters import UnknownParameter, search_parameters
from synapse_perf.retrieval.synthetic import synthetic_vectors

VECTORS, QUERIES = synthetic_vectors(2000, 16, queries=50)
CASES = [
    ("IVF32,Flat", {"nprobe": 6}),
    ("IVF32,SQ8", {"nprobe": 32}),
    ("IVF32,PQ4x4fs", {"nprobe": 6}),
    ("HNSW8", {"efSearch": 60}),
    ("PCA8,IVF32,Flat", {"nprobe": 6}),
    ("SQ4,RFlat", {"k_factor": 8}),
    ("IVF32,SQ4,RFlat", {"nprobe": 6, "k_factor": 4}),
    ("PCA8,IVF32,SQ4,RFlat", {"nprobe": 6, "k_factor": 4}),
]


def built(factory: str) -> Any:
    return build_index(VECTORS, factory)


def with_fields(index: Any, values: dict[str, int]) -> Any:
    """A copy that has the values as its own, set as FAISS's tuning sets them."""
    copy = faiss.clone_index(index)
    names = {"k_factor": "k_factor_rf"}
    for name, value in values.items():
        faiss.ParameterSpace().set_index_parameter(copy, names.get(name, name), value)
    return copy


def ids_of(index: Any, search: dict[str, int]) -> Any:
    search_for = searcher(index, search)
    gc.collect()  # parameters inside parameters must not go away
    return np.concatenate([search_for(query.reshape(1, -1), 10)[1] for query in QUERIES])


@pytest.mark.parametrize(("factory", "values"), CASES)
def test_given_for_one_call_they_do_what_the_fields_of_the_index_would_do(factory: str, values: dict[str, int]) -> None:
    index = built(factory)
    expected = with_fields(index, values).search(QUERIES, 10)[1]

    found = ids_of(index, values)

    assert np.array_equal(found, expected)
    assert not np.array_equal(found, ids_of(index, {})), "the parameter changes nothing, so the test shows nothing"


def test_the_index_stays_as_it_was() -> None:
    index = built("IVF32,Flat")
    before = ids_of(index, {})
    ids_of(index, {"nprobe": 32})

    assert np.array_equal(ids_of(index, {}), before)
    assert index.nprobe == 1


def test_ids_of_the_users_own_are_no_hindrance() -> None:
    plain = built("IVF32,Flat")
    empty = faiss.clone_index(plain)
    empty.reset()
    named = faiss.IndexIDMap2(empty)
    named.add_with_ids(VECTORS, np.arange(len(VECTORS)) + 7)

    assert np.array_equal(ids_of(named, {"nprobe": 8}), ids_of(plain, {"nprobe": 8}) + 7)


def test_a_refinement_keeps_its_own_factor_where_another_parameter_is_given() -> None:
    index = built("IVF32,SQ4,RFlat")
    index.k_factor = 6
    expected = with_fields(index, {"nprobe": 6}).search(QUERIES, 10)[1]

    assert np.array_equal(ids_of(index, {"nprobe": 6}), expected)


@pytest.mark.parametrize(
    ("factory", "values", "told"),
    [
        ("Flat", {"nprobe": 4}, "IndexFlat has no parameter nprobe"),
        ("HNSW8", {"nprobe": 4, "efSearch": 30}, "IndexHNSWFlat has no parameter nprobe"),
        ("IVF32,Flat", {"efSearch": 4, "other": 1}, "IndexIVFFlat has no parameter efSearch, other"),
        ("SQ4,RFlat", {"k_factor": 4, "nprobe": 4}, "IndexScalarQuantizer has no parameter nprobe"),
        ("PCA8,Flat", {"nprobe": 4}, "IndexFlat has no parameter nprobe"),
    ],
)
def test_one_that_the_index_does_not_have_is_named(factory: str, values: dict[str, int], told: str) -> None:
    with pytest.raises(UnknownParameter, match=rf"^{told}$"):
        search_parameters(built(factory), values)
