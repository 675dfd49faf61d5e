"""Caches: what each saves of a query, and how often it answers."""

from __future__ import annotations

from synapse_perf.report.retrieval_caches import caches_section
from tests.report.retrieval_blocks import measured, tables, texts
from tests.report.retrieval_examples import metric
from tests.report.retrieval_experiment_examples import caches


def test_a_row_for_each_cache() -> None:
    found = measured(*caches())
    rows = tables(caches_section(found))[0]
    assert rows[0] == ["query vectors", "zipf-1", "62.0 %", "8.10 ms", "7.86–8.59 ms", "13.1 ms", "1.60 KiB", "6"]
    assert rows[1][0] == "answers"
    assert found.left() == []


def test_answers_that_a_cache_changed_are_counted() -> None:
    assert "No answer differs." in texts(caches_section(measured(*caches())))
    labels = {"cache": "result", "stream": "log"}
    wrong = metric("cache_saving", labels, [[0.01]] * 6, facts=[{"differing": 1}] * 6)
    assert "6 answers differ from those without a cache." in texts(caches_section(measured(wrong)))


def test_without_caches_there_is_no_section() -> None:
    assert caches_section(measured()) is None
