"""Is a change against a baseline told from noise, in the right direction, and never where it cannot be?"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from synapse_perf.analyze.compare import compare, compare_metric, ratio_interval
from synapse_perf.analyze.summary import quantile
from synapse_perf.model import Better, Metric, Result, Suite
from tests.analyze.trials import single
from tests.made_results import made_result

STEADY = (3.00, 3.01, 2.99, 3.02, 2.98, 3.00)
SIDES = st.lists(st.floats(0.5, 2), min_size=6, max_size=8)
untimed = settings(deadline=None)


def scaled(factor: float) -> tuple[float, ...]:
    return tuple(value * factor for value in STEADY)


def result_of(*metrics: Metric) -> Result:
    return replace(made_result(), metrics=metrics)


@pytest.mark.parametrize(
    ("factor", "better", "status"),
    [
        (1.0, "lower", "unchanged"),
        (1.2, "lower", "regressed"),
        (0.8, "lower", "improved"),
        (1.2, "higher", "improved"),
        (0.8, "higher", "regressed"),
        (1.03, "lower", "inconclusive"),
        (1.2, "none", "inconclusive"),
    ],
)
def test_status_of_a_steady_metric(factor: float, better: Better, status: str) -> None:
    found = compare_metric(single(*scaled(factor), better=better), single(*STEADY, better=better))
    assert found.status == status
    assert found.ratio == pytest.approx(factor)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= factor * (1 + 1e-9)
    assert found.high >= factor * (1 - 1e-9)


def test_a_small_change_is_no_regression_however_sure() -> None:
    many = tuple(1 + 1e-6 * place for place in range(30))
    assert compare_metric(single(*(1.02 * value for value in many)), single(*many)).status == "unchanged"


def test_noise_is_inconclusive_and_never_unchanged() -> None:
    noisy = (1.0, 1.4, 0.8, 1.1, 1.6, 0.7)
    assert compare_metric(single(*noisy), single(*noisy[::-1])).status == "inconclusive"


@pytest.mark.parametrize(
    ("now", "before", "status"),
    [
        ((0.0,) * 6, (0.0,) * 6, "unchanged"),
        ((2.0, 9.9, 10.0, 10.0, 10.1, 12.0), (0.0,) * 6, "regressed"),
        ((0.0,) * 6, (2.0, 9.9, 10.0, 10.0, 10.1, 12.0), "improved"),
        ((0.0, 0.0, 0.0, 0.0, 0.0, 2.0), (0.0,) * 6, "inconclusive"),
        ((0.0, 10.0, 10.0, 10.0, 10.0, 10.0), (0.0,) * 6, "inconclusive"),
    ],
)
def test_counts_of_which_there_may_be_none_need_no_ratio(
    now: tuple[float, ...], before: tuple[float, ...], status: str
) -> None:
    found = compare_metric(single(*now, unit="1"), single(*before, unit="1"))
    assert (found.status, found.ratio) == (status, None)


def test_times_of_nothing_are_no_counts() -> None:
    found = compare_metric(single(*(1.0,) * 6), single(*(0.0,) * 6))
    assert (found.status, found.reason) == ("inconclusive", "a ratio needs values above 0")


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        ((1.0,) * 5, STEADY, "at least 6"),
        ((math.nan, *STEADY), STEADY, "not a number"),
        ((0.0, *STEADY), STEADY, "above 0"),
    ],
)
def test_what_cannot_be_compared_never_passes(now: tuple[float, ...], before: tuple[float, ...], words: str) -> None:
    found = compare_metric(single(*now), single(*before))
    assert (found.status, found.ratio) == ("inconclusive", None)
    assert words in found.reason


@pytest.mark.parametrize("now", [(), (math.nan,) * 6])
def test_a_metric_without_a_sample_any_more_is_missing(now: tuple[float, ...]) -> None:
    found = compare_metric(single(*now), single(*STEADY))
    assert (found.status, found.reason) == ("missing", "no sample of it, or one that is not a number")
    assert found.baseline is not None


def test_an_exact_metric_may_not_change_at_all() -> None:
    assert compare_metric(single(7, 7, better="exact"), single(7, 7, better="exact")).status == "unchanged"
    assert compare_metric(single(8, 8, better="exact"), single(7, 7, better="exact")).status == "regressed"


def test_another_unit_or_direction_is_not_comparable() -> None:
    found = compare_metric(single(*STEADY, unit="B", better="higher"), single(*STEADY))
    assert (found.status, found.reason) == ("not-comparable", "differing: unit (s, now B), better (lower, now higher)")
    assert found.baseline is None  # 3 seconds are not 3 bytes


def test_a_metric_that_is_gone_is_missing_and_a_new_one_has_no_baseline() -> None:
    old, new, same = (single(*STEADY, labels={"model": name}) for name in ("old", "new", "same"))
    rows = compare(result_of(same, new), result_of(old, same))
    assert [(row.metric, row.status) for row in rows] == [
        ("model_startup_time{model=old}", "missing"),
        ("model_startup_time{model=same}", "unchanged"),
        ("model_startup_time{model=new}", "missing"),
    ]
    assert (rows[0].current, rows[0].baseline) == (None, 3.0)
    assert (rows[2].current, rows[2].baseline) == (3.0, None)


def test_of_few_processes_what_is_gone_is_no_new_metric() -> None:
    """Of less than six samples no median is stated, but that it was measured is known."""
    old, new, empty = single(1.0, 2.0, name="old"), single(3.0, name="new"), single(name="empty")
    gone, came, nothing = compare(result_of(new, empty), result_of(old))
    assert (gone.status, gone.baseline, gone.is_new) == ("missing", 1.5, False)
    assert (came.status, came.current, came.is_new) == ("missing", 3.0, True)
    assert (nothing.status, nothing.is_new) == ("inconclusive", False)


def test_another_machine_is_not_comparable_and_its_differing_fields_are_named() -> None:
    before = result_of(single(*STEADY))
    environment = replace(before.environment, hardware_class={"digest": "h2", "cores": 16})
    (row,) = compare(replace(before, environment=environment), before)
    assert (row.status, row.reason) == ("not-comparable", "differing: hardware_class.cores")
    assert (row.baseline, row.current, row.ratio) == (3.0, 3.0, None)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("schema_version", 2, "schema_version"),
        ("subject", "sample", "subject"),
        ("workload", {"digest": "other"}, "workload.models"),
    ],
)
def test_other_reasons_not_to_compare(field: str, value: object, named: str) -> None:
    before = replace(result_of(single(*STEADY)), workload={"digest": "w", "models": 1})
    (row,) = compare(replace(before, **{field: value}), before)  # type: ignore[arg-type]
    assert (row.status, row.reason) == ("not-comparable", f"differing: {named}")


def test_a_suite_is_compared_by_its_result_of_the_same_command() -> None:
    mine, other = result_of(single(*STEADY)), replace(result_of(single(*scaled(2))), benchmark="bench-cgrag")
    assert [row.status for row in compare(mine, Suite((other, mine), (), "pass"))] == ["unchanged"]
    (row,) = compare(mine, Suite((other,), (), "pass"))
    assert (row.status, row.reason) == ("not-comparable", "the baseline has no profile-load")


# --- the interval ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(3, 4), (4, 4), (5, 3)])
def test_interval_is_that_of_all_resamples(sizes: tuple[int, int]) -> None:
    """Enumeration of every way to draw both sides again."""
    rng = np.random.default_rng(1)
    above, below = (np.round(rng.lognormal(0, 0.3, size), 3) for size in sizes)
    medians = [[np.median(draw) for draw in itertools.product(side, repeat=len(side))] for side in (above, below)]
    ratios = np.sort(np.divide.outer(*map(np.array, medians)).ravel())
    low, high = ratio_interval(above.tolist(), below.tolist(), 0.9)
    assert (ratios > high * (1 + 1e-9)).mean() <= 0.05 + 1e-9 < (ratios > high * (1 - 1e-9)).mean()
    assert (ratios < low * (1 - 1e-9)).mean() <= 0.05 + 1e-9 < (ratios < low * (1 + 1e-9)).mean()


@pytest.mark.parametrize("processes", [1500, 1501])
def test_of_many_processes_the_bounds_are_order_statistics(processes: int) -> None:
    """As of a file of hyperfine; beside a steady baseline the ratio is a resampled median, whose rank is binomial."""
    now = [1 + place / processes for place in range(processes)]
    ranks = stats.binom.ppf([0.025, 0.975], processes, 0.5)
    assert ratio_interval(now, [1.0] * 6, 0.95) == pytest.approx(tuple(1 + ranks / processes), abs=2 / processes)


@untimed
@given(SIDES, SIDES)
def test_swapping_the_arms_mirrors_the_interval(current: list[float], baseline: list[float]) -> None:
    low, high = ratio_interval(current, baseline, 0.95)
    mirrored = ratio_interval(baseline, current, 0.95)
    assert mirrored == pytest.approx((1 / high, 1 / low))


@untimed
@given(SIDES, SIDES, st.sampled_from([0.001, 3.7, 1e9]))
def test_a_change_of_unit_changes_nothing(current: list[float], baseline: list[float], factor: float) -> None:
    now, before = ([value * factor for value in side] for side in (current, baseline))
    assert ratio_interval(now, before, 0.95) == pytest.approx(ratio_interval(current, baseline, 0.95))


@untimed
@given(SIDES, SIDES)
def test_the_order_of_processes_is_nothing_and_the_ratio_lies_inside(
    current: list[float], baseline: list[float]
) -> None:
    low, high = ratio_interval(current, baseline, 0.95)
    assert ratio_interval(sorted(current), baseline[::-1], 0.95) == pytest.approx((low, high))
    assert low * (1 - 1e-9) <= quantile(current, 0.5) / quantile(baseline, 0.5) <= high * (1 + 1e-9)


@pytest.mark.parametrize("sizes", [(6, 6), (6, 12), (12, 12)])
@pytest.mark.parametrize("shape", ["lognormal", "exponential", "two peaks", "different spread"])
def test_the_interval_holds_the_true_ratio_about_as_often_as_stated(shape: str, sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    runs = 400

    def draw(size: int, spread: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        if shape == "exponential":
            return 1 + 0.2 * rng.exponential(1, (runs, size))
        values = np.exp(spread * rng.standard_normal((runs, size)))
        return np.where(rng.random((runs, size)) < 0.4, 1.5, 1.0) * values if shape == "two peaks" else values

    spreads = (0.05, 0.3) if shape == "different spread" else (0.05, 0.05)
    above, below = (draw(size, spread).tolist() for size, spread in zip(sizes, spreads, strict=True))
    intervals = [ratio_interval(now, before, 0.95) for now, before in zip(above, below, strict=True)]
    held = sum(low <= 1 <= high for low, high in intervals) / runs
    assert held > 0.92  # 0.95 less the bootstrap's known shortfall and 2 standard errors of 400 runs
