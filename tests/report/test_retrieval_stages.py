"""The warm state: percentiles, intervals and processor time of each stage."""

from __future__ import annotations

from synapse_perf.report.retrieval_runs import Measured
from synapse_perf.report.retrieval_stages import tail_interval, warm_section
from tests.report.retrieval_blocks import fewer, measured, tables, texts
from tests.report.retrieval_examples import full, metric, retriever, vectors_only, warm


def test_every_stage_then_the_total() -> None:
    rows = tables(warm_section(Measured(full())))[0]
    assert [row[0] for row in rows] == ["embed", "glue", "search", "filter", "pack", "total"]
    embed, total = rows[0], rows[-1]
    assert embed[-1] == "91.2 %"
    assert total[-1] == ""
    assert total[5] == "19.2 ms"  # the processor time that was noted with the total


def test_queries_processes_and_discarded_warm_ups_are_counted() -> None:
    assert "600 queries in 6 processes; 10 warm-ups discarded in each" in texts(warm_section(measured(*warm())))
    assert "discarded" not in texts(warm_section(measured(*warm(discarded=None))))


def test_the_interval_of_p95_is_over_processes_and_needs_queries_enough_in_each() -> None:
    # 100 values of process i are i + 0.01 to i + 1.00, so its p95 is between i + 0.95 and i + 0.96.
    groups = [[i + n / 100 for n in range(1, 101)] for i in range(6)]
    assert tail_interval(metric("m", {}, groups)) == "95 % 955 ms–5.96 s"
    assert tail_interval(metric("m", {}, [group[:58] for group in groups])) == ""
    assert tail_interval(fewer(metric("m", {}, groups), 5)) == ""


def test_percentiles_that_the_count_cannot_support_are_none() -> None:
    few = metric("retrieval_latency", {"state": "warm", "stage": "total"}, [[0.1, 0.2]] * 6)
    assert tables(warm_section(measured(few)))[0][0][3:5] == ["none", "none"]


def test_vectors_alone_show_the_search() -> None:
    rows = tables(warm_section(Measured(vectors_only())))[0]
    assert [row[0] for row in rows] == ["search"]
    assert rows[0][5] == "15.5 ms"


def test_a_users_retriever_shows_its_total() -> None:
    assert [row[0] for row in tables(warm_section(Measured(retriever())))[0]] == ["total"]


def test_repeated_queries_are_told_as_a_cache_may_have_answered_them() -> None:
    facts = [{"repeated": True}] * 6
    total = metric("retrieval_latency", {"state": "warm", "stage": "total"}, [[0.1] * 10] * 6, facts=facts)
    assert "100 % of the queries had been asked before" in texts(warm_section(measured(total)))


def test_what_was_not_measured_has_no_section() -> None:
    assert warm_section(measured()) is None
