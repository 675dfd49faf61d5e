"""The whole decision of a gate against enumeration: every fall of the coins for small counts, with nothing drawn.

The coin that decides the order of a pair gives its difference a sign. For identical code every choice of signs is
equally likely, so the share of choices that end in an alarm is the chance of one, exactly.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache

import pytest

from synapse_perf.analyze.gate_paired import Judgement, PairedRuns, Rules, confirm, screen
from synapse_perf.analyze.gate_signed_rank import least_pairs
from tests.analyze.made_pairs import merged, paired

# Sizes of differences, no two alike and no sum of some like that of others: every rank sum is its own.
SIZES = (0.311, 0.137, 0.213, 0.071, 0.417, 0.059, 0.178, 0.523, 0.097, 0.254)


def every_sign(sizes: Sequence[float]) -> Iterator[tuple[float, ...]]:
    for signs in itertools.product((-1, 1), repeat=len(sizes)):
        yield tuple(sign * size for sign, size in zip(signs, sizes, strict=True))


def pairs_of(slowdowns: Sequence[float]) -> list[PairedRuns]:
    return [paired(1.0, math.exp(value)) for value in slowdowns]


def alone(slowdowns: Sequence[float], rules: Rules) -> Judgement:
    return confirm(["m"], pairs_of(slowdowns), rules, is_over=True)["m"]


def rank_sum(values: Sequence[float]) -> int:
    """Of the positive ones: counted, without any of the code that is tested."""
    return sum(sum(abs(other) <= abs(value) for other in values) for value in values if value > 0)


@cache
def chance_of_sum(count: int, least: int) -> Fraction:
    sums = (sum(chosen) for size in range(count + 1) for chosen in itertools.combinations(range(1, count + 1), size))
    return Fraction(sum(total >= least for total in sums), 2**count)


@pytest.mark.parametrize("count", [7, 8, 10])
@pytest.mark.parametrize("alarm", [0.02, 0.05])
def test_one_metric_at_the_floor_is_an_alarm_as_often_as_its_rank_sums_are_rare(count: int, alarm: float) -> None:
    """At the floor exactly, which is the worst of what is no regression."""
    rules = Rules(alarm=alarm, confirm_pairs=(count,))
    floor = math.log1p(rules.floor)
    alarms = expected = 0
    for noise in every_sign(SIZES[:count]):
        alarms += alone([floor + value for value in noise], rules).status == "regressed"
        expected += chance_of_sum(count, rank_sum(noise)) <= Fraction(alarm)
    assert alarms == expected
    assert 0 < Fraction(alarms, 2**count) <= Fraction(alarm)


def test_two_looks_together_are_no_oftener_wrong_than_stated() -> None:
    """The second look has the pairs of the first and some more, which is neither independent of it nor the same."""
    rules = Rules(alarm=0.04, confirm_pairs=(7, 10))
    floor = math.log1p(rules.floor)
    alarms = sum(alone([floor + value for value in noise], rules).status == "regressed" for noise in every_sign(SIZES))
    by_hand = sum(
        chance_of_sum(7, rank_sum(noise[:7])) <= Fraction(2, 100)
        or chance_of_sum(10, rank_sum(noise)) <= Fraction(2, 100)
        for noise in every_sign(SIZES)
    )
    assert alarms == by_hand
    assert 0 < Fraction(alarms, 2**10) <= Fraction(4, 100)


def test_a_family_of_two_is_no_oftener_wrong_than_one_whichever_way_they_hang_together() -> None:
    """Metrics of one run share its noise: all signs alike, all opposite, or each its own."""
    rules = Rules(alarm=0.05, confirm_pairs=(7,))
    floor = math.log1p(rules.floor)
    for other in (1, -1):
        alarms = 0
        for noise in every_sign(SIZES[:7]):
            first, second = ([floor + sign * value for value in noise] for sign in (1, other))
            found = confirm(["m0", "m1"], merged(pairs_of(first), pairs_of(second)), rules, is_over=True)
            alarms += any(one.status == "regressed" for one in found.values())
        assert 0 < Fraction(alarms, 2**7) <= Fraction(5, 100)


@pytest.mark.parametrize("count", [6, 8, 10])
@pytest.mark.parametrize("slip", [0.02, 0.1])
def test_a_metric_that_is_slower_by_the_effect_is_called_unchanged_as_rarely_as_stated(count: int, slip: float) -> None:
    rules = Rules(
        slip=slip, few_slip=slip, screen_pairs=count, confirm_pairs=(count,), suspicion=0.0, side_suspicion=0.0
    )
    effect = math.log1p(rules.effect)
    cleared = expected = 0
    for noise in every_sign(SIZES[:count]):
        (found,) = screen(pairs_of([effect + value for value in noise]), rules).values()
        cleared += found.status in ("unchanged", "improved")
        expected += chance_of_sum(count, rank_sum([-value for value in noise])) <= Fraction(slip)
    assert count >= least_pairs(slip)
    assert cleared == expected
    assert 0 < Fraction(cleared, 2**count) <= Fraction(slip)


def test_few_pairs_clear_nothing_that_signs_alone_would_clear_by_luck() -> None:
    """Two classes of processor: half of the pairs differ by a quarter. A dozen that happen to fall well are too few."""
    classes = [-0.223] * 3 + [0.0] * 9
    lucky = [math.log1p(0.10) + value - 0.001 * place for place, value in enumerate(classes)]
    signs_alone = Rules(slip=0.0005, confirm_pairs=(12,), suspicion=0.0)
    assert screen(pairs_of(lucky), signs_alone)["m"].status == "unchanged"
    assert screen(pairs_of(lucky), Rules(suspicion=0.0))["m"].status == "inconclusive"
    steady = [0.002 * (-1) ** place for place in range(12)]
    assert screen(pairs_of(steady), Rules())["m"].status == "unchanged"
