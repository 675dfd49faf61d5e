from __future__ import annotations

import math
from typing import Any

import pytest

from synapse_perf.analyze.load_steps import (
    KNEE_FACTOR,
    Knee,
    capacity_per_process,
    common_steps,
    highest_common,
    knee,
    sender_warnings,
    steps_of,
)
from synapse_perf.model import Metric
from tests.analyze.made_loads import SERVICE_S, around, made_step, simulated, simulated_step

LOADS = (0.25, 0.5, 0.75, 0.9, 1.1, 1.5)


def knee_of(*metrics: list[Metric]) -> Knee:
    (steps,) = steps_of([one for each in metrics for one in each]).values()
    return knee(steps)


def p95_of_a_queue(load: float) -> float:
    """Time in an M/D/1 queue that 95 % of the requests do not exceed, by Erlang's formula (A. K. Erlang, 1909)."""
    rate = load / SERVICE_S

    def at_most(wait_s: float) -> float:
        terms = (
            (rate * (k * SERVICE_S - wait_s)) ** k / math.factorial(k) * math.exp(-rate * (k * SERVICE_S - wait_s))
            for k in range(int(wait_s / SERVICE_S) + 1)
        )
        return (1 - load) * sum(terms)

    low, high = 0.0, 15 * SERVICE_S
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(middle) < 0.95 else (low, middle)
    return high + SERVICE_S


def test_an_even_load_is_borne_up_to_the_serial_rate() -> None:
    found = knee_of(simulated(LOADS, arrivals="even"))

    assert found.step is not None
    assert found.step.load == 0.9
    assert found.step.p95_s == pytest.approx(SERVICE_S)


def test_two_servers_bear_more_than_the_serial_rate() -> None:
    found = knee_of(simulated(LOADS, arrivals="even", servers=2))

    assert found.step is not None
    assert found.step.load == 1.5
    assert found.reason == "no higher load was offered"


def test_the_knee_of_random_arrivals_is_where_the_formula_of_the_queue_has_it() -> None:
    loads = (0.2, 0.4, 0.6, 0.95)
    expected = max(load for load in loads if p95_of_a_queue(load) <= KNEE_FACTOR * p95_of_a_queue(loads[0]))

    found = knee_of(simulated(loads, count=4000))

    assert found.step is not None
    assert found.step.load == expected == 0.6
    assert found.step.p95_s == pytest.approx(p95_of_a_queue(0.6), rel=0.1)


def test_overload_is_a_growing_backlog_and_balance_is_none() -> None:
    (steps,) = steps_of(simulated((0.5, 1.5), count=200)).values()

    assert [step.is_growing for step in steps] == [False, True]
    assert simulated_step(2.0, 100, 0, arrivals="even").backlog_growth() == pytest.approx(0.5, abs=0.03)


def test_a_service_that_completes_what_is_offered_says_so() -> None:
    below, above = (simulated_step(load, 200, 0, arrivals="even") for load in (0.5, 2.0))

    assert below.completed_per_s == pytest.approx(below.offered_per_s, rel=0.01)
    assert above.completed_per_s == pytest.approx(1 / SERVICE_S)


def test_the_knee_ends_at_the_first_load_that_fails_even_if_a_higher_one_does_not() -> None:
    found = knee_of(made_step(0.5, around(0.01)), made_step(0.9, around(0.04)), made_step(1.1, around(0.01)))

    assert found.step is not None
    assert found.step.load == 0.5
    assert "3 times" in found.reason


@pytest.mark.parametrize(
    ("facts", "reason"),
    [({"errors": 1}, "failed"), ({"backlog_growth": 0.4}, "backlog"), ({"lateness_p95_s": 0.005}, "late")],
)
def test_what_is_not_in_balance_is_beyond_the_knee(facts: dict[str, Any], reason: str) -> None:
    found = knee_of(made_step(0.5, around(0.01)), made_step(0.9, around(0.01), **facts))

    assert found.step is not None
    assert found.step.load == 0.5
    assert reason in found.reason


def test_without_a_sound_lowest_load_there_is_no_knee() -> None:
    late = knee_of(made_step(0.5, around(0.01), lateness_p95_s=0.005), made_step(0.9, around(0.01)))
    few = knee_of(made_step(0.5, around(0.01, count=9)))

    assert (late.step, few.step) == (None, None)
    assert "late" in late.reason
    assert "54 requests" in few.reason


def test_loads_that_only_the_fastest_processes_reached_are_beyond_the_knee() -> None:
    reached = around(0.01)

    one_short = knee_of(made_step(0.5, reached), made_step(0.9, reached[:5]))
    two_short = knee_of(made_step(0.5, reached), made_step(0.9, reached[:4]))

    assert one_short.step is not None
    assert two_short.step is not None
    assert (one_short.step.load, two_short.step.load) == (0.9, 0.5)


def test_a_load_that_only_a_few_processes_had_the_time_for_is_left_out() -> None:
    found = knee_of(made_step(0.25, around(0.01)[:2]), made_step(0.5, around(0.01)), made_step(0.9, around(0.02)))

    assert found.step is not None
    assert found.step.load == 0.9


def test_a_sender_that_is_late_by_a_trifle_is_not_late() -> None:
    trifle = made_step(0.5, around(0.01), lateness_p95_s=0.0009)
    slow_service = made_step(0.5, around(1.0), lateness_p95_s=0.05)

    assert sender_warnings([*trifle]) == []
    assert sender_warnings([*slow_service]) == []


def test_a_late_sender_is_told_with_its_steps() -> None:
    metrics = [*made_step(0.5, around(0.01), lateness_p95_s=0.005), *made_step(0.9, around(0.01))]

    (warning,) = sender_warnings(metrics)

    assert "1 of 2 steps" in warning


def test_strategies_and_variants_are_apart_and_the_idle_loop_is_no_step() -> None:
    idle = made_step(0, around(0.01))[3]
    metrics = [
        idle,
        *made_step(0.9, around(0.01)),
        *made_step(0.5, around(0.01)),
        *made_step(0.5, around(0.02), variant="omp_threads=default"),
        *made_step(0.5, around(0.03), strategy="to-thread"),
    ]

    found = steps_of(metrics)

    assert {key: [step.load for step in steps] for key, steps in found.items()} == {
        ("bounded", ""): [0.5, 0.9],
        ("bounded", "omp_threads=default"): [0.5],
        ("to-thread", ""): [0.5],
    }
    assert found["bounded", "omp_threads=default"][0].median_s == pytest.approx(0.02)


def test_strategies_are_compared_where_both_are_in_balance() -> None:
    one = [step for load in (0.5, 0.9, 1.1) for step in made_step(load, around(0.01))]
    other = [
        *made_step(0.5, around(0.01), strategy="to-thread"),
        *made_step(0.9, around(0.01), strategy="to-thread"),
        *made_step(1.1, around(0.01), strategy="to-thread", backlog_growth=0.5),
    ]
    steps = steps_of([*one, *other])

    assert [pair[0].load for pair in common_steps(*steps.values())] == [0.5, 0.9]
    highest = highest_common(*steps.values())
    assert highest is not None
    assert [step.strategy for step in highest] == ["bounded", "to-thread"]


def test_the_capacity_of_a_process_is_the_most_that_it_completed_at_any_load() -> None:
    metrics = [
        *made_step(0.5, around(0.01), completed_per_s=[50.0] * 6),
        *made_step(1.5, around(0.05), completed_per_s=[90.0, 91, 92, 93, 94, 95]),
        *made_step(2.0, around(0.05), completed_per_s=[80.0, 81, 82, 83, 84, 99]),
    ]
    (steps,) = steps_of(metrics).values()

    assert capacity_per_process(steps) == [90, 91, 92, 93, 94, 99]
