"""Is a run told from stored runs only where their scatter allows it?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from synapse_perf.analyze.gate_paired import Rules
from synapse_perf.analyze.gate_report import GateRow
from synapse_perf.analyze.gate_stored import ALARM, ASSUMED_SPREAD, PRIOR_WEIGHT, judge_stored
from synapse_perf.baselines.noise import DaySpread
from synapse_perf.model import Metric, Result, TrialRecord
from tests.analyze.trials import single
from tests.made_results import made_result

RULES = Rules()
STEADY = (1.0, 1.001, 0.999, 1.002, 0.998, 1.0)


def result_of(*metrics: Metric) -> Result:
    return replace(made_result(), metrics=metrics, checks=())


def level(factor: float, **more: object) -> Result:
    return result_of(single(*(value * factor for value in STEADY), **more))


def judged(current: Result, runs: Sequence[Result], rules: Rules = RULES) -> GateRow:
    return judge_stored(current, runs, rules).rows[0]


FIVE = [level(factor) for factor in (1.0, 1.004, 0.996, 1.002, 0.998)]


@pytest.mark.parametrize(
    ("factor", "status"),
    [(1.0, "unchanged"), (1.02, "unchanged"), (1.10, "regressed"), (0.85, "improved")],
)
def test_several_steady_runs_judge_a_further_one(factor: float, status: str) -> None:
    row = judged(level(factor), FIVE)
    assert row.comparison.status == status
    assert row.comparison.ratio == pytest.approx(factor, rel=1e-3)


def test_a_rate_is_worse_when_it_falls() -> None:
    runs = [level(factor, better="higher") for factor in (1.0, 1.004, 0.996, 1.002, 0.998)]
    assert judged(level(0.9, better="higher"), runs).comparison.status == "regressed"
    assert judged(level(1.2, better="higher"), runs).comparison.status == "improved"


def test_one_stored_run_says_what_it_assumes_and_finds_only_what_is_large() -> None:
    outcome = judge_stored(level(1.0), [level(1.0)], RULES)
    # By hand: floor + t(0.99, 10) * 0.03 * sqrt(2) on the logarithm, for one metric.
    by_hand = math.log(1.03) + stats.t.ppf(1 - ALARM, PRIOR_WEIGHT) * ASSUMED_SPREAD * math.sqrt(2)
    assert outcome.detectable == pytest.approx(math.expm1(by_hand))
    assert outcome.is_assumed
    assert outcome.rows[0].comparison.status == "inconclusive"
    assert judged(level(1.3), [level(1.0)]).comparison.status == "regressed"


def test_scattered_runs_are_inconclusive_and_tell_how_many_would_do() -> None:
    scattered = [level(factor) for factor in (1.0, 1.03, 0.97, 1.02)]
    row = judged(level(1.0), scattered)
    assert row.comparison.status == "inconclusive"
    assert row.needs is None or row.needs > 0


def test_more_stored_runs_see_more() -> None:
    two = [level(1.0), level(1.01)]
    limits = [judge_stored(level(1.0), two * count, RULES).detectable or 0 for count in (1, 3, 5, 10)]
    assert limits == sorted(limits, reverse=True)


def test_a_miss_on_a_crowded_machine_is_inconclusive() -> None:
    crowded = level(1.3)
    trials = tuple(
        TrialRecord(trial.arm, trial.process, trial.samples, {"cpu_pressure": (0.5,)})
        for trial in crowded.metrics[0].trials
    )
    row = judged(replace(crowded, metrics=(replace(crowded.metrics[0], trials=trials),)), FIVE)
    assert row.comparison.status == "inconclusive"
    assert "crowded" in row.comparison.reason


def test_another_machine_is_not_comparable_and_its_fields_are_named() -> None:
    other = replace(level(1.0).environment, hardware_class={"digest": "h2", "cores": 16})
    row = judged(replace(level(1.0), environment=other), FIVE)
    assert (row.comparison.status, row.comparison.reason) == ("not-comparable", "differing: hardware_class.cores")


def test_other_software_is_compared_and_named() -> None:
    other = replace(level(1.0).environment, software_class={"digest": "s2", "python": "CPython 3.13"})
    outcome = judge_stored(replace(level(1.0), environment=other), FIVE, RULES)
    assert (outcome.rows[0].comparison.status, outcome.changed) == ("unchanged", ("python",))


@pytest.mark.parametrize(
    ("now", "status", "words"),
    [
        (result_of(), "missing", "the run has no such metric"),
        (result_of(single()), "missing", "no sample"),
        (result_of(single(math.nan, 1.0)), "missing", "not a number"),
        (result_of(single(*[0.0] * 6)), "inconclusive", "above 0"),
        (result_of(single(*STEADY, unit="B")), "not-comparable", "differing: unit"),
    ],
)
def test_what_cannot_be_judged_never_passes(now: Result, status: str, words: str) -> None:
    row = judged(now, FIVE)
    assert row.comparison.status == status
    assert words in row.comparison.reason


@pytest.mark.parametrize(("now", "status"), [((7, 7), "unchanged"), ((7, 8), "inconclusive"), ((8, 8), "regressed")])
def test_exact_metrics_are_compared_exactly(now: tuple[float, ...], status: str) -> None:
    runs = [result_of(single(7, 7, better="exact"))] * 3
    assert judged(result_of(single(*now, better="exact")), runs).comparison.status == status


@pytest.mark.parametrize("count", [1, 12])
@pytest.mark.parametrize("runs", [1, 2, 5])
@pytest.mark.parametrize("spread", [0.005, 0.03])
def test_false_alarms_are_as_rare_as_stated(runs: int, spread: float, count: int) -> None:
    """Metrics whose runs scatter normally from day to day; the rules' floor makes alarms rarer still."""
    rng = np.random.default_rng([runs, int(spread * 1000)])
    alarms = 0
    for _ in range(80):
        levels = np.exp(spread * rng.standard_normal((runs + 1, count)))
        results = [
            result_of(*(single(*[float(each)] * 6, labels={"m": str(place)}) for place, each in enumerate(row)))
            for row in levels
        ]
        outcome = judge_stored(results[0], results[1:], RULES)
        alarms += any(row.comparison.status == "regressed" for row in outcome.rows)
    assert alarms <= 3  # of 80, at 1 % stated


# --- calibrated days -------------------------------------------------------------------------------------------------


def test_calibrated_days_stand_in_for_what_was_assumed() -> None:
    key = level(1.0).metrics[0].key
    steady, wild = ({key: DaySpread(deviation, 9)} for deviation in (0.004, 0.20))
    by_steady = judge_stored(level(1.0), [level(1.0)], RULES, calibrated=steady)
    assert not by_steady.is_assumed
    assert by_steady.rows[0].comparison.status == "unchanged"
    assert judge_stored(level(1.1), [level(1.0)], RULES, calibrated=steady).rows[0].comparison.status == "regressed"
    by_wild = judge_stored(level(1.3), [level(1.0)], RULES, calibrated=wild)
    assert by_wild.rows[0].comparison.status == "inconclusive"
    # By hand, of nine degrees of freedom: floor + t(0.99, 9) * 0.2 * sqrt(2) on the logarithm.
    by_hand = math.log(1.03) + stats.t.ppf(1 - ALARM, 9) * 0.20 * math.sqrt(2)
    assert by_wild.detectable == pytest.approx(math.expm1(by_hand))


def test_a_single_calibrated_day_can_only_make_it_more_careful() -> None:
    key = level(1.0).metrics[0].key
    plain = judge_stored(level(1.0), [level(1.0)], RULES)
    for deviation, is_wider in ((0.001, False), (0.10, True)):
        found = judge_stored(level(1.0), [level(1.0)], RULES, calibrated={key: DaySpread(deviation, 0)})
        assert found.is_assumed
        assert ((found.detectable or 0) > (plain.detectable or 0)) == is_wider


def test_days_of_one_metric_tell_something_of_another_that_was_never_calibrated() -> None:
    one, two = (single(*STEADY, labels={"m": name}) for name in ("one", "two"))
    run = result_of(one, two)
    outcome = judge_stored(run, [run], RULES, calibrated={one.key: DaySpread(0.004, 9)})
    assert not outcome.is_assumed
    assert {row.comparison.status for row in outcome.rows} == {"unchanged"}
