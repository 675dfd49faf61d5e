"""Parts of an index stay usable when nobody else holds the index."""

from __future__ import annotations

import gc

import faiss
import numpy as np
import pytest

from synapse_perf.retrieval.index_layers import inverted_lists, layers, list_ids, list_sizes, storage_of

DIMENSION, ROWS = 16, 400


def made(factory: str) -> faiss.Index:
    vectors = np.random.default_rng(1).normal(size=(ROWS, DIMENSION)).astype(np.float32)
    index = faiss.index_factory(DIMENSION, factory)
    index.train(vectors)
    index.add(vectors)
    return index


def overwrite_freed_memory() -> list[np.ndarray]:
    gc.collect()
    return [np.full(size, 255, np.uint8) for size in range(64, 4096, 8) for _ in range(20)]


@pytest.mark.parametrize("factory", ["IVF4,Flat", "PCA8,IVF4,Flat", "IVF4,SQ8,RFlat"])
def test_the_lists_of_an_index_that_nobody_else_holds(factory: str) -> None:
    lists = inverted_lists(made(factory))
    written = overwrite_freed_memory()
    assert lists is not None
    assert lists.nlist == 4
    assert list_sizes(lists).sum() == ROWS
    assert sorted(list_ids(lists)) == list(range(ROWS))
    del written


def test_the_innermost_layer_of_an_index_that_nobody_else_holds() -> None:
    innermost = layers(made("PCA8,Flat"))[-1]
    written = overwrite_freed_memory()
    assert (type(innermost).__name__, innermost.d, innermost.ntotal) == ("IndexFlat", 8, ROWS)
    del written


@pytest.mark.parametrize(
    ("factory", "names"),
    [
        ("Flat", ["IndexFlat"]),
        ("PCA8,IVF4,SQ8", ["IndexPreTransform", "IndexIVFScalarQuantizer"]),
        ("IVF4,SQ8,RFlat", ["IndexRefineFlat", "IndexIVFScalarQuantizer"]),
    ],
)
def test_the_outermost_comes_first(factory: str, names: list[str]) -> None:
    assert [type(layer).__name__ for layer in layers(made(factory))] == names


@pytest.mark.parametrize(
    ("factory", "storage"),
    [("Flat", "exact"), ("HNSW8,Flat", "exact"), ("SQ8", "fine"), ("IVF4,SQ4", "coarse"), ("PCA8,Flat", "coarse")],
)
def test_how_exactly_vectors_are_kept(factory: str, storage: str) -> None:
    assert storage_of(made(factory)) == storage
    assert inverted_lists(made("Flat")) is None
