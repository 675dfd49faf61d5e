"""Is it told which checks are open, why the run ended, and what more time would settle?"""

from __future__ import annotations

from dataclasses import replace

from synapse_perf.analyze.sampling import Arm, Bounds, interleaved
from synapse_perf.analyze.stopping import (
    Judgement,
    explain_stop,
    open_checks,
    undecided_by,
    what_more_time_would_settle,
)
from synapse_perf.analyze.targets import TARGETS
from synapse_perf.model import Trial
from tests.analyze.trials import DEFINITIONS, failed, spec, trial

FAST = Arm("fast", spec("mmap", model="fast", cache="cold"))
DEEP = Arm("deep", spec("mmap", model="deep", cache="cold"))
WARM = Arm("warm", spec("mmap", model="deep", cache="warm"))
ARMS = [FAST, DEEP, WARM]
JUDGEMENT = Judgement(DEFINITIONS, TARGETS)
CLEAR = (3.0,) * 6
CLOSE = (14.0, 14.0, 14.0, 14.0, 14.0, 14.0, 16.0)
ON_IT = (14.0, 16.0) * 4


def starts(arm: Arm, values: tuple[float, ...], wall_s: float = 2.0) -> tuple[Trial, ...]:
    return tuple(trial(arm.spec, value, process=number, wall_s=wall_s) for number, value in enumerate(values, 1))


def test_arms_with_an_open_check_are_named() -> None:
    trials = starts(FAST, CLEAR) + starts(DEEP, CLOSE) + starts(WARM, ON_IT)
    assert undecided_by(JUDGEMENT, ARMS)(trials) == {"deep"}


def test_an_arm_without_trials_has_nothing_open() -> None:
    assert undecided_by(JUDGEMENT, ARMS)(()) == set()


def test_samples_are_never_judged_so_nothing_is_open() -> None:
    assert undecided_by(replace(JUDGEMENT, subject="sample"), ARMS)(starts(DEEP, ON_IT)) == set()


def test_experiments_and_unproven_starts_leave_nothing_open() -> None:
    trials = starts(Arm("x", spec("read", model="deep", cache="cold", variant="load_mode=read")), ON_IT)
    trials += starts(Arm("y", spec("mmap", model="deep", cache="uncertified")), ON_IT)
    assert open_checks(trials, JUDGEMENT) == []


def test_what_more_time_would_settle() -> None:
    trials = starts(FAST, CLEAR) + starts(DEEP, CLOSE)
    (sentence,) = what_more_time_would_settle(trials, ARMS, JUDGEMENT)
    assert sentence == (
        "model-startup-cpu of model_startup_time{cache=cold,device=cpu,model=deep} at 14.0 s against 15.0 s: "
        "about 3 more starts (6.00 s) would settle it if they go on like these"
    )


def test_a_value_on_the_limit_is_not_promised_to_be_settled() -> None:
    (sentence,) = what_more_time_would_settle(starts(DEEP, ON_IT), ARMS, JUDGEMENT)
    assert sentence.endswith("it sits on the limit, more time would hardly settle it")


def test_the_promised_number_of_starts_settles_it_if_they_go_on_like_these() -> None:
    trials = starts(DEEP, CLOSE + (14.0,) * 3)
    assert what_more_time_would_settle(trials, ARMS, JUDGEMENT) == ()


def test_why_a_run_ended() -> None:
    undecided = undecided_by(JUDGEMENT, [DEEP])
    bounds = Bounds(maximum=8, max_time_s=20.0)
    decided, at_most = starts(DEEP, CLEAR), starts(DEEP, ON_IT)
    too_slow = starts(DEEP, ON_IT[:6], wall_s=3.0)
    for trials in (decided, at_most, too_slow):
        assert interleaved([DEEP], bounds=bounds, seed=1, undecided=undecided)(trials) is None
    assert explain_stop(decided, [DEEP], bounds, undecided) == "nothing is left to decide"
    assert explain_stop(at_most, [DEEP], bounds, undecided).startswith("8 processes of each kind")
    assert explain_stop(too_slow, [DEEP], bounds, undecided) == "the time is spent: 18.0 s of 20.0 s"


def test_what_was_given_up_is_told() -> None:
    trials = (*starts(FAST, CLEAR), failed(DEEP.spec), failed(DEEP.spec))
    undecided = undecided_by(JUDGEMENT, [FAST, DEEP])
    reason = explain_stop(trials, [FAST, DEEP], Bounds(), undecided)
    assert reason == "nothing is left to decide; given up after failures: deep"


def test_a_policy_that_leaves_out_a_kind_of_trials_has_not_run_out_of_time() -> None:
    """Such as the one that times imports, after a service that never started."""
    bounds = Bounds(max_time_s=600.0)
    reason = explain_stop((), [DEEP], bounds, undecided_by(JUDGEMENT, [DEEP]))

    assert reason == "nothing is left to decide"
