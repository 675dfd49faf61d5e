from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from synapse_perf.retrieval.exact import Metric, exact_search, recall, true_distances
from synapse_perf.retrieval.indexes import (
    FAMILIES,
    LEAST_PER_LIST,
    Candidate,
    Family,
    build,
    candidates,
    centres_of,
    compared_share,
    file_bytes,
    list_count,
    ranges_of,
    scanned_bytes,
    search,
    why_not,
)
from synapse_perf.retrieval.synthetic import synthetic_vectors

VECTORS, QUERIES = synthetic_vectors(5000, 32, queries=100)
METRICS: list[Metric] = ["l2", "inner-product"]
LISTED = {"IVF,Flat": 2.0, "IVF,SQ8": 2.0, "IVF,RaBitQ+fp16": 2.0, "HNSW": 16, "HNSW,SQ8": 32}


def _candidate(family: str) -> Candidate:
    return Candidate(family, LISTED.get(family, 0))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_finds_most_of_the_true_neighbours_at_its_dearest_setting(family: str, metric: Metric) -> None:
    index = build(VECTORS, _candidate(family).factory(len(VECTORS)), metric).index
    assert index.ntotal == len(VECTORS)
    ranges = ranges_of(FAMILIES[family], index, 10)
    cheapest = {one.name: one.values[0] for one in ranges}
    dearest = {one.name: one.values[-1] for one in ranges}
    found = exact_search(VECTORS, QUERIES, 10, metric)

    def recall_at(point: dict[str, int]) -> float:
        _, ids = search(index, QUERIES, 10, point)
        return recall(ids, true_distances(VECTORS, QUERIES, ids, metric), found.distances, 10, metric).value

    assert recall_at(dearest) > 0.95
    assert not ranges or recall_at(cheapest) < recall_at(dearest)


def test_parameters_are_given_to_the_call_and_leave_the_index_as_it_is() -> None:
    index = build(VECTORS, "IVF64,Flat").index
    search(index, QUERIES, 10, {"nprobe": 32})
    assert faiss.extract_index_ivf(index).nprobe == 1


def test_the_callers_vectors_stay_as_they_are() -> None:
    before = VECTORS.copy()
    build(VECTORS, "IVF64,SQ8", "inner-product")
    np.testing.assert_array_equal(VECTORS, before)


def test_known_centres_give_the_same_lists_without_training() -> None:
    first = build(VECTORS, "IVF64,Flat").index
    again = build(VECTORS, "IVF64,SQ8", centres=centres_of(first)).index
    np.testing.assert_array_equal(centres_of(first), centres_of(again))


def test_a_mapped_file_is_built_from_as_an_array_is(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", VECTORS)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    distances, ids = search(build(mapped, "Flat").index, QUERIES, 5, {})
    wanted = exact_search(VECTORS, QUERIES, 5)
    np.testing.assert_array_equal(ids, wanted.ids)
    np.testing.assert_allclose(distances, wanted.distances, atol=1e-5)


@pytest.mark.parametrize("count", [10_000, 100_000, 1_000_000])
def test_each_size_of_lists_is_tried_once_with_enough_vectors_to_train_it(count: int) -> None:
    tried, _ = candidates(count, 384)
    texts = [one.factory(count) for one in tried]
    assert len(set(texts)) == len(texts)
    lists = [int(text[3:].split(",")[0]) for text in texts if text.startswith("IVF")]
    assert lists
    assert max(lists) * LEAST_PER_LIST <= count


def test_inverted_lists_are_left_out_where_a_scan_is_cheap_and_the_reason_is_told() -> None:
    tried, left_out = candidates(5000, 384)
    assert not any(FAMILIES[one.family].lists for one in tried)
    assert {one.family for one in left_out} == {name for name, family in FAMILIES.items() if family.lists}
    assert all("10000 vectors" in one.reason for one in left_out)


def test_a_family_that_this_faiss_cannot_make_is_left_out_with_its_words() -> None:
    reason = why_not(Family("new", "TurboTree{size}", (), 1.0), 64)
    assert reason is not None
    assert f"faiss {faiss.__version__} cannot make TurboTree4" in reason
    assert all(why_not(family, 64) is None for family in FAMILIES.values())


@pytest.mark.parametrize(("size", "count", "lists"), [(1, 10_000, 128), (4, 100_000, 1024), (4, 2000, 32), (1, 30, 1)])
def test_the_number_of_lists(size: float, count: int, lists: int) -> None:
    assert list_count(size, count) == lists


def test_the_ranges_end_where_a_larger_value_changes_nothing() -> None:
    index = build(VECTORS, "IVF24,RaBitQfs,Refine(SQfp16)").index
    probes, factors = ranges_of(FAMILIES["IVF,RaBitQ+fp16"], index, 25)
    assert probes == ("nprobe", (1, 2, 4, 8, 16, 24))
    assert factors == ("k_factor", (1, 2, 4, 8, 16, 32, 64, 128, 200))


def test_the_file_size_is_that_of_the_codes_and_a_little_more(tmp_path: Path) -> None:
    size = file_bytes(build(VECTORS, "SQ8").index, tmp_path / "one.index")
    assert 5000 * 32 <= size < 5000 * 32 * 1.05
    assert [path.name for path in tmp_path.iterdir()] == ["one.index"]


def test_scanned_bytes_counted_by_hand() -> None:
    assert scanned_bytes(build(VECTORS, "Flat").index, QUERIES, 10, {}) == 5000 * 32 * 4
    assert scanned_bytes(build(VECTORS, "SQ8").index, QUERIES, 10, {}) == 5000 * 32
    lists = build(VECTORS, "IVF16,Flat").index
    everything = scanned_bytes(lists, QUERIES, 10, {"nprobe": 16})
    assert everything == 16 * 32 * 4 + 5000 * (32 * 4 + 8)
    assert scanned_bytes(lists, QUERIES, 10, {"nprobe": 2}) < everything / 3


def test_refinement_adds_the_vectors_that_are_compared_again() -> None:
    index = build(VECTORS, "RaBitQfs,Refine(SQfp16)").index
    few, many = (scanned_bytes(index, QUERIES, 10, {"k_factor": factor}) for factor in (1, 5))
    assert many - few == 40 * 32 * 2


def test_a_graph_search_reads_the_vectors_that_it_compares() -> None:
    index = build(VECTORS, "HNSW16,Flat").index
    few, many = (scanned_bytes(index, QUERIES, 10, {"efSearch": effort}) for effort in (16, 256))
    assert 10 * 32 * 4 < few < many < 5000 * (32 * 4 + 4 * 32)


def test_the_share_that_is_compared() -> None:
    assert compared_share(build(VECTORS, "SQ8").index, QUERIES, 10, {}) == 1
    assert compared_share(build(VECTORS, "RaBitQfs,Refine(SQfp16)").index, QUERIES, 10, {"k_factor": 2}) == 1
    lists = build(VECTORS, "IVF16,RaBitQfs,Refine(SQfp16)").index
    assert compared_share(lists, QUERIES, 10, {"nprobe": 4, "k_factor": 2}) == 0.25
    graph = build(VECTORS, "HNSW16,Flat").index
    few, many = (compared_share(graph, QUERIES, 10, {"efSearch": effort}) for effort in (16, 256))
    assert 0 < few < many < 1
