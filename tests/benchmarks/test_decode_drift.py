"""Is a machine that slows down told from one that only wobbles, and long answers from a slower machine?"""

from __future__ import annotations

import random

import pytest

from synapse_perf.benchmarks.decode_drift import ANSWERS_AT_MOST, Rate, drift_of


def test_a_steady_machine_has_not_changed() -> None:
    drift = drift_of([Rate(at_s, 40.0, "simple") for at_s in range(10)])

    assert drift is not None
    assert drift == (0.0, 9.0, 10)


def test_a_machine_that_throttles_shows_by_how_much() -> None:
    """From 50 tokens per second down to 40, around a median of 45."""
    drift = drift_of([Rate(at_s, 50.0 - at_s, "simple") for at_s in range(11)])

    assert drift is not None
    assert drift.change == pytest.approx(-10 / 45)


def test_one_answer_that_was_disturbed_changes_nothing() -> None:
    rates = [Rate(at_s, 40.0, "simple") for at_s in range(10)]
    rates[9] = Rate(9, 4.0, "simple")
    drift = drift_of(rates)

    assert drift is not None
    assert drift.change == 0


def test_answers_of_another_kind_are_no_drift() -> None:
    """Complex prompts, which decode more slowly, all came in the second half."""
    rates = [Rate(at_s, 40.0 if at_s < 5 else 20.0, "simple" if at_s < 5 else "complex") for at_s in range(10)]
    drift = drift_of(rates)

    assert drift is not None
    assert drift.change == 0


def test_noise_is_a_small_part_of_a_real_slope() -> None:
    draw = random.Random(1)
    noise = drift_of([Rate(at_s, draw.gauss(40, 1), "simple") for at_s in range(40)])
    real = drift_of([Rate(at_s, draw.gauss(40, 1) * (1 - 0.005 * at_s), "simple") for at_s in range(40)])

    assert noise is not None and real is not None
    assert abs(noise.change) < 0.05
    assert real.change == pytest.approx(-0.2, abs=0.06)


@pytest.mark.parametrize("rates", [[], [Rate(1, 1, "a")] * 3, [Rate(at, 1, str(at)) for at in range(9)]])
def test_too_few_that_can_be_compared_tell_nothing(rates: list[Rate]) -> None:
    assert drift_of(rates) is None


def test_a_long_run_is_thinned_out() -> None:
    drift = drift_of([Rate(at_s, 40.0, "simple") for at_s in range(3 * ANSWERS_AT_MOST)])

    assert drift is not None
    assert drift.answers <= ANSWERS_AT_MOST
