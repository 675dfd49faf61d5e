"""Does a policy name the next trial that it should, from the trials so far alone?"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from synapse_perf.analyze.sampling import Arm, Bounds, fixed, given_up, interleaved, is_dropped
from synapse_perf.model import Policy, Trial, TrialSpec
from tests.analyze.trials import failed, spec, trial

ARMS = [Arm(name, spec(name)) for name in ("mmap", "read", "direct")]


def nothing(_: tuple[Trial, ...]) -> set[str]:
    return set()


def always(*names: str) -> object:
    return lambda _: set(names)


def policy(
    arms: list[Arm] = ARMS,
    *,
    undecided: object = nothing,
    seed: int = 1,
    max_time_s: float | None = None,
    **bounds: int,
) -> Policy:
    return interleaved(
        arms,
        bounds=Bounds(max_time_s=max_time_s, **bounds),
        seed=seed,
        undecided=undecided,  # type: ignore[arg-type]
    )


def run(of: Policy, outcome: object = None, most: int = 500) -> list[Trial]:
    """Trials until the policy ends; `outcome` makes a trial of a spec, by default one that takes a second."""
    trials: list[Trial] = []
    while (wanted := of(tuple(trials))) is not None and len(trials) < most:
        trials.append(outcome(wanted) if callable(outcome) else trial(wanted, 1.0))
    return trials


def names(trials: list[Trial]) -> list[str]:
    return [one.spec.arm for one in trials]


def test_fixed_trials_in_their_order() -> None:
    specs = [spec("a"), spec("b"), spec("a")]
    assert names(run(fixed(specs))) == ["a", "b", "a"]


def test_six_blocks_with_every_arm_once_when_everything_is_decided() -> None:
    found = names(run(policy()))
    blocks = [found[start : start + 3] for start in range(0, 18, 3)]
    assert len(found) == 18
    assert all(sorted(block) == ["direct", "mmap", "read"] for block in blocks)


def test_blocks_have_orders_of_their_own_drawn_from_the_seed() -> None:
    found = names(run(policy()))
    assert len({tuple(found[start : start + 3]) for start in range(0, 18, 3)}) > 1
    assert names(run(policy(seed=1))) == found
    assert names(run(policy(seed=2))) != found


def test_every_order_of_a_block_is_about_equally_likely() -> None:
    first = Counter(tuple(names(run(policy(seed=seed, minimum=1)))) for seed in range(600))
    assert len(first) == 6
    assert min(first.values()) > 60  # of 100 expected; fewer has a chance under 1 in 100,000


def test_only_undecided_arms_go_on_until_the_most() -> None:
    found = Counter(names(run(policy(undecided=always("read"), maximum=9))))
    assert found == {"mmap": 6, "read": 9, "direct": 6}


def test_an_arm_stops_when_its_check_is_decided() -> None:
    def until_eight(trials: tuple[Trial, ...]) -> set[str]:
        return {"mmap"} if sum(one.spec.arm == "mmap" for one in trials) < 8 else set()

    assert Counter(names(run(policy(undecided=until_eight)))) == {"mmap": 8, "read": 6, "direct": 6}


def test_nobody_is_asked_before_the_minimum() -> None:
    def refuse(_: tuple[Trial, ...]) -> set[str]:
        raise AssertionError("asked too early")

    next_trial = policy(undecided=refuse)
    trials: list[Trial] = []
    for _ in range(18):
        wanted = next_trial(tuple(trials))
        assert wanted is not None
        trials.append(trial(wanted, 1.0))
    with pytest.raises(AssertionError, match="asked too early"):
        next_trial(tuple(trials))


def test_an_arm_with_a_fixed_count_is_never_extended() -> None:
    arms = [*ARMS, Arm("floor", spec("floor"), repeats=3), Arm("long", spec("long"), repeats=8)]
    found = Counter(names(run(policy(arms, undecided=always("mmap", "floor"), maximum=10))))
    assert found == {"mmap": 10, "read": 6, "direct": 6, "floor": 3, "long": 8}


def test_the_time_ends_the_run_before_a_trial_that_would_not_fit() -> None:
    trials = run(policy(max_time_s=10.5), lambda wanted: trial(wanted, 1.0, wall_s=2.0))
    assert sum(one.wall_s for one in trials) == 10.0


def test_a_short_arm_uses_the_time_that_a_long_one_cannot() -> None:
    def outcome(wanted: TrialSpec) -> Trial:
        return trial(wanted, 1.0, wall_s=10.0 if wanted.arm == "read" else 1.0)

    found = Counter(names(run(policy(max_time_s=30.0), outcome)))
    assert found == {"mmap": 6, "direct": 6, "read": 1} or found == {"mmap": 5, "direct": 5, "read": 2}
    assert sum(10.0 if name == "read" else 1.0 for name in found.elements()) <= 30.0


def test_an_arm_that_fails_the_same_way_twice_is_dropped_and_the_others_go_on() -> None:
    found = names(run(policy(), lambda wanted: failed(wanted) if wanted.arm == "direct" else trial(wanted, 1.0)))
    assert Counter(found) == {"mmap": 6, "read": 6, "direct": 2}


def test_a_failed_trial_is_tried_again() -> None:
    outcomes = iter([failed])

    def once(wanted: TrialSpec) -> Trial:
        make = next(outcomes, None) if wanted.arm == "mmap" else None
        return make(wanted) if make else trial(wanted, 1.0)

    assert Counter(names(run(policy(), once))) == {"mmap": 7, "read": 6, "direct": 6}


def test_failures_are_bounded_even_if_each_is_another() -> None:
    numbers = iter(range(1000))
    found = run(policy(), lambda wanted: failed(wanted, message=str(next(numbers))))
    assert Counter(names(found)) == {"mmap": 3, "read": 3, "direct": 3}


@pytest.mark.parametrize(
    ("outcomes", "dropped"),
    [
        ("", False),
        ("x", False),
        ("xx", True),
        ("xy", False),
        ("xyx", True),
        (".xx", False),
        ("xx.", True),
        (".x.x.x", True),
        (".........x.x.x", False),
    ],
)
def test_when_an_arm_is_given_up(outcomes: str, dropped: bool) -> None:
    """x and y are failures of two kinds."""
    tried = [trial(spec(), 1.0) if letter == "." else failed(spec(), letter) for letter in outcomes]
    assert is_dropped(tried) == dropped


def test_a_trial_that_came_back_unproven_still_belongs_to_its_arm() -> None:
    arms = [Arm("cold", spec("mmap", model="a", cache="cold"))]

    def uncertified(_: TrialSpec) -> Trial:
        return trial(spec("mmap", model="a", cache="uncertified"), 1.0)

    assert len(run(policy(arms), uncertified)) == 6


def test_arms_that_differ_in_their_labels_alone_are_told_apart() -> None:
    arms = [Arm(model, spec("mmap", model=model, cache="cold")) for model in ("a", "b")]
    found = Counter(one.spec.labels["model"] for one in run(policy(arms)))
    assert found == {"a": 6, "b": 6}


def test_a_fixed_count_for_all_is_a_minimum_that_is_the_maximum() -> None:
    found = Counter(names(run(policy(undecided=always("mmap"), minimum=2, maximum=2))))
    assert found == {"mmap": 2, "read": 2, "direct": 2}


def test_no_arms_no_trials() -> None:
    assert run(policy([])) == []


def on_files(arm: str, *files: str) -> Arm:
    return Arm(arm, replace(spec(arm), files=files))


def test_where_one_hung_the_others_on_the_same_files_are_not_tried() -> None:
    arms = [on_files("mmap", "a"), on_files("read", "a"), on_files("mmap-b", "b")]

    def hang(of: TrialSpec) -> Trial:
        return failed(of, kind="time-out") if of.files == ("a",) else trial(of, 1.0)

    trials = run(policy(arms), hang)

    assert Counter(one.spec.files for one in trials) == {("a",): 1, ("b",): 6}
    assert given_up(trials, arms) == {"mmap", "read"}


def test_an_arm_that_finished_before_goes_on_where_another_hung_on_its_files() -> None:
    arms = [on_files("mmap", "a"), on_files("read", "a")]
    trials = (trial(arms[0].spec, 1.0), failed(arms[1].spec, kind="time-out"))

    assert given_up(trials, arms) == {"read"}


def test_a_time_out_after_a_good_start_is_a_failure_as_any_other() -> None:
    assert not is_dropped([trial(spec(), 1.0), failed(spec(), kind="time-out")])


def test_trials_without_files_have_nothing_in_common_to_hang_on() -> None:
    arms = [Arm("mmap", spec("mmap")), Arm("read", spec("read"))]

    assert given_up([failed(arms[0].spec, kind="time-out")], arms) == {"mmap"}
