"""Recall, missing results, contexts and ranks are what bare loops over the same vectors say."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from synapse_perf.benchmarks import index_recall
from synapse_perf.retrieval.synthetic import synthetic_vectors
from tests.benchmarks.retrieval_sets import PARAMETERS, run, write_set

K = 10


@pytest.fixture(scope="module")
def data() -> tuple[Any, Any]:
    vectors, queries = synthetic_vectors(1200, 32, seed=5)
    return vectors, queries[:60]


def texts_of(count: int) -> list[str]:
    return [f"text number {at} " + "word " * 20 for at in range(count)]


def lists(vectors: Any, nprobe: int) -> Any:
    index = faiss.index_factory(vectors.shape[1], "IVF16,Flat")
    index.train(vectors)
    index.nprobe = nprobe
    return index


def nearest(vectors: Any, query: Any, k: int, without: int = -1) -> list[int]:
    distances = [(float(((vector - query) ** 2).sum()), at) for at, vector in enumerate(vectors) if at != without]
    return [at for _, at in sorted(distances)[:k]]


def write_queries(folder: Path, entries: list[dict[str, Any]]) -> str:
    path = folder / "queries.jsonl"
    path.write_text("".join(json.dumps({"query": "?", **entry}) + "\n" for entry in entries))
    return str(path)


def test_recall_of_each_query_is_the_share_that_a_loop_counts(tmp_path: Path, data: tuple[Any, Any]) -> None:
    vectors, queries = data
    index = lists(vectors, 1)
    given = {**write_set(tmp_path, (), vectors, index, queries=queries), "k": K}

    facts, samples = run(index_recall, given)

    _, found = index.search(queries, K)
    expected = [
        len({*row.tolist()} & {*nearest(vectors, query, K)}) / K for row, query in zip(found, queries, strict=True)
    ]
    assert [sample.values[0].value for sample in samples] == pytest.approx(expected)
    assert {sample.values[0].labels["k"] for sample in samples} == {str(K)}
    assert facts["recall"]["value"] == pytest.approx(np.mean(expected))
    assert facts["recall"]["low"] < facts["recall"]["value"] < facts["recall"]["high"]
    assert facts["share_with_missing"] == np.mean((found < 0).any(axis=1))
    assert [sample.facts["missing"] for sample in samples] == (found < 0).sum(axis=1).tolist()


def test_more_lists_are_tried_until_there_are_enough(tmp_path: Path, data: tuple[Any, Any]) -> None:
    vectors, queries = data
    given = {**write_set(tmp_path, (), vectors, lists(vectors, 1), queries=queries), "k": K}

    facts, _ = run(index_recall, given)

    steps = facts["probes"]
    assert [step["nprobe"] for step in steps] == [1, 2, 4, 8, 16][: len(steps)]
    assert steps[0]["value"] == facts["recall"]["value"]
    assert all(one["value"] <= more["value"] for one, more in itertools.pairwise(steps))
    assert steps[-1]["low"] >= 0.95 or steps[-1]["nprobe"] == 16
    assert facts["exact_search_s"] > 0


def test_a_chunk_of_the_querys_own_is_in_neither_results_nor_truth(tmp_path: Path, data: tuple[Any, Any]) -> None:
    vectors, _ = data
    given = write_set(tmp_path, texts_of(len(vectors)), vectors, queries=vectors[:8])
    given |= {"k": K, "queries": write_queries(tmp_path, [{"own": str(at)} for at in range(8)])}

    facts, samples = run(index_recall, given)

    assert facts["recall"]["value"] == 1
    best = [1 - ((vectors[nearest(vectors, vectors[at], 1, at)[0]] - vectors[at]) ** 2).sum() / 2 for at in range(8)]
    assert facts["contexts"]["median_best_score"] == pytest.approx(np.median(best), abs=1e-5)
    assert facts["contexts"]["median_best_score"] < 0.999
    assert len(samples) == 8


def test_truth_is_counted_from_the_vectors_that_were_indexed(tmp_path: Path, data: tuple[Any, Any]) -> None:
    """Not from the codes that an index keeps of them, by which it would be perfect."""
    vectors, queries = data
    index = faiss.index_factory(32, "PQ8x4")
    index.train(vectors)
    given = {**write_set(tmp_path, (), vectors, index, queries=queries), "k": K}
    np.save(tmp_path / "vectors.npy", vectors)

    facts, samples = run(index_recall, {**given, "vectors": str(tmp_path / "vectors.npy")})
    by_codes, no_samples = run(index_recall, given)

    _, found = index.search(queries, K)
    expected = [len({*row} & {*nearest(vectors, query, K)}) / K for row, query in zip(found, queries, strict=True)]
    assert (facts["truth"], by_codes["truth"]) == ("vectors", "decoded")
    assert facts["recall"]["value"] == pytest.approx(np.mean(expected))
    assert facts["recall"]["value"] < 0.9
    assert len(samples) == len(queries)
    assert no_samples == []


def test_changed_contexts_are_those_with_other_texts_than_an_exact_searchs(
    tmp_path: Path, data: tuple[Any, Any]
) -> None:
    vectors, queries = data
    index, texts = lists(vectors, 1), texts_of(len(vectors))
    given = {**write_set(tmp_path, texts, vectors, index, queries=queries), "k": K}
    given["parameters"] = {**PARAMETERS, "min_relevance": -1.0, "token_budget": 100}  # three texts of 29 tokens

    facts, samples = run(index_recall, given)

    _, found = index.search(queries, K)
    packed = [[at for at in row.tolist() if at >= 0][:3] for row in found]
    expected = [{*one} != {*nearest(vectors, query, 3)} for one, query in zip(packed, queries, strict=True)]
    assert [sample.facts["context_changed"] for sample in samples] == expected
    assert facts["contexts"]["changed"]["value"] == np.mean(expected)
    assert 0 < np.mean(expected) < 1
    assert {sample.facts["chunks"] for sample in samples} == {3}


def test_empty_contexts_and_ranks_are_those_of_the_scores(tmp_path: Path, data: tuple[Any, Any]) -> None:
    vectors, queries = data
    similar = queries @ vectors.T
    least = float(np.median(similar.max(axis=1)))
    answers = [int(np.argsort(-row)[2]) for row in similar]  # the third nearest is the right one
    given = {**write_set(tmp_path, texts_of(len(vectors)), vectors, queries=queries), "k": K}
    given["queries"] = write_queries(tmp_path, [{"relevant": [str(at)]} for at in answers])
    given["parameters"] = {**PARAMETERS, "min_relevance": least}

    facts, samples = run(index_recall, given)

    contexts, relevance = facts["contexts"], facts["relevance"]
    assert contexts["empty"]["value"] == pytest.approx((similar.max(axis=1) < least).mean(), abs=0.02)
    assert contexts["empty_with_lower"]["value"] <= 0.05
    assert contexts["lower_min_relevance"] <= np.percentile(similar.max(axis=1), 6)
    assert {sample.facts["rank"] for sample in samples} == {3}
    assert relevance["found"]["value"] == 1
    assert relevance["mean_reciprocal_rank"] == pytest.approx(1 / 3)
    reached = [row[at] >= least for row, at in zip(similar, answers, strict=True)]
    assert relevance["in_context"]["value"] == pytest.approx(np.mean(reached), abs=0.02)


def test_of_a_single_vector_nothing_can_be_missed(tmp_path: Path, data: tuple[Any, Any]) -> None:
    vectors, _ = data
    given = write_set(tmp_path, texts_of(1), vectors[:1], queries=vectors[:1])
    given["queries"] = write_queries(tmp_path, [{"own": "0"}])

    facts, samples = run(index_recall, given)

    assert (facts["truth"], samples) == ("none", [])


def test_vectors_that_have_to_be_copied_are_not_without_room(tmp_path: Path, data: tuple[Any, Any]) -> None:
    """A flat index is read where it lies, lists would be copied."""
    vectors, queries = data
    flat = {**write_set(tmp_path / "flat", (), vectors, queries=queries), "room_bytes": 1000}
    of_lists = {**write_set(tmp_path / "lists", (), vectors, lists(vectors, 1), queries=queries), "room_bytes": 1000}

    assert run(index_recall, flat)[0]["truth"] == "stored"
    assert run(index_recall, of_lists)[0]["truth"] == "none"
