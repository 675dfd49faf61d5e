from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from synapse_perf.retrieval import candidate_files
from synapse_perf.retrieval.candidate_files import TuningSet, remove_candidates, shape_of_set
from synapse_perf.retrieval.exact import exact_search
from synapse_perf.retrieval.synthetic import synthetic_vectors

VECTORS, QUERIES = synthetic_vectors(3000, 32, queries=60)


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    np.save(tmp_path / "vectors.npy", VECTORS)
    np.save(tmp_path / "query_vectors.npy", QUERIES)
    return tmp_path


def _whole(directory: Path) -> TuningSet:
    return TuningSet(directory, "l2", 10, None, None)


def test_the_shape_of_a_set(prepared: Path) -> None:
    assert shape_of_set(prepared) == (3000, 32, 60)


def test_true_neighbours_are_found_once(prepared: Path) -> None:
    first = _whole(prepared).exact()
    np.testing.assert_array_equal(first.ids, exact_search(VECTORS, QUERIES, 10).ids)
    with mock.patch.object(candidate_files, "exact_search") as again:
        np.testing.assert_array_equal(_whole(prepared).exact().ids, first.ids)
    again.assert_not_called()


def test_an_index_is_built_once_and_remembers_what_that_took(prepared: Path) -> None:
    index, made = _whole(prepared).built("SQ8")
    with mock.patch.object(candidate_files, "build") as again:
        opened, kept = _whole(prepared).built("SQ8")
    again.assert_not_called()
    assert kept == made
    assert opened.ntotal == index.ntotal == 3000


def test_other_vectors_make_everything_anew(prepared: Path) -> None:
    _whole(prepared).exact()
    _whole(prepared).built("SQ8")
    np.save(prepared / "vectors.npy", VECTORS[:2900])
    assert _whole(prepared).exact().ids.max() < 2900
    assert _whole(prepared).built("SQ8")[0].ntotal == 2900


def test_a_file_that_was_not_finished_is_made_anew(prepared: Path) -> None:
    _, made = _whole(prepared).built("SQ8")
    made.path.with_suffix(".json").unlink()  # it is written last
    made.path.write_bytes(b"half")
    assert _whole(prepared).built("SQ8")[0].ntotal == 3000


def test_the_same_number_of_lists_is_trained_once_and_counted_in_both(prepared: Path) -> None:
    _, flat = _whole(prepared).built("IVF32,Flat")
    with mock.patch("faiss.Clustering", side_effect=AssertionError):
        _, small = _whole(prepared).built("IVF32,SQ8")
    names = sorted(path.name for path in (prepared / "candidates").glob("centres-*.npy"))
    assert names == ["centres-l2-3000-32.npy"]
    assert flat.build_s is not None
    assert small.build_s is not None


def test_a_part_is_random_rows_and_the_same_every_time(prepared: Path) -> None:
    part, again = (TuningSet(prepared, "l2", 10, 500, 20) for _ in range(2))
    np.testing.assert_array_equal(part.vectors, again.vectors)
    assert not part.is_whole
    assert len(part.queries) == 20
    rows = {row.tobytes() for row in VECTORS}
    assert all(row.tobytes() in rows for row in part.vectors)
    np.testing.assert_array_equal(part.exact().ids, exact_search(part.vectors, QUERIES[:20], 10).ids)


def test_only_what_is_to_be_kept_stays(prepared: Path) -> None:
    whole = _whole(prepared)
    for factory in ("Flat", "SQ8"):
        whole.built(factory)
    TuningSet(prepared, "l2", 10, 500, 20).built("SQ8")
    remove_candidates(prepared, keep={"SQ8"}, count=3000, metric="l2")
    assert [path.name for path in (prepared / "candidates").glob("*.index")] == ["l2-3000-SQ8.index"]
    assert not (prepared / "candidates" / "l2-3000-Flat.json").exists()
