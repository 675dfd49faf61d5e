from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from synapse_perf.retrieval.building import (
    CannotBuild,
    CannotSave,
    build_index,
    engine_factory,
    save_index,
    save_vectors,
)
from synapse_perf.retrieval.synthetic import synthetic_vectors
from tests.retrieval.little_room import little_room

VECTORS, QUERIES = synthetic_vectors(500, 16, queries=20)


@pytest.mark.parametrize(
    ("count", "factory"),
    [(1, "Flat"), (99_999, "Flat"), (100_000, "IVF100,Flat"), (1_000_000, "IVF100,Flat")],
)
def test_the_engine_keeps_everything_flat_until_there_are_a_hundred_thousand(count: int, factory: str) -> None:
    assert engine_factory(count) == factory


@pytest.mark.parametrize("factory", ["Flat", "IVF8,Flat", "SQ8", "HNSW8", "PCA8,Flat", "IVF8,SQ4,RFlat"])
def test_an_index_holds_every_vector_and_finds_it(factory: str) -> None:
    index = build_index(VECTORS, factory)

    assert (index.ntotal, index.metric_type) == (len(VECTORS), faiss.METRIC_L2)
    nearest = index.search(VECTORS, 1)[1][:, 0]
    assert np.mean(nearest == np.arange(len(VECTORS))) > 0.9


@pytest.mark.parametrize(
    ("factory", "told"),
    [
        ("nonsense", "could not parse index string nonsense"),
        ("", "could not parse index string"),
        ("IVF600,Flat", r"Number of training points \(500\) should be at least as large as number of clusters \(600\)"),
        ("IDMap,Flat", "add does not make sense with IndexIDMap"),
    ],
)
def test_what_faiss_refuses_is_told_in_its_words(factory: str, told: str) -> None:
    with pytest.raises(CannotBuild, match=f"^FAISS cannot build '{factory}' over 500 vectors: {told}") as caught:
        build_index(VECTORS, factory)
    assert "\n" not in str(caught.value)


def test_an_index_and_its_vectors_come_back_as_they_were(tmp_path: Path) -> None:
    index = build_index(VECTORS, "IVF8,Flat")
    save_index(index, tmp_path / "docs.index")
    save_vectors(VECTORS, tmp_path / "vectors.npy")

    read = faiss.read_index(str(tmp_path / "docs.index"))
    assert np.array_equal(read.search(QUERIES, 5)[1], index.search(QUERIES, 5)[1])
    assert np.array_equal(np.load(tmp_path / "vectors.npy"), VECTORS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["docs.index", "vectors.npy"]


def test_a_file_that_does_not_fit_on_the_disk_leaves_the_old_one(tmp_path: Path) -> None:
    index, vectors = tmp_path / "docs.index", tmp_path / "vectors.npy"
    for path in (index, vectors):
        path.write_bytes(b"as it was")

    with little_room(10_000):
        with pytest.raises(CannotSave, match=r"docs\.index cannot be written: write error in .* \(File too large\)"):
            save_index(build_index(VECTORS, "Flat"), index)
        with pytest.raises(CannotSave, match=r"vectors\.npy cannot be written"):
            save_vectors(VECTORS, vectors)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(
        ("docs.index", "vectors.npy"), b"as it was"
    )


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotSave, match=r"docs\.index cannot be written: .*No such file or directory"):
        save_index(build_index(VECTORS, "Flat"), tmp_path / "gone" / "docs.index")
    with pytest.raises(CannotSave, match=r"vectors\.npy cannot be written: No such file or directory"):
        save_vectors(VECTORS, tmp_path / "gone" / "vectors.npy")
