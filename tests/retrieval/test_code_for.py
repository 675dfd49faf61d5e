from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from synapse_perf.retrieval.code_for import code_for
from synapse_perf.retrieval.exact import exact_search, recall, true_distances
from synapse_perf.retrieval.opening import OpenMode
from synapse_perf.retrieval.synthetic import synthetic_vectors

VECTORS, QUERIES = synthetic_vectors(4000, 32, queries=50)


@pytest.mark.parametrize(
    ("factory", "point", "mode"),
    [
        ("Flat", {}, "read"),
        ("SQfp16", {}, "readahead"),
        ("SQ8", {}, "ifc"),
        ("IVF32,Flat", {"nprobe": 16}, "mmap"),
        ("RaBitQfs,Refine(SQfp16)", {"k_factor": 32}, "read"),
        ("IVF32,RaBitQfs,Refine(SQfp16)", {"nprobe": 16, "k_factor": 32}, "readahead"),
        ("HNSW16,Flat", {"efSearch": 128}, "read"),
    ],
)
def test_the_code_runs_as_it_is_and_finds_the_neighbours(
    factory: str, point: dict[str, int], mode: OpenMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("vectors.npy", VECTORS)
    code = code_for(factory, point, mode=mode, k=10)
    threads = faiss.omp_get_max_threads()
    try:
        found: list[np.ndarray] = []
        for query in QUERIES:
            names: dict[str, np.ndarray] = {"query": query}
            exec(code if not found else _from("# in the service", code), names)
            found.append(names["ids"])
    finally:
        faiss.omp_set_num_threads(threads)
    ids = np.concatenate(found)
    assert (tmp_path / "docs.index").exists()
    exact = exact_search(VECTORS, QUERIES, 10)
    assert recall(ids, true_distances(VECTORS, QUERIES, ids), exact.distances, 10).value > 0.9


def _from(line: str, code: str) -> str:
    return "import faiss\n" + code[code.index(line) :]


def test_the_metric_and_the_file_names_are_in_the_code() -> None:
    code = code_for("Flat", {}, metric="inner-product", vectors_file="a.npy", index_file="b.index", k=7)
    assert "METRIC_INNER_PRODUCT" in code
    assert "'a.npy'" in code
    assert code.count("'b.index'") == 2
    assert ", 7)" in code
