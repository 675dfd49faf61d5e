"""Does a retrieval give what the engine's rule says, worked out anew with NumPy?"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_perf.retrieval.pipeline import STAGES, Parameters, Pipeline, Retrieved
from synapse_perf.retrieval.search_parameters import UnknownParameter
from synapse_perf.retrieval.synthetic import synthetic_vectors

VECTORS, QUERIES = synthetic_vectors(300, 24, queries=40, seed=3)
WORDS = np.random.default_rng(5).integers(1, 900, len(VECTORS))
CONTENTS = [f"{number} " + "word " * (count - 1) for number, count in enumerate(WORDS)]


class Answering:
    """An index that gives these distances and ids, whatever it is asked."""

    metric_type = faiss.METRIC_L2

    def __init__(self, distances: list[float], ids: list[int], *, is_similarity: bool = False) -> None:
        self.distances = np.array([distances], dtype=np.float32)
        self.ids = np.array([ids], dtype=np.int64)
        self.ntotal = len(ids)
        if is_similarity:
            self.metric_type = faiss.METRIC_INNER_PRODUCT

    def search(self, rows: Any, k: int) -> Any:
        assert rows.shape == (1, 2)
        return self.distances[:, :k], self.ids[:, :k]


def embed(query: str) -> Any:
    return QUERIES[int(query)]


def flat(metric: int) -> Any:
    index = faiss.IndexFlat(VECTORS.shape[1], metric)
    index.add(VECTORS)
    return index


def packed_by_the_rule(query: int, k: int, least: float, budget: int) -> tuple[int, ...]:
    """Scores as cosines; the best k of them, those that are high enough, and as many as the budget holds."""
    scores = VECTORS.astype(np.float64) @ QUERIES[query].astype(np.float64)
    best = [place for place in np.argsort(-scores)[:k] if scores[place] >= least]
    taken: list[int] = []
    tokens = 0
    for place in best:
        tokens += int(WORDS[place] * 1.3)
        if taken and tokens > budget:
            break
        taken.append(int(place))
    return tuple(taken)


@pytest.mark.parametrize("metric", [faiss.METRIC_L2, faiss.METRIC_INNER_PRODUCT])
@pytest.mark.parametrize(
    ("artifacts", "least", "budget"), [(5, 0.3, 8000), (5, 0.5, 1500), (1, -1.0, 300), (100, 0.2, 10**9)]
)
def test_what_is_packed_is_what_the_rule_says(metric: int, artifacts: int, least: float, budget: int) -> None:
    pipeline = Pipeline(embed, flat(metric), CONTENTS, Parameters(artifacts, least, budget))
    found = [pipeline.retrieve(str(query)).packed for query in range(len(QUERIES))]

    expected = [packed_by_the_rule(query, 5 * artifacts, least, budget) for query in range(len(QUERIES))]
    assert [packed.chunks for packed in found] == expected
    assert len({len(chunks) for chunks in expected}) > 1, "every query packs as much, so the test shows little"
    for packed in found:
        assert packed.context == "\n\n".join(CONTENTS[place] for place in packed.chunks)


def answer(distances: list[float], ids: list[int], *, is_similarity: bool = False, **parameters: Any) -> Retrieved:
    index = Answering(distances, ids, is_similarity=is_similarity)
    contents = ["some words here"] * 100
    vector = np.ones(2, dtype=np.float32)
    return Pipeline(lambda query: vector, index, contents, Parameters(**parameters)).retrieve("?")


def test_a_squared_distance_of_six_tenths_is_a_cosine_of_seven_tenths() -> None:
    assert answer([0.5, 0.7], [4, 9], min_relevance=0.7).packed.chunks == (4,)
    assert answer([0.75, 0.65], [4, 9], min_relevance=0.7, is_similarity=True).packed.chunks == (4,)


def test_a_score_at_the_limit_is_relevant_enough() -> None:
    assert answer([0.5], [1], min_relevance=0.75).candidates == 1
    assert answer([0.75], [1], min_relevance=0.75, is_similarity=True).candidates == 1


def test_places_that_faiss_could_not_fill_are_left_out() -> None:
    assert answer([0.1, 0.2, 3.4e38], [7, -1, -1]).packed.chunks == (7,)


def test_a_distance_that_is_no_number_is_not_relevant() -> None:
    assert answer([float("nan"), 0.1], [1, 2]).packed.chunks == (2,)


def test_where_nothing_is_relevant_the_context_is_empty() -> None:
    retrieved = answer([1.9, 2.0], [1, 2])
    assert (retrieved.candidates, retrieved.packed.context, retrieved.packed.tokens) == (0, "", 0)


def test_candidates_are_counted_before_packing() -> None:
    retrieved = answer([0.1] * 9, list(range(9)), token_budget=4)
    assert (retrieved.candidates, len(retrieved.packed.chunks)) == (9, 1)


def test_an_index_with_less_than_is_asked_for_is_asked_for_all_it_has() -> None:
    pipeline = Pipeline(embed, flat(faiss.METRIC_L2), CONTENTS, Parameters(1000, -1.0, 10**9))
    assert sorted(pipeline.retrieve("0").packed.chunks) == list(range(len(VECTORS)))


@given(st.lists(st.tuples(st.floats(0, 4, width=32), st.integers(-1, 99)), max_size=30), st.floats(-1, 1))
def test_the_filter_keeps_the_order_and_what_is_at_least_as_relevant(
    found: list[tuple[float, int]], least: float
) -> None:
    retrieved = answer(
        [distance for distance, _ in found],
        [place for _, place in found],
        max_artifacts=20,
        min_relevance=least,
        token_budget=10**6,
    )

    kept = tuple(place for distance, place in found if place >= 0 and 1 - distance / 2 >= least)
    assert retrieved.packed.chunks == kept
    assert retrieved.candidates == len(kept)


def test_every_stage_has_a_start_and_an_end_and_no_time_lies_between() -> None:
    stamps = answer([0.1], [0]).stamps

    assert len(stamps) == len(STAGES) + 1
    assert all(before.at_ns <= after.at_ns and before.cpu_ns <= after.cpu_ns for before, after in pairwise(stamps))


def test_queries_that_are_searched_together_get_what_each_gets_alone() -> None:
    pipeline = Pipeline(embed, flat(faiss.METRIC_L2), CONTENTS, Parameters(5, 0.3, 2000))
    alone = [pipeline.retrieve(str(query)).packed for query in range(len(QUERIES))]

    assert [packed for _, packed in pipeline.answer(QUERIES)] == alone


def test_a_parameter_that_the_index_does_not_have_is_told_before_a_query_is_asked() -> None:
    with pytest.raises(UnknownParameter, match="IndexFlat has no parameter nprobe"):
        Pipeline(embed, flat(faiss.METRIC_L2), CONTENTS, Parameters(search={"nprobe": 8}))
