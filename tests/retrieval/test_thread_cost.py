"""The number of threads that a search gets depends on who calls it, and is left as it was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import faiss
import pytest

from synapse_perf.retrieval.thread_cost import thread_cost


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    before = faiss.omp_get_max_threads()
    yield
    faiss.omp_set_num_threads(before)


class Search:
    """Notes with how many threads it was called."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def __call__(self, row: Any) -> None:
        self.threads.append(faiss.omp_get_max_threads())


def test_a_setting_holds_for_the_thread_that_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    search = Search()
    monkeypatch.setattr("synapse_perf.retrieval.thread_cost._in_another_thread", lambda call: 2)

    facts = thread_cost(search, [0, 1], asked_for=1)

    assert (facts["here"], facts["elsewhere"]) == (1, 2)
    assert faiss.omp_get_max_threads() == 1


def test_another_thread_is_really_asked() -> None:
    default = faiss.omp_get_max_threads()

    facts = thread_cost(Search(), [0], asked_for=0)

    assert (facts["default"], facts["here"]) == (default, default)
    assert facts["elsewhere"] >= 1


def test_one_and_many_are_compared_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    search = Search()
    monkeypatch.setattr("synapse_perf.retrieval.thread_cost._in_another_thread", lambda call: 2)

    facts = thread_cost(search, [0, 1, 2], asked_for=1)

    compared = search.threads[6:]
    assert facts["pairs"] == len(compared) // 2
    assert compared[:8] == [2, 1, 1, 2, 2, 1, 1, 2]
    assert 0 <= facts["slower_pairs"] <= facts["pairs"]


def test_with_one_thread_for_everybody_there_is_nothing_to_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    search = Search()
    monkeypatch.setattr("synapse_perf.retrieval.thread_cost._in_another_thread", lambda call: 1)

    assert "one_s" not in thread_cost(search, [0], asked_for=1)
    assert search.threads == []
