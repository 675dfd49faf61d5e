"""Does tuning try what fits into its time, report no gain that is none, and find one that is there?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.collect import metrics_of
from synapse_perf.analyze.latency_tuning import DEFINITION, left_untried, shares, tuning_policy
from synapse_perf.analyze.latency_tuning_results import CONFIRMING, SCREENING, compared, processes_for, screened
from synapse_perf.analyze.latency_tuning_settings import REFERENCE, Candidate
from synapse_perf.analyze.sampling import spent_s
from synapse_perf.model import Failure, Trial
from tests.analyze import tuning_simulation
from tests.analyze.tuning_simulation import CANDIDATES, FASTER, outcome, tier, tune


def stages(trials: tuple[Trial, ...], label: str) -> list[Trial]:
    return [trial for trial in trials if trial.spec.workload["label"] == label]


def arms(trial: Trial) -> list[str]:
    return [arm["name"] for arm in trial.spec.workload["arms"]]


# --- the error rates -------------------------------------------------------------------------------------------------


def test_where_no_setting_helps_hardly_ever_a_gain_is_reported() -> None:
    """4 in 1000 here; each confirmed candidate alone may with 1/128, and most tunings confirm none."""
    found = tuning_simulation.shares(250, {})

    assert found["gain"] <= 0.02
    assert found["covered"] >= 0.95


def test_a_setting_that_is_a_fifth_faster_is_found_with_an_interval_that_holds_it() -> None:
    found = tuning_simulation.shares(100, {FASTER: 1.2})

    assert found["found"] >= 0.99
    assert found["covered"] >= 0.93


def test_the_gain_is_not_inflated_by_having_been_picked() -> None:
    """The best of eight in the screening is lucky; its fresh figures are not."""
    fresh = [one.ratio for seed in range(120) for one in outcome(seed, {FASTER: 1.1}, tier()) if one.name == FASTER]

    assert sum(fresh) / len(fresh) == pytest.approx(1.1, abs=0.01)


# --- what is tried ---------------------------------------------------------------------------------------------------


def test_everything_is_looked_at_in_two_processes_and_the_best_confirmed_in_fresh_ones() -> None:
    trials = tune(3, {FASTER: 1.3, "-fa off": 1.2}, tier())
    looked, confirmed = stages(trials, SCREENING), stages(trials, CONFIRMING)

    assert [arms(trial) for trial in looked] == [[REFERENCE, *(one.name for one in CANDIDATES)]] * 2
    assert len(confirmed) == 7  # of three candidates, each at 98.3 %
    assert arms(confirmed[0]) == [REFERENCE, f"{FASTER} -fa off", FASTER, "-fa off"]
    assert looked[0].spec.workload["arms"][0]["max_tokens"] == 16
    assert confirmed[0].spec.workload["arms"][0]["max_tokens"] == 100


@pytest.mark.parametrize(("candidates", "processes"), [(1, 6), (2, 7), (3, 7), (4, 8)])
def test_the_interval_of_several_takes_more_processes(candidates: int, processes: int) -> None:
    """2 / 2^n must not be more than each one's part of 5 %."""
    assert processes_for(candidates, 0.95) == processes


def test_where_a_target_is_missed_the_shorter_answer_is_measured_as_well() -> None:
    trials = tune(1, {}, tier(misses=True, fewer_tokens=40, candidates=()))

    assert [arms(trial) for trial in trials] == [[REFERENCE, "max_tokens=40"]] * 6
    assert trials[0].spec.workload["arms"][1]["max_tokens"] == 40


def test_the_screening_scales_a_short_answer_to_a_whole_one() -> None:
    """A setting that helps the prompt alone helps a long answer little."""
    trials = tune(1, {}, tier())
    ratios = screened(metrics_of(stages(trials, SCREENING), DEFINITION), "deep", 100)

    assert set(ratios) == {one.name for one in CANDIDATES}


# --- the time --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_time_s", [100.0, 200.0, 400.0, 900.0])
def test_it_keeps_to_its_time(max_time_s: float) -> None:
    for seed in range(5):
        trials = tune(seed, {FASTER: 1.2, "-fa off": 1.1}, tier("fast"), tier("deep"), max_time_s=max_time_s)
        assert spent_s(trials) <= max_time_s * 1.15  # single processes of the simulation are slower by chance


def test_what_there_was_no_time_for_is_named() -> None:
    slow = tier(ready_s=20.0, first_s=10.0, token_s=0.2)

    trials = tune(1, {}, slow, max_time_s=120.0)
    assert trials == ()
    (one,) = shares([slow], trials, 120.0)
    assert left_untried(*one, 0.95) == [one.name for one in CANDIDATES]


def test_with_little_time_the_most_promising_are_tried_and_the_others_named() -> None:
    some = tune(1, {}, tier(), max_time_s=150.0)
    (one,) = shares([tier()], some, 150.0)
    untried = left_untried(*one, 0.95)

    tried = arms(some[0])[1:]
    assert tried
    assert untried[: len(CANDIDATES) - len(tried)] == [one.name for one in CANDIDATES[len(tried) :]]


def test_tiers_that_miss_their_target_come_first_and_share_all_of_the_time() -> None:
    first, second, last = tier("deep", misses=True), tier("fast", misses=True), tier("balanced")

    assert [share_s for _, _, share_s in shares([first, second, last], [], 600.0)] == [300.0, 600.0, 600.0]
    policy = tuning_policy([first, second, last], 600.0, 0.95)
    spec = policy(())
    assert spec is not None
    assert spec.arm == "deep screening"


def test_memory_limits_how_many_are_compared_at_a_time() -> None:
    trials = tune(1, {FASTER: 1.3}, tier(arms_at_most=2))

    assert {len(arms(trial)) for trial in trials} == {2}


def test_a_kind_of_trial_that_goes_on_failing_is_given_up() -> None:
    policy = tuning_policy([tier()], None, 0.95)
    trials: tuple[Trial, ...] = ()
    while (spec := policy(trials)) is not None:
        trials = (*trials, Trial(spec, len(trials) + 1, (), 1.0, failure=Failure("crash", "aborted")))

    assert len(trials) == 2


# --- the statuses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("effect", "status"), [(1.3, "improved"), (0.7, "regressed"), (1.0, "unchanged")])
def test_a_confirmed_candidate_has_a_status_of_its_own(effect: float, status: str) -> None:
    """Confirmed without a screening: as a shorter answer is."""
    own = tier(candidates=(), misses=True, fewer_tokens=100)
    (found,) = outcome(4, {"max_tokens=100": effect}, own)

    assert found.status == status
    assert found.gain_low_s is not None
    assert found.first_difference is None


def test_too_few_processes_have_no_interval_and_no_verdict() -> None:
    trials = tune(1, {"max_tokens=100": 1.3}, tier(candidates=(), misses=True, fewer_tokens=100))

    (found,) = compared(metrics_of(trials[:5], DEFINITION), "deep", 0.95)
    assert (found.status, found.low, found.processes) == ("inconclusive", None, 5)


def test_answers_that_differ_are_counted_from_the_earliest_token() -> None:
    own = tier(candidates=(), misses=True, fewer_tokens=100)
    trials = list(tune(1, {}, own))
    broken = trials[2]
    sample = broken.samples[1]
    trials[2] = replace(
        broken,
        samples=(broken.samples[0], sample._replace(facts={**sample.facts, "same_tokens": 8}), *broken.samples[2:]),
    )
    (found,) = compared(metrics_of(trials, DEFINITION), "deep", 0.95)
    assert (found.rounds - found.same_answers, found.first_difference) == (1, 9)


def test_candidates_carry_the_name_of_their_options() -> None:
    assert Candidate("-t 8", {"n_threads": 8}) in CANDIDATES
