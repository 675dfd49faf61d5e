from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import pytest

from synapse_perf.analyze.retrieval_concurrency import concurrency_findings
from synapse_perf.model import Finding, Metric
from tests.analyze.made_loads import SPREAD, around, made_step, simulated

TRAP = "omp_threads=default"


def findings(*metrics: Sequence[Metric]) -> dict[str, Finding]:
    found = concurrency_findings([one for each in metrics for one in each], 0.95)
    assert len({one.id for one in found}) == len(found)
    return {one.id: one for one in found}


def lags(p99_s: float, spread: Sequence[float] = SPREAD) -> list[list[float]]:
    """Six processes; in each, 5 % of the ticks are so late, the others as late as a timer is."""
    return [[0.0008] * 95 + [p99_s * factor] * 5 for factor in spread]


def on_the_loop(p99_s: float, load: float = 0.5, **more: Any) -> list[Metric]:
    return made_step(load, around(0.01), strategy="on-the-loop", lags_s=lags(p99_s), **more)


def to_thread(p99_s: float, load: float = 0.5) -> list[Metric]:
    return made_step(load, around(0.01), strategy="to-thread", lags_s=lags(p99_s))


def trapped(median_s: float, load: float = 0.5, workers: int = 4, **more: Any) -> list[Metric]:
    return made_step(load, around(median_s), strategy="to-thread", variant=TRAP, omp_workers=workers, **more)


# --- the event loop --------------------------------------------------------------------------------------------------


def test_a_search_that_blocks_the_loop_is_found_by_its_lag() -> None:
    found = findings(on_the_loop(0.030), to_thread(0.003))["search-blocks-event-loop"]

    assert found.severity == "medium"
    assert found.gain is not None
    assert found.gain.measured
    assert found.gain.value == pytest.approx(0.027)
    assert found.gain.low is not None
    assert found.gain.high is not None
    assert 0.02 < found.gain.low < 0.027 < found.gain.high < 0.035
    assert "50.0 queries a second" in found.cause
    assert "event_loop_lag_seconds_bucket" in found.alert
    ast.parse(f"async def answer():\n    {found.change.split(';')[0]}")


def test_a_late_sender_hides_neither_a_blocked_loop_nor_threads_in_each_others_way() -> None:
    late: dict[str, Any] = {"lateness_p95_s": 0.004}

    found = findings(on_the_loop(0.030, **late), to_thread(0.003), trapped(0.020, **late))

    assert {"search-blocks-event-loop", "openmp-oversubscribed"} <= set(found)


def test_a_loop_that_is_blocked_for_long_is_a_high_finding() -> None:
    assert findings(on_the_loop(0.2), to_thread(0.003))["search-blocks-event-loop"].severity == "high"


def test_the_highest_load_below_the_serial_rate_decides() -> None:
    found = findings(
        *(on_the_loop(0.01, 0.5), on_the_loop(0.03, 0.9), on_the_loop(0.5, 1.1)),
        *(to_thread(0.003, load) for load in (0.5, 0.9, 1.1)),
    )

    assert found["search-blocks-event-loop"].evidence["load"] == 0.9


def test_the_strategy_with_the_least_lag_is_the_one_to_take() -> None:
    bounded = made_step(0.5, around(0.01), strategy="bounded", lags_s=lags(0.010))

    found = findings(on_the_loop(0.030), bounded, to_thread(0.003))["search-blocks-event-loop"]

    assert found.evidence["instead"] == "to-thread"


@pytest.mark.parametrize(
    "metrics",
    [
        pytest.param([on_the_loop(0.0030), to_thread(0.0029)], id="as short on both"),
        pytest.param([on_the_loop(0.0015), to_thread(0.0008)], id="twice as long, but less than a tick of a timer"),
        pytest.param([on_the_loop(0.030), to_thread(0.040)], id="longer off the loop"),
        pytest.param([on_the_loop(0.030)], id="nothing to compare with"),
        pytest.param([on_the_loop(0.030, backlog_growth=0.5), to_thread(0.003)], id="beyond the capacity"),
    ],
)
def test_without_a_longer_lag_beyond_doubt_there_is_no_finding(metrics: list[list[Metric]]) -> None:
    assert "search-blocks-event-loop" not in findings(*metrics)


def test_lags_that_scatter_between_processes_show_nothing() -> None:
    wild = made_step(0.5, around(0.01), strategy="on-the-loop", lags_s=lags(0.006, (0.3, 0.4, 0.6, 1.5, 3, 5)))

    assert "search-blocks-event-loop" not in findings(wild, to_thread(0.003))


def test_five_processes_are_too_few() -> None:
    few = made_step(0.5, around(0.01), strategy="on-the-loop", lags_s=lags(0.03, SPREAD[:5]))

    assert "search-blocks-event-loop" not in findings(few, to_thread(0.003))


# --- OpenMP ----------------------------------------------------------------------------------------------------------


def test_threads_in_each_others_way_are_found_with_the_trap() -> None:
    found = findings(trapped(0.020), to_thread(0.003))["openmp-oversubscribed"]

    assert found.gain is not None
    assert found.gain.value == pytest.approx(0.010)
    assert found.gain.low is not None
    assert found.gain.low > 0.008
    assert found.evidence["omp_threads_in_main_thread"] == 1
    assert found.evidence["omp_threads_in_workers"] == [4]
    assert "which no other thread sees" in found.cause
    assert "omp_set_num_threads(1)" in found.change


@pytest.mark.parametrize(
    "metrics",
    [
        pytest.param([trapped(0.0101), to_thread(0.003)], id="as fast"),
        pytest.param([trapped(0.008), to_thread(0.003)], id="faster with several"),
        pytest.param([trapped(0.020, lateness_p95_s=0.012), to_thread(0.003)], id="the sender was as late as that"),
        pytest.param([trapped(0.020, workers=1), to_thread(0.003)], id="the default is one thread"),
        pytest.param([trapped(0.020)], id="nothing to compare with"),
        pytest.param([trapped(0.020), to_thread(0.003, 0.9)], id="at other loads"),
    ],
)
def test_without_a_slower_query_beyond_doubt_threads_are_left_alone(metrics: list[list[Metric]]) -> None:
    assert "openmp-oversubscribed" not in findings(*metrics)


# --- answers ---------------------------------------------------------------------------------------------------------


def test_an_answer_that_differs_is_a_high_finding() -> None:
    wrong = made_step(0.5, around(0.01), strategy="to-thread", differing=2)

    found = findings(wrong, on_the_loop(0.003))["results-differ"]

    assert found.severity == "high"
    assert found.evidence == {"to-thread": {"differing": 12, "errors": 0, "requests": 240, "first_error": None}}


def test_a_request_that_failed_is_one_too() -> None:
    found = findings(made_step(0.5, around(0.01), errors=1, first_error="ValueError: no vector"))["results-differ"]

    assert "6 failed of 240" in found.cause
    assert found.evidence["bounded"]["first_error"] == "ValueError: no vector"


# --- the knee --------------------------------------------------------------------------------------------------------


def test_a_sound_service_gives_its_knee_and_nothing_else() -> None:
    found = findings(simulated((0.25, 0.5, 0.9, 1.5), arrivals="even"))

    assert list(found) == ["concurrency-knee"]
    knee = found["concurrency-knee"]
    assert knee.severity == "info"
    assert knee.evidence["bounded"]["knee_per_s"] == pytest.approx(90)
    assert knee.evidence["bounded"]["capacity_per_s"] == pytest.approx(100)
    assert "rate(retrievals_total[1m]) > 72" in knee.alert


def two_ways(capacity_per_s: Sequence[float]) -> Finding:
    one = made_step(0.5, around(0.01), strategy="bounded", completed_per_s=capacity_per_s)
    other = made_step(0.5, around(0.01), strategy="to-thread", completed_per_s=[100 * factor for factor in SPREAD])
    return findings(one, other)["concurrency-knee"]


def test_a_way_that_completes_clearly_more_is_named() -> None:
    found = two_ways([140 * factor for factor in SPREAD])

    assert found.evidence["best"] == "bounded"
    assert "bounded completes the most" in found.cause


def test_ways_that_complete_about_as_much_are_not_told_apart() -> None:
    found = two_ways([101 * factor for factor in SPREAD])

    assert found.evidence["best"] is None
    assert "cannot be told apart" in found.cause


def test_a_queue_in_front_of_the_encoder_is_told() -> None:
    waiting = made_step(1.1, around(0.1), waits_s=around(0.08))
    running = made_step(1.1, around(0.1), waits_s=around(0.001))

    assert "wait for the encoder" in findings(made_step(0.5, around(0.01)), waiting)["concurrency-knee"].cause
    assert "encoder" not in findings(made_step(0.5, around(0.01)), running)["concurrency-knee"].cause


def test_too_few_requests_give_no_knee() -> None:
    assert findings(made_step(0.5, around(0.01, count=5))) == {}


def test_nothing_measured_gives_nothing() -> None:
    assert findings() == {}
