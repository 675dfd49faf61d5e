from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from synapse_perf.benchmarks import build_vectors
from synapse_perf.benchmarks.context import BenchmarkFailed, Context
from synapse_perf.retrieval.synthetic import synthetic_vectors

DIMENSION = 16


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """400 vectors of many lengths."""
    vectors, _ = synthetic_vectors(400, DIMENSION)
    path = tmp_path / "mine.npy"
    np.save(path, vectors * np.random.default_rng(0).uniform(0.1, 9, (400, 1)).astype(np.float32))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    return folder


def run(folder: Path, file: Path | None = None, **changes: Any) -> dict[str, Any]:
    """The facts."""
    workload = {
        "directory": str(folder),
        "file": str(file) if file else None,
        "count": 500,
        "dimension": DIMENSION,
        "seed": 0,
        "factory": None,
        **changes,
    }
    look = (0, 0, None)
    (sample,) = build_vectors.measure(Context(workload, 0, 0, (look, look), lambda *_, **__: None))
    assert {value.metric for value in sample.values} == set(build_vectors.METRICS)
    return dict(sample.facts)


def files_of(folder: Path) -> tuple[Any, Any, Any]:
    index = faiss.read_index(str(folder / "docs.index"))
    return index, np.load(folder / "vectors.npy"), np.load(folder / "query_vectors.npy")


def test_the_users_vectors_are_split_and_brought_to_length_one(folder: Path, file: Path) -> None:
    facts = run(folder, file)
    index, vectors, queries = files_of(folder)

    assert facts == {"vectors": 360, "queries": 40, "dimension": DIMENSION, "factory": "Flat"}
    assert np.array_equal(index.reconstruct_n(0, index.ntotal), vectors)
    assert np.linalg.norm(np.vstack([vectors, queries]), axis=1) == pytest.approx(1, abs=1e-5)


def test_no_query_finds_itself(folder: Path, file: Path) -> None:
    run(folder, file)
    index, _, queries = files_of(folder)

    assert index.search(queries, 1)[0].min() > 1e-6


def test_a_seed_gives_the_same_set_again_and_another_seed_another(tmp_path: Path, file: Path) -> None:
    sets = []
    for number, (source, seed) in enumerate([(file, 1), (file, 1), (file, 2), (None, 1), (None, 1), (None, 2)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        run(folder, source, seed=seed)
        sets.append((folder / "query_vectors.npy").read_bytes())

    assert [sets.index(one) for one in sets] == [0, 0, 2, 3, 3, 5]


def test_made_vectors_are_indexed_as_named(folder: Path) -> None:
    facts = run(folder, factory="IVF4,SQ8")
    index, vectors, _ = files_of(folder)

    assert (facts["vectors"], facts["factory"]) == (500, "IVF4,SQ8")
    assert (index.ntotal, index.nlist, len(vectors)) == (500, 4, 500)


@pytest.mark.parametrize(
    ("content", "told"), [(b"no array", "is no .npy file"), (b"\x93NUMPY\1\0", "is damaged"), (None, "does not exist")]
)
def test_a_file_that_holds_no_vectors_is_told_in_one_line(
    folder: Path, tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "bad.npy"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(BenchmarkFailed, match=told) as caught:
        run(folder, path)
    assert "\n" not in caught.value.failure["message"]
    assert not (folder / "docs.index").exists()


def test_a_factory_that_faiss_refuses_is_told(folder: Path) -> None:
    with pytest.raises(
        BenchmarkFailed, match=r"^FAISS cannot build 'IVF600,Flat' over 500 vectors: Number of training"
    ):
        run(folder, factory="IVF600,Flat")


def test_a_folder_that_cannot_be_written_is_told(folder: Path) -> None:
    with pytest.raises(BenchmarkFailed, match=r"^the prepared set cannot be kept: .*No such file or directory"):
        run(folder / "gone")
