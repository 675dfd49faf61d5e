"""Which pair comes next: enough of them, in an order that a coin decides, disturbed ones anew, whatever they showed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synapse_perf.analyze.gate_paired import PairedRuns, Rules
from synapse_perf.analyze.gate_policy import Pair, judge, next_pair, replaced
from tests.analyze.made_pairs import paired, slower_by

RULES = Rules()


def carried_out(
    runs: list[PairedRuns], rules: Rules = RULES, seed: int = 1, disturbed: frozenset[int] = frozenset()
) -> list[Pair]:
    """Pairs as the policy asks for them, until it is content; the runs come round again."""
    pairs: list[Pair] = []
    while (spec := next_pair(pairs, rules, seed)) is not None:
        told = ("others",) if spec.number in disturbed else ()
        pairs.append(Pair(spec, runs[len(pairs) % len(runs)], told))
        assert len(pairs) < 200
    return pairs


def test_a_change_that_slows_nothing_ends_with_the_screen() -> None:
    pairs = carried_out(slower_by(1.0))
    assert [pair.spec.stage for pair in pairs] == ["screen"] * 12
    assert [one.status for one in judge(pairs, RULES)] == ["unchanged"]


def test_a_suspect_gets_fresh_pairs_and_no_more_than_it_needs() -> None:
    pairs = carried_out(slower_by(1.1))
    assert [pair.spec.stage for pair in pairs] == ["screen"] * 12 + ["confirm"] * 12
    (found,) = judge(pairs, RULES)
    assert (found.status, found.pairs) == ("regressed", 12)


def test_a_suspect_of_the_screen_alone_is_not_confirmed_by_itself() -> None:
    pairs = carried_out([*slower_by(1.1), *slower_by(1.0, 30)])
    assert [one.status for one in judge(pairs, RULES)] == ["unchanged"]


def test_what_stays_undecided_ends_with_the_last_look() -> None:
    pairs = carried_out(slower_by(1.0, noise=80))
    assert len(pairs) == 12 + 120
    assert [one.status for one in judge(pairs, RULES)] == ["inconclusive"]


def test_what_no_number_of_pairs_would_decide_is_given_up() -> None:
    pairs = carried_out(slower_by(1.05, noise=60))
    assert len(pairs) == 12 + 60
    assert [one.status for one in judge(pairs, RULES)] == ["inconclusive"]


def test_an_interrupted_gate_is_judged_by_what_there_is_and_passes_nothing() -> None:
    pairs = carried_out(slower_by(1.1))
    for count in range(len(pairs)):
        assert [one.status for one in judge(pairs[:count], RULES)] in ([], ["inconclusive"])


def test_the_order_is_a_coin_of_each_pair_and_the_same_for_the_same_seed() -> None:
    orders = {seed: [pair.spec.order[0] for pair in carried_out(slower_by(1.0), seed=seed)] for seed in range(40)}
    again = [pair.spec.order[0] for pair in carried_out(slower_by(1.0), seed=3)]
    assert again == orders[3]
    heads = sum(order.count("before") for order in orders.values())
    assert 0.4 < heads / (40 * 12) < 0.6
    assert len({tuple(order) for order in orders.values()}) > 35


def test_pairs_that_can_never_confirm_are_not_planned() -> None:
    assert RULES.looks(12) == (12, 30, 60, 120)
    assert RULES.looks(1000)[0] == 18  # 2 ** -18 <= 0.005 / 1000 < 2 ** -17
    assert Rules(screen_pairs=3).screened_pairs() == 11  # 2 ** -11 is the first below one in two thousand
    assert Rules(confirm_pairs=(5,)).looks(12) == (10,)


# --- disturbed pairs -------------------------------------------------------------------------------------------------


def test_a_disturbed_pair_is_measured_anew() -> None:
    pairs = carried_out(slower_by(1.0), disturbed=frozenset({3, 5}))
    assert len(pairs) == 14
    every_other = carried_out(slower_by(1.0), disturbed=frozenset(range(2, 200, 2)))
    assert len(every_other) == 18  # half as many again, and no more
    assert [pair.spec.number for pair in replaced(pairs, RULES)] == [3, 5]


def test_where_everything_is_disturbed_the_pairs_are_kept() -> None:
    pairs = carried_out(slower_by(1.0), disturbed=frozenset(range(200)))
    assert len(pairs) == 13
    assert [one.status for one in judge(pairs, RULES)] == ["unchanged"]


@pytest.mark.parametrize("shown", [0.2, 1.0, 5.0])
def test_what_a_disturbed_pair_showed_decides_nothing(shown: float) -> None:
    """Blind: whichever pair is replaced, and whether, is the same for every figure of it."""
    runs = slower_by(1.0)
    runs[2] = paired(10, 10 * shown)
    pairs = carried_out(runs, disturbed=frozenset({3}))
    assert [pair.spec.number for pair in replaced(pairs, RULES)] == [3]
    kept = [replace(one, pairs=0) for one in judge(pairs, RULES)]
    assert [one.status for one in kept] == ["unchanged"]


# --- companions ------------------------------------------------------------------------------------------------------


def with_companion(runs: list[PairedRuns], companion: list[PairedRuns], stands_for: str) -> list[PairedRuns]:
    return [
        PairedRuns(
            *(
                {"m": own["m"], "c": replace(beside["m"], is_principal=False, stands_for=stands_for)}
                for own, beside in ((run.before, other.before), (run.after, other.after))
            )
        )
        for run, other in zip(runs, companion, strict=True)
    ]


@pytest.mark.parametrize("stands_for", ["m", "every time"])
def test_a_companion_is_confirmed_where_its_metric_is_hidden_by_noise(stands_for: str) -> None:
    pairs = carried_out(with_companion(slower_by(1.1, noise=60), slower_by(1.1), stands_for))
    assert {one.metric: one.status for one in judge(pairs, RULES)} == {"m": "inconclusive", "c": "regressed"}
    others = carried_out(with_companion(slower_by(1.1, noise=60), slower_by(1.1), "another"))
    assert {one.metric: one.status for one in judge(others, RULES)} == {"m": "inconclusive", "c": "inconclusive"}


def test_a_companion_costs_no_pairs_where_its_metric_is_decided() -> None:
    pairs = carried_out(with_companion(slower_by(1.0), slower_by(1.0, noise=60), "m"))
    assert len(pairs) == 12
    slower = carried_out(with_companion(slower_by(1.1), slower_by(1.0, noise=60), "m"))
    assert len(slower) == 24
