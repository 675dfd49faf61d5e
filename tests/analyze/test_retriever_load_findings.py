"""What steps of load and a cache conclude about a user's own retriever, in words for their code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from synapse_perf.analyze.retriever_load_findings import (
    ONE_THREAD,
    retriever_cache_findings,
    retriever_load_findings,
)
from synapse_perf.model import Fact, Finding, Metric
from tests.analyze.made_loads import SPREAD, around, made, made_step
from tests.analyze.test_retrieval_cache_findings import saving, trial

FAISS_WORDS = ("faiss", "index.search", "encoder")


def findings(*metrics: Sequence[Metric]) -> dict[str, Finding]:
    found = retriever_load_findings([one for each in metrics for one in each], 0.95)
    assert len({one.id for one in found}) == len(found)
    return {one.id: one for one in found}


def lags(p99_s: float) -> list[list[float]]:
    return [[0.0008] * 95 + [p99_s * factor] * 5 for factor in SPREAD]


def step(strategy: str, load: float = 0.5, per_s: float | None = None, **more: Any) -> list[Metric]:
    """A step of a service that answers 100 a second in turn; `per_s` is what it answers in this one."""
    completed = [per_s * factor for factor in SPREAD] if per_s else None
    return made_step(load, around(0.01), strategy=strategy, completed_per_s=completed, serial_per_s=100.0, **more)


# --- the event loop --------------------------------------------------------------------------------------------------


def test_a_plain_function_on_the_loop_belongs_into_a_thread() -> None:
    found = findings(step("on-the-loop", lags_s=lags(0.03)), step("to-thread", lags_s=lags(0.003)))

    finding = found["search-blocks-event-loop"]
    assert "called on the event loop, retrieve() stops everything else there" in finding.cause
    assert "wait up to 30.0 ms (p99) for the loop, 3.00 ms with to-thread" in finding.cause
    assert "asyncio.to_thread(retriever.retrieve, query)" in finding.change
    assert finding.gain is not None
    assert finding.gain.measured
    assert not any(word in f"{finding.cause} {finding.change}" for word in FAISS_WORDS)


def test_a_blocking_call_inside_an_async_function_is_told_with_the_line() -> None:
    awaited = step("awaited", lags_s=lags(0.03), blocks_at="search.py line 12 (lookup)")

    finding = findings(awaited, step("second-loop", lags_s=lags(0.003)))["search-blocks-event-loop"]

    assert finding.cause.startswith(
        "a blocking call inside an async function, most often seen at search.py line 12 (lookup): "
    )
    assert finding.evidence["blocks_at"] == "search.py line 12 (lookup)"
    assert "asyncio.to_thread(the_blocking_call, ...)" in finding.change


def test_an_async_function_that_gives_way_is_no_finding() -> None:
    found = findings(step("awaited", lags_s=lags(0.003), blocks_at=""), step("second-loop", lags_s=lags(0.003)))

    assert "search-blocks-event-loop" not in found


# --- answers ---------------------------------------------------------------------------------------------------------


def test_answers_that_differ_are_told_with_the_first_error() -> None:
    found = findings(step("to-thread", differing=3, errors=1, first_error="KeyError: 7"), step("on-the-loop"))

    finding = found["results-differ"]
    assert "to-thread: 18 differ and 6 failed of 240, the first with KeyError: 7" in finding.cause
    assert "not safe to call from several threads" in finding.cause
    assert not any(word in f"{finding.cause} {finding.change}" for word in FAISS_WORDS)


def refused(strategy: str, error: str) -> list[Metric]:
    known: dict[str, Fact] = {"requests": 10, "errors": 10, "first_error": error}
    return [made("throughput", [[0.0]] * 6, {"strategy": strategy, "load": "0.25"}, [known] * 6, "1/s", "higher")]


def test_a_way_in_which_nothing_is_answered_is_a_finding_of_its_own() -> None:
    found = findings(
        step("on-the-loop"), refused("to-thread", "ProgrammingError: x"), refused("bounded", "ProgrammingError: y")
    )

    assert "(to-thread, bounded): ProgrammingError: x" in found["refuses-threads"].cause
    assert found["refuses-threads"].severity == "high"
    assert "refuses-event-loop" not in found
    assert "results-differ" not in found


def test_a_loop_that_it_refuses_is_no_fault_of_its_threads() -> None:
    found = findings(refused("on-the-loop", "RuntimeError: a running event loop"), step("to-thread"))

    assert "every request fails: RuntimeError: a running event loop" in found["refuses-event-loop"].cause
    assert "refuses-threads" not in found


# --- threads ---------------------------------------------------------------------------------------------------------


def test_calls_that_wait_for_each_other_are_told() -> None:
    found = findings(
        *(step(way, load, min(100 * load, 103.0)) for way in ("to-thread", "bounded") for load in (0.5, 1.5))
    )

    assert "103 a second against 100 in turn" in found["one-at-a-time"].cause
    assert found["one-at-a-time"].severity == "info"


@pytest.mark.parametrize(
    "metrics",
    [
        pytest.param([step("to-thread", 1.5, 103.0), step("bounded", 1.5, 145.0)], id="one way answers more"),
        pytest.param([step("to-thread", 0.9, 90.0)], id="no more was offered"),
        pytest.param([step("on-the-loop", 1.5, 100.0)], id="on the loop it has to be so"),
    ],
)
def test_without_an_upper_bound_on_what_is_answered_nothing_is_said(metrics: list[list[Metric]]) -> None:
    assert "one-at-a-time" not in findings(*metrics)


def test_openmp_threads_in_each_others_way_are_found() -> None:
    many = made_step(0.5, around(0.02), strategy="to-thread")
    one = made_step(0.5, around(0.01), strategy="to-thread", variant=ONE_THREAD)

    finding = findings(many, one)["openmp-oversubscribed"]

    assert "one takes 20.0 ms, with OMP_NUM_THREADS=1 10.0 ms" in finding.cause
    assert finding.gain is not None
    assert finding.gain.value == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize(
    ("many_s", "lateness_s"), [(0.0101, 0.0), (0.008, 0.0), pytest.param(0.012, 0.004, id="a late sender")]
)
def test_threads_that_do_not_harm_beyond_doubt_are_no_finding(many_s: float, lateness_s: float) -> None:
    many = made_step(0.5, around(many_s), strategy="to-thread", lateness_p95_s=lateness_s)
    one = made_step(0.5, around(0.01), strategy="to-thread", variant=ONE_THREAD)

    assert "openmp-oversubscribed" not in findings(many, one)


def test_one_thread_at_a_lower_rate_proves_nothing() -> None:
    """With one thread each query takes longer, so that the same load is fewer of them a second."""
    many = made_step(0.9, around(0.05), strategy="to-thread")
    one = made_step(0.9, around(0.02), strategy="to-thread", variant=ONE_THREAD, offered_per_s=45.0)

    assert "openmp-oversubscribed" not in findings(many, one)


# --- a cache of answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
def test_a_cache_of_answers_alone_is_compared_with_no_other(is_async: bool) -> None:
    metrics = saving("result", 0.005)

    found = {one.id: one for one in retriever_cache_findings(metrics, [trial()], 0.95, is_async=is_async)}

    finding = found["no-result-cache"]
    assert "saves 5.00 ms of 10.0 ms per query" in finding.cause
    assert "query vectors" not in finding.cause
    assert ("a coroutine can be awaited only once" in finding.change) == is_async
